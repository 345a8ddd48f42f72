"""How events and values get into the tables: many rows per statement on SQLite, COPY into partitions on PostgreSQL."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from dashboard.kit.database import Database
from dashboard.usage.event_rows import EventRow, ValueRow
from dashboard.usage.event_schema import PARTITIONED, POSTGRESQL_SCHEMA, SQLITE_SCHEMA
from dashboard.usage.months import month_bounds, month_of, month_of_time, month_start
from dashboard.usage.sql import Sql

# Few lengths, so that SQLite finds the statement prepared already.
_ROWS_PER_STATEMENT = (400, 100, 20, 5, 1)
_EVENT_TABLE = "usage_event (seq, identity, source, event_id, type, subject, time, data, ingested_at)"
_INSERT_EVENT = f"INSERT INTO {_EVENT_TABLE} VALUES "
_INSERT_VALUE = "INSERT INTO usage_value (meter_no, subject, time, seq, scaled, exact, dimensions) VALUES "
_MONTHS_BACK, _MONTHS_AHEAD = 36, 2
# One number for "partitions are being made", and one for "the set of meters is being changed": ingest shares the
# second, defining a meter holds it alone.
_PARTITIONS_LOCK, _METERS_LOCK = 0x70617274, 0x6D6574


class EventTables(Protocol):
    async def prepare(self, sql: Sql) -> None:
        """Makes the tables that are missing."""
        ...

    def missing_months(self, times: Sequence[int], now: datetime) -> list[int]:
        """Months that `times` fall into and that have no partition yet, but should."""
        ...

    async def make_months(self, sql: Sql, months: Sequence[int]) -> None:
        """Makes the partitions of `months`, in a transaction of its own."""
        ...

    async def lock_meters(self, sql: Sql, *, alone: bool) -> None:
        """Keeps the set of meters as it is until the end of the transaction; `alone` also keeps ingest away."""
        ...

    async def insert_events(self, sql: Sql, rows: Sequence[EventRow]) -> list[int | None]:
        """Stores what is not there yet; for each row its place in the order of arrival, None for a repeat."""
        ...

    async def insert_values(self, sql: Sql, rows: Sequence[ValueRow], *, again: bool = False) -> None:
        """Stores values. Some may be there already if it is done `again`; those stay."""
        ...

    async def remove_events(self, sql: Sql, month: int, last: int, at_most: int) -> bool:
        """Removes events of a month up to the place `last` but keeps what makes them the same; true if more are
        left."""
        ...

    async def remove_values(self, sql: Sql, meter_no: int, month: int, last: int) -> None:
        """Removes what a meter took out of a month's events up to the place `last`."""
        ...

    async def take_back(self, sql: Sql, places: Sequence[int], rows: Sequence[EventRow]) -> None:
        """Stores archived events at the places they had; those that are there stay."""
        ...


def event_tables_of(database: Database) -> EventTables:
    """How rows get into the tables of this kind of database."""
    return SqliteTables() if database.is_sqlite else PostgresqlTables()


class _Tables:
    """What is the same on both."""

    async def remove_values(self, sql: Sql, meter_no: int, month: int, last: int) -> None:
        # On PostgreSQL they went with the events, but for what a meter that was made meanwhile took out of them.
        await sql.run(
            "DELETE FROM usage_value WHERE meter_no = ? AND time >= ? AND time < ? AND seq <= ?",
            *(meter_no, *month_bounds(month), last),
        )


