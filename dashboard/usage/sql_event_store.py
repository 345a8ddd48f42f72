"""The event store on SQLite (embedded) and PostgreSQL (scale-out).

Writers are grouped: requests that wait while a commit runs share the next one, so many small requests cost few fsyncs.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboard.kit.database import SYSTEM, Database
from dashboard.usage.errors import MeterFilling
from dashboard.usage.event_query import MeterReader
from dashboard.usage.event_schema import POSTGRESQL_SCHEMA, SQLITE_SCHEMA
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.sql import Sql
from dashboard.usage.taking import Taken, take
from dashboard.usage.times import microseconds, moment
from dashboard.usage.views import Aggregation, EventFilter, Measurement, MeterQuery, StoredEvent, UsageEvent

EVENTS_PER_STATEMENT = 500
EVENTS_PER_COMMIT = 5_000
FILL_CHUNK = 5_000
EVENT_COLUMNS = "seq, event_id, source, type, subject, time, data, ingested_at"
INSERT_VALUE = (
    "INSERT INTO usage_value (meter_no, subject, time, seq, scaled, exact, dimensions) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
# One number for "the set of meters is being changed": ingest shares it, defining a meter holds it alone.
_METERS_LOCK = 0x6D6574


@dataclass(slots=True)
class _Request:
    events: Sequence[UsageEvent]
    done: asyncio.Future[int]


@dataclass(slots=True)
class _Known:
    """Meters by event type, as of the last look at the table."""

    stamp: tuple[Any, ...] = ()
    by_type: dict[str, list[tuple[int, MeterDefinition]]] = field(default_factory=dict)


class SqlEventStore:
    """Fulfils `EventStore`. On SQLite give it a `Database` of its own file, so that ingest never holds up billing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.is_sqlite
        self._waiting: list[_Request] = []
        self._writer: asyncio.Task[None] | None = None
        self._known = _Known()

    async def prepare(self) -> None:
        """Makes the tables where they are missing and goes on with meters that were being filled."""
        async with self._writing() as sql:
            for statement in SQLITE_SCHEMA if self._sqlite else POSTGRESQL_SCHEMA:
                await sql.run(statement)
            unfinished = await sql.rows("SELECT meter_id FROM usage_meter WHERE fill_from < fill_to")
        for (meter_id,) in unfinished:
            await self._fill(meter_id)

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._writer is not None:
            await self._writer

    async def ingest(self, events: Sequence[UsageEvent]) -> int:
        if not events:
            return 0
        request = _Request(events, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        return await request.done

    async def define_meter(self, definition: MeterDefinition) -> None:
        text = _definition_to_text(definition)
        async with self._writing() as sql:
            await self._lock_meters(sql, alone=True)
            known = await sql.row("SELECT definition FROM usage_meter WHERE meter_id = ?", definition.meter_id)
            if known is not None and known[0] == text:
                return
            await self._forget(sql, definition.meter_id)
            (last,) = await sql.row("SELECT COALESCE(MAX(seq), 0) FROM usage_event")
            await sql.run(
                "INSERT INTO usage_meter (meter_id, definition, fill_from, fill_to) VALUES (?, ?, 0, ?)",
                definition.meter_id,
                text,
                last,
            )
        await self._fill(definition.meter_id)

    async def forget_meter(self, meter_id: str) -> None:
        async with self._writing() as sql:
            await self._lock_meters(sql, alone=True)
            await self._forget(sql, meter_id)

    async def measure(self, definition: MeterDefinition, query: MeterQuery) -> list[Measurement]:
        async with self._reading() as sql:
            number = await self._meter_number(sql, definition.meter_id)
            if number is None:
                return []
            return await MeterReader(sql, number, definition.aggregation).measure(query)

    async def subjects(self, meter_id: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        return await self._distinct(meter_id, "subject", from_at, to_at)

    async def dimension_values(
        self, meter_id: str, name: str, from_at: datetime | None, to_at: datetime | None
    ) -> list[str]:
        texts = await self._distinct(meter_id, "dimensions", from_at, to_at)
        found = {json.loads(text).get(name, "") if text else "" for text in texts}
        return sorted(found - {""})

    async def list_events(self, wanted: EventFilter) -> list[StoredEvent]:
        if wanted.subjects == ():
            return []
        conditions, parameters = _event_conditions(wanted)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = f"SELECT {EVENT_COLUMNS} FROM usage_event {where} ORDER BY seq DESC LIMIT ?"
        async with self._reading() as sql:
            return [_stored_event(row) for row in await sql.rows(statement, *parameters, wanted.limit)]

    async def _distinct(
        self, meter_id: str, column: str, from_at: datetime | None, to_at: datetime | None
    ) -> list[str]:
        conditions, parameters = ["meter_no = ?"], []
        if from_at is not None:
            conditions.append("time >= ?")
            parameters.append(microseconds(from_at))
        if to_at is not None:
            conditions.append("time < ?")
            parameters.append(microseconds(to_at))
        async with self._reading() as sql:
            number = await self._meter_number(sql, meter_id)
            if number is None:
                return []
            statement = f"SELECT DISTINCT {column} FROM usage_value WHERE {' AND '.join(conditions)}"
            return sorted(row[0] for row in await sql.rows(statement, number, *parameters))

    async def _write_waiting(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                counts = await self._write([request.events for request in group])
            except BaseException as error:
                for request in group:
                    if not request.done.done():
                        request.done.set_exception(error if isinstance(error, Exception) else RuntimeError("stopped"))
                if not isinstance(error, Exception):
                    raise
                continue
            for request, count in zip(group, counts, strict=True):
                if not request.done.done():
                    request.done.set_result(count)

    def _next_group(self) -> list[_Request]:
        size, group = 0, []
        while self._waiting and (not group or size + len(self._waiting[0].events) <= EVENTS_PER_COMMIT):
            request = self._waiting.pop(0)
            size += len(request.events)
            group.append(request)
        return group

    async def _write(self, batches: Sequence[Sequence[UsageEvent]]) -> list[int]:
        async with self._writing() as sql:
            await self._lock_meters(sql, alone=False)
            meters = await self._meters(sql)
            counts, values = [], []
            for batch in batches:
                new = await self._insert_events(sql, batch)
                counts.append(len(new))
                for seq, event in new:
                    values.extend(_values_of(seq, event, meters.get(event.type, ())))
            await sql.run_many(INSERT_VALUE, values)
        return counts

    async def _insert_events(self, sql: Sql, events: Sequence[UsageEvent]) -> list[tuple[int, UsageEvent]]:
        new: list[tuple[int, UsageEvent]] = []
        for start in range(0, len(events), EVENTS_PER_STATEMENT):
            # The first of two alike in one batch wins, as it would had they come one after the other.
            chunk = {identity(event): event for event in reversed(events[start : start + EVENTS_PER_STATEMENT])}
            row = "(?, ?, ?, ?, ?, ?, ?, ?)"
            statement = (
                "INSERT INTO usage_event (identity, source, event_id, type, subject, time, data, ingested_at) VALUES "
                + ", ".join([row] * len(chunk))
                + " ON CONFLICT (identity) DO NOTHING RETURNING seq, identity"
            )
            parameters: list[Any] = []
            for key, event in reversed(chunk.items()):
                parameters += (
                    key,
                    event.source,
                    event.id,
                    event.type,
                    event.subject,
                    microseconds(event.time),
                    event.data_json,
                    microseconds(event.ingested_at or self._database.clock.now()),
                )
            new += [(seq, chunk[bytes(key)]) for seq, key in await sql.rows(statement, *parameters)]
        return new

    async def _fill(self, meter_id: str) -> None:
        """Takes a new meter's values out of the events that were there before it, in short transactions."""
        while True:
            async with self._writing() as sql:
                row = await sql.row(
                    "SELECT meter_no, definition, fill_from, fill_to FROM usage_meter WHERE meter_id = ?", meter_id
                )
                if row is None or row[2] >= row[3]:
                    return
                number, definition = row[0], _definition_from_text(row[1])
                found = await sql.rows(
                    f"SELECT {EVENT_COLUMNS} FROM usage_event "
                    "WHERE type = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                    definition.event_type,
                    row[2],
                    row[3],
                    FILL_CHUNK,
                )
                values: list[tuple[Any, ...]] = []
                for event in map(_stored_event, found):
                    values.extend(_values_of(event.place, event.event, [(number, definition)]))
                await sql.run_many(INSERT_VALUE, values)
                reached = found[-1][0] if len(found) == FILL_CHUNK else row[3]
                await sql.run("UPDATE usage_meter SET fill_from = ? WHERE meter_id = ?", reached, meter_id)

    async def _forget(self, sql: Sql, meter_id: str) -> None:
        await sql.run(
            "DELETE FROM usage_value WHERE meter_no IN (SELECT meter_no FROM usage_meter WHERE meter_id = ?)", meter_id
        )
        await sql.run("DELETE FROM usage_meter WHERE meter_id = ?", meter_id)

    async def _meter_number(self, sql: Sql, meter_id: str) -> int | None:
        row = await sql.row("SELECT meter_no, fill_from < fill_to FROM usage_meter WHERE meter_id = ?", meter_id)
        if row is not None and row[1]:
            raise MeterFilling("This meter still takes in the events that were there before it.")
        return None if row is None else row[0]

    async def _meters(self, sql: Sql) -> dict[str, list[tuple[int, MeterDefinition]]]:
        rows = await sql.rows("SELECT meter_no, definition FROM usage_meter ORDER BY 1")
        stamp = tuple(tuple(row) for row in rows)
        if stamp != self._known.stamp:
            by_type: dict[str, list[tuple[int, MeterDefinition]]] = {}
            for number, text in rows:
                definition = _definition_from_text(text)
                by_type.setdefault(definition.event_type, []).append((number, definition))
            self._known = _Known(stamp, by_type)
        return self._known.by_type

    async def _lock_meters(self, sql: Sql, *, alone: bool) -> None:
        if not self._sqlite:
            await sql.run(f"SELECT pg_advisory_xact_lock{'' if alone else '_shared'}({_METERS_LOCK})")

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Sql]:
        async with self._database.transaction(SYSTEM) as work:
            yield Sql(await work.session.connection(), sqlite=self._sqlite)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Sql]:
        async with self._database.read() as session:
            yield Sql(await session.connection(), sqlite=self._sqlite)


def identity(event: UsageEvent) -> bytes:
    """What makes an event the same one: 16 bytes over source and id, which is all that CloudEvents asks for."""
    text = f"{len(event.source)}:{event.source}{event.id}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _values_of(seq: int, event: UsageEvent, meters: Iterable[tuple[int, MeterDefinition]]) -> Iterable[tuple[Any, ...]]:
    for number, definition in meters:
        if definition.event_from is not None and event.time < definition.event_from:
            continue
        taken = take(definition, event.data_json)
        if isinstance(taken, Taken):
            yield (
                number,
                event.subject,
                microseconds(event.time),
                seq,
                taken.scaled,
                taken.exact,
                taken.dimensions_json,
            )


def _event_conditions(wanted: EventFilter) -> tuple[list[str], list[Any]]:
    pairs: list[tuple[str, Any]] = [
        ("subject = ?", wanted.subject),
        ("type = ?", wanted.type),
        ("event_id = ?", wanted.id),
        ("seq < ?", wanted.before),
    ]
    for condition, at in (
        ("time >= ?", wanted.from_at),
        ("time < ?", wanted.to_at),
        ("ingested_at >= ?", wanted.ingested_from),
        ("ingested_at < ?", wanted.ingested_to),
    ):
        pairs.append((condition, None if at is None else microseconds(at)))
    conditions = [condition for condition, value in pairs if value is not None]
    parameters = [value for _, value in pairs if value is not None]
    if wanted.subjects:
        conditions.append(f"subject IN ({', '.join('?' * len(wanted.subjects))})")
        parameters += wanted.subjects
    return conditions, parameters


def _stored_event(row: Any) -> StoredEvent:
    seq, event_id, source, type_, subject, time, data, ingested_at = row
    stored = moment(ingested_at)
    return StoredEvent(seq, UsageEvent(event_id, source, type_, subject, moment(time), data, stored), stored)


def _definition_to_text(definition: MeterDefinition) -> str:
    return json.dumps(
        {
            "meter_id": definition.meter_id,
            "event_type": definition.event_type,
            "event_from": None if definition.event_from is None else microseconds(definition.event_from),
            "aggregation": definition.aggregation.value,
            "value_property": definition.value_property,
            "group_by": list(definition.group_by),
        },
        sort_keys=True,
    )


def _definition_from_text(text: str) -> MeterDefinition:
    document = json.loads(text)
    return MeterDefinition(
        meter_id=document["meter_id"],
        event_type=document["event_type"],
        event_from=None if document["event_from"] is None else moment(document["event_from"]),
        aggregation=Aggregation(document["aggregation"]),
        value_property=document["value_property"],
        group_by=tuple((name, path) for name, path in document["group_by"]),
    )
