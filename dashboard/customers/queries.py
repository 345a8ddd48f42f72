"""Questions about customers."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.customers.errors import CustomerDeleted, CustomerNotFound
from dashboard.customers.tables import CustomerRow, UsageNameRow
from dashboard.customers.views import Address, Customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import is_id
from dashboard.kit.paging import (
    PAGE_SIZE_DEFAULT,
    Cursor,
    Page,
    PageRequest,
    fetch_page_of_columns,
    newer_than,
    older_than,
)

# The table, not the class: a list that is asked for in its columns passes the object mapper by.
_TABLE: Table = CustomerRow.__table__  # pyright: ignore[reportAttributeAccessIssue]
_COLUMNS = [
    column.label("metadata_" if column.name == "metadata" else column.name)
    for column in _TABLE.columns
    if column.name != "search_text"
]
_SORTS = frozenset(("id", "key", "name", "primary_email", "created_at", "updated_at"))


async def get_customer(session: AsyncSession, id_or_key: str) -> Customer:
    """The customer with this id (deleted ones too) or key (live ones). Raises CustomerNotFound."""
    return customer_of(await find_customer_row(session, id_or_key))


async def live_customer(session: AsyncSession, id_or_key: str) -> Customer:
    """A customer that something may be done with. Raises CustomerNotFound, CustomerDeleted."""
    return customer_of(await live_customer_row(session, id_or_key))


async def customers_by_id(session: AsyncSession, ids: Iterable[str]) -> dict[str, Customer]:
    """The customers with these ids, deleted ones too; unknown ids are left out."""
    rows = await session.scalars(select(CustomerRow).where(col(CustomerRow.id).in_(set(ids))))
    return {row.id: customer_of(row) for row in rows}


async def customer_of_subject(session: AsyncSession, subject: str) -> Customer | None:
    """Whose usage this subject is: a customer's own key counts like one of their subjects."""
    statement = select(CustomerRow).join(UsageNameRow, col(UsageNameRow.customer_id) == col(CustomerRow.id))
    row = await session.scalar(statement.where(col(UsageNameRow.name) == subject))
    return customer_of(row) if row else None


async def customers_of_subjects(session: AsyncSession, subjects: Sequence[str]) -> dict[str, str]:
    """Subject → id of the customer it counts for; subjects that are nobody's are left out."""
    statement = select(col(UsageNameRow.name), col(UsageNameRow.customer_id))
    found = await session.execute(statement.where(col(UsageNameRow.name).in_(set(subjects))))
    return {name: customer_id for name, customer_id in found}


