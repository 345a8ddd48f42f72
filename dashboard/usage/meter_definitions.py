"""Meters as the event store keeps them, and as ingest uses them."""

import json
from collections.abc import Iterable

from dashboard.usage.event_rows import CountingMeter
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.sql import Sql
from dashboard.usage.taking import taker
from dashboard.usage.times import microseconds, moment
from dashboard.usage.views import Aggregation

MetersByType = dict[str, list[CountingMeter]]


class KnownMeters:
    """Meters by the type of events they count, made again only when there are others than before."""

    def __init__(self) -> None:
        self._stamp: tuple[tuple[int, str], ...] = ()
        self._by_type: MetersByType = {}

    def by_type(self, numbered: Iterable[tuple[int, str]]) -> MetersByType:
        """The meters of these numbers and definitions."""
        stamp = tuple(numbered)
        if stamp != self._stamp:
            by_type: MetersByType = {}
            for number, text in stamp:
                definition = definition_from_text(text)
                by_type.setdefault(definition.event_type, []).append(counting_meter(number, definition))
            self._stamp, self._by_type = stamp, by_type
        return self._by_type


async def meter_definitions(sql: Sql) -> list[tuple[int, str]]:
    """The number and definition of every meter as of this transaction."""
    rows = await sql.rows("SELECT meter_no, definition FROM usage_meter ORDER BY 1")
    return [(number, text) for number, text in rows]


def counting_meter(number: int, definition: MeterDefinition) -> CountingMeter:
    """A meter as ingest needs it."""
    counts_from = None if definition.event_from is None else microseconds(definition.event_from)
    return CountingMeter(number, counts_from, taker(definition))


def definition_to_text(definition: MeterDefinition) -> str:
    """A definition as its row keeps it; equal definitions have equal texts."""
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


def definition_from_text(text: str) -> MeterDefinition:
    """The definition behind a row's text."""
    document = json.loads(text)
    return MeterDefinition(
        meter_id=document["meter_id"],
        event_type=document["event_type"],
        event_from=None if document["event_from"] is None else moment(document["event_from"]),
        aggregation=Aggregation(document["aggregation"]),
        value_property=document["value_property"],
        group_by=tuple((name, path) for name, path in document["group_by"]),
    )
