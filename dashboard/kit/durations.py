"""ISO 8601 durations, as they are written in billing: `P1M`, `P1DT20H`, `-P3M`.

isodate reads them too, but folds weeks, days and hours into one number of seconds; then `P1W` no longer comes back as
it was written, and whether a day always fits into a month can no longer be told. So the parts are kept here.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from dashboard.kit.errors import InvalidInput
from dashboard.kit.money import amount_text

_WRITTEN = re.compile(
    r"(?P<sign>[-+])?P(?=\d|T\d)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:[.,]\d{1,6})?)S)?)?"
)
_LONGEST_TEXT = 64


class BadDuration(InvalidInput):
    code = "bad_duration"
    remedy = "Write an ISO 8601 duration such as P1M (a month), P2W (two weeks), P1DT12H or PT30M."


class TimeOutOfRange(InvalidInput):
    code = "time_out_of_range"
    remedy = "Use times between the years 1 and 9999."


@dataclass(frozen=True, slots=True)
class Duration:
    """A calendar duration: months and days of whatever length they turn out to have, plus exact time.

    All parts carry the same sign. Two durations are equal when they are written alike: P12M is not P1Y.
    """

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: Decimal = Decimal(0)

    @classmethod
    def parse(cls, text: str, *, field: str = "duration") -> "Duration":
        """The duration written in `text`. Raises BadDuration for anything but ISO 8601 with whole parts, except that
        seconds may have up to six decimals."""
        written = _WRITTEN.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else None
        if written is None:
            raise BadDuration(f"{str(text)[:_LONGEST_TEXT]!r} is not a duration.", field=field)
        sign = -1 if written["sign"] == "-" else 1
        whole = {
            part: sign * int(written[part] or 0) for part in ("years", "months", "weeks", "days", "hours", "minutes")
        }
        return cls(**whole, seconds=sign * Decimal((written["seconds"] or "0").replace(",", ".")))

    def __str__(self) -> str:
        """The same duration as ISO 8601 text; `PT0S` for none."""
        if self.is_zero:
            return "PT0S"
        date = _written((self.years, "Y"), (self.months, "M"), (self.weeks, "W"), (self.days, "D"))
        time = _written((self.hours, "H"), (self.minutes, "M"), (self.seconds, "S"))
        return ("-" if self.is_negative else "") + "P" + date + (f"T{time}" if time else "")

    @property
    def is_zero(self) -> bool:
        return not any(self._parts())

    @property
    def is_negative(self) -> bool:
        return any(part < 0 for part in self._parts())

    @property
    def is_positive(self) -> bool:
        return not self.is_zero and not self.is_negative

    @property
    def whole_months(self) -> int:
        """Years and months together, in months."""
        return 12 * self.years + self.months

    @property
    def exact_part(self) -> timedelta:
        """Everything but years and months; a day is 24 hours."""
        return timedelta(
            weeks=self.weeks,
            days=self.days,
            hours=self.hours,
            minutes=self.minutes,
            microseconds=int(self.seconds * 1_000_000),
        )

    def times(self, factor: int) -> "Duration":
        """This duration so many times."""
        return Duration(*(part * factor for part in self._parts()))  # type: ignore[arg-type]

    def plus(self, other: "Duration") -> "Duration":
        """Both, part by part: a month and a day stay a month and a day. Raises ValueError for different directions."""
        if self.is_negative != other.is_negative and not (self.is_zero or other.is_zero):
            raise ValueError(f"{self} and {other} run in different directions")
        return Duration(*(one + more for one, more in zip(self._parts(), other._parts(), strict=True)))  # type: ignore[arg-type]

    def added_to(self, start: datetime) -> datetime:
        """`start` plus this: months first, the day clipped to the month's last, then the exact parts.

        31 January plus P1M is 28 (or 29) February. Raises TimeOutOfRange beyond the years 1 to 9999.
        """
        try:
            return start + relativedelta(months=self.whole_months) + self.exact_part
        except (OverflowError, ValueError) as error:
            raise TimeOutOfRange(f"{start.isoformat()} plus {self} lies outside the calendar.") from error

    def is_divisible_by(self, smaller: "Duration") -> bool:
        """Whether `smaller` fits a whole number of times, for every length a month (28–31 days) and a day (23–25 hours)
        can have. Zero never divides and is never divided."""
        if self.is_zero or smaller.is_zero:
            return False
        return all(
            self._seconds(month_days, day_hours) % smaller._seconds(month_days, day_hours) == 0
            for month_days in range(28, 32)
            for day_hours in range(23, 26)
        )

    def approximate_seconds(self) -> Decimal:
        """A length to estimate with: the mean Gregorian month (30.436875 days), days of 24 hours."""
        return self.whole_months * Decimal("2629746") + self._seconds(0, 24)

    def _seconds(self, month_days: int, day_hours: int) -> Decimal:
        days = self.whole_months * month_days + 7 * self.weeks + self.days
        return days * day_hours * 3600 + self.hours * 3600 + self.minutes * 60 + self.seconds

    def _parts(self) -> tuple[int | Decimal, ...]:
        return self.years, self.months, self.weeks, self.days, self.hours, self.minutes, self.seconds


def _written(*parts: tuple[int | Decimal, str]) -> str:
    return "".join(f"{amount_text(Decimal(abs(value)))}{letter}" for value, letter in parts if value)
