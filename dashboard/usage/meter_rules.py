"""What makes a meter countable: its aggregation, where the value is found, and what it can be grouped by."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.kit.errors import InvalidInput
from dashboard.usage.json_path import BadJsonPath, compile_path


class Aggregation(StrEnum):
    SUM = "SUM"
    COUNT = "COUNT"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    UNIQUE_COUNT = "UNIQUE_COUNT"
    LATEST = "LATEST"


_KNOWN_AGGREGATIONS = frozenset(aggregation.value for aggregation in Aggregation)
_GROUP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BadMeter(InvalidInput):
    code = "bad_meter"
    remedy = "Change the fields that are named."


@dataclass(frozen=True, slots=True)
class MeterRule:
    """How events become a quantity. `aggregation` is text, because what was asked for may not exist.

    `group_by` maps a name to the JSONPath of its value.
    """

    key: str
    aggregation: str
    event_type: str
    value_property: str | None = None
    group_by: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class MeterProblem:
    field: str
    message: str


def meter_problems(rule: MeterRule) -> list[MeterProblem]:
    """Everything that is wrong with a meter, each on its field; an empty list means it can count."""
    return [*_identity_problems(rule), *_value_problems(rule), *_group_problems(rule)]


def meter_valid(rule: MeterRule) -> bool:
    return not meter_problems(rule)


def refuse_bad_meter(rule: MeterRule) -> None:
    """Raises BadMeter that names every field that is wrong."""
    problems = meter_problems(rule)
    if problems:
        fields = {problem.field: problem.message for problem in reversed(problems)}
        raise BadMeter(problems[0].message, fields=fields)


def _identity_problems(rule: MeterRule) -> Iterator[MeterProblem]:
    if not rule.key:
        yield MeterProblem("key", "A meter needs a key.")
    if not rule.event_type:
        yield MeterProblem("event_type", "A meter needs the type of the events it counts.")
    if rule.aggregation not in _KNOWN_AGGREGATIONS:
        yield MeterProblem("aggregation", f"The aggregation is one of: {', '.join(Aggregation)}.")


def _value_problems(rule: MeterRule) -> Iterator[MeterProblem]:
    if rule.aggregation == Aggregation.COUNT:
        if rule.value_property is not None:
            yield MeterProblem("value_property", "COUNT counts events; it takes no value.")
    elif not rule.value_property:
        yield MeterProblem("value_property", "Say where in the event's data the value is, such as $.tokens.")
    else:
        yield from _path_problems("value_property", rule.value_property)


def _group_problems(rule: MeterRule) -> Iterator[MeterProblem]:
    seen: set[str] = set()
    for name, path in rule.group_by.items():
        place = f"group_by.{name}"
        if not _GROUP_NAME.fullmatch(name):
            yield MeterProblem(place, "A name has letters, digits and underscores, and does not start with a digit.")
        yield from _path_problems(place, path)
        if path == rule.value_property:
            yield MeterProblem(place, "The value itself cannot be grouped by.")
        if path in seen:
            yield MeterProblem(place, "Two names lead to the same place.")
        seen.add(path)


def _path_problems(place: str, path: str) -> Iterator[MeterProblem]:
    try:
        compile_path(path)
    except BadJsonPath as error:
        yield MeterProblem(place, error.for_people())
