"""The list of invoices: tabs with counts, filters, search, sorting, and pages that stay fast however long it is."""

import base64
import binascii
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.util import ClauseAdapter
from sqlmodel import col

from dashboard.billing.columns import LARGEST_AMOUNT
from dashboard.billing.invoice_rows import tab_of
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import InvoiceStatus, InvoiceSummary
from dashboard.customers.queries import matching_customer_ids
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import is_id
from dashboard.kit.paging import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

ALL = "all"
NEEDS_ATTENTION = "needs_attention"
TABS = (ALL, "draft", NEEDS_ATTENTION, "open", "overdue", "paid", "uncollectible", "voided")
HIDDEN_TABS = ("gathering", "deleted")

COUNTED_MAX = 1000
"""Counting stops here, so that a tab's number costs the same with a million invoices."""

TOGETHER_MAX = 5000
"""So many matches are looked at one by one; beyond that they are frequent enough to be met while walking the list."""

SCANNED_MAX = 2000
"""So many of a tab's newest invoices are looked at to count those that fit a filter no index serves."""

SEARCHED_CUSTOMERS_MAX = 200
CSV_BATCH = 500

NEEDS_SOMEBODY: Any = col(InvoiceRow.needs_attention)
"""Worded as the partial index is: `is_(True)` would not use it."""

