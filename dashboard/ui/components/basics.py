"""The small words the other components are made of: class lists, icons, links, text."""

from typing import Any, TypeAlias

import reflex as rx
from reflex_base.components.component import field as prop
from reflex_components_core.el.elements.base import BaseHTML
from reflex_components_core.react_router.dom import ReactRouterLink

Text: TypeAlias = str | rx.Var[str]
Content: TypeAlias = str | rx.Var[Any] | rx.Component
Flag: TypeAlias = bool | rx.Var[bool]
# A state's var has the type of its value for type checkers, and is a Var when the page is made.
Handler: TypeAlias = Any
"""A state's event handler, or a list of them; Reflex checks it when the page is made."""


def classes(*parts: str) -> str:
    """One class list of several; empty parts are left out."""
    return " ".join(part for part in parts if part)


def icon(name: str, size: int = 16, class_name: str = "") -> rx.Component:
    """A Lucide icon that only decorates: the words beside it say the same. Its name has to be a literal."""
    return rx.icon(name, size=size, class_name=classes("shrink-0", class_name), aria_hidden=True)


def link(*children: Content, href: Text, class_name: str = "", **props: Any) -> rx.Component:
    """A link to another page of ours; the page changes without a reload."""
    return ReactRouterLink.create(*children, to=href, class_name=classes(LINK, class_name), **props)


def plain_link(*children: Content, href: Text, class_name: str = "", **props: Any) -> rx.Component:
    """Like `link`, without its look: for cards, menus and rows that are links."""
    return ReactRouterLink.create(*children, to=href, class_name=class_name, **props)


class _NativeAnchor(BaseHTML):
    """`rx.el.a` is a link of the router; this one is the browser's own."""

    tag = "a"

    href: rx.Var[str] = prop(doc="Where it leads")
    target: rx.Var[str] = prop(doc="In which window")
    rel: rx.Var[str] = prop(doc="What the other page may know of this one")
    download: rx.Var[str | bool] = prop(doc="Save instead of show, under this name")


native_link = _NativeAnchor.create
"""A link that the browser follows by itself: to a part of the page, to a file, to another site."""


def external_link(*children: Content, href: Text, class_name: str = "", **props: Any) -> rx.Component:
    """A link that leaves Meterdesk, in a new tab, and says so."""
    return native_link(
        *children,
        icon("arrow-up-right", 14),
        screen_reader_only("(opens in a new tab)"),
        href=href,
        target="_blank",
        rel="noopener noreferrer",
        class_name=classes(LINK, "inline-flex items-center gap-1", class_name),
        **props,
    )


def screen_reader_only(*children: Content) -> rx.Component:
    """Text that is heard and not seen."""
    return rx.el.span(*children, class_name="sr-only")


def muted(*children: Content, class_name: str = "") -> rx.Component:
    """Secondary text."""
    return rx.el.span(*children, class_name=classes("text-muted", class_name))


def stack(*children: Content, gap: int = 4, class_name: str = "") -> rx.Component:
    """Children under each other. `gap` counts in 4 px."""
    return rx.el.div(*children, class_name=classes("flex flex-col min-w-0", _GAPS[gap], class_name))


def inline(*children: Content, gap: int = 2, class_name: str = "") -> rx.Component:
    """Children beside each other, wrapping when there is no room. `gap` counts in 4 px."""
    return rx.el.div(*children, class_name=classes("flex flex-wrap items-center", _GAPS[gap], class_name))


def grid(*children: Content, columns: int = 2, class_name: str = "") -> rx.Component:
    """Children in equal columns on a wide screen, under each other on a phone."""
    return rx.el.div(*children, class_name=classes("grid gap-4", _COLUMNS[columns], class_name))


def when_any(items: Any, shown: rx.Component, otherwise: rx.Component) -> rx.Component:
    """`shown` while the list has entries, else `otherwise`."""
    return rx.cond(items.length() > 0, shown, otherwise)


LINK = "text-brand-ink underline-offset-2 hover:underline rounded-sm"
_GAPS = {0: "", 1: "gap-1", 2: "gap-2", 3: "gap-3", 4: "gap-4", 6: "gap-6", 8: "gap-8"}
_COLUMNS = {
    1: "grid-cols-1",
    2: "grid-cols-1 md:grid-cols-2",
    3: "grid-cols-1 sm:grid-cols-2 lg:grid-cols-3",
    4: "grid-cols-2 xl:grid-cols-4",
}
