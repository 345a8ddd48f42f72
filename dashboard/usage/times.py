"""Times as the event store keeps them: whole microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000
"""A day of UTC in microseconds; `time // DAY` is its number since 1970."""


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """The time that is `value` microseconds after 1970."""
    return EPOCH + value * MICROSECOND
