"""`/meters`: the list and the builder."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.meters.state import MeterRow, MetersState, PreviewRow
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = MetersState
COLUMNS = [
    ui.Column("Meter", sort="key"),
    ui.Column("Counts", sort="aggregation"),
    ui.Column("Event type", hide_below="sm"),
    ui.Column("Created", sort="created_at", hide_below="md"),
]
AGGREGATIONS = [
    ui.Option("SUM", "SUM – all values added up"),
    ui.Option("COUNT", "COUNT – how many events"),
    ui.Option("MAX", "MAX – the largest value"),
    ui.Option("MIN", "MIN – the smallest value"),
    ui.Option("AVG", "AVG – the average value"),
    ui.Option("UNIQUE_COUNT", "UNIQUE_COUNT – how many different values"),
    ui.Option("LATEST", "LATEST – the value of the latest event"),
]


@rx.memo
def meter_row(row: rx.Var[MeterRow]) -> rx.Component:
    return ui.row(
        ui.cell(ui.row_link(row.name, href=row.href), rx.el.div(row.key, class_name="font-mono text-xs text-muted")),
        ui.cell(ui.badge(row.aggregation, "neutral"), " ", rx.el.span(row.value, class_name="font-mono text-xs")),
        ui.cell(row.event_type, hide_below="sm"),
        ui.cell(ui.date_time(row.created), hide_below="md"),
    )


@rx.memo
def preview_row(row: rx.Var[PreviewRow]) -> rx.Component:
    return ui.row(
        ui.cell(row.subject),
        ui.cell(rx.cond(row.problem != "", ui.badge(row.problem, "warning"), row.value), numeric=False),
        ui.cell(row.dimensions, hide_below="sm"),
    )


@page("/meters", title="Meters", on_load=S.load)
def meters() -> rx.Component:
    create = ui.button("Create meter", tone="primary", icon_name="plus", on_click=S.start_creating)
    return rx.fragment(
        ui.page_header(
            "Meters",
            rx.cond(ShellState.may_administer, create, rx.fragment()),
            description="A meter turns events into a quantity: which events, which value, added up how.",
        ),
        ui.toolbar(ui.search_box(S.search, S.find, label="Search meters", placeholder="Key or name")),
        ui.list_table(
            S,
            COLUMNS,
            meter_row,
            label="Meters",
            nothing_fits=("No meter fits", "Search for another key or name."),
            nothing_yet=ui.empty_state(
                "No meters yet",
                "Make one and see at once what it counts of the events that are already here.",
                icon_name="gauge",
            ),
        ),
        ui.dialog(
            "builder",
            _builder(),
            title="Create meter",
            description="Preview it on your newest events before you create it.",
            shown=S.creating,
            on_close=S.stop_creating,
            width="large",
        ),
    )


def _builder() -> rx.Component:
    return ui.form(
        rx.cond(S.errors["form"], ui.form_error(S.errors["form"]), rx.fragment()),
        ui.grid(
            ui.text_field("key", "Key", errors=S.errors, hint="Lower case letters, digits, underscores: tokens_total"),
            ui.text_field("name", "Name", errors=S.errors, optional=True),
            ui.text_field("event_type", "Event type", errors=S.errors, hint="Exactly as in the events: prompt"),
            ui.select_field("aggregation", "Aggregation", AGGREGATIONS, errors=S.errors),
            ui.text_field(
                "value_property",
                "Value",
                errors=S.errors,
                optional=True,
                hint="JSONPath into the event's data: $.tokens. COUNT needs none.",
            ),
            ui.textarea_field(
                "group_by",
                "Dimensions",
                errors=S.errors,
                optional=True,
                rows=3,
                hint="One per line: model = $.model",
            ),
        ),
        ui.textarea_field("description", "Description", errors=S.errors, optional=True, rows=2),
        rx.cond(S.previewed, _preview(), rx.fragment()),
        ui.form_actions(
            ui.button("Cancel", on_click=S.stop_creating),
            ui.submit_button("Preview on events", tone="secondary", on_click=S.intend("preview")),
            ui.submit_button("Create meter", on_click=S.intend("create")),
        ),
        on_submit=S.submit,
    )


def _preview() -> rx.Component:
    return ui.data_table(
        [ui.Column("Subject"), ui.Column("Value"), ui.Column("Dimensions", hide_below="sm")],
        S.preview,
        lambda row: preview_row(row=row),
        label="What the newest events would add",
        empty=ui.empty_state("No such events yet", "Nothing with this event type has come in.", icon_name="activity"),
    )