SORTS = ("created", "total", "due", "issued")


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Which invoices: everything given has to hold.

    Times are `from` inclusive, `to` exclusive; amounts both inclusive, of the total in major units. `search` is part of
    a customer's name, key or email, the beginning of a number, or an id.
    """

    tab: str = ALL
    statuses: tuple[InvoiceStatus, ...] = ()
    customer_id: str | None = None
    currency: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    issued_from: datetime | None = None
    issued_to: datetime | None = None
    due_from: datetime | None = None
    due_to: datetime | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None
    billing_profile_id: str | None = None
    app_id: str | None = None
    collection_method: str | None = None
    search: str | None = None

    def __post_init__(self) -> None:
        if self.tab not in (*TABS, *HIDDEN_TABS):
            raise InvalidInput(f"There is no tab {self.tab!r}.", field="tab")
        for name in ("amount_min", "amount_max"):
            amount = getattr(self, name)
            if amount is not None and abs(amount) > LARGEST_AMOUNT:
                raise InvalidInput("That amount is too large to look for.", field=name)


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """A page of the list. `next` and `previous` are markers for the neighbouring pages, None at the ends."""

    items: tuple[InvoiceSummary, ...]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class TabCount:
    """How many invoices stand under a tab; with `is_more` there are more than `count`."""

    tab: str
    count: int
    is_more: bool


async def list_invoices(
    session: AsyncSession,
    wanted: InvoiceFilter,
    *,
    sort: str = "created",
    descending: bool = True,
    cursor: str | None = None,
    limit: int = PAGE_SIZE_DEFAULT,
) -> InvoicePage:
    """One page, from a marker on. Invoices without a date come last when sorted by it.

    Raises InvalidInput for an unknown `sort`, a foreign `cursor` or a `limit` outside 1..1000.
    """
    if sort not in SORTS:
        raise InvalidInput(f"Invoices cannot be sorted by {sort!r}.", field="sort")
    if not 1 <= limit <= PAGE_SIZE_MAX:
        raise InvalidInput(f"A page holds 1 to {PAGE_SIZE_MAX} entries.", field="limit")
    place = _Place.from_text(cursor) if cursor else None
    order = _Order(sort, descending)
    statement = await _filtered(session, wanted, walked=sort == "created")
    backward = place is not None and place.backward
    rows = await _rows(session, statement, order, place, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    if backward:
        rows.reverse()
    items = tuple(_summary(row) for row in rows)
    if not items:
        return InvoicePage((), None, None)
    has_next, has_previous = (True, more) if backward else (more, place is not None)
    return InvoicePage(
        items,
        next=order.place_of(rows[-1], backward=False).to_text() if has_next else None,
        previous=order.place_of(rows[0], backward=True).to_text() if has_previous else None,
    )


async def tab_counts(session: AsyncSession, wanted: InvoiceFilter) -> tuple[TabCount, ...]:
    """How many invoices each tab would show under the other filters, counted up to COUNTED_MAX.

    However long the list is, a bounded number of invoices is looked at: what fits but is rarer than that among a tab's
    newest is not counted, and `is_more` says so.
    """
    others = replace(wanted, tab=ALL, statuses=())
    if others == InvoiceFilter():
        return tuple([await _count_of_tab(session, tab) for tab in TABS])
    narrow = [*await _narrowing(session, others), *await _searching(session, others)]
    if narrow or others.customer_id is not None:
        counts = await _counted_together(session, others, narrow)
        if counts:
            return tuple(counts)
    return tuple([await _count_among_newest(session, replace(others, tab=tab), narrow) for tab in TABS])


async def all_matching(session: AsyncSession, wanted: InvoiceFilter) -> AsyncIterator[InvoiceSummary]:
    """Every invoice that matches, newest first, read in batches."""
    cursor: str | None = None
    while True:
        page = await list_invoices(session, wanted, cursor=cursor, limit=CSV_BATCH)
        for item in page.items:
            yield item
        if page.next is None:
            return
        cursor = page.next


async def _count_of_tab(session: AsyncSession, tab: str) -> TabCount:
    some = select(col(InvoiceRow.id)).where(*conditions(InvoiceFilter(tab=tab))).limit(COUNTED_MAX + 1).subquery()
    found = await session.scalar(select(func.count()).select_from(some)) or 0
    return TabCount(tab, min(found, COUNTED_MAX), found > COUNTED_MAX)


async def _counted_together(
    session: AsyncSession, wanted: InvoiceFilter, narrow: list[ColumnElement[bool]]
) -> list[TabCount]:
    """All tabs in one pass over what the filters leave; nothing when that is too much."""
    statement = select(col(InvoiceRow.tab), col(InvoiceRow.needs_attention)).where(*conditions(wanted), *narrow)
    rows = statement.limit(TOGETHER_MAX + 1).subquery()
    grouped = select(rows.c.tab, rows.c.needs_attention, func.count()).group_by(rows.c.tab, rows.c.needs_attention)
    found = dict.fromkeys(TABS, 0)
    for tab, needs_attention, count in await session.execute(grouped):
        found[ALL] += count
        found[tab] += count
        found[NEEDS_ATTENTION] += count if needs_attention else 0
    if found[ALL] > TOGETHER_MAX:
        return []
    return [TabCount(tab, min(count, COUNTED_MAX), count > COUNTED_MAX) for tab, count in found.items()]


async def _count_among_newest(
    session: AsyncSession, wanted: InvoiceFilter, narrow: list[ColumnElement[bool]]
) -> TabCount:
    in_time = InvoiceFilter(wanted.tab, created_from=wanted.created_from, created_to=wanted.created_to)
    newest = select(*_FILTERED_BY).where(*conditions(in_time)).order_by(col(InvoiceRow.created_at).desc())
    rows = newest.limit(SCANNED_MAX).subquery()
    fits = ClauseAdapter(rows).traverse(and_(*conditions(wanted), *narrow))
    statement = select(func.count(), func.count(case((fits, 1)))).select_from(rows)
    scanned, found = (await session.execute(statement)).one()
    return TabCount(wanted.tab, min(found, COUNTED_MAX), found > COUNTED_MAX or scanned == SCANNED_MAX)


async def _narrowing(session: AsyncSession, wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    """For every filter with an index of its own that few invoices fit: those few, by their ids.

    Otherwise the database would walk the list in its order, for a long time where hardly any fits. Many are met soon.
    """
    each = (
        _own_conditions(InvoiceFilter(issued_from=wanted.issued_from, issued_to=wanted.issued_to)),
        _due_conditions(wanted),
        _own_conditions(InvoiceFilter(amount_min=wanted.amount_min, amount_max=wanted.amount_max)),
        _status_conditions(wanted),
    )
    found: list[ColumnElement[bool]] = []
    for one in each:
        if one:
            some = select(col(InvoiceRow.id)).where(*one).limit(TOGETHER_MAX + 1)
            count = await session.scalar(select(func.count()).select_from(some.subquery())) or 0
            if count <= TOGETHER_MAX:
                found.append(col(InvoiceRow.id).in_(select(some.subquery().c.id)))
    return found


def _due_conditions(wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    """With the tab where one is wanted: their index holds both."""
    due = _own_conditions(InvoiceFilter(due_from=wanted.due_from, due_to=wanted.due_to))
    is_one = wanted.tab not in (ALL, NEEDS_ATTENTION)
    return [col(InvoiceRow.tab) == wanted.tab, *due] if due and is_one else due


def _status_conditions(wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    return [col(InvoiceRow.status).in_([status.value for status in wanted.statuses])] if wanted.statuses else []


async def _searching(session: AsyncSession, wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    return [await search_condition(session, wanted.search)] if wanted.search and wanted.search.strip() else []


def conditions(wanted: InvoiceFilter, *, walked: bool = False) -> list[ColumnElement[bool]]:
    """The filter without its search, as conditions on invoice rows. For this room only.

    `walked`: the newest are met first, so few rows are looked at where many fit (few are narrowed down before). SQLite
    would rather take all that were issued in a month by their index, and sort them.
    """
    found: list[ColumnElement[bool]] = []
    if wanted.tab == ALL:
        # Written as what it holds, so that the index over tabs can be walked as well.
        found.append(col(InvoiceRow.tab).not_in(HIDDEN_TABS))
    elif wanted.tab == NEEDS_ATTENTION:
        found.append(NEEDS_SOMEBODY)
    else:
        found.append(col(InvoiceRow.tab) == wanted.tab)
    if wanted.statuses:
        # Said twice, so that the index over tabs can be walked.
        found.append(col(InvoiceRow.tab).in_({tab_of(status) for status in wanted.statuses}))
        found += _status_conditions(wanted)
    # Nothing is issued, nor due, before it was made: the list need not be walked from its newest end.
    for limit in (wanted.issued_to, wanted.due_to):
        if limit is not None:
            found.append(col(InvoiceRow.created_at) < limit)
    return found + _own_conditions(wanted, walked=walked)


def _own_conditions(wanted: InvoiceFilter, *, walked: bool = False) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (InvoiceRow.customer_id, wanted.customer_id),
        (InvoiceRow.currency, wanted.currency.upper() if wanted.currency else None),
        (InvoiceRow.billing_profile_id, wanted.billing_profile_id),
        (InvoiceRow.app_id, wanted.app_id),
        (InvoiceRow.collection_method, wanted.collection_method),
    ):
        if value is not None:
            found.append(col(column) == value)
    issued_at: Any = col(InvoiceRow.issued_at)
    ranges: tuple[tuple[Any, datetime | None, datetime | None], ...] = (
        (col(InvoiceRow.created_at), wanted.created_from, wanted.created_to),
        (_without_index(issued_at) if walked else issued_at, wanted.issued_from, wanted.issued_to),
        (col(InvoiceRow.due_at), wanted.due_from, wanted.due_to),
    )
    for column, start, end in ranges:
        if start is not None:
            found.append(column >= start)
        if end is not None:
            found.append(column < end)
    if wanted.amount_min is not None:
        found.append(col(InvoiceRow.total) >= wanted.amount_min)
    if wanted.amount_max is not None:
        found.append(col(InvoiceRow.total) <= wanted.amount_max)
    return found


def _without_index(column: Any) -> Any:
    """The same value, written so that SQLite uses no index for it.

    Source: https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary-+".
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