class SqliteTables(_Tables):
    """One writer at a time, so the next place is known before anything is written.

    Rows go in by hundreds per statement: Python's driver lets go of the interpreter for each statement, and to get it
    back for every single row would cost more than the row while requests are being read.
    """

    async def prepare(self, sql: Sql) -> None:
        for statement in SQLITE_SCHEMA:
            await sql.run(statement)

    def missing_months(self, times: Sequence[int], now: datetime) -> list[int]:
        return []

    async def make_months(self, sql: Sql, months: Sequence[int]) -> None:
        return

    async def lock_meters(self, sql: Sql, *, alone: bool) -> None:
        return

    async def insert_events(self, sql: Sql, rows: Sequence[EventRow]) -> list[int | None]:
        known = await self._known(sql, [row.identity for row in rows])
        # A place is given once, also when the event that had it is archived.
        (last,) = await sql.row(
            "SELECT MAX(COALESCE((SELECT MAX(seq) FROM usage_event), 0),"
            " COALESCE((SELECT MAX(last_seq) FROM usage_archive), 0))"
        )
        places: list[int | None] = []
        new: list[tuple[Any, ...]] = []
        for row in rows:
            if row.identity in known:
                places.append(None)
                continue
            known.add(row.identity)
            last += 1
            places.append(last)
            new.append((last, *row))
        await _insert_many(sql, _INSERT_EVENT, new)
        return places

    async def insert_values(self, sql: Sql, rows: Sequence[ValueRow], *, again: bool = False) -> None:
        await _insert_many(sql, _INSERT_VALUE, rows, " ON CONFLICT DO NOTHING")

    async def remove_events(self, sql: Sql, month: int, last: int, at_most: int) -> bool:
        start, end = month_bounds(month)
        (upto,) = await sql.row(
            "SELECT MAX(seq) FROM (SELECT seq FROM usage_event WHERE seq <= ? AND time >= ? AND time < ?"
            " ORDER BY seq LIMIT ?)",
            *(last, start, end, at_most),
        )
        if upto is None:
            return False
        chosen = "FROM usage_event WHERE seq <= ? AND time >= ? AND time < ?"
        await sql.run(f"INSERT OR IGNORE INTO usage_archived_key SELECT identity {chosen}", upto, start, end)
        await sql.run(f"DELETE {chosen}", upto, start, end)
        return True

    async def take_back(self, sql: Sql, places: Sequence[int], rows: Sequence[EventRow]) -> None:
        for chunk in _chunks([row.identity for row in rows]):
            marks = ", ".join("?" * len(chunk))
            await sql.run(f"DELETE FROM usage_archived_key WHERE identity IN ({marks})", *chunk)
        kept = [(place, *row) for place, row in zip(places, rows, strict=True)]
        await _insert_many(sql, _INSERT_EVENT, kept, " ON CONFLICT DO NOTHING")

    async def _known(self, sql: Sql, identities: Sequence[bytes]) -> set[bytes]:
        known: set[bytes] = set()
        for chunk in _chunks(identities):
            marks = ", ".join("?" * len(chunk))
            # One row as an answer, however many are known.
            (found,) = await sql.row(
                f"SELECT group_concat(hex(identity), '') FROM ("
                f"SELECT identity FROM usage_event WHERE identity IN ({marks})"
                f" UNION ALL SELECT identity FROM usage_archived_key WHERE identity IN ({marks}))",
                *(*chunk, *chunk),
            )
            if found:
                whole = bytes.fromhex(found)
                known.update(whole[start : start + 16] for start in range(0, len(whole), 16))
        return known


