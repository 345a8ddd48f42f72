"""`/features`: the list, creating one, archiving one."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.features.state import FeatureRow, FeaturesState
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = FeaturesState
COLUMNS = [
    ui.Column("Feature", sort="key"),
    ui.Column("Meter"),
    ui.Column("Only", hide_below="md"),
    ui.Column("Created", sort="created_at", hide_below="md"),
    ui.Column("Actions", hidden_label=True),
]


@rx.memo
def feature_row(row: rx.Var[FeatureRow]) -> rx.Component:
    return ui.row(
        ui.cell(
            rx.el.div(row.name, class_name="font-medium text-ink"),
            rx.el.div(row.key, class_name="font-mono text-xs text-muted"),
        ),
        ui.cell(
            rx.cond(row.meter != "", ui.link(row.meter, href=row.meter_href), ui.muted("none")),
        ),
        ui.cell(rx.cond(row.filters != "", row.filters, ui.muted("everything")), hide_below="md"),
        ui.cell(ui.date_time(row.created), hide_below="md"),
        ui.cell(
            rx.cond(
                row.is_archived,
                ui.badge("Archived", "neutral"),
                rx.cond(
                    ShellState.may_administer,
                    ui.icon_button(
                        "archive",
                        "Archive " + row.name,
                        on_click=[S.choose(row.id), ui.open_dialog("archive-feature")],
                    ),
                    rx.fragment(),
                ),
            ),
            class_name="text-right",
        ),
    )


@page("/features", title="Features", on_load=S.load)
def features() -> rx.Component:
    create = ui.button("Create feature", tone="primary", icon_name="plus", on_click=S.start_creating)
    return rx.fragment(
        ui.page_header(
            "Features",
            rx.cond(ShellState.may_administer, create, rx.fragment()),
            description="What you sell: the usage of a meter, or of a part of it, or something that is not counted.",
        ),
        ui.tabs(S.tabs, label="Which features"),
        ui.toolbar(ui.search_box(S.search, S.find, label="Search features", placeholder="Key or name")),
        ui.list_table(
            S,
            COLUMNS,
            feature_row,
            label="Features",
            nothing_fits=("No feature fits", "Search for another key or name."),
            nothing_yet=ui.empty_state(
                "No features yet",
                "Make a meter first, then a feature that counts by it; plans put a price on features.",
                icon_name="puzzle",
            ),
        ),
        ui.dialog(
            "create-feature",
            rx.cond(S.creating, _form(), rx.fragment()),
            title="Create feature",
            shown=S.creating,
            on_close=S.stop_creating,
            width="medium",
        ),
        ui.confirm_dialog(
            "archive-feature",
            "Drafts that use it cannot be published until they name another feature. Published plans and subscriptions "
            "keep it and go on counting. Its key can be given again.",
            title=rx.fragment("Archive ", S.chosen_name, "?"),
            confirm="Archive feature",
            on_confirm=S.archive,
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        ui.form_error(S.errors["form"]),
        ui.grid(
            ui.text_field("name", "Name", errors=S.errors, auto_complete="off"),
            ui.text_field("key", "Key", errors=S.errors, auto_complete="off", hint="Lower case, as in tokens_total"),
        ),
        ui.select_field(
            "meter",
            "Meter",
            S.meters,
            errors=S.errors,
            optional=True,
            empty="None: nothing is counted",
            on_change=S.choose_meter,
        ),
        ui.textarea_field(
            "filters",
            "Only these dimension values",
            errors=S.errors,
            optional=True,
            rows=2,
            hint=rx.cond(
                S.dimensions != "",
                rx.fragment("One per line: model = gpt-4, gpt-4o. This meter has: ", S.dimensions, "."),
                "One per line, for a meter with dimensions: model = gpt-4, gpt-4o",
            ),
        ),
        ui.textarea_field("description", "Description", errors=S.errors, optional=True, rows=2),
        ui.form_actions(ui.button("Cancel", on_click=S.stop_creating), ui.submit_button("Save", icon_name="check")),
        on_submit=S.create,
    )