async def search_condition(session: AsyncSession, search: str) -> ColumnElement[bool]:
    """Invoices that a search finds. Customers are looked up first: their number is small, that of invoices is not."""
    text = search.strip()
    customers = await matching_customer_ids(session, text, limit=SEARCHED_CUSTOMERS_MAX)
    # The text right behind every text that begins with this one, so that an index can be used on either database.
    beginning = text.upper()
    found: list[ColumnElement[bool]] = [
        col(InvoiceRow.number).between(beginning, beginning + "\U0010ffff"),
        col(InvoiceRow.external_id) == text,
    ]
    if is_id(beginning):
        found.append(col(InvoiceRow.id) == beginning)
    if customers:
        theirs = col(InvoiceRow.customer_id).in_(customers)
        if await session.scalar(select(col(InvoiceRow.id)).where(or_(*found)).limit(1)) is None:
            # Their invoices lie in order in an index over customers.
            return theirs
        found.append(theirs)
    each = union_all(*(select(col(InvoiceRow.id)).where(one) for one in found)).subquery()
    count = await session.scalar(select(func.count()).select_from(select(each.c.id).limit(TOGETHER_MAX + 1).subquery()))
    # A few are looked up by their ids. Many are met soon when the list is walked in its order.
    return col(InvoiceRow.id).in_(select(each.c.id)) if (count or 0) <= TOGETHER_MAX else or_(*found)


async def _filtered(session: AsyncSession, wanted: InvoiceFilter, *, walked: bool) -> Select[Any]:
    narrow = [*await _narrowing(session, wanted), *await _searching(session, wanted)]
    return select(col(InvoiceRow.id)).where(*conditions(wanted, walked=walked), *narrow)


_FILTERED_BY = tuple(
    col(column)
    for column in (
        InvoiceRow.id,
        InvoiceRow.number,
        InvoiceRow.external_id,
        InvoiceRow.status,
        InvoiceRow.tab,
        InvoiceRow.needs_attention,
        InvoiceRow.customer_id,
        InvoiceRow.currency,
        InvoiceRow.billing_profile_id,
        InvoiceRow.app_id,
        InvoiceRow.collection_method,
        InvoiceRow.total,
        InvoiceRow.created_at,
        InvoiceRow.issued_at,
        InvoiceRow.due_at,
    )
)
"""What conditions speak of. The others are long, so they are not fetched where rows are only counted."""

