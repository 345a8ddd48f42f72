"""Surfaces: a line around things that belong together."""

import reflex as rx

from dashboard.ui.components.basics import Content, Flag, Text, classes, icon, plain_link

_SURFACE = "rounded-card border border-line bg-panel min-w-0"


def card(
    *children: Content,
    title: Content | None = None,
    description: Content | None = None,
    actions: rx.Component | None = None,
    flush: bool = False,
    class_name: str = "",
) -> rx.Component:
    """A section with an h2. `flush` lets a table or list reach the edges."""
    head = []
    if title is not None:
        head = [_card_head(title, description, actions)]
    return rx.el.section(
        *head,
        rx.el.div(*children, class_name="" if flush else "p-4 sm:p-5"),
        class_name=classes(_SURFACE, class_name),
    )


def danger_card(*children: Content, title: Content = "Danger zone", description: Content | None = None) -> rx.Component:
    """The last card of a page: what cannot be taken back."""
    return card(*children, title=title, description=description, class_name="!border-danger-line")


def stat_card(
    label: Text,
    value: Content,
    *,
    hint: Content | None = None,
    href: Text | None = None,
    loading: Flag | None = None,
) -> rx.Component:
    """One figure with its name. With `href` the card is a link to what the figure counts."""
    shown = rx.el.p(value, data_figures="", class_name="mt-1 text-2xl leading-8 font-semibold tracking-tight text-ink")
    waiting = rx.el.div(class_name="mt-2 mb-1 h-7 w-24 rounded bg-line", data_skeleton="", aria_hidden=True)
    body = [
        rx.el.p(label, class_name="text-[13px] text-muted"),
        shown if loading is None else rx.cond(loading, waiting, shown),
        *([rx.el.p(hint, class_name="mt-1 text-[13px] text-muted")] if hint is not None else []),
    ]
    if href is None:
        return rx.el.div(*body, class_name=classes(_SURFACE, "p-4"))
    return plain_link(
        rx.el.div(*body, class_name="min-w-0"),
        icon("chevron-right", 16, "mt-0.5 text-muted"),
        href=href,
        class_name=classes(
            _SURFACE, "flex items-start justify-between gap-2 p-4 hover:border-line-strong transition-colors"
        ),
    )


def _card_head(title: Content, description: Content | None, actions: rx.Component | None) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.h2(title, class_name="text-[15px] font-semibold text-ink"),
            *([rx.el.p(description, class_name="mt-0.5 text-muted")] if description is not None else []),
            class_name="min-w-0",
        ),
        *([rx.el.div(actions, class_name="flex items-center gap-2")] if actions is not None else []),
        class_name="flex flex-wrap items-center justify-between gap-3 border-b border-line px-4 py-3 sm:px-5",
    )
