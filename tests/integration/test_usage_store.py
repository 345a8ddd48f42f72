import asyncio
import itertools
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.usage.errors import QueryInvalid
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.views import Aggregation, EventFilter, MeterQuery, UsageEvent, Window
from tests.event_stores import clickhouse as clickhouse
from tests.event_stores import store as store

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS = itertools.count()
AMOUNTS = st.decimals(-(10**13), 10**13, allow_nan=False, places=9).map(str)


def meter(aggregation=Aggregation.SUM, value="$.tokens", **group_by) -> MeterDefinition:
    path = None if aggregation is Aggregation.COUNT else value
    return MeterDefinition(f"meter-{aggregation}", "prompt", None, aggregation, path, tuple(group_by.items()))


def event(number: int, tokens: int | str = 1, subject="acme", at=START, **data) -> UsageEvent:
    text = json.dumps({"tokens": tokens, **data})
    return UsageEvent(f"e{number}", "app", "prompt", subject, at, text, at)


async def total(store, definition, **query):
    rows = await store.measure(definition, MeterQuery(START, START + timedelta(days=365), **query))
    return rows[0].value if rows else None


async def test_an_event_sent_twice_counts_once(store):
    await store.define_meter(meter())
    assert await store.ingest([event(1, 5), event(1, 7), event(2, 2)]) == 2
    assert await store.ingest([event(2, 2), event(3, 1)]) == 1
    assert await total(store, meter()) == 8


async def test_requests_that_come_at_once_share_commits_and_lose_nothing(store):
    await store.define_meter(meter())
    counts = await asyncio.gather(*(store.ingest([event(n), event(n + 1)]) for n in range(200)))
    assert sum(counts) == 201
    assert await total(store, meter()) == 201


async def test_an_event_is_the_same_one_under_another_time_too(store):
    await store.define_meter(meter())
    assert await store.ingest([event(1, 5)]) == 1
    assert await store.ingest([event(1, 5, at=START + timedelta(days=200))]) == 0
    assert await total(store, meter()) == 5


async def test_a_request_that_cannot_be_stored_does_not_spoil_those_that_came_with_it(store):
    await store.define_meter(meter())
    # Half of a surrogate pair: the door refuses it, no database can keep it.
    broken = replace(event(2), subject="\ud800")
    requests = [store.ingest(one) for one in ([event(1)], [event(3), broken], [event(4)], [event(5)])]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert isinstance(answers[1], Exception)
    assert [answers[0], *answers[2:]] == [1, 1, 1]
    assert await total(store, meter()) == 3


async def test_events_of_any_time_are_counted_in_the_order_they_came(store):
    await store.define_meter(meter())
    times = [datetime(year, 5, 5, tzinfo=UTC) for year in (1970, 2024, 2025, 2026, 2027, 9999)]
    await store.ingest([event(number, at=at) for number, at in enumerate(times)])
    rows = await store.measure(meter(), MeterQuery(times[0], times[-1] + timedelta(days=1)))
    assert rows[0].value == len(times)
    listed = await store.list_events(EventFilter())
    assert [one.event.time for one in listed] == times[::-1]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), amounts=st.lists(AMOUNTS, min_size=1, max_size=40))
async def test_no_order_of_arrival_and_no_replay_changes_a_sum(store, chance, amounts):
    run = next(RUNS)
    events = [replace(event(n, amount, f"s{run}"), id=f"{run}-{n}") for n, amount in enumerate(amounts)]
    sent = events + chance.choices(events, k=len(events))
    chance.shuffle(sent)
    cuts = sorted(chance.choices(range(len(sent) + 1), k=4))
    await store.define_meter(meter())
    parts = [sent[start:end] for start, end in itertools.pairwise([0, *cuts, len(sent)])]
    counts = await asyncio.gather(*(store.ingest(part) for part in parts))
    assert sum(counts) == len(events)
    assert await total(store, meter(), subjects=(f"s{run}",)) == sum(map(Decimal, amounts))


async def test_a_meter_made_later_counts_what_was_there_before_it(store):
    await store.ingest([event(n, n) for n in range(1, 11)])
    await store.define_meter(meter())
    await store.ingest([event(11, 100)])
    assert await total(store, meter()) == 155


async def test_a_changed_dimension_is_taken_out_of_old_events_too(store):
    await store.define_meter(meter())
    await store.ingest([event(1, 1, model="big"), event(2, 2, model="small")])
    by_model = meter(model="$.model")
    await store.define_meter(by_model)
    rows = await store.measure(by_model, MeterQuery(START, START + timedelta(days=1), group_by=("model",)))
    assert [(row.group_by["model"], row.value) for row in rows] == [("big", 1), ("small", 2)]
    assert await total(store, by_model, filters={"model": ("small",)}) == 2
    assert await store.dimension_values(by_model.meter_id, "model", None, None) == ["big", "small"]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        (Aggregation.SUM, Decimal("6.5")),
        (Aggregation.COUNT, Decimal(4)),
        (Aggregation.AVG, Decimal("1.625")),
        (Aggregation.MIN, Decimal("0.5")),
        (Aggregation.MAX, Decimal("3")),
        (Aggregation.UNIQUE_COUNT, Decimal(3)),
        (Aggregation.LATEST, Decimal("0.5")),
    ],
)
async def test_each_aggregation_gives_the_figure_a_hand_would(store, aggregation, expected):
    await store.define_meter(meter(aggregation))
    values = [(0, "1.5"), (5, 3), (9, "0.5"), (2, "1.5")]
    await store.ingest([event(n, v, at=START + timedelta(hours=hour)) for n, (hour, v) in enumerate(values)])
    assert await total(store, meter(aggregation)) == expected


