"""What screens hold: small frozen records of text. A state never keeps rows, decimals or secrets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in three writings: for programs, seen from now, and written out in UTC."""

    iso: str = ""
    relative: str = ""
    exact: str = ""


NO_MOMENT = Moment()


def moment(at: datetime | None, now: datetime) -> Moment:
    """`at` as one would say it at `now`; empty texts for None. Both need a time zone."""
    if at is None:
        return NO_MOMENT
    at = at.astimezone(UTC)
    return Moment(at.isoformat(), relative_time(at, now), exact_text(at))


def day(at: datetime | None, now: datetime) -> Moment:
    """Like `moment`, for what falls on a day: “21 Nov 2026”, exact to the minute only on hover."""
    if at is None:
        return NO_MOMENT
    at = at.astimezone(UTC)
    return Moment(at.isoformat(), day_text(at), exact_text(at))


def relative_time(at: datetime, now: datetime) -> str:
    """“just now”, “5 min ago”, “in 3 h”, “2 days ago”; a date when it is more than 30 days away."""
    distance = abs(at - now)
    if distance < timedelta(minutes=1):
        return "just now" if at <= now else "in a moment"
    if distance > timedelta(days=30):
        return day_text(at)
    text = _span(distance)
    return f"{text} ago" if at <= now else f"in {text}"


def day_text(at: datetime) -> str:
    """“1 Nov 2026”: the day in UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y}"


def exact_text(at: datetime) -> str:
    """“1 Nov 2026, 10:30 UTC”."""
    return f"{day_text(at)}, {at.astimezone(UTC):%H:%M} UTC"


def span_text(start: datetime, end: datetime) -> str:
    """“1 Nov 2026 – 1 Dec 2026”: from a day up to another."""
    return f"{day_text(start)} – {day_text(end)}"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a timeline. `tone` is one of `theme.TONES`; `detail` and `actor` may be empty."""

    title: str
    at: Moment
    tone: str = "neutral"
    detail: str = ""
    actor: str = ""


def _span(distance: timedelta) -> str:
    minutes = int(distance.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h"
    days = minutes // (24 * 60)
    return "1 day" if days == 1 else f"{days} days"
