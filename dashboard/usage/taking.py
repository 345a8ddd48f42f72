"""What is kept of an event for a meter, in the form the store adds up fast."""

import json
from collections.abc import Callable
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from dashboard.kit.money import amount_text
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.extraction import Problem, counted_value, group_text
from dashboard.usage.json_path import compile_path
from dashboard.usage.views import Aggregation

SCALE = 1_000_000
_LARGEST = 2**63 - 1
_REMEMBERED_LENGTH = 200
# Values have 38 digits on each side of the point at most, so nothing rounds here.
_EXACT = Context(prec=90)


class Taken(NamedTuple):
    """A value as a whole number of millionths (`scaled`), or as text (`exact`) where that would lose a digit or the
    value is no number (UNIQUE_COUNT)."""

    scaled: int | None
    exact: str | None
    dimensions_json: str


Taker = Callable[[Any], Taken | None]


def taker(definition: MeterDefinition) -> Taker:
    """A function from an event's parsed data to what counts of it; None when it must not count for this meter."""
    names = tuple(name for name, _ in definition.group_by)
    finders = tuple(compile_path(path) for _, path in definition.group_by)
    aggregation, value_property = definition.aggregation, definition.value_property
    distinct = aggregation is Aggregation.UNIQUE_COUNT

    def take(data: Any) -> Taken | None:
        value = counted_value(aggregation, value_property, data)
        if isinstance(value, Problem):
            return None
        dimensions = _dimensions_text(names, [group_text(find(data)) for find in finders]) if finders else ""
        if distinct:
            return Taken(None, str(value), dimensions)
        scaled = _scaled(value)
        return (
            Taken(None, amount_text(Decimal(value)), dimensions) if scaled is None else Taken(scaled, None, dimensions)
        )

    return take


def _scaled(value: int | Decimal | str) -> int | None:
    if isinstance(value, int):
        scaled = value * SCALE
    else:
        millionths = _EXACT.scaleb(Decimal(value), 6)
        scaled = int(millionths)
        if scaled != millionths:
            return None
    return scaled if -_LARGEST <= scaled <= _LARGEST else None


def _dimensions_text(names: tuple[str, ...], texts: list[str]) -> str:
    # Most meters see few values again and again; long ones are not worth the memory.
    remembered = sum(map(len, texts)) <= _REMEMBERED_LENGTH
    return (_dimensions_json if remembered else _dimensions_json.__wrapped__)(names, tuple(texts))


@lru_cache(maxsize=4096)
def _dimensions_json(names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    dimensions = {name: text for name, text in zip(names, texts, strict=True) if text}
    return json.dumps(dimensions, sort_keys=True, ensure_ascii=False) if dimensions else ""
