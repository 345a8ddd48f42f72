"""Old months of events out of the store into files, and back.

A month leaves in this order: the file is written, made durable and read back; a row says that the month is archived,
from which moment on measuring it is refused rather than answered with less; only then its events are removed, bit by
bit. It comes back in the opposite order. Each step can be repeated, so a crash in between is mended by running the
command again. What makes an event the same one stays in the store: a replay of an archived event is still a repeat.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from dashboard.kit.database import SYSTEM, Database
from dashboard.usage.archive_files import ArchivedEvent, ArchiveWriter, check_archive, read_archive
from dashboard.usage.errors import MeterFilling, NoSuchMonth, UsageStillNeeded
from dashboard.usage.event_rows import EVENT_COLUMNS, EventRow, ValueRow, identity, value_rows
from dashboard.usage.event_tables import event_tables_of
from dashboard.usage.meter_definitions import KnownMeters, meter_definitions
from dashboard.usage.months import month_bounds, month_of, month_of_time, month_start, month_text
from dashboard.usage.rollups import store_values
from dashboard.usage.sql import Sql
from dashboard.usage.times import DAY, microseconds, moment

CHUNK = 5_000
_COLUMNS = "file, month, events, last_seq, digest, archived_at, removed_at IS NOT NULL"


class UsageNeeded(Protocol):
    async def needed_from(self) -> datetime | None:
        """The earliest usage that something not invoiced yet may still be measured by; None when nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """One file of archived events. `removed` is false while its events are still in the store as well."""

    file: str
    month: str
    events: int
    archived_at: datetime
    removed: bool


