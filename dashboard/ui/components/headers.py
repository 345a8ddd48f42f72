"""How a page and its parts begin."""

import reflex as rx

from dashboard.ui.components.basics import Content, Text, classes


def page_header(
    title: Content, *actions: rx.Component, description: Content | None = None, beside: rx.Component | None = None
) -> rx.Component:
    """The page's one h1, what the page is for, badges `beside` the title, and the page's actions at the right."""
    return rx.el.div(
        rx.el.div(
            rx.el.div(
                rx.el.h1(title, class_name="text-xl font-semibold tracking-tight text-ink break-words min-w-0"),
                *([beside] if beside is not None else []),
                class_name="flex flex-wrap items-center gap-x-3 gap-y-1",
            ),
            *([rx.el.p(description, class_name="mt-1 text-muted max-w-[72ch]")] if description is not None else []),
            class_name="min-w-0",
        ),
        *(
            [rx.el.div(*actions, class_name="flex flex-wrap items-center gap-2", data_screen_only="")]
            if actions
            else []
        ),
        class_name="flex flex-wrap items-start justify-between gap-x-6 gap-y-3",
    )


def section_header(title: Content, *actions: rx.Component, description: Content | None = None) -> rx.Component:
    """An h2 inside a page, when what follows is not in a card."""
    return rx.el.div(
        rx.el.div(
            rx.el.h2(title, class_name="text-[15px] font-semibold text-ink"),
            *([rx.el.p(description, class_name="text-muted")] if description is not None else []),
        ),
        *([rx.el.div(*actions, class_name="flex flex-wrap items-center gap-2")] if actions else []),
        class_name="flex flex-wrap items-end justify-between gap-3",
    )


def environment_badge(environment: Text) -> rx.Component:
    """Where the money on this page lives: `sandbox`, `test`, `live`; nothing for anything else."""
    return rx.match(
        environment,
        ("sandbox", _environment("Sandbox", "flask-conical", _CAREFREE)),
        ("test", _environment("Test mode", "flask-conical", _CAREFREE)),
        ("live", _environment("Live", "circle-dollar-sign", _SERIOUS)),
        rx.fragment(),
    )


_CAREFREE = "border-warning-line bg-warning-soft text-warning-ink"
_SERIOUS = "border-success-line bg-success-soft text-success-ink"


def _environment(label: str, icon_name: str, colors: str) -> rx.Component:
    return rx.el.span(
        rx.icon(icon_name, size=13, aria_hidden=True),
        label,
        class_name=classes(
            "inline-flex h-6 items-center gap-1.5 rounded-full border px-2 text-xs font-medium whitespace-nowrap",
            colors,
        ),
    )
