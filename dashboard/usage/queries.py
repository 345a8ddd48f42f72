"""Questions about meters and what they measured."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.paging import Page, PageRequest, fetch_page
from dashboard.usage.errors import MeterNotFound, QueryInvalid
from dashboard.usage.event_store import EventStore, MeterDefinition
from dashboard.usage.tables import MeterRow
from dashboard.usage.views import Aggregation, Measurement, Meter, MeterQuery

_SORTS: dict[str, Any] = {
    "key": col(MeterRow.key),
    "name": col(MeterRow.name),
    "aggregation": col(MeterRow.aggregation),
    "created_at": col(MeterRow.created_at),
    "updated_at": col(MeterRow.updated_at),
}


async def get_meter(session: AsyncSession, id_or_key: str) -> Meter:
    """The live meter with this id or key. Raises MeterNotFound."""
    return meter_from_row(await find_meter_row(session, id_or_key))


async def list_meters(
    session: AsyncSession,
    page: PageRequest,
    *,
    search: str | None = None,
    sort: str = "key",
    descending: bool = False,
    include_deleted: bool = False,
) -> Page[Meter]:
    """Meters whose key or name holds `search`. Raises QueryInvalid for an unknown `sort`."""
    if sort not in _SORTS:
        raise QueryInvalid(f"Meters cannot be sorted by {sort!r}.", field="sort")
    statement: Select[Any] = select(MeterRow)
    if not include_deleted:
        statement = statement.where(col(MeterRow.deleted_at).is_(None))
    if search:
        pattern = f"%{search.lower()}%"
        statement = statement.where(
            or_(func.lower(col(MeterRow.key)).like(pattern), func.lower(col(MeterRow.name)).like(pattern))
        )
    column = _SORTS[sort]
    statement = statement.order_by(column.desc() if descending else column, col(MeterRow.id))
    rows, total = await fetch_page(session, statement, page)
    return Page(tuple(meter_from_row(row) for row in rows), total, page.number, page.size)


async def live_meters(session: AsyncSession) -> list[Meter]:
    """Every meter that is not deleted."""
    rows = await session.scalars(select(MeterRow).where(col(MeterRow.deleted_at).is_(None)))
    return [meter_from_row(row) for row in rows]


async def meters_by_id(session: AsyncSession, ids: Iterable[str]) -> dict[str, Meter]:
    """The live meters with these ids; the others are left out."""
    rows = await session.scalars(
        select(MeterRow).where(col(MeterRow.id).in_(set(ids)), col(MeterRow.deleted_at).is_(None))
    )
    return {row.id: meter_from_row(row) for row in rows}


async def keys_of_meters(session: AsyncSession, ids: Iterable[str]) -> dict[str, str]:
    """Meter id → key, deleted ones too; unknown ids are left out."""
    wanted = set(ids)
    if not wanted:
        return {}
    found = await session.execute(select(col(MeterRow.id), col(MeterRow.key)).where(col(MeterRow.id).in_(wanted)))
    return {meter_id: key for meter_id, key in found}


async def ids_of_meters(session: AsyncSession, keys: Iterable[str]) -> list[str]:
    """The ids of the meters that have one of these keys, of deleted ones too."""
    return list(await session.scalars(select(col(MeterRow.id)).where(col(MeterRow.key).in_(set(keys)))))


async def query_meter(store: EventStore, meter: Meter, query: MeterQuery) -> list[Measurement]:
    """The rows of `query`. Raises QueryInvalid for an unknown dimension, or a time that runs backwards."""
    for name in {*query.group_by, *query.filters}:
        if name not in meter.group_by:
            raise QueryInvalid(
                f"The meter {meter.key} has no dimension {name!r}.",
                remedy=f"It has: {', '.join(sorted(meter.group_by)) or 'none'}.",
                field="groupBy",
            )
    if query.from_at and query.to_at and query.from_at > query.to_at:
        raise QueryInvalid("The time asked for ends before it begins.", field="to")
    return await store.measure(definition_of(meter), query)


async def measured_quantity(
    store: EventStore,
    meter: Meter,
    subjects: Sequence[str],
    from_at: datetime,
    to_at: datetime,
    filters: dict[str, tuple[str, ...]] | None = None,
) -> Decimal:
    """One exact number: what `subjects` together used in [from_at, to_at); 0 without any event."""
    query = MeterQuery(from_at, to_at, subjects=tuple(subjects), filters=filters or {})
    rows = await query_meter(store, meter, query)
    return rows[0].value if rows else Decimal(0)


def definition_of(meter: Meter) -> MeterDefinition:
    """The part of a meter that the event store needs."""
    return MeterDefinition(
        meter_id=meter.id,
        event_type=meter.event_type,
        event_from=meter.event_from,
        aggregation=meter.aggregation,
        value_property=meter.value_property,
        group_by=tuple(sorted(meter.group_by.items())),
    )


async def find_meter_row(session: AsyncSession, id_or_key: str) -> MeterRow:
    """The live row with this id or key. Raises MeterNotFound."""
    row = await session.scalar(
        select(MeterRow)
        .where(or_(col(MeterRow.id) == id_or_key.upper(), col(MeterRow.key) == id_or_key))
        .where(col(MeterRow.deleted_at).is_(None))
    )
    if row is None:
        raise MeterNotFound(f"There is no meter {id_or_key!r}.")
    return row


def meter_from_row(row: MeterRow) -> Meter:
    return Meter(
        id=row.id,
        key=row.key,
        name=row.name,
        description=row.description,
        event_type=row.event_type,
        event_from=row.event_from,
        aggregation=Aggregation(row.aggregation),
        value_property=row.value_property,
        group_by=dict(row.group_by),
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )
