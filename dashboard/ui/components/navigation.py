"""Ways around a page: tabs as links, steps of a wizard, search, menus."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

from dashboard.ui.components.badges import count_badge
from dashboard.ui.components.basics import Content, Handler, Text, classes, icon, plain_link, screen_reader_only

_TAB = (
    "inline-flex items-center gap-2 whitespace-nowrap border-b-2 px-1 pb-2.5 pt-1 font-medium -mb-px transition-colors"
)


def tabs(items: Any, label: str) -> rx.Component:
    """Tabs of a page for a state's `list[listing.Tab]`: links, each with its count, the open one marked."""
    return rx.el.nav(
        rx.el.ul(rx.foreach(items, _tab), class_name="flex gap-5 overflow-x-auto border-b border-line min-h-[37px]"),
        aria_label=label,
    )


def stepper(steps: Sequence[str], current: rx.Var[int] | int, label: str = "Steps") -> rx.Component:
    """The steps of a wizard; `current` counts from 0, and `len(steps)` means all done."""
    return rx.el.ol(
        *(_wizard_step(index, step, rx.Var.create(current)) for index, step in enumerate(steps)),
        aria_label=label,
        class_name="flex flex-wrap gap-x-6 gap-y-2",
    )


def search_box(value: Text, on_search: Handler, label: str, placeholder: str = "Search") -> rx.Component:
    """Search as one types; `on_search` gets the text 300 ms after the last key."""
    return rx.el.div(
        icon("search", 15, "pointer-events-none absolute left-2.5 top-1/2 -translate-y-1/2 text-muted"),
        rx.el.input(
            type="search",
            value=value,
            on_change=on_search,
            debounce_timeout=300,
            aria_label=label,
            placeholder=placeholder,
            class_name=(
                "h-9 w-full rounded-control border border-line-strong bg-panel pl-8 pr-3 text-base md:text-sm text-ink"
            ),
        ),
        role="search",
        aria_label=label,
        class_name="relative w-full sm:w-72",
    )


def toolbar(*children: Content) -> rx.Component:
    """Search and filters above a table."""
    return rx.el.div(*children, class_name="flex flex-wrap items-center gap-2")


def filter_select(
    name: str, label: str, options: Sequence[tuple[str, str]], value: Text, on_change: Handler
) -> rx.Component:
    """A filter that takes effect when it is changed."""
    return rx.el.select(
        *(rx.el.option(text, value=key) for key, text in options),
        name=name,
        value=value,
        on_change=on_change,
        aria_label=label,
        class_name="h-9 rounded-control border border-line-strong bg-panel px-2.5 text-base md:text-sm text-ink",
    )


def dropdown_menu(
    *items: rx.Component, label: Text, trigger: Content | None = None, align: str = "right"
) -> rx.Component:
    """A button that opens a list of `menu_link` and `menu_button`. Without a `trigger` it is three dots."""
    face = [trigger, icon("chevron-down", 14, "text-muted")] if trigger is not None else [icon("ellipsis", 16)]
    return rx.el.details(
        rx.el.summary(
            *face,
            screen_reader_only(label) if trigger is None else rx.fragment(),
            class_name=(
                "inline-flex h-9 items-center gap-1.5 rounded-control border border-line-strong bg-panel px-2.5 "
                "font-medium hover:bg-sunken select-none"
            ),
        ),
        rx.el.ul(
            *(rx.el.li(item) for item in items),
            aria_label=label,
            class_name=classes(_MENU, "right-0" if align == "right" else "left-0"),
        ),
        data_menu="",
        class_name="relative inline-block",
    )


_MENU = (
    "absolute top-full z-30 mt-1 min-w-48 rounded-card border border-line-strong bg-panel p-1 "
    "shadow-[0_8px_24px_rgb(10_13_20/12%)]"
)
MENU_ITEM = "flex w-full items-center gap-2 rounded-control px-2.5 py-1.5 text-left text-sm hover:bg-sunken"


def menu_link(*children: Content, href: Text, icon_name: str = "") -> rx.Component:
    """An entry that goes somewhere."""
    lead = [icon(icon_name, 15, "text-muted")] if icon_name else []
    return plain_link(*lead, *children, href=href, class_name=MENU_ITEM, data_menu_item="")


def menu_button(*children: Content, on_click: Handler, icon_name: str = "", danger: bool = False) -> rx.Component:
    """An entry that does something."""
    return rx.el.button(
        *([icon(icon_name, 15, "" if danger else "text-muted")] if icon_name else []),
        *children,
        type="button",
        on_click=on_click,
        data_menu_item="",
        class_name=classes(MENU_ITEM, "text-danger-ink" if danger else ""),
    )


def _tab(item: Any) -> rx.Component:
    return rx.el.li(
        plain_link(
            item.label,
            rx.cond(item.count, count_badge(item.count), rx.fragment()),
            href=item.href,
            aria_current=rx.cond(item.current, "page", "false"),
            class_name=rx.cond(
                item.current,
                classes(_TAB, "border-brand text-ink"),
                classes(_TAB, "border-transparent text-muted hover:text-ink"),
            ),
        ),
    )


def _wizard_step(index: int, step: str, current: rx.Var[int]) -> rx.Component:
    number = rx.cond(current > index, icon("check", 13), str(index + 1))
    done = "border-transparent bg-brand text-on-brand"
    here = "border-brand text-brand-ink bg-brand-soft"
    ahead = "border-line-strong text-muted"
    dot = "inline-flex size-6 shrink-0 items-center justify-center rounded-full border text-xs font-medium tabular-nums"
    return rx.el.li(
        rx.el.span(
            number,
            class_name=rx.cond(
                current > index,
                classes(dot, done),
                rx.cond(current == index, classes(dot, here), classes(dot, ahead)),
            ),
        ),
        rx.el.span(
            step,
            screen_reader_only(rx.cond(current > index, ": done", rx.cond(current == index, ": current", ": to do"))),
            class_name=rx.cond(current == index, "font-medium text-ink", "text-muted"),
        ),
        aria_current=rx.cond(current == index, "step", "false"),
        class_name="flex items-center gap-2 text-[13px]",
    )
