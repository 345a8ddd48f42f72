"""`/subscriptions/[subscription_id]`: phases, what falls due when, and what can be done about it."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState
from dashboard.ui.subscriptions.subscription_state import SubscriptionState
from dashboard.ui.subscriptions.views import DueDate, DueLine, ItemRow, PhaseRow
from dashboard.ui.subscriptions.words import STATUSES

S = SubscriptionState
ONE = S.subscription
TIMINGS = [
    ui.RadioCard(
        "next_billing_cycle", "With the next billing period", "The current plan runs to its end first.", "calendar"
    ),
    ui.RadioCard("immediate", "Now", "The rest of the period is billed by the new plan, prorated.", "zap"),
]


@page(
    "/subscriptions/[subscription_id]",
    title="Subscription",
    name=ONE.name,
    parent="/subscriptions",
    on_load=S.load,
)
def subscription() -> rx.Component:
    return rx.cond(
        S.missing,
        rx.fragment(
            ui.page_header("Subscription"),
            ui.empty_state(
                "There is no such subscription",
                "Look for it in the list.",
                icon_name="repeat",
                action=ui.link_button("All subscriptions", href="/subscriptions"),
            ),
        ),
        rx.cond(
            S.loading,
            rx.fragment(ui.page_header("Subscription"), ui.skeleton_card(), ui.skeleton_card()),
            _subscription(),
        ),
    )


def _subscription() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            ONE.name,
            rx.cond(ShellState.may_operate & ~ONE.is_deleted, _actions(), rx.fragment()),
            description=rx.fragment("of ", ui.link(ONE.customer, href=ONE.customer_href)),
            beside=rx.cond(
                ONE.is_deleted, ui.badge("Deleted", "spent", "trash-2"), ui.status_badge(ONE.status, STATUSES)
            ),
        ),
        rx.cond(S.problem != "", ui.callout(S.problem, title="That did not work", tone="danger"), rx.fragment()),
        rx.cond(ONE.status == "canceled", _ending(), rx.fragment()),
        _details(),
        _falling_due(),
        ui.section_header("Phases", description="Copied from the plan: later versions of it do not reach here."),
        rx.foreach(S.phases, _phase),
        _change_dialog(),
        _confirmations(),
    )


def _actions() -> rx.Component:
    return rx.match(
        ONE.status,
        (
            "active",
            rx.fragment(
                ui.button("Change plan…", icon_name="arrow-left-right", on_click=S.start_changing),
                ui.dropdown_menu(
                    ui.menu_button(
                        "Cancel at period end…", on_click=ui.open_dialog("cancel-later"), icon_name="calendar-x"
                    ),
                    ui.menu_button(
                        "Cancel now…", on_click=ui.open_dialog("cancel-now"), icon_name="circle-x", danger=True
                    ),
                    label="Cancel the subscription",
                    trigger="Cancel",
                ),
            ),
        ),
        (
            "canceled",
            ui.button("Take it back…", tone="primary", icon_name="undo-2", on_click=ui.open_dialog("take-back")),
        ),
        ("scheduled", ui.button("Delete…", tone="danger", on_click=ui.open_dialog("delete-subscription"))),
        rx.fragment(),
    )


def _ending() -> rx.Component:
    return ui.callout(
        rx.cond(
            ONE.next_href != "",
            rx.fragment("Then ", ui.link("another plan", href=ONE.next_href, class_name="underline"), " follows."),
            "Nothing is billed for the time after that.",
        ),
        title=rx.fragment("Ends on ", ONE.until.relative),
        tone="warning",
    )


def _details() -> rx.Component:
    return ui.card(
        ui.definition_list(
            (
                "Plan",
                rx.cond(ONE.plan_href != "", ui.link(ONE.plan, href=ONE.plan_href), ui.muted("made for this customer")),
            ),
            ("Billed", rx.fragment(ONE.cadence, ", in ", ONE.currency)),
            ("Since", ui.date_time(ONE.since)),
            ("Until", rx.cond(ONE.until.iso != "", ui.date_time(ONE.until), ui.muted("no end"))),
            ("Current billing period", rx.cond(ONE.period != "", ONE.period, ui.muted("none"))),
            ("Billing anchor", ONE.anchor),
            ("Part of a period", ONE.proration),
            (
                "Before and after",
                rx.cond(
                    (ONE.previous_href != "") | (ONE.next_href != ""),
                    ui.inline(
                        rx.cond(
                            ONE.previous_href != "", ui.link("The one before", href=ONE.previous_href), rx.fragment()
                        ),
                        rx.cond(ONE.next_href != "", ui.link("The one after", href=ONE.next_href), rx.fragment()),
                    ),
                    ui.muted("none"),
                ),
            ),
            columns=2,
        ),
        title="Details",
    )


def _falling_due() -> rx.Component:
    return ui.card(
        ui.when_any(
            S.due,
            rx.el.ol(rx.foreach(S.due, _due), class_name="flex flex-col gap-5"),
            ui.muted("Nothing falls due in this billing period or the next."),
        ),
        rx.el.p(
            "What fell due before is on the page of ",
            ui.link(ONE.customer, href=ONE.customer_href, class_name="underline"),
            ", as pending charges and invoices.",
            class_name="mt-4 text-[13px] text-muted",
        ),
        title="What falls due when",
        description="From now to the end of the next billing period. Before tax; usage counts as it is known now.",
    )


def _due(due: rx.Var[DueDate], place: rx.Var[int]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.h3(
                ui.date_time(due.day),
                rx.cond(place == 0, ui.badge("Next invoice", "info", "receipt-text"), rx.fragment()),
                class_name="flex flex-wrap items-center gap-2 font-medium text-ink",
            ),
            ui.money(due.total, class_name="font-semibold text-ink"),
            class_name="flex flex-wrap justify-between gap-x-4 border-b border-line pb-1.5",
        ),
        rx.el.ul(rx.foreach(due.lines, _due_line), class_name="divide-y divide-line"),
    )


def _due_line(line: rx.Var[DueLine]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.p(line.name, class_name="text-ink"),
            rx.el.p(line.period, " · ", line.note, class_name="text-[13px] text-muted break-words"),
            class_name="min-w-0 flex-1",
        ),
        ui.money(line.amount),
        class_name="flex items-start gap-3 py-2",
    )


def _phase(phase: rx.Var[PhaseRow]) -> rx.Component:
    return ui.card(
        rx.el.ul(rx.foreach(phase.cards, _item), class_name="divide-y divide-line"),
        title=rx.fragment(phase.name, " ", rx.el.span("· ", phase.dates, class_name="font-normal text-muted")),
        actions=rx.cond(phase.is_now, ui.badge("Now", "success"), rx.fragment()),
        flush=True,
    )


def _item(item: rx.Var[ItemRow]) -> rx.Component:
    return rx.el.li(
        rx.el.p(item.name, class_name="font-medium text-ink"),
        rx.el.p(item.price, " · ", item.cadence, class_name="break-words"),
        rx.cond(item.dates != "", rx.el.p(item.dates, class_name="text-[13px] text-muted"), rx.fragment()),
        class_name="px-4 py-3 sm:px-5",
    )


def _change_dialog() -> rx.Component:
    fields = ui.form(
        ui.form_error(S.errors["form"]),
        ui.select_field("plan", "New plan", S.plans, errors=S.errors, empty="Choose a plan", id="change-plan"),
        ui.radio_cards("timing", "When", TIMINGS, value="next_billing_cycle", errors=S.errors),
        rx.el.p(
            "This subscription ends at that moment and a new one begins, on the same billing anchor. What was invoiced "
            "stays as it is.",
            class_name="text-muted",
        ),
        ui.form_actions(ui.button("Cancel", on_click=S.stop_changing), ui.submit_button("Change plan", busy=S.busy)),
        on_submit=S.change,
    )
    return ui.dialog(
        "change",
        rx.cond(S.changing, fields, rx.fragment()),
        title="Change plan",
        shown=S.changing,
        on_close=S.stop_changing,
        width="medium",
    )


def _confirmations() -> rx.Component:
    return rx.fragment(
        ui.confirm_dialog(
            "cancel-now",
            "It ends this moment. Fees not yet invoiced are prorated to now; usage until now is invoiced. What was "
            "paid in advance is not paid back.",
            title="Cancel now?",
            confirm="Cancel now",
            on_confirm=S.cancel_now,
        ),
        ui.confirm_dialog(
            "cancel-later",
            rx.el.p("It runs to the end of its billing period, ", ONE.period_end, ". Until then you can take it back."),
            title="Cancel at period end?",
            confirm="Cancel at period end",
            on_confirm=S.cancel_at_period_end,
        ),
        ui.confirm_dialog(
            "take-back",
            rx.cond(
                ONE.next_href != "",
                "The subscription that was to follow is deleted, and this one goes on without an end.",
                "It goes on without an end, and is billed as before.",
            ),
            title="Take it back?",
            confirm="Go on with this subscription",
            on_confirm=S.take_back,
            tone="primary",
        ),
        ui.confirm_dialog(
            "delete-subscription",
            "It has not begun, so nothing was billed.",
            title="Delete this subscription?",
            confirm="Delete subscription",
            on_confirm=S.delete,
        ),
    )
