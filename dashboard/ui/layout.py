"""The frame around every page: menu at the left (a drawer on phones), top bar, and the page in the middle."""

from collections.abc import Callable
from typing import Any

import reflex as rx
from reflex_base.style import set_color_mode

from dashboard.ui.components.basics import classes, icon, native_link, plain_link, screen_reader_only
from dashboard.ui.components.buttons import icon_button, link_button
from dashboard.ui.components.dialogs import close_dialog, open_dialog
from dashboard.ui.components.forms import native_form
from dashboard.ui.components.headers import environment_badge
from dashboard.ui.components.navigation import MENU_ITEM
from dashboard.ui.navigation import MenuEntry, MenuGroup, entry_of, shown_menu
from dashboard.ui.routes import PAGES, PRODUCT, Page
from dashboard.ui.shell_state import ShellState

_DRAWER = "menu-drawer"


def in_frame(page: Page) -> Callable[[], rx.Component]:
    """What Reflex calls to make the page."""

    def render() -> rx.Component:
        return framed(page)

    # Reflex puts the code of a page into a file named after this module. Under one name for all, every page would load
    # the code of all pages, and building that one file takes minutes and gigabytes.
    render.__module__ = page.render.__module__
    return render


def framed(page: Page) -> rx.Component:
    """The page in its frame, or alone when it is bare."""
    if page.bare:
        return page.render()
    entry = entry_of(page.route)
    current = entry.route if entry is not None else page.route
    return rx.el.div(
        native_link(
            "Skip to content",
            href="#content",
            class_name=(
                "sr-only focus:not-sr-only focus:fixed focus:left-3 focus:top-3 focus:z-50 focus:rounded-control "
                "focus:bg-panel focus:px-3 focus:py-2"
            ),
        ),
        side_bar(current=current),
        drawer(current=current),
        rx.el.div(
            _top_bar(page),
            rx.el.main(
                page.render(),
                id="content",
                tab_index=-1,
                class_name=("mx-auto flex w-full max-w-[1240px] flex-col gap-5 px-4 py-6 outline-none sm:px-6 lg:px-8"),
            ),
            class_name="min-w-0 flex-1",
        ),
        class_name="flex min-h-dvh bg-canvas text-ink",
    )


def not_found() -> rx.Component:
    """For addresses that lead nowhere."""
    return rx.el.main(
        mark("40"),
        rx.el.h1("There is nothing here", class_name="mt-6 text-xl font-semibold tracking-tight"),
        rx.el.p("The address is wrong, or what it led to was deleted.", class_name="mb-6 mt-1 text-muted"),
        link_button("Go home", href="/", tone="primary"),
        class_name="flex min-h-dvh flex-col items-center justify-center bg-canvas p-6 text-center text-ink",
    )


@rx.memo
def side_bar(current: rx.Var[str]) -> rx.Component:
    """The menu on wide screens."""
    return rx.el.aside(
        rx.el.div(brand(), class_name="flex h-14 items-center px-5"),
        rx.el.nav(*(_group(group, current) for group in shown_menu()), aria_label="Main", class_name=_NAV),
        class_name="sticky top-0 hidden h-dvh w-56 shrink-0 flex-col border-r border-line bg-panel md:flex",
        data_screen_only="",
    )


@rx.memo
def drawer(current: rx.Var[str]) -> rx.Component:
    """The same menu on phones: a dialog from the left."""
    return rx.el.dialog(
        rx.el.div(
            brand(),
            icon_button("x", "Close menu", on_click=close_dialog(_DRAWER)),
            class_name="flex h-14 items-center justify-between pl-5 pr-3",
        ),
        rx.el.nav(*(_group(group, current) for group in shown_menu()), aria_label="Main", class_name=_NAV),
        id=_DRAWER,
        data_drawer="",
        aria_label="Menu",
        class_name="w-72 max-w-[85vw] border-r border-line p-0 md:hidden",
    )


@rx.memo
def user_menu() -> rx.Component:
    """Who is signed in, the colour mode, and the way out."""
    return rx.el.details(
        rx.el.summary(
            rx.el.span(
                icon("user-round", 15),
                class_name="inline-flex size-7 items-center justify-center rounded-full bg-brand-soft text-brand-ink",
            ),
            rx.el.span(ShellState.user_name, class_name="hidden max-w-40 truncate sm:inline"),
            icon("chevron-down", 14, "text-muted"),
            aria_label=rx.cond(ShellState.user_name, "Your account: " + ShellState.user_name, "Your account"),
            class_name="inline-flex h-9 min-w-9 items-center gap-2 rounded-control px-1.5 select-none hover:bg-sunken",
        ),
        rx.el.div(
            rx.el.div(
                rx.el.p(ShellState.user_email, class_name="truncate font-medium"),
                rx.el.p(ShellState.user_role, class_name="text-[13px] text-muted capitalize"),
                class_name="border-b border-line px-2.5 pb-2 pt-1.5",
            ),
            rx.el.div(
                rx.el.p("Appearance", id="appearance", class_name="px-2.5 pb-1 pt-2 text-[13px] text-muted"),
                _appearance("Light", "light", "sun"),
                _appearance("Dark", "dark", "moon"),
                _appearance("As the system", "system", "monitor"),
                role="group",
                aria_labelledby="appearance",
            ),
            native_form(
                rx.el.button(icon("log-out", 15, "text-muted"), "Sign out", type="submit", class_name=MENU_ITEM),
                action="/auth/logout",
                class_name="mt-1 border-t border-line pt-1",
            ),
            class_name=(
                "absolute right-0 top-full z-30 mt-1 w-60 rounded-card border border-line-strong bg-panel p-1 "
                "shadow-[0_8px_24px_rgb(10_13_20/12%)]"
            ),
        ),
        data_menu="",
        class_name="relative",
    )


