"""What is kept of an event for a meter, in the form the store adds up fast."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dashboard.kit.money import amount_text
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.extraction import extract
from dashboard.usage.meter_rules import MeterRule
from dashboard.usage.views import Aggregation

SCALE = 1_000_000
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Taken:
    """A value as a whole number of millionths (`scaled`), or as text (`exact`) where that would lose a digit or the
    value is no number (UNIQUE_COUNT)."""

    scaled: int | None
    exact: str | None
    dimensions_json: str


def take(definition: MeterDefinition, data_json: str | None) -> Taken | str:
    """What counts of an event's data; a sentence when it must not count for this meter."""
    extracted = extract(_rule(definition), data_json)
    if extracted.problem is not None:
        return extracted.problem
    dimensions = {name: value for name, value in extracted.group_by.items() if value}
    dimensions_json = json.dumps(dimensions, sort_keys=True, ensure_ascii=False) if dimensions else ""
    if definition.aggregation is Aggregation.UNIQUE_COUNT:
        return Taken(None, extracted.value_string or "", dimensions_json)
    value = Decimal(1) if extracted.value is None else extracted.value
    # 38 digits on each side of the point at most, so this product cannot round.
    millionths = value.scaleb(6) if value else Decimal(0)
    if millionths == millionths.to_integral_value() and abs(millionths) <= _LARGEST:
        return Taken(int(millionths), None, dimensions_json)
    return Taken(None, amount_text(value), dimensions_json)


@lru_cache(maxsize=1024)
def _rule(definition: MeterDefinition) -> MeterRule:
    return MeterRule(
        definition.meter_id,
        definition.aggregation.value,
        definition.event_type,
        definition.value_property,
        dict(definition.group_by),
    )
