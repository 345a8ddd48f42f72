"""Where usage events live: their own store behind one small interface.

Events are kept as they came, once per (source, id). What a meter needs of them (value and dimensions) is taken out when
they arrive, or from the stored ones when the meter is made later, so that a quantity is one index scan away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dashboard.usage.views import Aggregation, EventFilter, Measurement, MeterQuery, StoredEvent, UsageEvent


@dataclass(frozen=True)
class MeterDefinition:
    """The part of a meter that decides which events count and what is taken out of them."""

    meter_id: str
    event_type: str
    event_from: datetime | None
    aggregation: Aggregation
    value_property: str | None
    group_by: tuple[tuple[str, str], ...]


class EventStore(Protocol):
    async def ingest(self, events: Sequence[UsageEvent]) -> int:
        """Stores `events`, all or none, each (source, id) once; answers after the commit with how many were new."""
        ...

    async def define_meter(self, definition: MeterDefinition) -> None:
        """Makes events count for a meter, also those already stored. Repeatable; a changed definition replaces the
        former one."""
        ...

    async def forget_meter(self, meter_id: str) -> None:
        """Drops what was taken out for a meter; the events stay."""
        ...

    async def refresh_rollups(self) -> None:
        """Rolls up days that are over, in short transactions, for queries that may read rollups. Repeatable."""
        ...

    async def measure(self, definition: MeterDefinition, query: MeterQuery) -> list[Measurement]:
        """The quantities that `query` asks for; rows without any event are left out; in order of window."""
        ...

    async def list_events(self, wanted: EventFilter) -> list[StoredEvent]:
        """Events that fit, the newest arrivals first."""
        ...

    async def subjects(self, meter_id: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        """The subjects that have events for a meter, sorted."""
        ...

    async def dimension_values(
        self, meter_id: str, name: str, from_at: datetime | None, to_at: datetime | None
    ) -> list[str]:
        """The values a dimension takes, sorted; the empty one (missing in the event) is left out."""
        ...
