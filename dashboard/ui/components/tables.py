"""Tables: a page of rows from the server. Sorting and paging are links, so the address is the view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx

from dashboard.ui.components.basics import Content, Flag, Text, classes, icon, plain_link, screen_reader_only
from dashboard.ui.components.feedback import empty_state, skeleton
from dashboard.ui.listing import ListState

SKELETON_ROWS = 8
_CELL = "px-4 py-2.5 align-middle first:sm:pl-5 last:sm:pr-5"
_HIDE = {"": "", "sm": "max-sm:hidden", "md": "max-md:hidden", "lg": "max-lg:hidden", "xl": "max-xl:hidden"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, the key it sorts by (if any), and from which screen width on it shows.

    `hidden_label` keeps the heading for screen readers only, such as over a column of buttons.
    """

    label: str
    sort: str = ""
    numeric: bool = False
    hide_below: str = ""
    hidden_label: bool = False


def data_table(
    columns: Sequence[Column],
    rows: Any,
    render_row: Callable[[Any], rx.Component],
    *,
    label: str,
    loading: Flag = False,
    empty: rx.Component | None = None,
    sort: Any = None,
    pager: rx.Component | None = None,
) -> rx.Component:
    """A table in a frame: skeleton rows while `loading`, `empty` when there are none, `pager` below.

    `rows` is a state's list of view dataclasses, `render_row` an `@rx.memo` component that takes one and returns
    `row(cell(…), …)`. `sort` is a state's `dict[str, SortLink]` from `listing.sort_links`.
    """
    table = rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(*(_heading(column, sort) for column in columns)),
                class_name="border-b border-line bg-panel text-left text-[13px] text-muted",
            ),
            rx.el.tbody(
                rx.cond(
                    loading,
                    rx.fragment(*(_skeleton_row(columns) for _ in range(SKELETON_ROWS))),
                    rx.foreach(rows, render_row),
                ),
                class_name="divide-y divide-line",
            ),
            class_name="w-full border-collapse",
            aria_busy=loading,
        ),
        tab_index=0,
        role="region",
        aria_label=label,
        class_name="relative overflow-x-auto rounded-card",
    )
    if empty is not None:
        no_rows = rx.Var.create(rows).length() == 0  # pyright: ignore[reportAttributeAccessIssue]
        table = rx.cond(~rx.Var.create(loading) & no_rows, empty, table)
    return rx.el.div(
        table,
        *([pager] if pager is not None else []),
        class_name="min-w-0 rounded-card border border-line bg-panel",
    )


def list_table(
    state: type[ListState],
    columns: Sequence[Column],
    row_component: Callable[..., rx.Component],
    *,
    label: str,
    nothing_yet: rx.Component,
    nothing_fits: tuple[str, str],
) -> rx.Component:
    """The table of a list page: `state.rows`, each drawn by an `@rx.memo` component that takes it as `row`.

    `nothing_fits` is the title and the advice where the search and the filters leave nothing.
    """
    title, advice = nothing_fits
    rows: Any = state.rows  # pyright: ignore[reportAttributeAccessIssue] (each list's rows have a type of their own)
    has_pages = state.loading | (rows.length() > 0) | (state.pager.previous != "")
    return data_table(
        columns,
        rows,
        lambda one: row_component(row=one),
        label=label,
        loading=state.loading,
        sort=state.sort,
        empty=rx.cond(state.filtered, empty_state(title, advice, icon_name="search"), nothing_yet),
        pager=rx.cond(has_pages, pager(state.pager), rx.fragment()),
    )


def row(*cells: rx.Component, class_name: str = "", **props: Any) -> rx.Component:
    """A table row."""
    return rx.el.tr(*cells, class_name=classes("relative hover:bg-sunken/60", class_name), **props)


def cell(
    *children: Content, numeric: bool = False, hide_below: str = "", class_name: str = "", **props: Any
) -> rx.Component:
    """A table cell. Give `numeric` and `hide_below` the same values as the cell's `Column`."""
    return rx.el.td(
        *children,
        class_name=classes(
            _CELL, "text-right tabular-nums whitespace-nowrap" if numeric else "", _HIDE[hide_below], class_name
        ),
        **props,
    )


def row_link(*children: Content, href: Text, class_name: str = "") -> rx.Component:
    """The link of a row, in its first cell; a click anywhere in the row follows it.

    Other links and buttons of the row need `class_name="relative"` to stay above it.
    """
    return plain_link(
        *children,
        href=href,
        class_name=classes(
            "font-medium text-ink hover:underline underline-offset-2 after:absolute after:inset-0", class_name
        ),
    )


def pager(view: Any) -> rx.Component:
    """The foot of a table for a `listing.Pager`: where one is, and links to the pages before and after."""
    return rx.el.nav(
        rx.el.p(view.summary, data_figures="", aria_live="polite", class_name="text-[13px] text-muted"),
        rx.el.div(
            _step("Previous", "chevron-left", view.previous, first=True),
            _step("Next", "chevron-right", view.next, first=False),
            class_name="flex gap-2",
        ),
        aria_label="Pages",
        class_name=(
            "flex min-h-[53px] flex-wrap items-center justify-between gap-3 border-t border-line px-4 py-2.5 sm:px-5"
        ),
    )


_STEP = "inline-flex h-8 items-center gap-1 rounded-control border px-2.5 text-[13px] font-medium"


def _step(label: str, icon_name: str, href: Any, *, first: bool) -> rx.Component:
    inner = [icon(icon_name, 15), label] if first else [label, icon(icon_name, 15)]
    return rx.cond(
        href,
        plain_link(
            *inner, href=href, class_name=classes(_STEP, "border-line-strong bg-panel text-ink hover:bg-sunken")
        ),
        rx.el.span(*inner, aria_hidden=True, class_name=classes(_STEP, "border-line bg-sunken text-muted")),
    )


def _heading(column: Column, sort: Any) -> rx.Component:
    look = classes(
        _CELL, "font-medium whitespace-nowrap", "text-right" if column.numeric else "", _HIDE[column.hide_below]
    )
    if column.hidden_label:
        return rx.el.th(screen_reader_only(column.label), scope="col", class_name=look)
    if not column.sort or sort is None:
        return rx.el.th(column.label, scope="col", class_name=look)
    state = sort[column.sort]
    return rx.el.th(
        rx.cond(
            state,
            plain_link(
                column.label,
                rx.match(
                    state.direction,
                    ("ascending", icon("arrow-up", 13)),
                    ("descending", icon("arrow-down", 13)),
                    icon("chevrons-up-down", 13, "opacity-60"),
                ),
                href=rx.cond(state, state.href, ""),
                class_name="inline-flex items-center gap-1 rounded-sm hover:text-ink",
            ),
            column.label,
        ),
        scope="col",
        aria_sort=rx.cond(state, state.direction, "none"),
        class_name=look,
    )


def _skeleton_row(columns: Sequence[Column]) -> rx.Component:
    cells = [
        cell(
            skeleton(classes("my-0.5 h-4 w-20", "ml-auto" if column.numeric else "")),
            hide_below=column.hide_below,
        )
        for column in columns
    ]
    return rx.el.tr(*cells)
