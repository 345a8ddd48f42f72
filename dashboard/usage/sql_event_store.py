"""The event store on SQLite (embedded) and PostgreSQL (scale-out)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.grouped_writer import GroupedWriter
from dashboard.usage.errors import MeterFilling, MonthArchived
from dashboard.usage.event_query import MeterReader
from dashboard.usage.event_rows import (
    EVENT_COLUMNS,
    EVENTS_PER_COMMIT,
    ValueRow,
    event_conditions,
    event_rows,
    new_in_each,
    stored_event,
    value_rows,
)
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.event_tables import event_tables_of
from dashboard.usage.meter_definitions import (
    KnownMeters,
    counting_meter,
    definition_from_text,
    definition_to_text,
    meter_definitions,
)
from dashboard.usage.months import month_start, month_text
from dashboard.usage.rollups import forget_rollups, open_all_days, roll_up_some, store_values, unrolled_days
from dashboard.usage.sql import Sql
from dashboard.usage.times import DAY, microseconds
from dashboard.usage.views import EventFilter, Measurement, MeterQuery, StoredEvent, UsageEvent

FILL_CHUNK = 5_000


class SqlEventStore:
    """Fulfils `EventStore`. On SQLite give it a `Database` of its own file, so that ingest never holds up billing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.is_sqlite
        self._tables = event_tables_of(database)
        self._writer = GroupedWriter(self._write, size=len, most_per_commit=EVENTS_PER_COMMIT)
        self._meters = KnownMeters()

    async def prepare(self) -> None:
        """Makes the tables where they are missing and goes on with meters that were being filled."""
        async with self._writing() as sql:
            await self._tables.prepare(sql)
            await open_all_days(sql)
            unfinished = await sql.rows("SELECT meter_id FROM usage_meter WHERE fill_from < fill_to")
        for (meter_id,) in unfinished:
            await self._fill(meter_id)

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.close()

    async def ingest(self, events: Sequence[UsageEvent]) -> int:
        return await self._writer.store(events) if events else 0

    async def define_meter(self, definition: MeterDefinition) -> None:
        text = definition_to_text(definition)
        async with self._writing() as sql:
            await self._tables.lock_meters(sql, alone=True)
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
            await self._tables.lock_meters(sql, alone=True)
            await self._forget(sql, meter_id)

    async def refresh_rollups(self) -> None:
        today = microseconds(self._database.clock.now()) // DAY
        more = True
        while more:
            async with self._writing() as sql:
                await self._tables.lock_meters(sql, alone=True)
                more = await roll_up_some(sql, today)

    async def measure(self, definition: MeterDefinition, query: MeterQuery) -> list[Measurement]:
        async with self._reading() as sql:
            number = await self._meter_number(sql, definition.meter_id)
            if number is None or query.subjects == ():
                return []
            # Before and after: what is archived or brought back meanwhile must not make a quantity smaller unnoticed.
            await _refuse_archived(sql, query)
            reader = MeterReader(sql, number, partial(unrolled_days, sql))
            rows = await reader.measure(definition.aggregation, query)
            await _refuse_archived(sql, query)
            return rows

    async def subjects(self, meter_id: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        async with self._reading() as sql:
            number = await self._meter_number(sql, meter_id)
            return [] if number is None else await MeterReader(sql, number).distinct("subject", from_at, to_at)

    async def dimension_values(
        self, meter_id: str, name: str, from_at: datetime | None, to_at: datetime | None
    ) -> list[str]:
        async with self._reading() as sql:
            number = await self._meter_number(sql, meter_id)
            return [] if number is None else await MeterReader(sql, number).dimension_values(name, from_at, to_at)

    async def list_events(self, wanted: EventFilter) -> list[StoredEvent]:
        if wanted.subjects == ():
            return []
        conditions, parameters = event_conditions(wanted)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = f"SELECT {EVENT_COLUMNS} FROM usage_event {where} ORDER BY seq DESC LIMIT ?"
        async with self._reading() as sql:
            return [stored_event(row) for row in await sql.rows(statement, *parameters, wanted.limit)]

    async def _write(self, batches: Sequence[Sequence[UsageEvent]]) -> list[int]:
        now = self._database.clock.now()
        rows = event_rows([event for batch in batches for event in batch], now)
        if not self._sqlite:
            await self._make_room([row.time for row in rows], now)
        async with self._writing() as sql:
            await self._tables.lock_meters(sql, alone=False)
            meters = self._meters.by_type(await meter_definitions(sql))
            places = await self._tables.insert_events(sql, rows)
            values: list[ValueRow] = []
            for place, row in zip(places, rows, strict=True):
                if place is not None and (counting := meters.get(row.type)):
                    values.extend(value_rows(place, row.subject, row.time, row.data, counting))
            await store_values(self._tables, sql, values)
        return new_in_each(batches, places)

    async def _make_room(self, times: Sequence[int], now: datetime) -> None:
        missing = self._tables.missing_months(times, now)
        if missing:
            async with self._writing() as sql:
                await self._tables.make_months(sql, missing)

    async def _fill(self, meter_id: str) -> None:
        """Takes a new meter's values out of the events that were there before it, in short transactions."""
        while True:
            async with self._writing() as sql:
                row = await sql.row(
                    "SELECT meter_no, definition, fill_from, fill_to FROM usage_meter WHERE meter_id = ?", meter_id
                )
                if row is None or row[2] >= row[3]:
                    return
                definition = definition_from_text(row[1])
                counting = counting_meter(row[0], definition)
                found = await sql.rows(
                    f"SELECT {EVENT_COLUMNS} FROM usage_event "
                    "WHERE type = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                    definition.event_type,
                    row[2],
                    row[3],
                    FILL_CHUNK,
                )
                values: list[ValueRow] = []
                for seq, _, _, _, subject, time, data, _ in found:
                    values.extend(value_rows(seq, subject, time, data, (counting,)))
                await store_values(self._tables, sql, values, again=True)
                reached = found[-1][0] if len(found) == FILL_CHUNK else row[3]
                await sql.run("UPDATE usage_meter SET fill_from = ? WHERE meter_id = ?", reached, meter_id)

    async def _forget(self, sql: Sql, meter_id: str) -> None:
        for (number,) in await sql.rows("SELECT meter_no FROM usage_meter WHERE meter_id = ?", meter_id):
            await forget_rollups(sql, number)
        await sql.run(
            "DELETE FROM usage_value WHERE meter_no IN (SELECT meter_no FROM usage_meter WHERE meter_id = ?)", meter_id
        )
        await sql.run("DELETE FROM usage_meter WHERE meter_id = ?", meter_id)

    async def _meter_number(self, sql: Sql, meter_id: str) -> int | None:
        row = await sql.row("SELECT meter_no, fill_from < fill_to FROM usage_meter WHERE meter_id = ?", meter_id)
        if row is not None and row[1]:
            raise MeterFilling("This meter still takes in the events that were there before it.")
        return None if row is None else row[0]

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Sql]:
        async with self._database.transaction(SYSTEM) as work:
            yield Sql(await work.session.connection(), sqlite=self._sqlite)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Sql]:
        async with self._database.read() as session:
            yield Sql(await session.connection(), sqlite=self._sqlite)


async def _refuse_archived(sql: Sql, query: MeterQuery) -> None:
    found = await sql.rows("SELECT DISTINCT month FROM usage_archive ORDER BY 1")
    months = [
        month
        for (month,) in found
        if (query.to_at is None or month_start(month) < query.to_at)
        and (query.from_at is None or month_start(month + 1) > query.from_at)
    ]
    if months:
        raise MonthArchived(
            f"The events of {', '.join(map(month_text, months))} are archived.",
            remedy=f"Ask from {month_text(months[-1] + 1)} on, or bring them back: `meterdesk events restore`.",
            field="from",
        )
