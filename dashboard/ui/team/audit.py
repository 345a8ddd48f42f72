"""The audit log's tab."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.team.audit_state import PERIODS, SUBJECTS, AuditState

_COLUMNS = (
    ui.Column("When"),
    ui.Column("Who", hide_below="sm"),
    ui.Column("What"),
    ui.Column("Details", hide_below="lg"),
)


def audit_tab() -> rx.Component:
    return ui.stack(
        ui.load_error(AuditState.problem),
        ui.toolbar(
            ui.filter_select("what", "What", SUBJECTS, AuditState.what, lambda value: AuditState.choose("what", value)),
            _who_filter(),
            ui.filter_select("days", "When", PERIODS, AuditState.days, lambda value: AuditState.choose("days", value)),
            rx.cond(AuditState.newest_href, ui.link("Back to the newest", href=AuditState.newest_href), rx.fragment()),
        ),
        ui.data_table(
            _COLUMNS,
            AuditState.entries,
            _row,
            label="Audit log",
            loading=AuditState.loading,
            pager=rx.cond(AuditState.pager.summary, ui.pager(AuditState.pager), rx.fragment()),
            empty=rx.cond(AuditState.is_filtered, _nothing_matches(), _nothing_yet()),
        ),
    )


def _who_filter() -> rx.Component:
    return rx.el.select(
        rx.el.option("Everybody", value=""),
        rx.foreach(AuditState.actors, lambda actor: rx.el.option(actor.label, value=actor.value)),
        name="who",
        value=AuditState.who,
        on_change=lambda value: AuditState.choose("who", value),
        aria_label="Who",
        class_name="h-9 rounded-control border border-line-strong bg-panel px-2.5 text-base md:text-sm text-ink",
    )


def _row(entry: Any) -> rx.Component:
    return ui.row(
        ui.cell(ui.date_time(entry.at)),
        ui.cell(
            rx.el.span(entry.who, class_name="block text-ink break-all"),
            rx.el.span(entry.kind, class_name="text-[13px] text-muted"),
            hide_below="sm",
        ),
        ui.cell(
            rx.el.span(entry.what, title=entry.action, class_name="block text-ink"),
            rx.cond(
                entry.subject_href,
                ui.link(entry.subject, href=entry.subject_href, class_name="font-mono text-[13px] break-all"),
                rx.el.span(entry.subject, class_name="font-mono text-[13px] text-muted break-all"),
            ),
            rx.el.span(entry.who, class_name="block text-[13px] text-muted sm:hidden"),
        ),
        ui.cell(rx.el.span(entry.details, class_name="text-[13px] text-muted break-words"), hide_below="lg"),
    )


def _nothing_yet() -> rx.Component:
    return ui.empty_state(
        "Nothing has happened yet", "Every change, by whomever, is noted here.", icon_name="scroll-text"
    )


def _nothing_matches() -> rx.Component:
    return ui.empty_state(
        "No entry matches", "Choose other filters, or all of them.", icon_name="search-x",
        action=ui.link_button("Clear filters", href="/settings/team?tab=audit"),
    )  # fmt: skip
