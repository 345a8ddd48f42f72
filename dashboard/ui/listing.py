"""Lists whose view is their address: read the query, make the links for tabs, sorting and pages from it, show them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import reflex as rx

from dashboard.kit.paging import PAGE_SIZE_DEFAULT, Page, PageRequest
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs

PAGE_MARKERS = ("page", "after", "before")
"""Query names that say where in a list one is; any other change begins at the first page again."""


@dataclass(frozen=True, slots=True)
class SortLink:
    """Where a click on a column's heading leads, and how the list is sorted by it now."""

    href: str
    direction: str


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted, and the links that sort it otherwise."""

    key: str
    descending: bool
    links: dict[str, SortLink]


@dataclass(frozen=True, slots=True)
class Pager:
    """The foot of a table. An empty address means there is no such page."""

    summary: str = ""
    previous: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: a link to the list with another filter. `count` is text, empty for none."""

    label: str
    href: str
    count: str = ""
    current: bool = False


class Address:
    """The address of the page a state is on: its path and query, and addresses a step away from it."""

    def __init__(self, path: str, query: Mapping[str, str]) -> None:
        self.path = path
        self._query = {name: value for name, value in query.items() if value}

    @classmethod
    def of(cls, state: rx.State) -> "Address":
        """Where the tab of `state` is. It comes from the browser: treat every value as typed by a stranger."""
        url = state.router.url
        query = {name: str(value) for name, value in dict(url.query_parameters).items()}
        return cls(url.path.rstrip("/") or "/", query)

    def text(self, name: str, default: str = "") -> str:
        """The value of a query name."""
        return self._query.get(name, default)

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """The value of a query name if it is one of `choices`, else `default`."""
        value = self._query.get(name, default)
        return value if value in set(choices) else default

    def search(self) -> str | None:
        """What is searched for; None for nothing. The address keeps it as it was typed."""
        return self.text("q").strip() or None

    def time(self, name: str) -> datetime | None:
        """The value of a query name if it is RFC 3339, or a date (midnight in UTC); None for anything else."""
        try:
            found = datetime.fromisoformat(self._query.get(name, ""))
        except ValueError:
            return None
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)

    def page_request(self, size: int = PAGE_SIZE_DEFAULT) -> PageRequest:
        """The page asked for with `?page=`; the first one for anything that is no number from 1."""
        written = self._query.get("page", "1")
        number = int(written) if written.isdecimal() and len(written) < 8 else 1
        return PageRequest(number=max(1, number), size=size)

    def having(self, **changes: str | int | None) -> str:
        """This address with some query names changed (None or "" removes), on its first page unless that is named."""
        query = {name: value for name, value in self._query.items() if name not in PAGE_MARKERS}
        for name, value in changes.items():
            query.pop(name, None)
            if value not in (None, ""):
                query[name] = str(value)
        return self.path + (f"?{urlencode(query)}" if query else "")

    def sort_links(self, keys: Iterable[str], current: str) -> dict[str, SortLink]:
        """Links for the sortable columns. `current` is the key in use, with a leading minus when descending."""
        used, descending = current.removeprefix("-"), current.startswith("-")
        links = {}
        for key in keys:
            direction = ("descending" if descending else "ascending") if key == used else "none"
            links[key] = SortLink(self.having(sort=key if direction == "descending" else f"-{key}"), direction)
        return links

    def order(self, keys: Sequence[str], default: str) -> Order:
        """How `?sort=` wants a list with these sortable columns; `default` when it says nothing that is one of them."""
        chosen = self.choice("sort", [*keys, *(f"-{key}" for key in keys)], default)
        return Order(chosen.removeprefix("-"), chosen.startswith("-"), self.sort_links(keys, chosen))

    def tabs(self, name: str, words: Mapping[str, str], counts: Mapping[str, int | str] | None = None) -> list[Tab]:
        """A tab for each value of a query name, in the order of `words`; the first one's address does without it.

        Zeros are left out; a count that is text already is taken as it is.
        """
        first = next(iter(words))
        current = self.choice(name, words, first)
        return [
            Tab(
                label,
                self.having(**{name: None if value == first else value}),
                _count_text((counts or {}).get(value, 0)),
                value == current,
            )
            for value, label in words.items()
        ]

    def pager(self, page: Page[Any]) -> Pager:
        """The foot of a numbered page: “26–50 of 130”."""
        if page.total_count == 0:
            return Pager()
        first = (page.number - 1) * page.size + 1
        last = first + len(page.items) - 1
        return Pager(
            summary=f"{first:,}–{last:,} of {page.total_count:,}" if page.items else f"0 of {page.total_count:,}",
            previous=self.having(page=None if page.number == 2 else page.number - 1) if page.number > 1 else "",
            next=self.having(page=page.number + 1) if page.number < page.page_count else "",
        )

    def keyset_pager(self, summary: str, before: str | None, after: str | None) -> Pager:
        """The foot of a page of a list without numbers; `before` and `after` are cursors, None where it ends."""
        return Pager(
            summary,
            previous=self.having(before=before) if before else "",
            next=self.having(after=after) if after else "",
        )


class ListState(LiveState, mixin=True):
    """The page of a list. A state of this kind adds its `rows` and sets them in `_refresh`, which ends with `_show`."""

    loading: bool = True
    tabs: list[Tab] = []
    sort: dict[str, SortLink] = {}
    pager: Pager = Pager()
    search: str = ""
    filtered: bool = False

    @rx.event
    @needs("viewer")
    async def find(self, text: str):
        """Shows what holds a text, from the first page on."""
        return rx.redirect(Address.of(self).having(q=str(text)), replace=True)

    def _show(self, address: Address, pager: Pager, order: Order | None = None, *, filtered: bool = False) -> None:
        """Shows where in the list one is. `filtered`: something beside the search narrows it."""
        self.search = address.text("q")
        self.filtered = filtered or address.search() is not None
        self.sort = order.links if order else {}
        self.pager = pager
        self.loading = False


class CreatingState(LiveState, mixin=True):
    """A page with a dialog that makes something. Who may open it, a handler of its own says; anybody may close it."""

    creating: bool = False
    errors: dict[str, str] = {}

    @rx.event
    @needs("viewer")
    async def stop_creating(self):
        """Closes the dialog."""
        self.creating = False

    def _enter(self) -> None:
        self.creating, self.errors = False, {}


def _count_text(count: int | str) -> str:
    return count if isinstance(count, str) else f"{count:,}" if count else ""
