"""The time, as a thing that is handed in, so that tests and demos can move it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

import isodate


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time in UTC, always with its zone."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A time that stands still until somebody moves it."""

    def __init__(self, at: datetime) -> None:
        self._at = _in_utc(at)

    def now(self) -> datetime:
        return self._at

    def move_to(self, at: datetime) -> None:
        self._at = _in_utc(at)

    def advance(self, by: timedelta) -> None:
        self._at += by


class OffsetClock:
    """The machine's time, shifted."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, by: timedelta) -> None:
        self.offset += by


def clock_from_text(text: str | None) -> Clock:
    """The clock that `METERDESK_CLOCK` asks for: nothing, `fixed:<RFC 3339>` or `offset:<ISO 8601 duration>`.

    Raises ValueError, with the accepted forms in its sentence, for anything else.
    """
    if not text:
        return SystemClock()
    kind, _, rest = text.partition(":")
    try:
        if kind == "fixed":
            return FixedClock(datetime.fromisoformat(rest))
        if kind == "offset":
            now = datetime.now(UTC)
            return OffsetClock(now + isodate.parse_duration(rest) - now)
    except (ValueError, isodate.ISO8601Error) as error:
        raise ValueError(f"METERDESK_CLOCK: {rest!r} cannot be read ({error})") from error
    raise ValueError("METERDESK_CLOCK takes `fixed:2026-01-31T00:00:00Z` or `offset:P31D`")


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone means nothing here")
    return at.astimezone(UTC)
