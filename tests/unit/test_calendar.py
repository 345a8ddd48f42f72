from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.kit.calendar import BadDuration, BadPeriod, Duration, Period, Recurrence, TimeOutOfRange, cut_to_seconds

TIMES = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2060, 1, 1)).map(  # noqa: DTZ001 - zoned next
    lambda at: at.replace(tzinfo=UTC)
)
INTERVALS = st.one_of(
    st.builds(Duration, months=st.integers(1, 30)),
    st.builds(Duration, days=st.integers(1, 400)),
    st.builds(Duration, weeks=st.integers(1, 60)),
    st.builds(Duration, months=st.integers(0, 3), days=st.integers(1, 40), hours=st.integers(0, 30)),
    st.builds(Duration, minutes=st.integers(1, 10_000)),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["P1M", "P1Y", "P1DT20H", "-P3M", "PT0S", "P2W", "PT1.5S", "P1Y2M3W4DT5H6M7S", "-P1DT0.000001S"]
)
def test_a_duration_comes_back_as_it_was_written(text):
    assert str(Duration.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "1M",
        "P1",
        "P1H",
        "PT1D",
        "P-1M",
        "P1.5M",
        "P1M ",
        "PT1S1M",
        "P1D1M",
        "p1m",
        "P1MT",
        "P" + "1" * 99,
        "١",
    ],
)
def test_anything_else_is_no_duration(text):
    with pytest.raises(BadDuration):
        Duration.parse(text)


def test_a_month_after_the_31st_is_the_last_of_a_shorter_month():
    month = Duration.parse("P1M")
    assert month.added_to(at("2025-01-31")) == at("2025-02-28")
    assert month.added_to(at("2024-01-31")) == at("2024-02-29")
    assert Duration.parse("P1M1D").added_to(at("2025-01-31")) == at("2025-03-01")


def test_an_anchor_on_the_31st_comes_back_to_the_31st():
    monthly = Recurrence(Duration.parse("P1M"), at("2025-01-31"))
    assert [monthly.occurrence(n) for n in range(4)] == [
        at("2025-01-31"), at("2025-02-28"), at("2025-03-31"), at("2025-04-30"),
    ]  # fmt: skip
    yearly = Recurrence(Duration.parse("P1Y"), at("2024-02-29"))
    assert [yearly.occurrence(n) for n in (1, 4)] == [at("2025-02-28"), at("2028-02-29")]


@given(INTERVALS, TIMES, TIMES)
def test_every_moment_lies_in_exactly_one_period_and_its_neighbours_touch(interval, anchor, moment):
    dates = Recurrence(interval, anchor)
    period = dates.period_at(moment)
    assert period.contains(moment)
    assert dates.period_at(period.end).start == period.end
    assert dates.prev_before(period.end) == period.start
    assert dates.next_after(period.start) == period.end


@given(INTERVALS, TIMES, st.integers(-40, 40))
def test_an_occurrence_is_found_again_from_both_sides(interval, anchor, number):
    dates = Recurrence(interval, anchor)
    found = dates.occurrence(number)
    assert dates.next_after(found, inclusive=True) == found == dates.prev_before(found, inclusive=True)
    assert dates.prev_before(found) < found < dates.next_after(found)
    assert dates.next_after(found - timedelta(microseconds=1)) == found


def test_periods_follow_each_other_from_a_moment_on():
    periods = Recurrence(Duration.parse("P1M"), at("2025-01-31")).periods_from(at("2025-02-10"))
    assert [next(periods) for _ in range(2)] == [
        Period(at("2025-01-31"), at("2025-02-28")),
        Period(at("2025-02-28"), at("2025-03-31")),
    ]


@pytest.mark.parametrize("interval", ["PT0S", "-P1M", "P0D"])
def test_nothing_repeats_every_nothing(interval):
    with pytest.raises(BadDuration):
        Recurrence(Duration.parse(interval), at("2025-01-01"))


def test_a_date_beyond_the_calendar_is_refused_not_crashed_on():
    with pytest.raises(TimeOutOfRange):
        Duration.parse("P9000Y").added_to(at("2025-01-01"))
    with pytest.raises(TimeOutOfRange):
        Duration.parse("P" + "9" * 40 + "D").added_to(at("2025-01-01"))


def test_a_day_fits_into_a_month_of_any_length_but_24_hours_do_not_fit_into_every_day():
    assert Duration.parse("P1M").is_divisible_by(Duration.parse("P1D"))
    assert not Duration.parse("P1D").is_divisible_by(Duration.parse("PT24H"))
    assert Duration.parse("P1D").is_divisible_by(Duration.parse("PT1H"))


def test_a_period_contains_its_start_and_not_its_end():
    day = Period(at("2025-01-01"), at("2025-01-02"))
    assert day.contains(day.start)
    assert not day.contains(day.end)
    assert day.intersection(Period(at("2025-01-02"), at("2025-01-03"))) is None
    assert day.intersection(Period(at("2025-01-01T12:00:00"), at("2025-01-05"))) == Period(
        at("2025-01-01T12:00:00"), at("2025-01-02")
    )


def test_a_period_needs_zones_and_the_right_order():
    with pytest.raises(BadPeriod):
        Period(at("2025-01-02"), at("2025-01-01"))
    with pytest.raises(BadPeriod):
        Period(datetime(2025, 1, 1), datetime(2025, 1, 2))  # noqa: DTZ001 - that is what is refused


def test_billing_knows_whole_seconds_only():
    assert cut_to_seconds(at("2025-01-01T00:00:00.999999")) == at("2025-01-01")


def test_durations_are_added_part_by_part():
    assert Duration.parse("P1M").plus(Duration.parse("P1M15D")) == Duration.parse("P2M15D")
    assert Duration.parse("-P1D").plus(Duration.parse("-PT6H")) == Duration.parse("-P1DT6H")
    assert Duration.parse("P1M").plus(Duration()) == Duration.parse("P1M")
    with pytest.raises(ValueError, match="different directions"):
        Duration.parse("P1M").plus(Duration.parse("-P1D"))
