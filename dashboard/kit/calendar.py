"""Periods and recurring dates.

Periods are half-open: they contain their start, not their end. Occurrence n of a recurrence is always computed from the
anchor (anchor + n × interval), so an anchor on the 31st gives 28 February and then 31 March again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dashboard.kit.durations import BadDuration, Duration, TimeOutOfRange
from dashboard.kit.errors import InvalidInput

__all__ = ["BadDuration", "BadPeriod", "Duration", "Period", "Recurrence", "TimeOutOfRange", "cut_to_seconds"]


class BadPeriod(InvalidInput):
    code = "bad_period"
    remedy = "Let the period end at or after its start, and give both times with their zone."


def cut_to_seconds(at: datetime) -> datetime:
    """`at` without its fraction of a second: billing has a resolution of one second."""
    return at.replace(microsecond=0)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `start` up to, not including, `end`, both with a zone. Raises BadPeriod when it ends before it starts."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise BadPeriod("A time without a zone means nothing here.")
        if self.end < self.start:
            raise BadPeriod(f"The period ends ({self.end.isoformat()}) before it starts ({self.start.isoformat()}).")

    @property
    def is_empty(self) -> bool:
        return self.start == self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def contains(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def intersection(self, other: "Period") -> "Period | None":
        """What both share; None when that is nothing, not even a moment."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None

    def cut_to_seconds(self) -> "Period":
        return Period(cut_to_seconds(self.start), cut_to_seconds(self.end))


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Dates that repeat every `interval`, both ways from `anchor`. Raises BadDuration unless that is positive."""

    interval: Duration
    anchor: datetime

    def __post_init__(self) -> None:
        if not self.interval.is_positive:
            raise BadDuration(f"Something cannot repeat every {self.interval}.", field="interval")
        if self.anchor.tzinfo is None:
            raise BadPeriod("An anchor without a zone means nothing here.", field="anchor")

    def occurrence(self, number: int) -> datetime:
        """The anchor plus `number` intervals; zero is the anchor itself, negative numbers lie before it."""
        return self.interval.times(number).added_to(self.anchor)

    def next_after(self, at: datetime, *, inclusive: bool = False) -> datetime:
        """The first occurrence after `at`; with `inclusive`, `at` itself counts."""
        last = self._number_at_or_before(at)
        if inclusive and self.occurrence(last) == at:
            return at
        return self.occurrence(last + 1)

    def prev_before(self, at: datetime, *, inclusive: bool = False) -> datetime:
        """The last occurrence before `at`; with `inclusive`, `at` itself counts."""
        last = self._number_at_or_before(at)
        if not inclusive and self.occurrence(last) == at:
            return self.occurrence(last - 1)
        return self.occurrence(last)

    def period_at(self, at: datetime) -> Period:
        """The period between two neighbouring occurrences that contains `at`."""
        number = self._number_at_or_before(at)
        return Period(self.occurrence(number), self.occurrence(number + 1))

    def periods_from(self, at: datetime) -> Iterator[Period]:
        """The period that contains `at`, and those that follow, until the calendar ends."""
        number = self._number_at_or_before(at)
        while True:
            yield Period(self.occurrence(number), self.occurrence(number + 1))
            number += 1

    def _number_at_or_before(self, at: datetime) -> int:
        """Estimate by mean lengths, then step: the estimate is at most a few occurrences off."""
        distance = at - self.anchor
        microseconds = Decimal(distance // timedelta(microseconds=1))
        number = int(microseconds / 1_000_000 / self.interval.approximate_seconds())
        while self.occurrence(number) > at:
            number -= 1
        while self.occurrence(number + 1) <= at:
            number += 1
        return number
