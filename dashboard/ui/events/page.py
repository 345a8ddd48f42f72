"""`/events`: the newest usage events, live."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.events.state import EventRow, EventsState
from dashboard.ui.routes import page

COLUMNS = [
    ui.Column("Event"),
    ui.Column("Subject"),
    ui.Column("Counts", hide_below="md"),
    ui.Column("Time", hide_below="sm"),
    ui.Column("Stored", hide_below="lg"),
]


@rx.memo
def event_row(row: rx.Var[EventRow]) -> rx.Component:
    return ui.row(
        ui.cell(
            rx.el.button(
                row.type,
                type="button",
                on_click=EventsState.open_event(row.place),
                class_name="font-medium text-ink hover:underline underline-offset-2 after:absolute after:inset-0",
            ),
            rx.el.div(row.id, class_name="max-w-36 truncate font-mono text-xs text-muted sm:max-w-56"),
        ),
        ui.cell(
            row.subject,
            rx.cond(
                row.customer_href != "",
                rx.el.div(
                    ui.link(row.customer, href=row.customer_href, class_name="relative"), class_name="text-[13px]"
                ),
                rx.el.div(ui.muted("nobody's yet"), class_name="text-[13px]"),
            ),
        ),
        ui.cell(
            row.counts,
            rx.cond(row.problem != "", ui.badge("Not counted", "warning"), rx.fragment()),
            rx.cond((row.problem == "") & (row.counts == ""), ui.muted("no meter"), rx.fragment()),
            hide_below="md",
        ),
        ui.cell(ui.date_time(row.at), hide_below="sm"),
        ui.cell(ui.date_time(row.stored), hide_below="lg"),
    )


S = EventsState


@page("/events", title="Events", on_load=S.load)
def events() -> rx.Component:
    return rx.fragment(
        ui.page_header("Events", description="Usage as it comes in. Each event counts once, by its source and id."),
        ui.toolbar(
            ui.search_box(S.search, S.find, label="Subject", placeholder="Subject, exactly"),
            ui.search_box(S.event_type, S.find_type, label="Event type", placeholder="Type, exactly"),
            rx.cond(
                (S.customer != "") | (S.period != ""),
                ui.inline(
                    rx.cond(S.customer != "", ui.badge(S.customer, "info", "user"), rx.fragment()),
                    rx.cond(S.period != "", ui.badge(S.period, "info", "calendar"), rx.fragment()),
                    ui.button("Show all", size="small", on_click=S.show_all),
                ),
                rx.fragment(),
            ),
        ),
        ui.list_table(
            S,
            COLUMNS,
            event_row,
            label="Usage events",
            nothing_fits=("No event fits", "Change what is searched for, or show all."),
            nothing_yet=ui.empty_state(
                "No events yet",
                "Send CloudEvents to /api/v1/events with an API key; they show here as they arrive.",
                icon_name="activity",
                action=ui.link_button("API keys", href="/settings/api-keys"),
            ),
        ),
        ui.dialog("event", _details(), title="Event", shown=S.shown, on_close=S.close_event),
    )


def _details() -> rx.Component:
    event = S.chosen
    return ui.stack(
        ui.definition_list(
            ("Type", event.type),
            ("Id", ui.code(event.id)),
            ("Source", ui.code(event.source)),
            (
                "Subject",
                event.subject,
            ),
            (
                "Customer",
                rx.cond(
                    event.customer_href != "", ui.link(event.customer, href=event.customer_href), ui.muted("nobody yet")
                ),
            ),
            ("Time", ui.date_time(event.at)),
            ("Counts", rx.cond(event.counts != "", event.counts, "for no meter")),
            columns=2,
        ),
        rx.cond(event.problem != "", ui.callout(event.problem, title="Not counted", tone="warning"), rx.fragment()),
        ui.code_block(event.data, "Data"),
    )
