"""Features: verbs and questions."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.plan_errors import FeatureInvalid, FeatureKeyTaken, FeatureNotFound
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.catalog.plan_tables import FeatureRow
from dashboard.catalog.plan_views import Feature
from dashboard.kit.database import Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import is_id, new_id
from dashboard.kit.paging import Page, PageRequest, fetch_page
from dashboard.usage.queries import get_meter, ids_of_meters, keys_of_meters

_SORTS: dict[str, Any] = {
    "id": col(FeatureRow.id),
    "key": col(FeatureRow.key),
    "name": col(FeatureRow.name),
    "created_at": col(FeatureRow.created_at),
    "updated_at": col(FeatureRow.updated_at),
}


async def create_feature(work: Work, wanted: CreateFeature) -> Feature:
    """Makes a feature. Raises FeatureKeyTaken, FeatureInvalid, MeterNotFound."""
    if is_id(wanted.key.upper()):
        raise FeatureInvalid("A feature's key may not look like an id.", field="key")
    if await work.session.scalar(_live().where(col(FeatureRow.key) == wanted.key)):
        raise FeatureKeyTaken(f"There already is a feature {wanted.key}.", field="key")
    meter = await get_meter(work.session, wanted.meter) if wanted.meter else None
    unknown = set(wanted.filters) - set(meter.group_by if meter else ())
    if unknown:
        raise FeatureInvalid(
            f"The meter has no dimension {', '.join(sorted(unknown))}.",
            remedy="Filter by a dimension of the feature's meter.",
            field="filters",
        )
    row = FeatureRow(
        id=new_id(),
        key=wanted.key,
        name=wanted.name,
        description=wanted.description,
        meter_id=meter.id if meter else None,
        filters={name: list(values) for name, values in wanted.filters.items()},
        unit_cost=wanted.unit_cost,
        metadata_=wanted.metadata,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    work.audit("feature.created", "feature", row.id, key=row.key)
    work.changed("features")
    return _feature(row, meter.key if meter else None)


async def set_unit_cost(work: Work, id_or_key: str, unit_cost: Decimal | None) -> Feature:
    """Sets what a unit costs us (in the plan's currency), None: unknown. Raises FeatureNotFound, FeatureInvalid."""
    feature = await get_feature(work.session, id_or_key)
    if feature.archived_at is not None:
        raise FeatureInvalid("An archived feature does not change.", remedy="Make a new one under the same key.")
    if unit_cost is not None and unit_cost < 0:
        raise FeatureInvalid("A unit cannot cost less than nothing.", field="unit_cost")
    row = await work.session.get_one(FeatureRow, feature.id)
    if row.unit_cost != unit_cost:
        before, row.unit_cost, row.updated_at = row.unit_cost, unit_cost, work.now
        work.audit("feature.unit_cost_set", "feature", row.id, before=_text(before), after=_text(unit_cost))
        work.changed("features")
    return replace(feature, unit_cost=row.unit_cost, updated_at=row.updated_at)


async def archive_feature(work: Work, id_or_key: str) -> None:
    """Takes a feature out of use; its key may be given again. Raises FeatureNotFound."""
    feature = await get_feature(work.session, id_or_key)
    row = await work.session.get_one(FeatureRow, feature.id)
    row.archived_at = work.now
    work.audit("feature.archived", "feature", row.id, key=row.key)
    work.changed("features")


async def get_feature(session: AsyncSession, id_or_key: str) -> Feature:
    """The feature with this id (archived ones too) or key (live ones). Raises FeatureNotFound."""
    row = await session.scalar(
        select(FeatureRow).where(
            or_(
                col(FeatureRow.id) == id_or_key.upper(),
                (col(FeatureRow.key) == id_or_key) & col(FeatureRow.archived_at).is_(None),
            )
        )
    )
    if row is None:
        raise FeatureNotFound(f"There is no feature {id_or_key!r}.")
    return (await _with_meters(session, [row]))[0]


async def list_features(
    session: AsyncSession,
    page: PageRequest,
    *,
    search: str | None = None,
    meter_keys: Iterable[str] = (),
    include_archived: bool = False,
    sort: str = "key",
    descending: bool = False,
) -> Page[Feature]:
    """Features whose key or name holds `search`. Raises InvalidInput for an unknown `sort`."""
    if sort not in _SORTS:
        raise InvalidInput(f"Features cannot be sorted by {sort!r}.", field="sort")
    statement = select(FeatureRow) if include_archived else _live()
    if search:
        statement = statement.where(
            or_(
                col(FeatureRow.key).icontains(search, autoescape=True),
                col(FeatureRow.name).icontains(search, autoescape=True),
            )
        )
    if keys := list(meter_keys):
        statement = statement.where(col(FeatureRow.meter_id).in_(await ids_of_meters(session, keys)))
    column = _SORTS[sort]
    rows, total = await fetch_page(
        session, statement.order_by(column.desc() if descending else column, col(FeatureRow.id)), page
    )
    return Page(tuple(await _with_meters(session, rows)), total, page.number, page.size)


async def features_by_key(session: AsyncSession, keys: Iterable[str]) -> dict[str, Feature]:
    """The features with these keys: the live one, or the last archived one where none lives."""
    statement = (
        select(FeatureRow)
        .where(col(FeatureRow.key).in_(set(keys)))
        .order_by(col(FeatureRow.archived_at).is_(None), col(FeatureRow.created_at))
    )
    rows = list(await session.scalars(statement))
    return {feature.key: feature for feature in await _with_meters(session, rows)}


async def features_of_meter(session: AsyncSession, meter_id: str) -> tuple[str, ...]:
    """The keys of live features that count by this meter."""
    return tuple(
        await session.scalars(
            _live().with_only_columns(col(FeatureRow.key)).where(col(FeatureRow.meter_id) == meter_id)
        )
    )


def _live() -> Select[Any]:
    return select(FeatureRow).where(col(FeatureRow.archived_at).is_(None))


async def _with_meters(session: AsyncSession, rows: Iterable[FeatureRow]) -> list[Feature]:
    rows = list(rows)
    keys = await keys_of_meters(session, [row.meter_id for row in rows if row.meter_id])
    return [_feature(row, keys.get(row.meter_id or "")) for row in rows]


def _feature(row: FeatureRow, meter_key: str | None) -> Feature:
    return Feature(
        id=row.id,
        key=row.key,
        name=row.name,
        description=row.description,
        meter_id=row.meter_id,
        meter_key=meter_key,
        filters={name: tuple(values) for name, values in row.filters.items()},
        unit_cost=row.unit_cost,
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        archived_at=row.archived_at,
    )


def _text(cost: Decimal | None) -> str | None:
    return None if cost is None else format(cost, "f")
