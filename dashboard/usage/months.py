"""Calendar months in UTC, by which events are stored and archived: `2026-03`, and numbers that can be counted on."""

import re
from datetime import UTC, datetime

from dashboard.usage.errors import NoSuchMonth
from dashboard.usage.times import microseconds, moment

_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def month_of(at: datetime) -> int:
    """The number of the month that holds `at`."""
    at = at.astimezone(UTC)
    return at.year * 12 + at.month - 1


def month_of_time(time: int) -> int:
    """The same for microseconds since 1970."""
    return month_of(moment(time))


def month_start(month: int) -> datetime:
    """When a month begins."""
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def month_bounds(month: int) -> tuple[int, int]:
    """A month in microseconds: its start, and its end, which is not part of it."""
    return microseconds(month_start(month)), microseconds(month_start(month + 1))


def month_text(month: int) -> str:
    """`2026-03`."""
    return f"{month_start(month):%Y-%m}"


def month_from_text(text: str) -> int:
    """The number of `2026-03`. Raises NoSuchMonth."""
    found = _TEXT.fullmatch(text)
    if found is None or not 1970 <= int(found[1]) < 9999:
        raise NoSuchMonth(f"{text!r} is no month.", field="month")
    return int(found[1]) * 12 + int(found[2]) - 1