async def subjects_of_customers(session: AsyncSession, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Customer id → their key and subjects, under which their usage arrives. Raises CustomerNotFound."""
    rows = {row.id: row for row in await session.scalars(select(CustomerRow).where(col(CustomerRow.id).in_(set(ids))))}
    unknown = [one for one in ids if one not in rows]
    if unknown:
        raise CustomerNotFound(f"There is no customer {unknown[0]!r}.")
    return {id_: usage_names(customer_of(row)) for id_, row in rows.items()}


def usage_names(customer: Customer) -> tuple[str, ...]:
    """The names under which a customer's usage arrives: the key, then the subjects."""
    return tuple(dict.fromkeys([*([customer.key] if customer.key else []), *customer.subject_keys]))


async def list_customers(
    session: AsyncSession,
    page: PageRequest,
    *,
    search: str | None = None,
    key: str | None = None,
    name: str | None = None,
    primary_email: str | None = None,
    subject: str | None = None,
    currency: str | None = None,
    ids: Sequence[str] | Select[str] | None = None,
    include_deleted: bool = False,
    sort: str = "created_at",
    descending: bool = True,
) -> Page[Customer]:
    """One numbered page. Text filters find parts in any case; `search` looks in name, key, email and subjects.

    `ids` may be a question that another room asks.
    Raises InvalidInput for an unknown `sort`.
    """
    if sort not in _SORTS:
        raise InvalidInput(f"Customers cannot be sorted by {sort!r}.", field="sort")
    columns = _TABLE.c
    statement = select(*_COLUMNS).where(*_conditions(search, include_deleted))
    for column, part in ((columns.key, key), (columns.name, name), (columns.primary_email, primary_email)):
        if part:
            statement = statement.where(column.icontains(part, autoescape=True))
    if subject:
        named = select(col(UsageNameRow.customer_id)).where(col(UsageNameRow.name).icontains(subject, autoescape=True))
        statement = statement.where(columns.id.in_(named))
    if currency:
        statement = statement.where(columns.currency == currency.upper())
    if ids is not None:
        statement = statement.where(columns.id.in_(ids))
    column = columns[sort]
    statement = statement.order_by(column.desc() if descending else column, columns.id)
    rows, total = await fetch_page_of_columns(session, statement, page)
    return Page(tuple(customer_of(row) for row in rows), total, page.number, page.size)


async def newest_customers(
    session: AsyncSession,
    *,
    search: str | None = None,
    after: Cursor | None = None,
    before: Cursor | None = None,
    limit: int = PAGE_SIZE_DEFAULT,
) -> list[Customer]:
    """Newest first, from a place on: what comes `after` it, or what comes right `before` it. For long lists."""
    at, id_ = col(CustomerRow.created_at), col(CustomerRow.id)
    statement = _filtered(search, include_deleted=False).limit(limit)
    if before is not None:
        rows = await session.scalars(statement.where(newer_than(before, at, id_)).order_by(at, id_))
        return [customer_of(row) for row in reversed(list(rows))]
    if after is not None:
        statement = statement.where(older_than(after, at, id_))
    rows = await session.scalars(statement.order_by(at.desc(), id_.desc()))
    return [customer_of(row) for row in rows]


async def count_customers(session: AsyncSession, *, search: str | None = None) -> int:
    """How many live customers there are."""
    return await session.scalar(select(func.count()).select_from(_filtered(search, False).subquery())) or 0


async def matching_customer_ids(session: AsyncSession, search: str, *, limit: int) -> list[str]:
    """Ids of customers, deleted ones too, whose name, key, email or a subject holds `search`."""
    statement = _filtered(search, include_deleted=True).with_only_columns(col(CustomerRow.id)).limit(limit)
    return list(await session.scalars(statement))


async def find_customer_row(session: AsyncSession, id_or_key: str) -> CustomerRow:
    """The row, deleted or not; an id goes before a key. For this room only."""
    row = await session.get(CustomerRow, id_or_key.upper()) if is_id(id_or_key.upper()) else None
    if row is None:
        live = select(CustomerRow).where(col(CustomerRow.deleted_at).is_(None))
        row = await session.scalar(live.where(col(CustomerRow.key) == id_or_key))
    if row is None:
        raise CustomerNotFound(f"There is no customer {id_or_key!r}.")
    return row


async def live_customer_row(session: AsyncSession, id_or_key: str) -> CustomerRow:
    """The row of a customer that is not deleted. For this room only."""
    row = await find_customer_row(session, id_or_key)
    if row.deleted_at is not None:
        raise CustomerDeleted(f"The customer {row.name} was deleted.")
    return row


def customer_of(row: CustomerRow) -> Customer:
    """The customer in a row (or in `_COLUMNS` of one), as others may hold them."""
    return Customer(
        id=row.id,
        key=row.key,
        name=row.name,
        description=row.description,
        currency=row.currency,
        primary_email=row.primary_email,
        billing_address=Address(**row.billing_address) if row.billing_address else None,
        subject_keys=tuple(row.subject_keys),
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        external_invoicing=None if row.external_invoicing is None else dict(row.external_invoicing),
    )


def _filtered(search: str | None, include_deleted: bool) -> Select[Any]:
    return select(CustomerRow).where(*_conditions(search, include_deleted))


def _conditions(search: str | None, include_deleted: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [] if include_deleted else [_TABLE.c.deleted_at.is_(None)]
    if search and search.strip():
        conditions.append(_TABLE.c.search_text.contains(search.strip().casefold(), autoescape=True))
    return conditions
