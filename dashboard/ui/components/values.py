"""Values: money, times, ids, secrets. All of them arrive as text made by the state; nothing is computed here."""

from typing import Any

import reflex as rx

from dashboard.ui.components.basics import Text, classes, external_link, screen_reader_only
from dashboard.ui.components.buttons import copy_button

_CODE = "font-mono text-[13px]"


def money(amount: Text, class_name: str = "", note: Text | None = None) -> rx.Component:
    """An amount as `kit.money.format_money` wrote it. In tables put it into a `cell(numeric=True)`.

    `note` stands small below it; an empty one takes no room.
    """
    figure = rx.el.span(amount, data_figures="", class_name=classes("whitespace-nowrap tabular-nums", class_name))
    if note is None:
        return figure
    return rx.fragment(figure, rx.el.p(note, class_name="text-xs text-muted tabular-nums empty:hidden"))


def date_time(moment: Any, class_name: str = "") -> rx.Component:
    """A `views.Moment`: “3 h ago”, with the exact time in UTC on hover and for screen readers."""
    return rx.el.time(
        moment.relative,
        screen_reader_only(" (", moment.exact, ")"),
        date_time=moment.iso,
        title=moment.exact,
        class_name=classes("whitespace-nowrap", class_name),
    )


def exact_time(moment: Any, class_name: str = "") -> rx.Component:
    """A `views.Moment` written out: “21 Nov 2026, 10:30 UTC”."""
    return rx.el.time(moment.exact, date_time=moment.iso, class_name=classes("whitespace-nowrap", class_name))


def code(text: Text, class_name: str = "") -> rx.Component:
    """A word for programs: a key, an event type."""
    return rx.el.code(text, class_name=classes(_CODE, "rounded bg-sunken px-1 py-0.5 break-all", class_name))


def code_block(text: Text, label: Text) -> rx.Component:
    """Several lines for programs, such as a payload, with a copy button. `label` names it for screen readers."""
    return rx.el.div(
        rx.el.pre(
            rx.el.code(text),
            tab_index=0,
            role="region",
            aria_label=label,
            class_name=classes(_CODE, "max-h-96 overflow-auto rounded-control border border-line bg-sunken p-3 pr-12"),
        ),
        rx.el.div(copy_button(text, "Copy"), class_name="absolute right-2 top-2 rounded bg-panel"),
        class_name="relative min-w-0",
    )


def identifier(value: Text, href: Text | None = None) -> rx.Component:
    """An id with a copy button; `href` adds a link to it, for example in Stripe."""
    text = rx.el.span(value, title=value, class_name=classes(_CODE, "min-w-0 max-w-[28ch] truncate"))
    shown = text if href is None else external_link(text, href=href, class_name="min-w-0")
    return rx.el.span(
        shown, copy_button(value, "Copy id"), class_name="inline-flex min-w-0 max-w-full items-center gap-1"
    )


def secret(value: Text, warning: Text = "Copy it now: it will not be shown again.") -> rx.Component:
    """A fresh secret, shown once. Clear it from the state as soon as its dialog closes."""
    return rx.el.div(
        rx.el.div(
            rx.el.code(value, class_name=classes(_CODE, "min-w-0 flex-1 break-all select-all")),
            copy_button(value, "Copy secret"),
            class_name="flex items-center gap-2 rounded-control border border-line bg-sunken px-3 py-2",
        ),
        rx.el.p(warning, class_name="mt-2 text-[13px] text-warning-ink"),
    )
