"""Subscriptions and usage on the customer page."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.customers.usage_state import CustomerUsageState, PlanRow, UsedRow
from dashboard.ui.subscriptions.words import STATUSES

S = CustomerUsageState


def usage_section() -> rx.Component:
    """Two cards side by side: plans, and what was used in the last 30 days."""
    return ui.grid(_subscriptions(), _usage())


def _subscriptions() -> rx.Component:
    return ui.card(
        rx.cond(
            S.subscriptions.length() > 0,
            rx.el.ul(rx.foreach(S.subscriptions, _subscription), class_name="flex flex-col divide-y divide-line"),
            ui.muted("On no plan. Fees and usage of a plan are billed by themselves."),
        ),
        title="Subscriptions",
        actions=ui.link_button(
            rx.cond(S.subscriptions.length() > 0, "All", "Choose a plan"),
            ui.screen_reader_only(" for this customer"),
            href=S.subscriptions_href,
            size="small",
        ),
    )


def _subscription(row: rx.Var[PlanRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            ui.link(row.name, href=row.href, class_name="font-medium"),
            rx.el.p(
                "since ",
                ui.date_time(row.since),
                rx.cond(row.until.iso != "", rx.fragment(", until ", ui.date_time(row.until)), rx.fragment()),
                class_name="text-[13px] text-muted",
            ),
            class_name="min-w-0 flex-1",
        ),
        ui.status_badge(row.status, STATUSES),
        class_name="flex flex-wrap items-center gap-3 py-2.5 first:pt-0 last:pb-0",
    )


def _usage() -> rx.Component:
    nothing = rx.cond(
        S.names != "",
        rx.fragment("Nothing in the last 30 days. Their usage arrives under the subject ", ui.code(S.names), "."),
        "Give the customer a key or a subject: usage arrives under these names.",
    )
    return ui.card(
        rx.cond(
            S.used.length() > 0,
            rx.el.ul(rx.foreach(S.used, _used), class_name="flex flex-col divide-y divide-line"),
            rx.el.p(nothing, class_name="text-muted"),
        ),
        title="Usage, last 30 days",
        actions=ui.link_button("Events", ui.screen_reader_only(" of this customer"), href=S.events_href, size="small"),
    )


def _used(row: rx.Var[UsedRow]) -> rx.Component:
    return rx.el.li(
        ui.link(row.meter, href=row.href, class_name="min-w-0 flex-1"),
        rx.el.span(row.quantity, data_figures="", class_name="tabular-nums"),
        class_name="flex items-center gap-3 py-2.5 first:pt-0 last:pb-0",
    )