def brand() -> rx.Component:
    """The mark and the name, leading home."""
    return plain_link(
        mark(),
        rx.el.span(PRODUCT, class_name="text-[15px] font-semibold tracking-tight"),
        href="/",
        class_name="inline-flex items-center gap-2.5 rounded-sm text-ink",
    )


def mark(size: str = "24") -> rx.Component:
    """The logo: a meter's dial."""
    return rx.el.svg(
        rx.el.svg.rect(width="32", height="32", rx="8", fill="var(--brand)"),
        rx.el.svg.path(d="M7 21a9 9 0 0 1 18 0", fill="none", stroke="#fff", **_STROKE),
        rx.el.svg.path(d="M16 21l4.2-6", stroke="#fff", **_STROKE),
        rx.el.svg.circle(cx="16", cy="21", r="2.2", fill="#fff"),
        width=size,
        height=size,
        view_box="0 0 32 32",
        aria_hidden=True,
        class_name="shrink-0",
    )


def _top_bar(page: Page) -> rx.Component:
    return rx.el.header(
        rx.el.div(
            icon_button(
                "menu", "Open menu", class_name="md:hidden -ml-1", on_click=open_dialog(_DRAWER), aria_haspopup="dialog"
            ),
            _breadcrumb(page),
            class_name="flex min-w-0 items-center gap-2",
        ),
        rx.el.div(environment_badge(ShellState.environment), user_menu(), class_name="flex items-center gap-2"),
        class_name=(
            "sticky top-0 z-20 flex h-14 items-center justify-between gap-3 border-b border-line bg-panel px-4 sm:px-6 "
            "lg:px-8"
        ),
        data_screen_only="",
    )


def _breadcrumb(page: Page) -> rx.Component:
    """Where one is: the menu's group or the pages above, then this page."""
    above: list[rx.Component] = []
    parent = PAGES.get(page.parent) if page.parent else None
    while parent is not None:
        above.insert(0, plain_link(parent.title, href=parent.route, class_name="text-muted hover:text-ink rounded-sm"))
        parent = PAGES.get(parent.parent) if parent.parent else None
    group = _group_label(page)
    if group:
        above.insert(0, rx.el.span(group, class_name="text-muted"))
    here: Any = page.title if page.name is None else rx.cond(page.name, page.name, page.title)
    items = [rx.el.li(crumb, _SLASH(), class_name="hidden items-center gap-2 sm:flex") for crumb in above]
    return rx.el.nav(
        rx.el.ol(
            *items,
            rx.el.li(here, aria_current="page", class_name="truncate font-medium"),
            class_name="flex min-w-0 items-center gap-2 whitespace-nowrap",
        ),
        aria_label="Breadcrumb",
        class_name="min-w-0",
    )


def _group_label(page: Page) -> str:
    entry = entry_of(page.route)
    for group in shown_menu():
        if entry in group.entries and group.label != (entry.label if entry else ""):
            return group.label
    return ""


def _SLASH() -> rx.Component:
    return rx.el.span("/", aria_hidden=True, class_name="text-muted")


def _group(group: MenuGroup, current: rx.Var[str]) -> rx.Component:
    heading = (
        [rx.el.p(group.label, class_name="px-2.5 pb-1 pt-4 text-xs font-medium text-muted")] if group.label else []
    )
    return rx.el.div(
        *heading, rx.el.ul(*(_entry(entry, current) for entry in group.entries), class_name="flex flex-col gap-0.5")
    )


def _entry(entry: MenuEntry, current: rx.Var[str]) -> rx.Component:
    look = "flex h-8 items-center gap-2.5 rounded-control px-2.5 transition-colors"
    return rx.el.li(
        plain_link(
            icon(entry.icon_name, 16),
            entry.label,
            href=entry.route,
            aria_current=rx.cond(current == entry.route, "page", "false"),
            class_name=rx.cond(
                current == entry.route,
                classes(look, "bg-brand-soft font-medium text-brand-ink"),
                classes(look, "text-muted hover:bg-sunken hover:text-ink"),
            ),
        )
    )


def _appearance(label: str, mode: Any, icon_name: str) -> rx.Component:
    return rx.el.button(
        icon(icon_name, 15, "text-muted"),
        label,
        rx.cond(
            rx.color_mode == mode,  # pyright: ignore[reportAttributeAccessIssue]
            rx.fragment(icon("check", 14, "ml-auto text-brand-ink"), screen_reader_only("(chosen)")),
            rx.fragment(),
        ),
        type="button",
        on_click=set_color_mode(mode),
        data_menu_item="",
        class_name=MENU_ITEM,
    )


_NAV = "flex-1 overflow-y-auto px-3 pb-4"
_STROKE: dict[str, Any] = {"stroke_width": "2.6", "stroke_linecap": "round"}
