"""Events and values as rows of the store's tables, and back."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from dashboard.usage.extraction import parse_event_data
from dashboard.usage.taking import Taker
from dashboard.usage.times import microseconds, moment
from dashboard.usage.views import EventFilter, StoredEvent, UsageEvent

EVENTS_PER_COMMIT = 5_000
"""So many events of different requests share a commit."""

EVENT_COLUMNS = "seq, event_id, source, type, subject, time, data, ingested_at"


class CountingMeter(NamedTuple):
    """A meter as ingest needs it."""

    number: int
    counts_from: int | None
    take: Taker


class EventRow(NamedTuple):
    """An event that is about to be stored; times are microseconds."""

    identity: bytes
    source: str
    event_id: str
    type: str
    subject: str
    time: int
    data: str | None
    ingested_at: int


ValueRow = tuple[int, str, int, int, int | None, str | None, str]
"""meter_no, subject, time, seq, scaled, exact, dimensions."""


def event_rows(events: Sequence[UsageEvent], now: datetime) -> list[EventRow]:
    """`events` as rows; those without a time of arrival arrive `now`."""
    arrived: dict[datetime, int] = {}
    rows = []
    for event in events:
        at = event.ingested_at or now
        stored = arrived.get(at)
        if stored is None:
            stored = arrived[at] = microseconds(at)
        rows.append(
            EventRow(
                identity(event.source, event.id),
                event.source,
                event.id,
                event.type,
                event.subject,
                microseconds(event.time),
                event.data_json,
                stored,
            )
        )
    return rows


def identity(source: str, event_id: str) -> bytes:
    """What makes an event the same one: 16 bytes over source and id, which is all that CloudEvents asks for."""
    return hashlib.blake2b(f"{len(source)}:{source}{event_id}".encode(), digest_size=16).digest()


def value_rows(
    seq: int, subject: str, time: int, data: str | None, meters: Iterable[CountingMeter]
) -> Iterable[ValueRow]:
    """What each of `meters` takes out of one event."""
    try:
        parsed = parse_event_data(data)
    except ValueError:
        return
    for meter in meters:
        if meter.counts_from is not None and time < meter.counts_from:
            continue
        taken = meter.take(parsed)
        if taken is not None:
            yield meter.number, subject, time, seq, taken.scaled, taken.exact, taken.dimensions_json


def stored_event(row: Any) -> StoredEvent:
    """The event of a row of `EVENT_COLUMNS`."""
    seq, event_id, source, type_, subject, time, data, ingested_at = row
    stored = moment(ingested_at)
    return StoredEvent(seq, UsageEvent(event_id, source, type_, subject, moment(time), data, stored), stored)


def new_in_each(batches: Sequence[Sequence[UsageEvent]], places: Sequence[int | None]) -> list[int]:
    """How many events of each batch were new; `places` are those of all of them, None for a repeat."""
    counts, start = [], 0
    for batch in batches:
        end = start + len(batch)
        counts.append(sum(place is not None for place in places[start:end]))
        start = end
    return counts


def event_conditions(wanted: EventFilter) -> tuple[list[str], list[Any]]:
    """The conditions that a list of events has, and their parameters."""
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
