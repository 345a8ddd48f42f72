"""`/`: home."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.home.sample_data import sample_data_offer, sample_data_removal
from dashboard.ui.home.sample_state import SampleDataState
from dashboard.ui.home.state import AttentionRow, CurrencyFigures, HomeState, Step
from dashboard.ui.invoices.words import DOCUMENT
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = HomeState


@page("/", title="Home", on_load=[S.load, SampleDataState.load])
def home() -> rx.Component:
    return rx.fragment(
        ui.page_header("Home", description="What needs you, and where the money stands."),
        rx.cond(
            S.loading,
            rx.fragment(ui.skeleton_card(), ui.skeleton_card()),
            rx.fragment(
                sample_data_offer(),
                rx.cond(S.steps_left > 0, _checklist(), rx.fragment()),
                rx.cond(S.stuck.length() > 0, _stuck(), rx.fragment()),
                _attention(),
                _money(),
                sample_data_removal(),
            ),
        ),
    )


def _checklist() -> rx.Component:
    return ui.card(
        rx.el.ol(rx.foreach(S.steps, _step), class_name="flex flex-col divide-y divide-line"),
        title="Get started",
        description="Five steps from nothing to a paid invoice.",
    )


def _step(step: rx.Var[Step]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            step.done,
            ui.icon("circle-check", 18, "mt-0.5 text-success-ink"),
            ui.icon("circle-dashed", 18, "mt-0.5 text-muted"),
        ),
        rx.el.div(
            rx.el.p(step.title, class_name=rx.cond(step.done, "text-muted line-through", "font-medium")),
            rx.cond(step.done, rx.fragment(), rx.el.p(step.hint, class_name="text-[13px] text-muted")),
            class_name="min-w-0 flex-1",
        ),
        rx.cond(
            step.done,
            ui.screen_reader_only("done"),
            ui.link_button("Go", ui.screen_reader_only(": ", step.title), href=step.href, size="small"),
        ),
        class_name="flex items-start gap-3 py-3 first:pt-0 last:pb-0",
    )


def _stuck() -> rx.Component:
    return ui.card(
        rx.el.ul(rx.foreach(S.stuck, _stuck_row), class_name="flex flex-col divide-y divide-line"),
        title="Stuck",
        description="These have not gone on for longer than they should.",
    )


def _stuck_row(row: rx.Var[AttentionRow]) -> rx.Component:
    return rx.el.li(
        ui.icon("circle-x", 16, "mt-0.5 text-danger-ink"),
        rx.el.div(
            _invoice_of(row),
            rx.el.p(
                row.words,
                rx.cond(
                    row.next_attempt.iso != "",
                    rx.fragment(" Next attempt ", ui.date_time(row.next_attempt), "."),
                    rx.fragment(),
                ),
                class_name="text-[13px] text-muted",
            ),
            class_name="min-w-0 flex-1 basis-60",
        ),
        ui.date_time(row.since),
        _retry(row),
        class_name="flex flex-wrap items-start gap-3 py-3 first:pt-0 last:pb-0",
    )


def _retry(row: rx.Var[AttentionRow]) -> rx.Component:
    return rx.cond(
        row.can_retry & ShellState.may_operate,
        ui.button(
            "Retry",
            ui.screen_reader_only(" ", row.number),
            icon_name="rotate-cw",
            size="small",
            busy=S.retrying == row.id,
            on_click=S.retry(row.id),
        ),
        rx.fragment(),
    )


def _invoice_of(row: rx.Var[AttentionRow]) -> rx.Component:
    return rx.el.p(
        ui.link(row.number, href=row.href, class_name="underline"), " · ", row.customer, class_name="font-medium"
    )


def _attention() -> rx.Component:
    return ui.card(
        rx.cond(
            S.attention.length() > 0,
            rx.el.ul(rx.foreach(S.attention, _attention_row), class_name="flex flex-col divide-y divide-line"),
            rx.el.p(
                ui.icon("circle-check", 16, "text-success-ink"),
                "Nothing needs you right now.",
                class_name="flex items-center gap-2 text-muted",
            ),
        ),
        title="Needs attention",
        actions=rx.cond(
            S.attention_count != "",
            ui.link_button(
                "All ",
                S.attention_count,
                ui.screen_reader_only(" that need attention"),
                href="/invoices?tab=needs_attention",
                size="small",
            ),
            rx.fragment(),
        ),
    )


def _attention_row(row: rx.Var[AttentionRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            _invoice_of(row),
            rx.el.p(row.words, class_name="text-[13px] text-muted"),
            class_name="min-w-0 flex-1 basis-60",
        ),
        ui.status_badge(row.document, DOCUMENT),
        ui.money(row.amount),
        _retry(row),
        class_name="flex flex-wrap items-center gap-3 py-3 first:pt-0 last:pb-0",
    )


def _money() -> rx.Component:
    return rx.cond(
        S.figures.length() > 0,
        rx.el.section(
            rx.el.h2("Money, last 30 days", class_name="mb-3 text-base font-semibold"),
            ui.stack(rx.foreach(S.figures, _figures)),
            aria_label="Money, last 30 days",
        ),
        rx.fragment(),
    )


def _figures(row: rx.Var[CurrencyFigures]) -> rx.Component:
    return ui.grid(
        ui.stat_card("Billed", row.billed),
        ui.stat_card("Collected", row.collected),
        ui.stat_card("Outstanding now", row.outstanding, href="/invoices?tab=open"),
        ui.stat_card("Overdue now", row.overdue, href="/invoices?tab=overdue"),
        columns=4,
    )