class EventArchive:
    """Archives months of the event store in `database` under `folder`, which every later restore needs as well."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder
        self._tables = event_tables_of(database)
        self._meters = KnownMeters()

    async def archived(self) -> list[ArchivedMonth]:
        """Every archived file, oldest month first."""
        async with self._reading() as sql:
            rows = await sql.rows(f"SELECT {_COLUMNS} FROM usage_archive ORDER BY month, file")
        return [
            ArchivedMonth(file, month_text(month), events, moment(archived_at), bool(removed))
            for file, month, events, _, _, archived_at, removed in rows
        ]

    async def archive_before(self, month: int, needed: UsageNeeded) -> list[ArchivedMonth]:
        """Archives every month before `month` that holds events; months that are archived already may have late ones.

        Raises UsageStillNeeded (nothing is changed then), NoSuchMonth for one that is not over, MeterFilling.
        """
        now = self._database.clock.now()
        if month > month_of(now):
            raise NoSuchMonth(f"{month_text(month - 1)} is not over yet.", field="month")
        await self._finish_removals()
        start = microseconds(month_start(month))
        async with self._reading() as sql:
            days = await sql.rows(f"SELECT DISTINCT time / {DAY} FROM usage_event WHERE time < ?", start)
        months = sorted({month_of_time(day * DAY) for (day,) in days})
        await self._refuse_needed(months, needed)
        files = [await self._archive(one, now, needed) for one in months]
        return [one for one in await self.archived() if one.file in files]

    async def restore(self, month: int) -> int:
        """Brings a month back whole; answers how many events. Raises NoSuchMonth, ArchiveDamaged (nothing is changed).

        The files stay where they are.
        """
        await self._finish_removals()
        async with self._reading() as sql:
            rows = await sql.rows("SELECT file, events, digest FROM usage_archive WHERE month = ? ORDER BY 1", month)
            await self._refuse_filling(sql)
        if not rows:
            raise NoSuchMonth(f"{month_text(month)} is not archived.", field="month")
        for file, events, digest in rows:
            check_archive(self.folder / file, events, digest)
        for file, _, _ in rows:
            for chunk in read_archive(self.folder / file, CHUNK):
                await self._take_back([_row_of(one) for one in chunk], chunk)
        async with self._writing() as sql:
            await sql.run("DELETE FROM usage_archive WHERE month = ?", month)
        return sum(events for _, events, _ in rows)

    async def _archive(self, month: int, now: datetime, needed: UsageNeeded) -> str:
        start, end = month_bounds(month)
        async with self._writing() as sql:
            # Alone for a moment, so that no event with an earlier place is still on its way.
            await self._tables.lock_meters(sql, alone=True)
            await self._refuse_filling(sql)
            (last,) = await sql.row("SELECT MAX(seq) FROM usage_event WHERE time >= ? AND time < ?", start, end)
        file = f"usage-{month_text(month)}-{last}.ndjson.gz"
        writer = ArchiveWriter(self.folder / file)
        try:
            await self._write_file(writer, start, end, last)
            digest = writer.finish()
        except BaseException:
            writer.discard()
            raise
        # Something may have begun to need it while the file was written.
        await self._refuse_needed([month], needed)
        async with self._writing() as sql:
            await sql.run(
                "INSERT INTO usage_archive (file, month, events, last_seq, digest, archived_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                *(file, month, writer.events, last, digest, microseconds(now)),
            )
        await self._remove(file, month, last)
        return file

    async def _write_file(self, writer: ArchiveWriter, start: int, end: int, last: int) -> None:
        reached = 0
        while True:
            async with self._reading() as sql:
                rows = await sql.rows(
                    f"SELECT {EVENT_COLUMNS} FROM usage_event"
                    " WHERE seq > ? AND seq <= ? AND time >= ? AND time < ? ORDER BY seq LIMIT ?",
                    *(reached, last, start, end, CHUNK),
                )
            writer.write(rows)
            if len(rows) < CHUNK:
                return
            reached = rows[-1][0]

    async def _finish_removals(self) -> None:
        async with self._reading() as sql:
            rows = await sql.rows(
                "SELECT file, month, events, last_seq, digest FROM usage_archive WHERE removed_at IS NULL"
            )
        for file, month, events, last, digest in rows:
            check_archive(self.folder / file, events, digest)
            await self._remove(file, month, last)

    async def _remove(self, file: str, month: int, last: int) -> None:
        more = True
        while more:
            async with self._writing() as sql:
                await self._tables.lock_meters(sql, alone=True)
                more = await self._tables.remove_events(sql, month, last, CHUNK)
        async with self._writing() as sql:
            numbers = await sql.rows("SELECT meter_no FROM usage_meter")
        for (number,) in numbers:
            async with self._writing() as sql:
                await self._tables.remove_values(sql, number, month, last)
        async with self._writing() as sql:
            now = microseconds(self._database.clock.now())
            await sql.run("UPDATE usage_archive SET removed_at = ? WHERE file = ?", now, file)

    async def _take_back(self, rows: list[EventRow], chunk: list[ArchivedEvent]) -> None:
        places = [one[0] for one in chunk]
        async with self._writing() as sql:
            await self._tables.lock_meters(sql, alone=True)
            meters = self._meters.by_type(await meter_definitions(sql))
            await self._tables.take_back(sql, places, rows)
            values: list[ValueRow] = []
            for place, row in zip(places, rows, strict=True):
                values.extend(value_rows(place, row.subject, row.time, row.data, meters.get(row.type, ())))
            await store_values(self._tables, sql, values, again=True)

    async def _refuse_needed(self, months: list[int], needed: UsageNeeded) -> None:
        from_at = await needed.needed_from()
        if from_at is not None and months and month_start(months[-1] + 1) > from_at:
            raise UsageStillNeeded(
                f"Usage from {from_at:%Y-%m-%d} on is not invoiced yet, so {month_text(months[-1])} stays.",
                details={"needed_from": from_at.isoformat()},
            )

    async def _refuse_filling(self, sql: Sql) -> None:
        if await sql.row("SELECT 1 FROM usage_meter WHERE fill_from < fill_to LIMIT 1"):
            raise MeterFilling("A meter still takes in the events that were there before it.")

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Sql]:
        async with self._database.transaction(SYSTEM) as work:
            yield Sql(await work.session.connection(), sqlite=self._database.is_sqlite)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Sql]:
        async with self._database.read() as session:
            yield Sql(await session.connection(), sqlite=self._database.is_sqlite)


def _row_of(archived: ArchivedEvent) -> EventRow:
    _, event_id, source, type_, subject, time, data, ingested_at = archived
    return EventRow(identity(source, event_id), source, event_id, type_, subject, time, data, ingested_at)
