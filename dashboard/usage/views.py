"""What others may hold of usage: events as they came, meters, and measured quantities (exact decimals)."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from dashboard.usage.meter_rules import Aggregation


class Window(StrEnum):
    """The length of one row of a query."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """A CloudEvent. `data_json` is the text of its data exactly as sent, so that no digit of a number is lost."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data_json: str | None = None
    ingested_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """Which events count, and how. `group_by` maps a dimension's name to a JSONPath."""

    id: str
    key: str
    name: str
    description: str | None
    event_type: str
    event_from: datetime | None
    aggregation: Aggregation
    value_property: str | None
    group_by: dict[str, str] = field(hash=False)
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured row: [from_at, to_at), for a subject and a set of dimensions where the query groups by them."""

    from_at: datetime
    to_at: datetime
    value: Decimal
    subject: str | None = None
    group_by: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class MeterQuery:
    """What to measure: from ≤ time < to, both cut to seconds; no `window` means one row over all of it.

    `filters` keeps events whose dimension has one of the given values. With `rollups` the answer, which is the same,
    may be put together from daily figures: for charts, never for invoices.
    """

    from_at: datetime | None = None
    to_at: datetime | None = None
    window: Window | None = None
    time_zone: str = "UTC"
    subjects: tuple[str, ...] | None = None
    group_by: tuple[str, ...] = ()
    by_subject: bool = False
    filters: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    rollups: bool = False


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list shows; newest first. `before` is the place of the last one already seen."""

    subject: str | None = None
    subjects: tuple[str, ...] | None = None
    type: str | None = None
    id: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    ingested_from: datetime | None = None
    ingested_to: datetime | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the list shows it, with its place in the order of arrival."""

    place: int
    event: UsageEvent
    stored_at: datetime
