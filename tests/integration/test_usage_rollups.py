import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.kit.clock import FixedClock
from dashboard.kit.database import SYSTEM, Database
from dashboard.usage.archive import EventArchive
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.months import month_of
from dashboard.usage.rollups import stretches
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.times import DAY
from dashboard.usage.views import Aggregation, MeterQuery, UsageEvent, Window

START = datetime(2026, 1, 30, tzinfo=UTC)
NOW = datetime(2026, 2, 9, 12, tzinfo=UTC)
RUNS = itertools.count()


@pytest.fixture
async def events_database(database_url):
    database = Database(database_url, clock=FixedClock(NOW))
    yield database
    await database.close()


@pytest.fixture
async def store(events_database):
    store = SqlEventStore(events_database)
    await store.prepare()
    yield store
    await store.close()


def meter(aggregation=Aggregation.SUM, run=0) -> MeterDefinition:
    value = None if aggregation is Aggregation.COUNT else "$.value"
    return MeterDefinition(f"{aggregation}-{run}", f"type-{run}", None, aggregation, value, (("model", "$.model"),))


def event(id_: str, at: datetime, value="1", subject="acme", model="big", run=0) -> UsageEvent:
    return UsageEvent(id_, "app", f"type-{run}", subject, at, f'{{"value": {value}, "model": "{model}"}}', at)


async def both_ways(store, definition, **query) -> list:
    """What the values say, once it is certain that the rollups say the same."""
    asked = MeterQuery(**query)
    raw = await store.measure(definition, asked)
    assert await store.measure(definition, replace(asked, rollups=True)) == raw
    return raw


async def spoil_values(database: Database) -> None:
    """Makes the values wrong behind the store's back, so that it shows who reads them."""
    async with database.transaction(SYSTEM) as work:
        await (await work.session.connection()).exec_driver_sql("UPDATE usage_value SET scaled = scaled * 2")


async def test_days_that_are_over_are_read_from_rollups_and_today_is_not(store, events_database):
    await store.define_meter(meter())
    await store.ingest([event("1", START, "3"), event("2", NOW - timedelta(hours=1), "0.5")])
    await store.refresh_rollups()
    await spoil_values(events_database)
    whole = MeterQuery(START, NOW)
    assert (await store.measure(meter(), whole))[0].value == 7
    assert (await store.measure(meter(), replace(whole, rollups=True)))[0].value == 4


async def test_a_late_event_shows_at_once(store):
    await store.define_meter(meter())
    await store.ingest([event("1", START, "3")])
    await store.refresh_rollups()
    await store.ingest([event("2", START + timedelta(hours=1), "4"), event("1", START, "3")])
    for _ in range(2):
        rows = await both_ways(store, meter(), from_at=START, to_at=NOW, window=Window.DAY)
        assert [row.value for row in rows] == [7]
        await store.refresh_rollups()


async def test_values_beyond_millionths_keep_every_digit(store):
    await store.define_meter(meter())
    await store.ingest([event("1", START, "0.000000000000000001"), event("2", START + timedelta(days=1), "2")])
    await store.refresh_rollups()
    (row,) = await both_ways(store, meter(), from_at=START, to_at=NOW)
    assert row.value == Decimal("2.000000000000000001")


async def test_a_meter_that_is_changed_or_forgotten_leaves_no_figures_behind(store):
    await store.define_meter(meter())
    await store.ingest([event("1", START)])
    await store.refresh_rollups()
    await store.define_meter(replace(meter(), group_by=()))
    (row,) = await both_ways(store, replace(meter(), group_by=()), from_at=START, to_at=NOW)
    assert row.value == 1
    await store.forget_meter(meter().meter_id)
    await store.define_meter(replace(meter(), event_type="other"))
    assert await both_ways(store, replace(meter(), event_type="other"), from_at=START, to_at=NOW) == []


async def test_a_month_that_comes_back_is_counted_once(store, events_database, tmp_path):
    class Nothing:
        async def needed_from(self) -> None:
            return None

    archive = EventArchive(events_database, tmp_path)
    await store.define_meter(meter())
    await store.ingest([event("1", START, "3"), event("2", NOW - timedelta(days=3), "4")])
    await store.refresh_rollups()
    await archive.archive_before(month_of(NOW), Nothing())
    await store.ingest([event("3", START, "5")])
    await store.refresh_rollups()
    await archive.restore(month_of(START))
    for _ in range(2):
        (row,) = await both_ways(store, meter(), from_at=START, to_at=NOW)
        assert row.value == 12
        await store.refresh_rollups()


async def test_a_store_from_before_there_were_rollups_is_read_right(store, events_database):
    await store.define_meter(meter())
    await store.ingest([event("1", START, "3")])
    async with events_database.transaction(SYSTEM) as work:
        await (await work.session.connection()).exec_driver_sql("DELETE FROM usage_day")
    await store.prepare()
    (row,) = await both_ways(store, meter(), from_at=START, to_at=NOW)
    assert row.value == 3


SENT = st.lists(
    st.tuples(
        st.integers(0, 10 * 86_400),
        st.decimals(-(10**6), 10**6, allow_nan=False, places=7),
        st.sampled_from(["acme", "globex"]),
        st.sampled_from(["big", "small", ""]),
        st.booleans(),
    ),
    max_size=30,
)
QUERIES = st.fixed_dictionaries(
    {
        "window": st.sampled_from([None, *Window]),
        "time_zone": st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
        "by_subject": st.booleans(),
        "group_by": st.sampled_from([(), ("model",)]),
        "filters": st.sampled_from([{}, {"model": ("big", "")}]),
        "from_at": st.integers(0, 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
        "to_at": st.integers(0, 10 * 86_400).map(lambda seconds: START + timedelta(seconds=86_400 + seconds)),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=SENT, asked=QUERIES, aggregation=st.sampled_from(list(Aggregation)))
async def test_rollups_answer_what_the_values_do_in_whatever_order_events_come(store, sent, asked, aggregation):
    run = next(RUNS)
    definition = meter(aggregation, run)
    await store.define_meter(definition)
    for number, (second, value, subject, model, refresh) in enumerate(sent):
        at = START + timedelta(seconds=second)
        await store.ingest([event(f"{run}-{number}", at, f"{value:f}", subject, model, run)])
        if refresh:
            await store.refresh_rollups()
    await both_ways(store, definition, **asked)
    await store.forget_meter(definition.meter_id)


@given(
    start=st.integers(0, 5 * DAY),
    length=st.integers(1, 8 * DAY),
    unrolled=st.sets(st.integers(0, 14)),
)
def test_stretches_cover_a_time_once_and_in_order(start, length, unrolled):
    end = start + length
    inside = sorted(day for day in unrolled if start <= day * DAY and (day + 1) * DAY <= end)
    pieces = stretches(start, end, inside)
    assert [piece[0] for piece in pieces] == [start, *(piece[1] for piece in pieces[:-1])]
    assert pieces[-1][1] == end
    for piece_start, piece_end, rolled in pieces:
        if rolled:
            assert piece_start % DAY == piece_end % DAY == 0
            assert not any(piece_start <= day * DAY < piece_end for day in inside)