class PostgresqlTables(_Tables):
    """Several writers at a time. Keys decide what is new; sorted, so that two writers cannot wait for each other."""

    def __init__(self) -> None:
        self._months: set[int] = set()

    async def prepare(self, sql: Sql) -> None:
        await sql.run(f"SELECT pg_advisory_xact_lock({_PARTITIONS_LOCK})")
        for statement in POSTGRESQL_SCHEMA:
            await sql.run(statement)

    def missing_months(self, times: Sequence[int], now: datetime) -> list[int]:
        this = month_of(now)
        months = {month_of_time(time) for time in times} - self._months
        months = {month for month in months if this - _MONTHS_BACK <= month <= this + _MONTHS_AHEAD}
        return sorted(months)

    async def make_months(self, sql: Sql, months: Sequence[int]) -> None:
        await sql.run(f"SELECT pg_advisory_xact_lock({_PARTITIONS_LOCK})")
        for month in months:
            start, end = month_bounds(month)
            for table in PARTITIONED:
                name = _partition(table, month)
                (there,) = await sql.row("SELECT to_regclass(?) IS NOT NULL", name)
                (strays,) = await sql.row(
                    f"SELECT EXISTS (SELECT FROM {table}_other WHERE time >= ? AND time < ?)", start, end
                )
                if there or strays:
                    # What came for this month when it was far away stays where it is, and so does what follows.
                    continue
                # Attached rather than made in place: that way nobody who reads or writes has to wait.
                await sql.run(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
                await sql.run(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})")
        self._months.update(months)

    async def lock_meters(self, sql: Sql, *, alone: bool) -> None:
        await sql.run(f"SELECT pg_advisory_xact_lock{'' if alone else '_shared'}({_METERS_LOCK})")

    async def insert_events(self, sql: Sql, rows: Sequence[EventRow]) -> list[int | None]:
        keys = sorted({row.identity.hex() for row in rows})
        found = await sql.rows(
            "WITH fresh AS (INSERT INTO usage_event_key (identity) SELECT unnest(?::uuid[]) ON CONFLICT DO NOTHING"
            " RETURNING identity) SELECT identity, nextval('usage_event_seq') FROM fresh",
            keys,
        )
        fresh = {identity.bytes for identity, _ in found}
        numbers = iter(sorted(number for _, number in found))
        places: list[int | None] = []
        new: list[tuple[Any, ...]] = []
        for row in rows:
            if row.identity not in fresh:
                places.append(None)
                continue
            fresh.remove(row.identity)
            place = next(numbers)
            places.append(place)
            new.append((place, uuid.UUID(bytes=row.identity), *row[1:]))
        await sql.copy(_EVENT_TABLE, new)
        return places

    async def insert_values(self, sql: Sql, rows: Sequence[ValueRow], *, again: bool = False) -> None:
        if not again:
            await sql.copy("usage_value (meter_no, subject, time, seq, scaled, exact, dimensions)", rows)
        elif rows:
            types = ("integer", "text", "bigint", "bigint", "bigint", "text", "text")
            columns = [list(column) for column in zip(*rows, strict=True)]
            arrays = ", ".join(f"?::{type_}[]" for type_ in types)
            await sql.run(
                f"{_INSERT_VALUE.removesuffix('VALUES ')}SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING",
                *columns,
            )

    async def remove_events(self, sql: Sql, month: int, last: int, at_most: int) -> bool:
        start, end = month_bounds(month)
        # `make_months` must not attach meanwhile what is dropped here.
        await sql.run(f"SELECT pg_advisory_xact_lock({_PARTITIONS_LOCK})")
        partitions = [_partition(table, month) for table in PARTITIONED]
        (there,) = await sql.row("SELECT to_regclass(?) IS NOT NULL", partitions[0])
        (later,) = await sql.row(
            "SELECT EXISTS (SELECT FROM usage_event WHERE time >= ? AND time < ? AND seq > ?)", start, end, last
        )
        if there and not later:
            for name in partitions:
                await sql.run(f"DROP TABLE IF EXISTS {name}")
        for table in PARTITIONED:
            await sql.run(f"DELETE FROM {table} WHERE time >= ? AND time < ? AND seq <= ?", start, end, last)
        return False

    async def take_back(self, sql: Sql, places: Sequence[int], rows: Sequence[EventRow]) -> None:
        found = await sql.rows("SELECT seq FROM usage_event WHERE seq = ANY(?)", list(places))
        there = {seq for (seq,) in found}
        kept = [
            (place, uuid.UUID(bytes=row.identity), *row[1:])
            for place, row in zip(places, rows, strict=True)
            if place not in there
        ]
        await sql.copy(_EVENT_TABLE, kept)


async def _insert_many(sql: Sql, insert: str, rows: Sequence[tuple[Any, ...]], end: str = "") -> None:
    for chunk in _chunks(rows):
        marks = f"({', '.join('?' * len(chunk[0]))})"
        await sql.run(insert + ", ".join([marks] * len(chunk)) + end, *chain.from_iterable(chunk))


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    start = 0
    for size in _ROWS_PER_STATEMENT:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _partition(table: str, month: int) -> str:
    return f"{table}_{month_start(month):%Y_%m}"
