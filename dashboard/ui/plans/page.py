"""`/plans`: the list of versions, and beginning a draft."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.plans.state import CURRENCIES, PlansState
from dashboard.ui.plans.views import PlanRow
from dashboard.ui.plans.words import PLAN_CADENCES, STATUSES, cadence_options
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = PlansState
COLUMNS = [
    ui.Column("Plan", sort="key"),
    ui.Column("Version", sort="version"),
    ui.Column("Status"),
    ui.Column("Billed", hide_below="md"),
    ui.Column("Rate cards", numeric=True, hide_below="lg"),
    ui.Column("Changed", sort="updated_at", hide_below="md"),
]


@rx.memo
def plan_row(row: rx.Var[PlanRow]) -> rx.Component:
    return ui.row(
        ui.cell(ui.row_link(row.name, href=row.href), rx.el.div(row.key, class_name="font-mono text-xs text-muted")),
        ui.cell(row.version),
        ui.cell(ui.status_badge(row.status, STATUSES)),
        ui.cell(row.cadence, ", ", row.currency, hide_below="md"),
        ui.cell(row.cards, numeric=True, hide_below="lg"),
        ui.cell(ui.date_time(row.changed), hide_below="md"),
    )


@page("/plans", title="Plans", on_load=S.load)
def plans() -> rx.Component:
    create = ui.button("Create plan", tone="primary", icon_name="plus", on_click=S.start_creating)
    return rx.fragment(
        ui.page_header(
            "Plans",
            rx.cond(ShellState.may_administer, create, rx.fragment()),
            description="What customers subscribe to. A published version never changes; the next one replaces it.",
        ),
        ui.tabs(S.tabs, label="Status"),
        ui.toolbar(ui.search_box(S.search, S.find, label="Search plans", placeholder="Key or name")),
        ui.list_table(
            S,
            COLUMNS,
            plan_row,
            label="Plans",
            nothing_fits=("No plan fits", "Choose another status, or search for less."),
            nothing_yet=ui.empty_state(
                "No plans yet",
                "Create a draft, add its fees and usage prices, then publish it.",
                icon_name="layers",
            ),
        ),
        ui.dialog(
            "create-plan",
            rx.cond(S.creating, _form(), rx.fragment()),
            title="Create plan",
            description="It begins as a draft. With the key of a plan that is there, it becomes its next version.",
            shown=S.creating,
            on_close=S.stop_creating,
            width="medium",
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        ui.form_error(S.errors["form"]),
        ui.grid(
            ui.text_field("name", "Name", errors=S.errors, auto_complete="off"),
            ui.text_field("key", "Key", errors=S.errors, auto_complete="off", hint="Lower case, as in team_2026"),
            ui.select_field("currency", "Currency", CURRENCIES, errors=S.errors, default_value="USD"),
            ui.select_field(
                "billing_cadence",
                "Billed",
                cadence_options(PLAN_CADENCES, ""),
                errors=S.errors,
                default_value="P1M",
            ),
        ),
        ui.form_actions(ui.button("Cancel", on_click=S.stop_creating), ui.submit_button("Create draft")),
        on_submit=S.create,
    )
