"""Times as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dashboard.ui.views import NO_MOMENT, day, day_text, exact_text, moment, relative_time, span_text

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=-20), "in a moment"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=-3), "in 3 days"),
        (timedelta(days=31), "21 Oct 2026"),
    ],
)
def test_a_time_is_said_as_seen_from_now(ago: timedelta, said: str) -> None:
    assert relative_time(NOW - ago, NOW) == said


def test_the_exact_time_is_in_utc_whatever_zone_it_came_in() -> None:
    written = moment(datetime(2026, 11, 21, 11, 0, tzinfo=timezone(timedelta(hours=1))), NOW)
    assert (written.exact, written.relative, written.iso) == (
        "21 Nov 2026, 10:00 UTC",
        "30 min ago",
        "2026-11-21T10:00:00+00:00",
    )


def test_a_day_shows_its_date() -> None:
    assert day(NOW, NOW).relative == "21 Nov 2026"


def test_no_time_shows_nothing() -> None:
    assert moment(None, NOW) == NO_MOMENT == day(None, NOW)


def test_days_and_spans_are_written_alike_everywhere_in_utc() -> None:
    east = datetime(2026, 11, 2, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert day_text(east) == "1 Nov 2026"
    assert exact_text(east) == "1 Nov 2026, 23:30 UTC"
    assert span_text(east, NOW) == "1 Nov 2026 – 21 Nov 2026"
