"""`/plans/[plan_id]`: one version of a plan, and the builder while it is a draft."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.plans.card_dialog import card_dialogs
from dashboard.ui.plans.card_state import CardState
from dashboard.ui.plans.plan_state import PlanState
from dashboard.ui.plans.views import CardRow, PhaseRow, VersionRow
from dashboard.ui.plans.words import DURATION_UNITS, STATUSES
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = PlanState
MAY_EDIT = S.plan.editable & ShellState.may_administer


@page("/plans/[plan_id]", title="Plan", name=S.plan.name, parent="/plans", on_load=S.load)
def plan() -> rx.Component:
    return rx.cond(
        S.missing,
        rx.fragment(
            ui.page_header("Plan"),
            ui.empty_state(
                "There is no such plan",
                "It may have been deleted.",
                icon_name="layers",
                action=ui.link_button("All plans", href="/plans"),
            ),
        ),
        rx.cond(S.loading, rx.fragment(ui.page_header("Plan"), ui.skeleton_card(), ui.skeleton_card()), _plan()),
    )


def _plan() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            S.plan.name,
            rx.cond(ShellState.may_administer, _actions(), rx.fragment()),
            description=rx.fragment(S.plan.key, " · version ", S.plan.version, " · ", S.plan.currency),
            beside=ui.status_badge(S.plan.status, STATUSES),
        ),
        rx.cond(S.problem != "", ui.callout(S.problem, title="That did not work", tone="danger"), rx.fragment()),
        rx.cond(S.issue_count > 0, _to_mend(), rx.fragment()),
        _general(),
        _phases(),
        rx.cond(S.versions.length() > 1, _versions(), rx.fragment()),
        rx.cond(ShellState.may_administer, _danger(), rx.fragment()),
        card_dialogs(),
        _phase_dialog(),
        _confirmations(),
    )


def _actions() -> rx.Component:
    return rx.cond(
        S.plan.editable,
        ui.button(
            "Publish…",
            tone="primary",
            icon_name="rocket",
            on_click=ui.open_dialog("publish"),
            disabled=~S.plan.publishable,
        ),
        rx.cond(
            S.open_draft != "",
            ui.link_button("Open the draft", href=S.open_draft, icon_name="pencil"),
            ui.button("Next version", tone="primary", icon_name="copy-plus", on_click=S.next_version),
        ),
    )


def _to_mend() -> rx.Component:
    return ui.callout(
        "Each is listed where it belongs, below.",
        title=rx.cond(
            S.issue_count == 1,
            "One thing keeps this draft from being published",
            rx.fragment(S.issue_count.to(str), " things keep this draft from being published"),
        ),
        tone="warning",
    )


def _general() -> rx.Component:
    shown = ui.definition_list(
        (
            "Billed",
            rx.fragment(
                S.plan.cadence,
                rx.cond(
                    S.issues["billing_cadence"],
                    rx.el.span(S.issues["billing_cadence"], class_name="block text-danger-ink"),
                    rx.fragment(),
                ),
            ),
        ),
        ("Part of a period", rx.cond(S.plan.pro_rating, "flat fees are prorated", "flat fees are charged in full")),
        ("In effect", S.plan.effective),
        ("Subscriptions made from it", S.plan.subscriptions),
        ("Description", rx.cond(S.plan.description != "", S.plan.description, ui.muted("none"))),
        ("Changed", ui.date_time(S.plan.changed)),
        columns=2,
    )
    edit = ui.button("Edit", icon_name="pencil", size="small", on_click=S.start_editing)
    return ui.card(
        rx.cond(S.editing, _general_form(), shown),
        title="General",
        actions=rx.cond(MAY_EDIT & ~S.editing, edit, rx.fragment()),
    )


def _general_form() -> rx.Component:
    return ui.form(
        ui.form_error(S.errors["form"]),
        ui.grid(
            ui.text_field("name", "Name", errors=S.errors, id="plan-name", default_value=S.plan.name),
            ui.select_field(
                "billing_cadence",
                "Billed",
                S.cadences,
                errors=S.errors,
                id="plan-cadence",
                default_value=S.plan.billing_cadence,
            ),
        ),
        ui.textarea_field(
            "description",
            "Description",
            errors=S.errors,
            optional=True,
            rows=2,
            id="plan-description",
            default_value=S.plan.description,
        ),
        ui.checkbox_field(
            "pro_rating",
            "Prorate flat fees",
            hint="Part of a period costs part of the fee.",
            id="plan-pro-rating",
            default_checked=S.plan.pro_rating,
        ),
        ui.form_actions(ui.button("Cancel", on_click=S.stop_editing), ui.submit_button("Save", icon_name="check")),
        on_submit=S.save,
    )


def _phases() -> rx.Component:
    add = ui.button("Add phase", icon_name="plus", on_click=S.add_phase)
    return rx.fragment(
        ui.section_header(
            "Phases",
            rx.cond(MAY_EDIT, add, rx.fragment()),
            description="A trial, then the regular price: each phase has its own rate cards. The last one runs on.",
        ),
        rx.cond(
            S.phases.length() > 0,
            rx.fragment(rx.foreach(S.phases, _phase)),
            ui.card(ui.empty_state("No phases", "Add one: most plans need only one.", icon_name="layers")),
        ),
    )


def _phase(phase: rx.Var[PhaseRow]) -> rx.Component:
    return ui.card(
        _complaints(phase.issues, "px-4 pt-3 sm:px-5"),
        rx.el.ul(rx.foreach(phase.cards, _card), class_name="divide-y divide-line"),
        rx.cond(
            MAY_EDIT,
            ui.inline(
                ui.button(
                    "Add flat fee", size="small", icon_name="plus", on_click=CardState.add(phase.place, "flat_fee")
                ),
                ui.button(
                    "Add usage price",
                    size="small",
                    icon_name="plus",
                    on_click=CardState.add(phase.place, "usage_based"),
                ),
                class_name="border-t border-line px-4 py-3 sm:px-5",
            ),
            rx.fragment(),
        ),
        title=rx.fragment(phase.name, " ", rx.el.span("· ", phase.duration, class_name="font-normal text-muted")),
        actions=rx.cond(
            MAY_EDIT,
            rx.fragment(
                rx.cond(
                    phase.is_first,
                    rx.fragment(),
                    ui.icon_button("arrow-up", "Move " + phase.name + " up", on_click=S.move_phase_up(phase.place)),
                ),
                ui.icon_button("pencil", "Edit phase " + phase.name, on_click=S.edit_phase(phase.place)),
                ui.icon_button(
                    "trash-2",
                    "Remove phase " + phase.name,
                    on_click=[S.choose_phase(phase.place), ui.open_dialog("remove-phase")],
                ),
            ),
            rx.fragment(),
        ),
        flush=True,
    )


def _card(card: rx.Var[CardRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.div(
                rx.el.span(card.name, class_name="font-medium text-ink"),
                rx.cond(
                    card.kind == "usage_based",
                    ui.badge("Usage", "info", "gauge"),
                    ui.badge("Flat fee", "neutral", "coins"),
                ),
                class_name="flex flex-wrap items-center gap-2",
            ),
            rx.el.p(card.price, " · ", card.cadence, class_name="text-ink break-words"),
            rx.el.p(
                rx.el.span(card.key, class_name="font-mono"),
                rx.cond(card.tax != "", " · " + card.tax, ""),
                class_name="text-[13px] text-muted break-words",
            ),
            _complaints(card.issues, "mt-1"),
            class_name="min-w-0 flex-1",
        ),
        ui.inline(
            ui.icon_button("calculator", "Preview price of " + card.name, on_click=CardState.open_preview(card.place)),
            rx.cond(
                MAY_EDIT,
                rx.fragment(
                    ui.icon_button("pencil", "Edit " + card.name, on_click=CardState.edit(card.place)),
                    ui.icon_button(
                        "trash-2",
                        "Remove " + card.name,
                        on_click=[CardState.choose(card.place), ui.open_dialog("remove-card")],
                    ),
                ),
                rx.fragment(),
            ),
            gap=0,
            class_name="shrink-0",
        ),
        class_name="flex flex-wrap items-start gap-x-3 gap-y-1 px-4 py-3 sm:flex-nowrap sm:px-5",
    )


def _complaints(issues: rx.Var[list[str]], class_name: str) -> rx.Component:
    return rx.cond(
        issues.length() > 0,
        rx.el.ul(
            rx.foreach(
                issues,
                lambda sentence: rx.el.li(
                    ui.icon("circle-alert", 14, "mt-0.5"), sentence, class_name="flex gap-1.5 text-[13px]"
                ),
            ),
            aria_label="To mend",
            class_name="flex flex-col gap-0.5 text-danger-ink " + class_name,
        ),
        rx.fragment(),
    )


def _versions() -> rx.Component:
    return ui.card(
        rx.el.ul(rx.foreach(S.versions, _version), class_name="divide-y divide-line"), title="Versions", flush=True
    )


def _version(version: rx.Var[VersionRow]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            version.is_this,
            rx.el.span(version.name, " (this one)", class_name="font-medium"),
            ui.link(version.name, href=version.href),
        ),
        ui.status_badge(version.status, STATUSES),
        rx.cond(version.since.iso != "", ui.date_time(version.since, class_name="text-muted"), rx.fragment()),
        class_name="flex flex-wrap items-center gap-3 px-4 py-2.5 sm:px-5",
    )


def _danger() -> rx.Component:
    archive = ui.button("Archive…", tone="danger", on_click=ui.open_dialog("archive"))
    delete = ui.button("Delete…", tone="danger", on_click=ui.open_dialog("delete"))
    return rx.cond(
        S.plan.can_archive | S.plan.can_delete,
        ui.danger_card(
            ui.inline(
                rx.cond(S.plan.can_archive, archive, rx.fragment()), rx.cond(S.plan.can_delete, delete, rx.fragment())
            )
        ),
        rx.fragment(),
    )


def _phase_dialog() -> rx.Component:
    form, errors = S.phase_form, S.phase_errors
    fields = ui.form(
        ui.form_error(errors["form"]),
        ui.grid(
            ui.text_field("name", "Name", errors=errors, id="phase-name", default_value=form.name),
            ui.text_field(
                "key", "Key", errors=errors, id="phase-key", default_value=form.key, hint="Lower case, as in trial"
            ),
            ui.select_field(
                "duration_unit",
                "How long",
                DURATION_UNITS,
                errors=errors,
                optional=True,
                id="phase-unit",
                default_value=form.duration_unit,
                hint="Only the last phase runs on.",
            ),
            ui.text_field(
                "duration_amount",
                "Number of those",
                errors=None,
                optional=True,
                id="phase-amount",
                default_value=form.duration_amount,
                placeholder="14",
            ),
        ),
        rx.cond(
            errors["duration"],
            rx.el.p(errors["duration"], role="alert", class_name="text-[13px] text-danger-ink"),
            rx.fragment(),
        ),
        ui.form_actions(ui.button("Cancel", on_click=S.close_phase), ui.submit_button("Save phase", icon_name="check")),
        on_submit=S.save_phase,
    )
    return ui.dialog(
        "phase",
        rx.cond(S.phase_open, fields, rx.fragment()),
        title="Phase",
        shown=S.phase_open,
        on_close=S.close_phase,
        width="medium",
    )


def _confirmations() -> rx.Component:
    takes_over = rx.cond(
        S.replaces != "",
        rx.fragment("It replaces ", S.replaces, " now. Subscriptions on that one keep it until you change them."),
        "Customers can subscribe to it from now on.",
    )
    return rx.fragment(
        ui.confirm_dialog(
            "publish",
            rx.el.p(takes_over),
            rx.el.p("A published version does not change any more; make the next version to change something."),
            title=rx.fragment("Publish version ", S.plan.version, "?"),
            confirm="Publish",
            on_confirm=S.publish,
            tone="primary",
        ),
        ui.confirm_dialog(
            "archive",
            "Nobody can subscribe to it any more. Subscriptions that were made from it go on as they are.",
            title=rx.fragment("Archive version ", S.plan.version, "?"),
            confirm="Archive version",
            on_confirm=S.archive,
        ),
        ui.confirm_dialog(
            "delete",
            "It is gone for good. Its number is not given again.",
            title=rx.fragment("Delete version ", S.plan.version, "?"),
            confirm="Delete version",
            on_confirm=S.delete,
        ),
        ui.confirm_dialog(
            "remove-phase",
            "Its rate cards go with it. Published versions and subscriptions are not touched.",
            title=rx.fragment("Remove phase ", S.chosen_name, "?"),
            confirm="Remove phase",
            on_confirm=S.remove_phase,
        ),
    )
