"""`/stripe/events`: every event, its effect or the reason it had none, and its payload."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState
from dashboard.ui.stripe_events.state import InboxRow, StripeEventsState

S = StripeEventsState
COLUMNS = [
    ui.Column("Event"),
    ui.Column("State"),
    ui.Column("About", hide_below="md"),
    ui.Column("Received", hide_below="sm"),
    ui.Column("By", hide_below="lg"),
]
STATES = {
    "received": ui.Status("Received", "progress"),
    "waiting": ui.Status("Waiting", "warning", "clock"),
    "applied": ui.Status("Applied", "success"),
    "ignored": ui.Status("Ignored", "neutral", "minus"),
    "failed": ui.Status("Failed", "danger"),
}
VIA = {"webhook": ui.Status("Webhook", "neutral", "webhook"), "poll": ui.Status("Polling", "neutral", "refresh-cw")}


@rx.memo
def inbox_row(row: rx.Var[InboxRow]) -> rx.Component:
    return ui.row(
        ui.cell(
            rx.el.button(
                row.type,
                type="button",
                on_click=StripeEventsState.open_event(row.id),
                class_name="font-medium text-ink hover:underline underline-offset-2 after:absolute after:inset-0",
            ),
            rx.el.div(row.event_id, class_name="max-w-36 truncate font-mono text-xs text-muted sm:max-w-56"),
        ),
        ui.cell(
            ui.status_badge(row.state, STATES),
            rx.cond(
                row.reason != "",
                rx.el.div(row.reason, class_name="mt-1 max-w-72 text-xs text-muted [overflow-wrap:anywhere]"),
                rx.fragment(),
            ),
        ),
        ui.cell(
            rx.cond(
                row.href != "",
                ui.link(row.object_id, href=row.href, class_name="relative font-mono text-xs"),
                rx.el.span(row.object_id, class_name="font-mono text-xs text-muted"),
            ),
            hide_below="md",
        ),
        ui.cell(ui.date_time(row.received), hide_below="sm"),
        ui.cell(ui.status_badge(row.via, VIA), hide_below="lg"),
    )


@page("/stripe/events", title="Stripe events", on_load=S.load)
def stripe_events() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Stripe events",
            description="What Stripe told us, by webhook or by polling: applied, or why not. Nothing is lost.",
        ),
        ui.tabs(S.tabs, label="State"),
        ui.toolbar(ui.search_box(S.search, S.find, label="Search events", placeholder="Type, event or object id")),
        ui.list_table(
            S,
            COLUMNS,
            inbox_row,
            label="Stripe events",
            nothing_fits=("No event fits", "Choose another state or search."),
            nothing_yet=ui.empty_state(
                "No events yet",
                "They arrive as soon as Stripe is connected and something happens there.",
                icon_name="webhook",
                action=ui.link_button("Stripe settings", href="/settings/stripe"),
            ),
        ),
        ui.dialog(
            "stripe-event", _details(), title=S.chosen.type, shown=S.shown, on_close=S.close_event, width="large"
        ),
    )


def _details() -> rx.Component:
    event = S.chosen
    return ui.stack(
        ui.definition_list(
            ("Event", ui.identifier(event.event_id)),
            (
                "About",
                rx.cond(event.href != "", ui.link(event.object_id, href=event.href), ui.code(event.object_id)),
            ),
            ("State", ui.status_badge(event.state, STATES)),
            ("Attempts", event.attempts),
            ("Happened", ui.exact_time(event.created)),
            ("Received", ui.exact_time(event.received)),
            columns=2,
        ),
        rx.cond(event.reason != "", ui.callout(event.reason, title="Why"), rx.fragment()),
        rx.cond(
            event.next_attempt.iso != "",
            rx.el.p("Next attempt ", ui.date_time(event.next_attempt), class_name="text-muted"),
            rx.fragment(),
        ),
        ui.code_block(S.payload, "Payload"),
        rx.cond(
            ShellState.may_operate,
            ui.form_actions(ui.button("Apply again", icon_name="rotate-cw", on_click=S.apply_again, busy=S.busy)),
            rx.fragment(),
        ),
    )
