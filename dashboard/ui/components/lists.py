"""Lists of facts and of happenings."""

from typing import Any

import reflex as rx

from dashboard.ui.components.basics import Content, classes
from dashboard.ui.components.values import date_time


def definition_list(*entries: tuple[Content, Content], columns: int = 1) -> rx.Component:
    """Names and values, for the details of one thing."""
    return rx.el.dl(
        *(_entry(name, value) for name, value in entries),
        class_name=classes("grid grid-cols-1 gap-x-8 gap-y-3", "sm:grid-cols-2" if columns == 2 else ""),
    )


def timeline(entries: Any) -> rx.Component:
    """What happened, newest first, for a state's `list[views.TimelineEntry]`."""
    return rx.el.ol(rx.foreach(entries, timeline_entry), class_name="flex flex-col")


def timeline_entry(entry: Any) -> rx.Component:
    """One happening: what, who, when, and a detail such as an error's own words."""
    return rx.el.li(
        rx.el.span(
            class_name=rx.match(
                entry.tone,
                *((tone, classes(_DOT, color)) for tone, color in _DOTS.items()),
                classes(_DOT, _DOTS["neutral"]),
            ),
            aria_hidden=True,
        ),
        rx.el.div(
            rx.el.div(
                rx.el.span(entry.title, class_name="font-medium text-ink"),
                date_time(entry.at, class_name="text-[13px] text-muted"),
                class_name="flex flex-wrap justify-between gap-x-4",
            ),
            rx.cond(entry.detail, rx.el.p(entry.detail, class_name="text-muted break-words"), rx.fragment()),
            rx.cond(entry.actor, rx.el.p(entry.actor, class_name="text-[13px] text-muted"), rx.fragment()),
            class_name="min-w-0 flex-1 pb-4",
        ),
        class_name=(
            "relative flex gap-3 before:absolute before:left-[4px] before:top-4 before:bottom-[-4px] before:w-px "
            "before:bg-line last:before:hidden"
        ),
    )


_DOT = "mt-1.5 size-[9px] shrink-0 rounded-full"
_DOTS = {
    "neutral": "bg-line-strong",
    "info": "bg-info-ink",
    "progress": "bg-progress-ink",
    "review": "bg-review-ink",
    "open": "bg-open-ink",
    "success": "bg-success-ink",
    "warning": "bg-warning-ink",
    "danger": "bg-danger-ink",
    "spent": "bg-spent-ink",
}


def _entry(name: Content, value: Content) -> rx.Component:
    return rx.el.div(
        rx.el.dt(name, class_name="text-[13px] text-muted"),
        rx.el.dd(value, class_name="mt-0.5 min-w-0 break-words text-ink"),
        class_name="min-w-0",
    )
