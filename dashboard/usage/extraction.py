"""What a meter takes out of one event: its value, exactly, and the values it is grouped by."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from dashboard.kit.money import amount_text
from dashboard.usage.json_path import MISSING, compile_path
from dashboard.usage.meter_rules import Aggregation, MeterRule

LONGEST_SIDE = 38
"""Digits a value may have before and after the point: far beyond any meter, and still cheap to add up exactly."""

_NUMBER_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_LONGEST_NUMBER_TEXT = 128

_LARGEST_WHOLE = 10**LONGEST_SIDE
# Whole numbers come as int of any length, all others as Decimal: no float anywhere.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an event adds to a meter: a decimal `value`, or a `value_string` for UNIQUE_COUNT.

    With a `problem` it must not count towards this meter; group values are told all the same, for the inspector.
    """

    value: Decimal | None = None
    value_string: str | None = None
    group_by: Mapping[str, str] = field(default_factory=dict, hash=False)
    problem: str | None = None


class Problem(str):
    """A sentence that says why an event must not count."""


def extract(rule: MeterRule, data_json: str | None) -> Extracted:
    """What the text of an event's data holds for a meter. Numbers are read as decimals, never as floats."""
    try:
        data = parse_event_data(data_json)
    except ValueError:
        return Extracted(group_by=dict.fromkeys(rule.group_by, ""), problem="The event's data is not JSON.")
    group_by = {name: group_text(compile_path(path)(data)) for name, path in rule.group_by.items()}
    found = counted_value(rule.aggregation, rule.value_property, data)
    if isinstance(found, Problem):
        return Extracted(group_by=group_by, problem=found)
    if isinstance(found, str):
        return Extracted(value_string=found, group_by=group_by)
    return Extracted(value=Decimal(found), group_by=group_by)


def counted_value(aggregation: str, value_property: str | None, data: Any) -> int | Decimal | str:
    """What data that `parse_event_data` read adds to a meter: a number, a text for UNIQUE_COUNT, or a Problem."""
    if aggregation == Aggregation.COUNT:
        return 1
    if value_property is None:
        return Problem("The meter does not say where its value is.")
    found = compile_path(value_property)(data)
    if found is MISSING or found is None:
        return Problem(f"The event has no value at {value_property}.")
    if aggregation == Aggregation.UNIQUE_COUNT:
        return _as_text(found)
    value = _as_number(found)
    return Problem(f"The value at {value_property} is not a number we can count.") if value is None else value


def parse_event_data(data_json: str | None) -> Any:
    """The data of an event, numbers as int or Decimal; None for none.

    Raises ValueError for text that is not JSON, NaN, Infinity and halves of surrogate pairs included.
    """
    if data_json is None or not data_json.strip():
        return None
    try:
        return _decoder.decode(data_json)
    except (msgspec.DecodeError, InvalidOperation, RecursionError) as error:
        raise ValueError("not JSON, or nested too deeply") from error


def group_text(found: Any) -> str:
    """The text a dimension has where its path found this; empty for nothing."""
    return "" if found is MISSING or found is None else _as_text(found)


def _as_number(found: Any) -> int | Decimal | None:
    # By type, because JSON's true is an int to Python.
    if type(found) is int:
        return found if -_LARGEST_WHOLE < found < _LARGEST_WHOLE else None
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
    if isinstance(found, int):
        return str(found)
    if isinstance(found, Decimal):
        return amount_text(found) if abs(found.adjusted()) <= LONGEST_SIDE else str(found)
    return json.dumps(_with_number_texts(found), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _with_number_texts(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _with_number_texts(one) for name, one in found.items()}
    if isinstance(found, list):
        return [_with_number_texts(one) for one in found]
    return found if found is None or isinstance(found, bool) else _as_text(found)