async def test_digits_beyond_millionths_are_kept(store):
    await store.define_meter(meter())
    await store.ingest([event(1, "0.000000000000000001"), event(2, "12345678901234567890"), event(3, "-0.5")])
    assert await total(store, meter()) == Decimal("12345678901234567889.500000000000000001")


async def test_the_longest_values_there_may_be_are_added_to_the_last_digit(store):
    await store.define_meter(meter())
    large, small = "9" * 38, "0." + "0" * 37 + "1"
    await store.ingest([event(1, large), event(2, large), event(3, small)])
    assert await total(store, meter()) == Decimal(f"1{'9' * 37}8.{'0' * 37}1")


async def test_a_value_that_is_no_number_is_stored_but_not_counted(store):
    await store.define_meter(meter())
    await store.ingest([event(1, "many"), event(2, 3)])
    assert await total(store, meter()) == 3
    assert len(await store.list_events(EventFilter())) == 2


async def test_the_end_of_a_period_is_not_part_of_it(store):
    await store.define_meter(meter())
    await store.ingest([event(1, 1), event(2, 10, at=START + timedelta(days=1))])
    rows = await store.measure(meter(), MeterQuery(START, START + timedelta(days=1)))
    assert [row.value for row in rows] == [1]


async def test_days_follow_the_wall_clock_of_their_zone_over_daylight_saving(store):
    await store.define_meter(meter())
    night = datetime(2026, 3, 28, 23, tzinfo=UTC)
    await store.ingest([event(n, 1, at=night + timedelta(hours=n)) for n in range(48)])
    query = MeterQuery(night, night + timedelta(hours=47), Window.DAY, time_zone="Europe/Berlin")
    rows = await store.measure(meter(), query)
    assert [(row.to_at - row.from_at, row.value) for row in rows] == [
        (timedelta(hours=23), 23),
        (timedelta(hours=24), 24),
    ]


@pytest.mark.parametrize("window", list(Window))
async def test_the_windows_of_a_query_add_up_to_the_whole(store, window):
    await store.define_meter(meter())
    chance = random.Random(7)
    await store.ingest(
        [
            event(n, chance.randint(1, 9), at=START + timedelta(seconds=chance.randint(0, 40 * 86400)))
            for n in range(300)
        ]
    )
    end = START + timedelta(days=41)
    span = MeterQuery(START, end)
    if window is Window.MINUTE:
        end = START + timedelta(days=20)
        span = MeterQuery(START, end)
    rows = await store.measure(meter(), MeterQuery(START, end, window, time_zone="America/New_York"))
    assert sum(row.value for row in rows) == (await store.measure(meter(), span))[0].value
    assert all(earlier.to_at <= later.from_at for earlier, later in itertools.pairwise(rows))


async def test_subjects_are_kept_apart_or_added_up_as_asked(store):
    await store.define_meter(meter())
    await store.ingest([event(1, 1, "acme"), event(2, 2, "globex"), event(3, 4, "initech")])
    assert await total(store, meter(), subjects=("acme", "globex")) == 3
    rows = await store.measure(meter(), MeterQuery(START, START + timedelta(days=1), by_subject=True))
    assert [(row.subject, row.value) for row in rows] == [("acme", 1), ("globex", 2), ("initech", 4)]
    assert await store.subjects(meter().meter_id, None, None) == ["acme", "globex", "initech"]


async def test_an_unknown_time_zone_is_refused(store):
    await store.define_meter(meter())
    await store.ingest([event(1)])
    with pytest.raises(QueryInvalid):
        await store.measure(meter(), MeterQuery(START, START + timedelta(days=1), Window.DAY, "Mars/Olympus"))


async def test_events_are_listed_newest_first_and_page_by_page(store):
    await store.ingest([event(n) for n in range(5)])
    first = await store.list_events(EventFilter(limit=3))
    second = await store.list_events(EventFilter(limit=3, before=first[-1].place))
    assert [stored.event.id for stored in first + second] == ["e4", "e3", "e2", "e1", "e0"]


async def test_a_forgotten_meter_measures_nothing_and_the_events_stay(store):
    await store.define_meter(meter())
    await store.ingest([event(1)])
    await store.forget_meter(meter().meter_id)
    assert await total(store, meter()) is None
    assert len(await store.list_events(EventFilter())) == 1
