"""The event store on ClickHouse: what its lack of transactions and unique keys must not let through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.backend import open_backend
from dashboard.kit.clock import SystemClock
from dashboard.kit.database import Database
from dashboard.kit.locks import Locks
from dashboard.settings import Settings
from dashboard.starting.event_commands import archive_of
from dashboard.usage.clickhouse import BadEventsAddress, ClickHouse, EventsUnavailable, open_clickhouse
from dashboard.usage.clickhouse_batches import PLACES
from dashboard.usage.clickhouse_event_store import ClickHouseEventStore
from dashboard.usage.errors import MeterFilling, NoArchiveHere
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.queries import measured_quantity
from dashboard.usage.service import create_meter, ingest_events
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.taking import SCALE
from dashboard.usage.times import microseconds
from dashboard.usage.views import Aggregation, EventFilter, MeterQuery, UsageEvent, Window
from tests.cast import ANN
from tests.event_stores import clickhouse as clickhouse
from tests.servers import Chdb

START = datetime(2026, 3, 27, tzinfo=UTC)
METER = MeterDefinition("tokens", "prompt", None, Aggregation.SUM, "$.tokens", (("model", "$.model"),))
Hook = Callable[[], Awaitable[None]]


class Watched(ClickHouse):
    """The real door, where something can happen before (or instead of) an insert into a table."""

    def __init__(self, real: ClickHouse) -> None:
        super().__init__(real._client, real._failures)
        self.before: dict[tuple[str, Any], Hook] = {}

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        fact = rows[0][1] if table == "usage_batch" else None
        hook = self.before.pop((table, fact), None)
        if hook is not None:
            await hook()
        await super().insert(table, columns, rows, token)


async def break_off() -> None:
    raise EventsUnavailable("The cable is out.")


def event(id_: str, tokens: str = "1", at: datetime = START, subject: str = "acme", model: str = "big") -> UsageEvent:
    return UsageEvent(id_, "app", "prompt", subject, at, f'{{"tokens": {tokens}, "model": "{model}"}}', at)


async def total(store: ClickHouseEventStore) -> Any:
    rows = await store.measure(METER, MeterQuery(START - timedelta(days=99), START + timedelta(days=99)))
    return rows[0].value if rows else 0


@asynccontextmanager
async def opened(door: ClickHouse, locks_url: str) -> AsyncIterator[ClickHouseEventStore]:
    """A store as a process has it, with a connection of its own for its lock; the door stays open."""
    database = Database(locks_url)
    locks = Locks(database)
    store = ClickHouseEventStore(door, SystemClock(), locks)
    await store.prepare()
    yield store
    await locks.close()
    await database.close()


@pytest.fixture
async def door(clickhouse: ClickHouse) -> AsyncIterator[Watched]:
    yield Watched(clickhouse)
    await clickhouse.close()


@pytest.fixture
async def store(door: Watched, tmp_path: Path) -> AsyncIterator[ClickHouseEventStore]:
    async with opened(door, f"sqlite:///{tmp_path / 'locks.db'}") as made:
        await made.define_meter(METER)
        yield made


@pytest.mark.parametrize(
    "place", [("usage_event", None), ("usage_event_key", None), ("usage_value", None), ("usage_batch", 0)]
)
async def test_a_request_that_broke_off_counts_for_nothing_and_counts_once_when_it_is_sent_again(
    store: ClickHouseEventStore, door: Watched, place: tuple[str, Any]
) -> None:
    await store.ingest([event("before", "1")])
    door.before[place] = break_off
    with pytest.raises(EventsUnavailable):
        await store.ingest([event("a", "10"), event("b", "100", START + timedelta(days=40))])
    assert (await total(store), len(await store.list_events(EventFilter()))) == (1, 1)
    assert await store.ingest([event("c", "1000")]) == 1
    assert await store.ingest([event("a", "10"), event("b", "100", START + timedelta(days=40))]) == 2
    assert await store.ingest([event("a", "10"), event("before", "1")]) == 0
    assert await total(store) == 1111
    assert [one.event.id for one in await store.list_events(EventFilter())] == ["b", "a", "c", "before"]


async def test_rows_that_arrive_after_their_batch_was_given_up_never_count(
    store: ClickHouseEventStore, door: Watched
) -> None:
    late: list[Hook] = []

    async def hold() -> None:
        async def arrive() -> None:
            row = (1, "acme", microseconds(START), 1 << PLACES, 7 * SCALE, None, "")
            await door.insert("usage_value", columns, [row], "late")

        late.append(arrive)
        raise EventsUnavailable("No answer in time.")

    columns = ("meter_no", "subject", "time", "seq", "scaled", "exact", "dimensions")
    door.before["usage_value", None] = hold
    with pytest.raises(EventsUnavailable):
        await store.ingest([event("a", "10")])
    assert await store.ingest([event("a", "10")]) == 1
    await late[0]()
    assert await total(store) == 10


async def test_two_processes_that_write_at_once_store_an_event_once(door: Watched, postgresql_url: str) -> None:
    async with opened(door, postgresql_url) as store, opened(door, postgresql_url) as other:
        await store.define_meter(METER)
        stores = [store, other]
        sent = [stores[n % 2].ingest([event(f"e{n // 2}"), event(f"e{n // 2 + 1}")]) for n in range(40)]
        assert sum(await asyncio.gather(*sent)) == 21
        assert (await total(store), await total(other)) == (21, 21)


async def test_who_lost_the_lock_unnoticed_is_told_that_nothing_is_stored(
    store: ClickHouseEventStore, door: Watched, tmp_path: Path
) -> None:
    # The other one has a lock of its own, as if ours had gone with the connection that held it.
    async with opened(door, f"sqlite:///{tmp_path / 'elsewhere.db'}") as other:

        async def take_over() -> None:
            assert await other.ingest([event("a", "10"), event("b", "100")]) == 2

        door.before["usage_batch", 0] = take_over
        with pytest.raises(EventsUnavailable):
            await store.ingest([event("a", "10")])
    assert await total(store) == 110
    assert await store.ingest([event("a", "10")]) == 0


async def test_a_commit_that_comes_while_it_is_doubted_stands(
    store: ClickHouseEventStore, door: Watched, tmp_path: Path
) -> None:
    doubted, committed = asyncio.Event(), asyncio.Event()

    async def commit_late() -> None:
        door.before["usage_batch", 2] = doubt
        taking_over.append(asyncio.create_task(other.ingest([event("b", "100")])))
        await doubted.wait()

    async def doubt() -> None:
        doubted.set()
        await committed.wait()

    taking_over: list[asyncio.Task[int]] = []
    async with opened(door, f"sqlite:///{tmp_path / 'elsewhere.db'}") as other:
        door.before["usage_batch", 0] = commit_late
        assert await store.ingest([event("a", "10")]) == 1
        committed.set()
        assert await taking_over[0] == 1
    assert await total(store) == 110


async def test_a_filling_that_broke_off_is_refused_rather_than_measured_and_begun_anew(
    store: ClickHouseEventStore, door: Watched
) -> None:
    await store.ingest([event("a", "10"), event("b", "100")])
    by_no_dimension = replace(METER, group_by=())
    door.before["usage_value", None] = break_off
    with pytest.raises(EventsUnavailable):
        await store.define_meter(by_no_dimension)
    await store.ingest([event("c", "1000")])
    with pytest.raises(MeterFilling):
        await total(store)
    for _ in range(2):
        await store.define_meter(by_no_dimension)
        assert await total(store) == 1110


async def test_a_sum_beyond_64_bits_keeps_every_digit(store: ClickHouseEventStore) -> None:
    await store.ingest([event(f"{n}", "9000000000000.123456") for n in range(3)])
    assert str(await total(store)) == "27000000000000.370368"


SENT = st.lists(
    st.tuples(
        st.integers(0, 40 * 86_400),
        st.decimals(-(10**6), 10**6, allow_nan=False, places=7),
        st.sampled_from(["acme", "globex", "it's; 100% \\ ünïcödé"]),
        st.sampled_from(["big", "small", "", "it's 100%"]),
    ),
    max_size=40,
)
QUERIES = st.fixed_dictionaries(
    {
        "window": st.sampled_from([None, *Window]),
        "time_zone": st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Europe/Berlin"]),
        "by_subject": st.booleans(),
        "group_by": st.sampled_from([(), ("model",)]),
        "filters": st.sampled_from([{}, {"model": ("big", "")}, {"model": ("it's 100%",)}]),
        "subjects": st.sampled_from([None, ("acme",), ("globex", "it's; 100% \\ ünïcödé")]),
        "from_at": st.integers(0, 20 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
        "to_at": st.integers(0, 10 * 86_400).map(lambda seconds: START + timedelta(days=20, seconds=seconds)),
    }
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=SENT, asked=QUERIES, aggregation=st.sampled_from(list(Aggregation)))
async def test_both_kinds_of_store_give_the_same_answer(
    store: ClickHouseEventStore,
    tmp_path: Path,
    sent: list[tuple[Any, ...]],
    asked: dict[str, Any],
    aggregation: Aggregation,
) -> None:
    path = None if aggregation is Aggregation.COUNT else "$.tokens"
    definition = replace(METER, meter_id="both", aggregation=aggregation, value_property=path)
    # What was sent in earlier rounds is there as well, and is the same in both.
    database = Database(f"sqlite:///{tmp_path / 'events.db'}")
    other = SqlEventStore(database)
    await other.prepare()
    already = len(await other.list_events(EventFilter(limit=10_000)))
    events = [
        event(f"{already + n}", f"{value:f}", START + timedelta(seconds=second), subject, model)
        for n, (second, value, subject, model) in enumerate(sent)
    ]
    for one in (store, other):
        await one.define_meter(definition)
        assert await one.ingest(events) == len(events)
    query = MeterQuery(**asked)
    assert await store.measure(definition, query) == await other.measure(definition, query)
    everything = MeterQuery(window=asked["window"] if asked["window"] is not Window.MINUTE else None)
    assert await store.measure(definition, everything) == await other.measure(definition, everything)
    for at in (None, asked["from_at"]):
        assert await store.subjects("both", at, None) == await other.subjects("both", at, None)
        assert await store.dimension_values("both", "model", None, at) == await other.dimension_values(
            "both", "model", None, at
        )
    await other.close()
    await database.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_whole_backend_meters_with_clickhouse_and_archives_nothing(
    clickhouse: ClickHouse, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the way there differs: an address leads to a server, and there is none here.
    monkeypatch.setattr("dashboard.backend.open_clickhouse", {"clickhouse://here/events": clickhouse}.__getitem__)
    wanted = Settings(data_dir=tmp_path, database_url=database_url, events_url="clickhouse://here/events")
    async with open_backend(wanted) as backend:
        new = CreateMeter(key="tokens", event_type="prompt", aggregation=Aggregation.SUM, value_property="$.tokens")
        meter = await create_meter(backend.database, backend.event_store, ANN, new)
        sent = [event("a", "1.5"), event("b", "2")]
        assert await ingest_events(backend.database, backend.event_store, sent) == 2
        end = START + timedelta(days=1)
        assert str(await measured_quantity(backend.event_store, meter, ["acme"], START, end)) == "3.500000"
        with pytest.raises(NoArchiveHere):
            archive_of(backend)
    assert not (tmp_path / "events.db").exists()


@pytest.mark.parametrize("address", ["postgresql://localhost/events", "clickhouse://", "nonsense"])
def test_an_address_that_is_not_clickhouses_is_refused(address: str) -> None:
    with pytest.raises(BadEventsAddress) as refused:
        open_clickhouse(address)
    assert "clickhouse://" in refused.value.for_people()


def test_a_server_that_does_not_answer_is_named(chdb: Chdb) -> None:
    with pytest.raises(EventsUnavailable) as refused:
        open_clickhouse("clickhouse://127.0.0.1:9/events?connect_timeout=2&query_retries=0")
    assert "127.0.0.1" in refused.value.message
