"""`/meters/[meter_key]`: one meter, and its usage as a chart and a table."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.meters.state import MeterState, UsageRow
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = MeterState
SELECT = "h-9 rounded-control border border-line-strong bg-panel px-2.5 text-base md:text-sm text-ink"
RANGES = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days")]


@rx.memo
def usage_row(row: rx.Var[UsageRow]) -> rx.Component:
    return ui.row(
        ui.cell(row.period),
        ui.cell(row.subject, row.dimension),
        ui.cell(row.value, numeric=True),
    )


@page("/meters/[meter_key]", title="Meter", name=S.meter.name, parent="/meters", on_load=S.load)
def meter() -> rx.Component:
    return rx.cond(
        S.missing,
        rx.fragment(
            ui.page_header("Meter"),
            ui.empty_state(
                "There is no such meter",
                "It may have been deleted.",
                icon_name="gauge",
                action=ui.link_button("All meters", href="/meters"),
            ),
        ),
        rx.cond(S.loading, rx.fragment(ui.page_header("Meter"), ui.skeleton_card()), _meter()),
    )


def _meter() -> rx.Component:
    delete = ui.button("Delete…", tone="danger", on_click=ui.open_dialog("delete-meter"))
    return rx.fragment(
        ui.page_header(S.meter.name, description=S.meter.description, beside=ui.badge(S.meter.aggregation, "neutral")),
        rx.cond(S.problem != "", ui.callout(S.problem, tone="danger"), rx.fragment()),
        ui.toolbar(
            ui.filter_select("range", "Time", RANGES, S.range, S.choose_range),
            rx.el.select(
                rx.foreach(S.groups, lambda option: rx.el.option(option.label, value=option.value)),
                name="by",
                value=S.group,
                on_change=S.choose_group,
                aria_label="Group by",
                class_name=SELECT,
            ),
        ),
        ui.stat_card("Measured in this time", S.total),
        ui.card(
            rx.el.div(
                rx.recharts.bar_chart(
                    rx.recharts.bar(data_key="value", fill="var(--brand)", is_animation_active=False),
                    rx.recharts.x_axis(data_key="period"),
                    rx.recharts.y_axis(),
                    rx.recharts.tooltip(),
                    data=S.chart,
                    width="100%",
                    height=240,
                ),
                role="img",
                aria_label="Usage over time; the table below has the figures",
            ),
            title="Usage",
        ),
        ui.data_table(
            [ui.Column("Time"), ui.Column("Group"), ui.Column("Quantity", numeric=True)],
            S.rows,
            lambda row: usage_row(row=row),
            label="Usage by time",
            empty=ui.empty_state(
                "No usage in this time", "Choose a longer time, or send events.", icon_name="activity"
            ),
        ),
        ui.card(
            ui.definition_list(
                ("Key", ui.code(S.meter.key)),
                ("Event type", ui.code(S.meter.event_type)),
                ("Value", rx.cond(S.meter.value_property != "", ui.code(S.meter.value_property), "each event is one")),
                ("Dimensions", rx.cond(S.meter.dimensions != "", S.meter.dimensions, "none")),
                ("Features", rx.cond(S.meter.features != "", S.meter.features, "none")),
                ("Created", ui.date_time(S.meter.created)),
                columns=2,
            ),
            title="Details",
        ),
        rx.cond(
            ShellState.may_administer,
            ui.danger_card(
                rx.el.p("The events stay; what this meter measured of them is gone. Refused while a feature uses it."),
                delete,
                title="Danger zone",
            ),
            rx.fragment(),
        ),
        ui.confirm_dialog(
            "delete-meter",
            "Events stay stored and other meters keep counting them.",
            title="Delete this meter?",
            confirm="Delete meter",
            on_confirm=S.delete,
        ),
    )
