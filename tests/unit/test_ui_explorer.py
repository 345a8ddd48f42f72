"""The usage explorer: what an address asks, and the answer as rows, a drawing and CSV."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.ui.listing import Address
from dashboard.ui.meters.explorer import CUSTOM, OTHERS, SERIES, Answer, csv_of, drawing_of, question_of, rows_of
from dashboard.usage.views import Aggregation, Measurement, Meter, Window

NOW = datetime(2026, 3, 15, 10, 30, tzinfo=UTC)
METER = Meter(
    "01M", "tokens", "Tokens", None, "prompt", None, Aggregation.SUM, "$.tokens", {"model": "$.model"}, {}, NOW, NOW
)


def asked(**query: str):
    return question_of(Address("/meters/tokens", query), METER, NOW)


@pytest.mark.parametrize(
    ("query", "from_at", "to_at", "window"),
    [
        ({}, datetime(2026, 2, 14, tzinfo=UTC), NOW + timedelta(seconds=1), Window.DAY),
        ({"range": "24h"}, datetime(2026, 3, 14, 11, tzinfo=UTC), NOW + timedelta(seconds=1), Window.HOUR),
        ({"range": "month"}, datetime(2026, 3, 1, tzinfo=UTC), NOW + timedelta(seconds=1), Window.DAY),
        ({"range": "last_month"}, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), Window.DAY),
        (
            {"range": "90d", "window": "MONTH"},
            datetime(2025, 12, 16, tzinfo=UTC),
            NOW + timedelta(seconds=1),
            Window.MONTH,
        ),
    ],
)
def test_a_range_is_whole_windows_up_to_now(
    query: dict[str, str], from_at: datetime, to_at: datetime, window: Window
) -> None:
    found = asked(**query)
    assert (found.from_at, found.to_at, found.window) == (from_at, to_at, window)


def test_an_address_names_its_own_time_as_an_invoice_does() -> None:
    found = asked(**{"from": "2026-01-31T09:00:00+01:00", "to": "2026-02-28", "customer": "01C"})
    assert (found.range, found.customer_id) == (CUSTOM, "01C")
    assert found.from_at == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert found.to_at == datetime(2026, 2, 28, tzinfo=UTC)
    assert found.period == "31 Jan 2026, 08:00 – 28 Feb 2026 UTC"


def test_what_an_address_cannot_mean_is_the_usual_view() -> None:
    backwards = asked(**{"from": "2026-02-28", "to": "2026-01-31", "range": "ever", "window": "YEAR", "by": "colour"})
    assert backwards == asked()
    assert asked(**{"from": "yesterday", "to": "2026-01-31"}) == asked()


def test_the_drawing_tells_the_largest_groups_apart_and_adds_up_the_rest() -> None:
    question = asked(by="model")
    day = datetime(2026, 3, 1, tzinfo=UTC)
    rows = tuple(
        (Measurement(day, day + timedelta(days=1), Decimal(10 - number)), f"model-{number}") for number in range(8)
    )
    names, points = drawing_of(Answer(rows, Decimal(52)), question)
    assert names == ["model-0", "model-1", "model-2", "model-3", "model-4", OTHERS]
    assert len(names) == SERIES
    assert points == [{"period": "1 Mar 2026", "s0": 10, "s1": 9, "s2": 8, "s3": 7, "s4": 6, "s5": 5 + 4 + 3}]


def test_the_table_begins_with_the_newest_and_the_csv_keeps_every_digit() -> None:
    question = asked(by="model")
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    rows = (
        (Measurement(first, second, Decimal("1234567.123456")), "large"),
        (Measurement(second, second + timedelta(days=1), Decimal(2)), "small, cheap"),
    )
    found = Answer(rows, None)
    assert [(row.period, row.group, row.value) for row in rows_of(found, question)] == [
        ("2 Mar 2026", "small, cheap", "2"),
        ("1 Mar 2026", "large", "1,234,567.123456"),
    ]
    assert csv_of(found, question).splitlines() == [
        "from,to,model,value",
        "2026-03-01T00:00:00+00:00,2026-03-02T00:00:00+00:00,large,1234567.123456",
        '2026-03-02T00:00:00+00:00,2026-03-03T00:00:00+00:00,"small, cheap",2',
    ]
