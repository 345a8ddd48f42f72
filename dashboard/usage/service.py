"""Verbs on meters, and taking in events.

A meter is two things: its row, and its definition in the event store. The row is written first; the definition follows
and is repeatable, so a crash between the two is mended by `define_missing_meters` at the next start.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from dashboard.kit.database import Actor, Database, Work
from dashboard.kit.ids import new_id
from dashboard.usage.errors import MeterInUse, MeterKeyTaken
from dashboard.usage.event_store import EventStore
from dashboard.usage.inputs import CreateMeter, UpdateMeter
from dashboard.usage.meter_rules import MeterRule, refuse_bad_meter
from dashboard.usage.queries import definition_of, find_meter_row, live_meters, meter_from_row
from dashboard.usage.tables import MeterRow
from dashboard.usage.views import Meter, UsageEvent


async def create_meter(database: Database, store: EventStore, actor: Actor, wanted: CreateMeter) -> Meter:
    """Makes a meter and counts for it the events that are already stored as well.

    Raises MeterKeyTaken, BadMeter.
    """
    refuse_bad_meter(
        MeterRule(wanted.key, wanted.aggregation.value, wanted.event_type, wanted.value_property, wanted.group_by)
    )
    async with database.transaction(actor) as work:
        meter = await _insert(work, wanted)
    await store.define_meter(definition_of(meter))
    return meter


async def update_meter(
    database: Database, store: EventStore, actor: Actor, id_or_key: str, wanted: UpdateMeter
) -> Meter:
    """Renames a meter or changes its dimensions; what was measured before is taken out of the events anew.

    Raises MeterNotFound, BadMeter.
    """
    async with database.transaction(actor) as work:
        row = await find_meter_row(work.session, id_or_key)
        group_by = dict(row.group_by) if wanted.group_by is None else wanted.group_by
        refuse_bad_meter(MeterRule(row.key, row.aggregation, row.event_type, row.value_property, group_by))
        row.name = wanted.name or row.name
        row.description = wanted.description
        row.group_by = group_by
        row.metadata_ = wanted.metadata
        row.updated_at = work.now
        work.audit("meter.updated", "meter", row.id, key=row.key)
        work.changed("meters")
        meter = meter_from_row(row)
    await store.define_meter(definition_of(meter))
    return meter


async def delete_meter(
    database: Database, store: EventStore, actor: Actor, id_or_key: str, *, used_by: Sequence[str] = ()
) -> None:
    """Deletes a meter; the events stay. `used_by` names the features that still need it.

    Raises MeterNotFound, MeterInUse.
    """
    async with database.transaction(actor) as work:
        row = await find_meter_row(work.session, id_or_key)
        if used_by:
            raise MeterInUse(f"The meter {row.key} is used by {', '.join(used_by)}.")
        row.deleted_at = work.now
        work.audit("meter.deleted", "meter", row.id, key=row.key)
        work.changed("meters")
        meter_id = row.id
    await store.forget_meter(meter_id)


async def ingest_events(database: Database, store: EventStore, events: Sequence[UsageEvent]) -> int:
    """Stores events, each (source, id) once, and answers after the commit with how many were new."""
    new = await store.ingest(events)
    if new:
        await database.changes.publish(["events"])
    return new


async def define_missing_meters(database: Database, store: EventStore) -> None:
    """Brings the event store's definitions in line with the meters; run at start."""
    async with database.read() as session:
        meters = await live_meters(session)
    for meter in meters:
        await store.define_meter(definition_of(meter))


async def _insert(work: Work, wanted: CreateMeter) -> Meter:
    taken = await work.session.scalar(
        select(col(MeterRow.id)).where(col(MeterRow.key) == wanted.key, col(MeterRow.deleted_at).is_(None))
    )
    if taken:
        raise MeterKeyTaken(f"There already is a meter {wanted.key}.", field="key")
    row = MeterRow(
        id=new_id(),
        key=wanted.key,
        name=wanted.name or wanted.key,
        description=wanted.description,
        event_type=wanted.event_type,
        event_from=wanted.event_from,
        aggregation=wanted.aggregation.value,
        value_property=wanted.value_property,
        group_by=wanted.group_by,
        metadata_=wanted.metadata,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError:
        raise MeterKeyTaken(f"There already is a meter {wanted.key}.", field="key") from None
    work.audit("meter.created", "meter", row.id, key=row.key)
    work.changed("meters")
    return meter_from_row(row)
