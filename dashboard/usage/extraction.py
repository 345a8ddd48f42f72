"""What a meter takes out of one event: its value, exactly, and the values it is grouped by."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dashboard.kit.money import amount_text
from dashboard.usage.json_path import MISSING, compile_path
from dashboard.usage.meter_rules import Aggregation, MeterRule

LONGEST_SIDE = 38
"""Digits a value may have before and after the point: far beyond any meter, and still cheap to add up exactly."""

_NUMBER_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_LONGEST_NUMBER_TEXT = 128

_COUNTED_ONCE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an event adds to a meter: a decimal `value`, or a `value_string` for UNIQUE_COUNT.

    With a `problem` it must not count towards this meter; group values are told all the same, for the inspector.
    """

    value: Decimal | None = None
    value_string: str | None = None
    group_by: Mapping[str, str] = field(default_factory=dict, hash=False)
    problem: str | None = None


def extract(rule: MeterRule, data_json: str | None) -> Extracted:
    """What the text of an event's data holds for a meter. Numbers are read as decimals, never as floats."""
    try:
        data = parse_event_data(data_json)
    except ValueError:
        return Extracted(group_by=dict.fromkeys(rule.group_by, ""), problem="The event's data is not JSON.")
    return extract_from(rule, data)


def extract_from(rule: MeterRule, data: Any) -> Extracted:
    """Like `extract`, for data that `parse_event_data` read already: one event may feed many meters."""
    group_by = {name: _group_value(path, data) for name, path in rule.group_by.items()}
    if rule.aggregation == Aggregation.COUNT:
        return Extracted(value=_COUNTED_ONCE, group_by=group_by)
    if rule.value_property is None:
        return Extracted(group_by=group_by, problem="The meter does not say where its value is.")
    found = compile_path(rule.value_property)(data)
    if found is MISSING or found is None:
        return Extracted(group_by=group_by, problem=f"The event has no value at {rule.value_property}.")
    if rule.aggregation == Aggregation.UNIQUE_COUNT:
        return Extracted(value_string=_as_text(found), group_by=group_by)
    value = _as_decimal(found)
    if value is None:
        return Extracted(group_by=group_by, problem=f"The value at {rule.value_property} is not a number we can count.")
    return Extracted(value=value, group_by=group_by)


def parse_event_data(data_json: str | None) -> Any:
    """The data of an event; None for none. Raises ValueError for text that is not JSON, NaN and Infinity included."""
    if data_json is None or not data_json.strip():
        return None
    try:
        return json.loads(data_json, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _group_value(path: str, data: Any) -> str:
    found = compile_path(path)(data)
    return "" if found is MISSING or found is None else _as_text(found)


def _as_decimal(found: Any) -> Decimal | None:
    if isinstance(found, Decimal):
        return _countable(found)
    if isinstance(found, str) and len(found) <= _LONGEST_NUMBER_TEXT and _NUMBER_TEXT.fullmatch(found):
        return _countable(Decimal(found))
    return None


def _countable(value: Decimal) -> Decimal | None:
    if not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    if value and value.adjusted() >= LONGEST_SIDE:
        return None
    if decimals > LONGEST_SIDE:
        decimals = len(amount_text(value).partition(".")[2]) if decimals <= 4 * LONGEST_SIDE else decimals
    return None if decimals > LONGEST_SIDE else value


def _as_text(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, Decimal):
        return amount_text(found) if abs(found.adjusted()) <= LONGEST_SIDE else str(found)
    return json.dumps(found, default=_as_text, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
