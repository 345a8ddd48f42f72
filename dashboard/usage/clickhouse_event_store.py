"""The event store on ClickHouse, for more events than one PostgreSQL takes.

ClickHouse has neither transactions nor unique keys. Both are made here: a lock outside of it lets one process write
at a time, which asks what is new before it writes (strict, across all times), and what belongs together becomes
visible at once (`clickhouse_batches.py`). Tried against one server's engine only: no replicas, no cluster.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from dashboard.kit.clock import Clock
from dashboard.kit.grouped_writer import GroupedWriter
from dashboard.kit.locks import Locks
from dashboard.usage.clickhouse import ClickHouse, EventsUnavailable
from dashboard.usage.clickhouse_batches import PLACES, Batches, Visible
from dashboard.usage.clickhouse_schema import CLICKHOUSE_SCHEMA, STRETCH
from dashboard.usage.errors import MeterFilling
from dashboard.usage.event_query import MeterReader
from dashboard.usage.event_rows import (
    EVENT_COLUMNS,
    EVENTS_PER_COMMIT,
    EventRow,
    ValueRow,
    event_conditions,
    event_rows,
    new_in_each,
    stored_event,
    value_rows,
)
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.meter_definitions import KnownMeters, counting_meter, definition_to_text
from dashboard.usage.views import EventFilter, Measurement, MeterQuery, StoredEvent, UsageEvent

WRITERS = "usage events"
"""The lock of whoever writes."""

LOCK_SECONDS = 30.0
KEYS_AT_ONCE = 2_000
FILL_CHUNK = 5_000
_FILLING, _READY, _FORGOTTEN = 0, 1, 2
_EVENT = ("seq", "event_id", "source", "type", "subject", "time", "data", "ingested_at")
_VALUE = ("meter_no", "subject", "time", "seq", "scaled", "exact", "dimensions")


class ClickHouseEventStore:
    """Fulfils `EventStore`. It closes `clickhouse`; `locks` have to be those of all processes that write."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock, locks: Locks) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._locks = locks
        self._batches = Batches(clickhouse)
        self._writer = GroupedWriter(self._write, size=len, most_per_commit=EVENTS_PER_COMMIT)
        self._meters = KnownMeters()

    async def prepare(self) -> None:
        """Makes the tables where they are missing. Raises EventsUnavailable."""
        for statement in CLICKHOUSE_SCHEMA:
            await self._clickhouse.run(statement)

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.close()
        await self._clickhouse.close()

    async def ingest(self, events: Sequence[UsageEvent]) -> int:
        return await self._writer.store(events) if events else 0

    async def define_meter(self, definition: MeterDefinition) -> None:
        text = definition_to_text(definition)
        async with self._alone() as seen:
            known = await self._numbers(definition.meter_id)
            if [(old, state) for _, old, state in known] == [(text, _READY)]:
                return
            for number, old, _ in known:
                await self._note_meter(number, definition.meter_id, old, _FORGOTTEN)
            # Never one that was in use: what is left of a filling that broke off does not count for another meter.
            ((last,),) = await self._clickhouse.rows("SELECT coalesce(max(meter_no), 0) FROM usage_meter")
            number = last + 1
            await self._note_meter(number, definition.meter_id, text, _FILLING)
        await self._drop_values([number for number, _, _ in known])
        await self._fill(number, definition, seen)
        await self._note_meter(number, definition.meter_id, text, _READY)

    async def forget_meter(self, meter_id: str) -> None:
        async with self._alone():
            known = await self._numbers(meter_id)
            for number, text, _ in known:
                await self._note_meter(number, meter_id, text, _FORGOTTEN)
        await self._drop_values([number for number, _, _ in known])

    async def refresh_rollups(self) -> None:
        """There are none: a scan of the values is what ClickHouse is good at."""

    async def measure(self, definition: MeterDefinition, query: MeterQuery) -> list[Measurement]:
        reader = await self._reader(definition.meter_id)
        return [] if reader is None else await reader.measure(definition.aggregation, query)

    async def subjects(self, meter_id: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        reader = await self._reader(meter_id)
        return [] if reader is None else await reader.distinct("subject", from_at, to_at)

    async def dimension_values(
        self, meter_id: str, name: str, from_at: datetime | None, to_at: datetime | None
    ) -> list[str]:
        reader = await self._reader(meter_id)
        return [] if reader is None else await reader.dimension_values(name, from_at, to_at)

    async def list_events(self, wanted: EventFilter) -> list[StoredEvent]:
        if wanted.subjects == ():
            return []
        conditions, parameters = event_conditions(wanted)
        counting, counted = (await self._batches.visible()).conditions()
        rows = await self._clickhouse.rows(
            f"SELECT {EVENT_COLUMNS} FROM usage_event WHERE {' AND '.join([*conditions, *counting])}"
            " ORDER BY seq DESC LIMIT ?",
            *(*parameters, *counted, wanted.limit),
        )
        return [stored_event(row) for row in rows]

    async def _write(self, batches: Sequence[Sequence[UsageEvent]]) -> list[int]:
        rows = event_rows([event for batch in batches for event in batch], self._clock.now())
        async with self._alone() as seen:
            known = await self._known({row.identity for row in rows}, seen)
            if known.issuperset(row.identity for row in rows):
                return [0] * len(batches)
            meters = self._meters.by_type(await self._counting_meters())
            number = await self._batches.begin(seen)
            places: list[int | None] = []
            new: list[tuple[int, EventRow]] = []
            values: list[ValueRow] = []
            for row in rows:
                if row.identity in known:
                    places.append(None)
                    continue
                known.add(row.identity)
                place = (number << PLACES) + len(new)
                places.append(place)
                new.append((place, row))
                values.extend(value_rows(place, row.subject, row.time, row.data, meters.get(row.type, ())))
            await self._insert(number, new, values)
            await self._batches.commit(number)
        return new_in_each(batches, places)

    async def _insert(self, number: int, new: Sequence[tuple[int, EventRow]], values: Sequence[ValueRow]) -> None:
        keys = [(row.identity, place) for place, row in new]
        events = [
            (place, row.event_id, row.source, row.type, row.subject, row.time, row.data, row.ingested_at)
            for place, row in new
        ]
        ends = await asyncio.gather(
            self._clickhouse.insert("usage_event", _EVENT, events, f"events {number}"),
            self._clickhouse.insert("usage_event_key", ("identity", "seq"), keys, f"keys {number}"),
            self._clickhouse.insert("usage_value", _VALUE, values, f"values {number}"),
            return_exceptions=True,
        )
        if failures := [end for end in ends if end is not None]:
            raise failures[0]

    async def _known(self, identities: set[bytes], seen: Visible) -> set[bytes]:
        conditions, parameters = seen.conditions()
        where = " AND ".join(conditions)
        known: set[bytes] = set()
        # As literals: a function for each would take ClickHouse several times as long to read.
        asked = ["'\\x" + identity.hex(" ").replace(" ", "\\x") + "'" for identity in identities]
        for start in range(0, len(asked), KEYS_AT_ONCE):
            chosen = ", ".join(asked[start : start + KEYS_AT_ONCE])
            found = await self._clickhouse.rows(
                f"SELECT identity FROM usage_event_key WHERE identity IN ({chosen}) AND {where}", *parameters
            )
            known.update(identity for (identity,) in found)
        return known

    async def _fill(self, number: int, definition: MeterDefinition, seen: Visible) -> None:
        """Takes a new meter's values out of the events that were there before it."""
        counting = counting_meter(number, definition)
        conditions, parameters = seen.conditions()
        reached, more = 0, True
        while more:
            rows = await self._clickhouse.rows(
                f"SELECT {EVENT_COLUMNS} FROM usage_event WHERE type = ? AND seq > ? AND {' AND '.join(conditions)}"
                " ORDER BY seq LIMIT ?",
                *(definition.event_type, reached, *parameters, FILL_CHUNK),
            )
            values: list[ValueRow] = []
            for seq, _, _, _, subject, time, data, _ in rows:
                values.extend(value_rows(seq, subject, time, data, (counting,)))
            await self._clickhouse.insert("usage_value", _VALUE, values, f"meter {number} from {reached}")
            more = len(rows) == FILL_CHUNK
            reached = rows[-1][0] if rows else reached

    async def _reader(self, meter_id: str) -> MeterReader | None:
        found = await self._numbers(meter_id)
        if not found:
            return None
        number, _, state = found[-1]
        if state == _FILLING:
            raise MeterFilling("This meter still takes in the events that were there before it.")
        return MeterReader(_Values(self._clickhouse, await self._batches.visible()), number)

    async def _numbers(self, meter_id: str) -> list[tuple[int, str, int]]:
        """Number, definition and state of a meter; several while its definition changes, the newest last."""
        rows = await self._clickhouse.rows(
            "SELECT meter_no, any(definition), max(state) AS highest FROM usage_meter WHERE meter_id = ?"
            " GROUP BY meter_no HAVING highest < ? ORDER BY meter_no",
            *(meter_id, _FORGOTTEN),
        )
        return [(number, text, state) for number, text, state in rows]

    async def _counting_meters(self) -> list[tuple[int, str]]:
        rows = await self._clickhouse.rows(
            "SELECT meter_no, any(definition) FROM usage_meter GROUP BY meter_no HAVING max(state) < ? ORDER BY 1",
            _FORGOTTEN,
        )
        return [(number, text) for number, text in rows]

    async def _note_meter(self, number: int, meter_id: str, text: str, state: int) -> None:
        columns = ("meter_no", "meter_id", "definition", "state")
        await self._clickhouse.insert(
            "usage_meter", columns, [(number, meter_id, text, state)], f"meter {number} {state}"
        )

    async def _drop_values(self, numbers: Sequence[int]) -> None:
        # Nobody reads them any more; ClickHouse takes its time.
        for number in numbers:
            await self._clickhouse.run(f"ALTER TABLE usage_value DELETE WHERE meter_no = {number}")

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Visible]:
        """Nobody else writes inside the block; what counts at its beginning. Raises EventsUnavailable."""
        async with self._locks.holding(WRITERS, wait_seconds=LOCK_SECONDS) as taken:
            if not taken:
                raise EventsUnavailable("Other processes have been storing events all the time.")
            yield await self._batches.settle()


class _Values:
    """Fulfils `ValueSql`: what counts at one moment."""

    def __init__(self, clickhouse: ClickHouse, visible: Visible) -> None:
        self._clickhouse = clickhouse
        self._counting = visible.conditions()

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        return await self._clickhouse.rows(statement, *parameters)

    def quotient(self, dividend: str, divisor: int) -> str:
        return f"intDiv({dividend}, {divisor})"

    def total(self, expression: str) -> str:
        # A sum of Int64 would run over without a word.
        return f"sum(toInt128({expression}))"

    def dimension(self, name: str) -> str:
        return f"JSONExtractString(dimensions, '{name}')"

    def kept_to(self, from_time: int | None, to_time: int | None) -> tuple[list[str], list[Any]]:
        conditions, parameters = list(self._counting[0]), list(self._counting[1])
        # In the very words of the table's order, or ClickHouse would not see that whole stretches can be passed over.
        if from_time is not None:
            conditions.append(f"intDiv(time, {STRETCH}) >= ?")
            parameters.append(from_time // STRETCH)
        if to_time is not None:
            conditions.append(f"intDiv(time, {STRETCH}) <= ?")
            parameters.append(to_time // STRETCH)
        return conditions, parameters