_SUMMARIES: Any = select(
    *(
        col(column)
        for column in (
            InvoiceRow.id,
            InvoiceRow.number,
            InvoiceRow.status,
            InvoiceRow.customer_id,
            InvoiceRow.customer_name,
            InvoiceRow.currency,
            InvoiceRow.total,
            InvoiceRow.amount_paid,
            InvoiceRow.amount_remaining,
            InvoiceRow.collection_method,
            InvoiceRow.sync_state,
            InvoiceRow.payment_status,
            InvoiceRow.created_at,
            InvoiceRow.issued_at,
            InvoiceRow.due_at,
            InvoiceRow.paid_at,
            InvoiceRow.next_attempt_at,
            InvoiceRow.problem,
        )
    )
)


def _summary(row: Any) -> InvoiceSummary:
    return InvoiceSummary(
        id=row.id,
        number=row.number,
        status=InvoiceStatus(row.status),
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        currency=row.currency,
        total=row.total,
        amount_paid=row.amount_paid,
        amount_remaining=row.amount_remaining,
        collection_method=row.collection_method,
        sync_state=row.sync_state,
        payment_status=row.payment_status,
        created_at=row.created_at,
        issued_at=row.issued_at,
        due_at=row.due_at,
        paid_at=row.paid_at,
        next_attempt_at=row.next_attempt_at,
        problem=row.problem,
    )


# Places in the list


@dataclass(frozen=True, slots=True)
class _Place:
    """Right after a row, or with `backward` right before it. `value` is what the list is sorted by."""

    value: str | None
    id: str
    backward: bool

    def to_text(self) -> str:
        document = json.dumps([self.value, self.id, self.backward])
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "_Place":
        try:
            value, id_, backward = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, TypeError, binascii.Error):
            raise InvalidInput("This page marker is not one of ours.", field="cursor") from None
        return cls(None if value is None else str(value), str(id_), bool(backward))


@dataclass(frozen=True, slots=True)
class _Order:
    sort: str
    descending: bool

    @property
    def column(self) -> Any:
        return {
            "created": col(InvoiceRow.created_at),
            "total": col(InvoiceRow.total),
            "due": col(InvoiceRow.due_at),
            "issued": col(InvoiceRow.issued_at),
        }[self.sort]

    @property
    def is_nullable(self) -> bool:
        return self.sort in ("due", "issued")

    def clauses(self, with_value: bool, backward: bool) -> list[Any]:
        """What to sort by: those without a value only by their ids."""
        columns = [self.column, col(InvoiceRow.id)] if with_value else [col(InvoiceRow.id)]
        return [column.desc() for column in columns] if self.descending is not backward else columns

    def value_of(self, row: Any) -> Any:
        return {"created": row.created_at, "total": row.total, "due": row.due_at, "issued": row.issued_at}[self.sort]

    def place_of(self, row: Any, *, backward: bool) -> _Place:
        value = self.value_of(row)
        text = None if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
        return _Place(text, row.id, backward)

    def read(self, text: str) -> Any:
        try:
            return Decimal(text) if self.sort == "total" else datetime.fromisoformat(text)
        except (ValueError, ArithmeticError):
            raise InvalidInput("This page marker is not one of ours.", field="cursor") from None


async def _rows(
    session: AsyncSession, statement: Select[Any], order: _Order, place: _Place | None, count: int
) -> list[Any]:
    """Up to `count` rows from a place on, in walking order: first those with a value, then those without, or back."""
    backward = place is not None and place.backward
    parts = [True, False] if order.is_nullable else [True]
    if backward:
        parts.reverse()
    rows: list[Any] = []
    for with_value in parts:
        if place is not None and order.is_nullable and (place.value is None) is with_value:
            # The place lies in the other part; this one is behind it, or still wholly ahead.
            if with_value is not backward:
                continue
            start = None
        else:
            start = place
        # First which, from an index where it can be, then what is shown of them: a row is long.
        ids = _part(statement, order, with_value, start, backward).limit(count - len(rows))
        shown = _SUMMARIES.where(col(InvoiceRow.id).in_(ids)).order_by(*order.clauses(with_value, backward))
        rows += (await session.execute(shown)).all()
        if len(rows) >= count:
            break
    return rows


def _part(statement: Select[Any], order: _Order, with_value: bool, place: _Place | None, backward: bool) -> Select[Any]:
    column, id_ = order.column, col(InvoiceRow.id)
    down = order.descending is not backward
    statement = statement.order_by(*order.clauses(with_value, backward))
    if not with_value:
        statement = statement.where(column.is_(None))
        if place is not None:
            statement = statement.where(id_ < place.id if down else id_ > place.id)
        return statement
    if order.is_nullable:
        statement = statement.where(column.is_not(None))
    if place is not None and place.value is not None:
        value = order.read(place.value)
        beyond = column < value if down else column > value
        behind = id_ < place.id if down else id_ > place.id
        # The first bound says nothing new, but it is the one an index can start from.
        statement = statement.where(column <= value if down else column >= value, or_(beyond, behind))
    return statement
