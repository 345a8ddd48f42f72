"""`/meters/[meter_key]`: one meter, and its usage by time, window, group and customer."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.meters.detail_state import MeterState
from dashboard.ui.meters.explorer import SERIES, WINDOWS, UsageRow
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = MeterState
_SELECT = "h-9 max-w-64 rounded-control border border-line-strong bg-panel px-2.5 text-base md:text-sm text-ink"
_COLOURS = (
    "var(--brand)",
    "var(--success-ink)",
    "var(--warning-ink)",
    "var(--review-ink)",
    "var(--info-ink)",
    "var(--line-strong)",
)
_SWATCHES = ("bg-brand", "bg-success-ink", "bg-warning-ink", "bg-review-ink", "bg-info-ink", "bg-line-strong")


@rx.memo
def usage_row(row: rx.Var[UsageRow]) -> rx.Component:
    return ui.row(ui.cell(row.period), ui.cell(row.value, numeric=True))


@rx.memo
def grouped_row(row: rx.Var[UsageRow]) -> rx.Component:
    return ui.row(ui.cell(row.period), ui.cell(row.group), ui.cell(row.value, numeric=True))


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
            _select("range", "Time", S.ranges, S.range, S.choose_range),
            ui.filter_select("window", "Window", list(WINDOWS.items()), S.window, S.choose_window),
            _select("by", "Group by", S.groups, S.group, S.choose_group),
            _select("customer", "Customer", S.customers, S.customer, S.choose_customer),
            ui.button("Export CSV", icon_name="download", on_click=S.export),
        ),
        ui.stat_card("Measured in this time", S.total, hint=S.period),
        _chart(),
        rx.cond(
            S.group != "",
            _figures([_TIME, ui.Column("Group"), _QUANTITY], lambda row: grouped_row(row=row)),
            _figures([_TIME, _QUANTITY], lambda row: usage_row(row=row)),
        ),
        rx.cond(S.more_rows != "", ui.muted(S.more_rows), rx.fragment()),
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
                ui.stack(
                    rx.el.p(
                        "The events stay; what this meter measured of them is gone. Refused while a feature uses it."
                    ),
                    ui.inline(delete),
                ),
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


_TIME, _QUANTITY = ui.Column("Time (UTC)"), ui.Column("Quantity", numeric=True)


def _figures(columns: list[ui.Column], row: Callable[[Any], rx.Component]) -> rx.Component:
    return ui.data_table(
        columns,
        S.rows,
        row,
        label="Usage by time",
        empty=ui.empty_state("No usage in this time", "Choose a longer time, or send events.", icon_name="activity"),
    )


def _select(
    name: str, label: str, options: rx.Var[list[ui.Option]], value: rx.Var[str], on_change: Any
) -> rx.Component:
    return rx.el.select(
        rx.foreach(options, lambda option: rx.el.option(option.label, value=option.value)),
        name=name,
        value=value,
        on_change=on_change,
        aria_label=label,
        class_name=_SELECT,
    )


def _chart() -> rx.Component:
    bars = [
        rx.recharts.bar(
            data_key=f"s{place}",
            # Recharts would call a series by its place.
            name=rx.cond(S.series.length() > place, S.series[place], "Quantity"),  # pyright: ignore[reportAttributeAccessIssue]
            stack_id="usage",
            fill=colour,
            max_bar_size=64,
            is_animation_active=False,
        )
        for place, colour in enumerate(_COLOURS[:SERIES])
    ]
    return ui.card(
        rx.el.div(
            rx.recharts.bar_chart(
                *bars,
                rx.recharts.x_axis(data_key="period", interval="equidistantPreserveStart", min_tick_gap=24),
                rx.recharts.y_axis(),
                rx.recharts.tooltip(),
                data=S.chart,
                width="100%",
                height=240,
            ),
            role="img",
            aria_label="Usage over time; the table below has the figures",
        ),
        ui.when_any(
            S.series,
            rx.el.ul(
                rx.foreach(S.series, _legend),
                aria_label="Groups in the drawing",
                class_name="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-muted",
            ),
            rx.fragment(),
        ),
        title="Usage",
        actions=ui.link_button("See the events", href=S.events_href, size="small"),
    )


def _legend(name: rx.Var[str], place: rx.Var[int]) -> rx.Component:
    swatch = "inline-block size-2.5 rounded-sm "
    return rx.el.li(
        rx.el.span(
            class_name=rx.match(
                place, *[(number, swatch + colour) for number, colour in enumerate(_SWATCHES)], swatch + _SWATCHES[-1]
            ),
            aria_hidden=True,
        ),
        name,
        class_name="flex items-center gap-1.5",
    )
