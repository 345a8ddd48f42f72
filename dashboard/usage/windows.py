"""Windows of a query in a time zone: where each begins and ends, daylight saving included."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.usage.errors import QueryInvalid
from dashboard.usage.views import Window

WINDOW_ROWS_MAX = 50_000
_LENGTH = {Window.MINUTE: timedelta(minutes=1), Window.HOUR: timedelta(hours=1), Window.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which the zone keeps one distance from UTC."""

    from_at: datetime
    to_at: datetime
    offset: timedelta


def zone(name: str) -> ZoneInfo:
    """The time zone `name` of the IANA list. Raises QueryInvalid for any other."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise QueryInvalid(f"{name!r} is no time zone of the IANA list.", field="windowTimeZone") from None


def spans(from_at: datetime, to_at: datetime, place: ZoneInfo) -> Iterator[Span]:
    """Cuts [from_at, to_at) where the zone's clocks are put forward or back."""
    start = from_at
    while start < to_at:
        offset = _offset(start, place)
        end = _first_change(start, to_at, offset, place)
        yield Span(start, end, offset)
        start = end


def window_at(number: int, window: Window, offset: timedelta, place: ZoneInfo) -> tuple[datetime, datetime]:
    """Start and end in UTC of the window that is `number` lengths after 1970 on a clock `offset` ahead of UTC."""
    length = _LENGTH[window]
    local = datetime(1970, 1, 1) + number * length  # noqa: DTZ001 - wall-clock time, the zone is added below
    if window is Window.DAY:
        return _from_wall(local, place), _from_wall(local + length, place)
    start = (local - offset).replace(tzinfo=UTC)
    return start, start + length


def months(from_at: datetime, to_at: datetime, place: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The calendar months of the zone that touch [from_at, to_at)."""
    local = from_at.astimezone(place)
    year, month = local.year, local.month
    while (start := _from_wall(datetime(year, month, 1), place)) < to_at:  # noqa: DTZ001
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield start, _from_wall(datetime(year, month, 1), place)  # noqa: DTZ001


def refuse_too_many(window: Window, from_at: datetime, to_at: datetime) -> None:
    """Raises QueryInvalid when [from_at, to_at) holds more windows than one answer may have."""
    if window is not Window.MONTH and (to_at - from_at) / _LENGTH[window] > WINDOW_ROWS_MAX:
        raise QueryInvalid(
            f"That would be more than {WINDOW_ROWS_MAX} windows.",
            remedy="Ask for a shorter time or longer windows.",
            field="windowSize",
        )


def length_in_microseconds(window: Window) -> int:
    """How long a window is, for MINUTE, HOUR and (on the wall clock) DAY."""
    return _LENGTH[window] // timedelta(microseconds=1)


def _offset(at: datetime, place: ZoneInfo) -> timedelta:
    return at.astimezone(place).utcoffset() or timedelta(0)


def _from_wall(local: datetime, place: ZoneInfo) -> datetime:
    return local.replace(tzinfo=place).astimezone(UTC)


def _first_change(start: datetime, limit: datetime, offset: timedelta, place: ZoneInfo) -> datetime:
    """The first second after `start` at which the offset differs, at most `limit`; zones change at most weekly."""
    probe = start
    while probe < limit:
        later = min(probe + timedelta(days=7), limit)
        if _offset(later, place) != offset:
            return _bisect(probe, later, offset, place)
        probe = later
    return limit


def _bisect(same: datetime, other: datetime, offset: timedelta, place: ZoneInfo) -> datetime:
    while other - same > timedelta(seconds=1):
        middle = (same + (other - same) / 2).replace(microsecond=0)
        if middle <= same:
            break
        if _offset(middle, place) == offset:
            same = middle
        else:
            other = middle
    return other.replace(microsecond=0) if other.microsecond else other
