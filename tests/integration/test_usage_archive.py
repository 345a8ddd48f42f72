import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database
from dashboard.usage.archive import EventArchive
from dashboard.usage.errors import ArchiveDamaged, MonthArchived, NoSuchMonth, UsageStillNeeded
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.months import month_of
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import Aggregation, EventFilter, MeterQuery, UsageEvent

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
METER = MeterDefinition("tokens", "prompt", None, Aggregation.SUM, "$.tokens", (("model", "$.model"),))


class Needed:
    """Says what a test tells it to."""

    def __init__(self, from_at: datetime | None = None) -> None:
        self.from_at = from_at

    async def needed_from(self) -> datetime | None:
        return self.from_at


NOTHING = Needed()


class Shelf:
    """A store with an archive beside it."""

    def __init__(self, database: Database, folder) -> None:
        self.store = SqlEventStore(database)
        self.archive = EventArchive(database, folder)

    async def total(self, from_at=JANUARY, to_at=APRIL):
        rows = await self.store.measure(METER, MeterQuery(from_at, to_at))
        return rows[0].value if rows else 0

    async def ids(self) -> list[str]:
        return [one.event.id for one in await self.store.list_events(EventFilter())]


@pytest.fixture
async def shelf(database_url, tmp_path):
    database = Database(database_url, clock=FixedClock(APRIL + timedelta(days=3)))
    shelf = Shelf(database, tmp_path / "archive")
    await shelf.store.prepare()
    await shelf.store.define_meter(METER)
    yield shelf
    await shelf.store.close()
    await database.close()


def event(id_: str, at: datetime, tokens: str = "1") -> UsageEvent:
    return UsageEvent(id_, "app", "prompt", "acme", at, f'{{"tokens": {tokens}, "model":\n "big"}}', at)


async def fill(shelf: Shelf) -> None:
    await shelf.store.ingest(
        [
            event("jan", JANUARY, "0.1"),
            event("feb", MARCH - timedelta(microseconds=1), "12345678901234567890.5"),
            event("mar", MARCH, "4"),
        ]
    )


async def test_an_archived_month_is_in_a_file_and_no_longer_in_the_store(shelf):
    await fill(shelf)
    done = await shelf.archive.archive_before(month_of(MARCH), NOTHING)
    assert [(one.month, one.events, one.removed) for one in done] == [("2026-01", 1, True), ("2026-02", 1, True)]
    assert await shelf.ids() == ["mar"]
    with gzip.open(shelf.archive.folder / done[1].file) as lines:
        (line,) = [json.loads(line) for line in lines]
    assert (line["id"], line["time"], line["specversion"]) == ("feb", "2026-02-28T23:59:59.999999Z", "1.0")
    assert line["data"]["model"] == "big"


async def test_what_is_archived_is_refused_rather_than_measured_as_nothing(shelf):
    await fill(shelf)
    await shelf.archive.archive_before(month_of(FEBRUARY), NOTHING)
    with pytest.raises(MonthArchived):
        await shelf.total()
    with pytest.raises(MonthArchived):
        await shelf.store.measure(METER, MeterQuery())
    assert await shelf.total(MARCH, APRIL) == 4


async def test_a_month_comes_back_to_the_last_digit_and_in_its_order(shelf):
    await fill(shelf)
    before = await shelf.store.list_events(EventFilter())
    whole = await shelf.total()
    await shelf.archive.archive_before(month_of(MARCH), NOTHING)
    assert await shelf.archive.restore(month_of(FEBRUARY)) == 1
    assert await shelf.archive.restore(month_of(JANUARY)) == 1
    after = await shelf.store.list_events(EventFilter())
    assert [(one.place, one.event.id, one.event.time) for one in after] == [
        (one.place, one.event.id, one.event.time) for one in before
    ]
    assert await shelf.total() == whole
    assert await shelf.archive.archived() == []


async def test_a_replay_of_an_archived_event_is_a_repeat_and_late_ones_count(shelf):
    await fill(shelf)
    await shelf.archive.archive_before(month_of(APRIL), NOTHING)
    assert await shelf.store.ingest([event("jan", JANUARY), event("late", JANUARY, "3")]) == 1
    late = await shelf.archive.archive_before(month_of(APRIL), NOTHING)
    assert [(one.month, one.events) for one in late] == [("2026-01", 1)]
    assert await shelf.archive.restore(month_of(JANUARY)) == 2
    assert await shelf.store.ingest([event("jan", JANUARY), event("late", JANUARY)]) == 0
    assert await shelf.total(JANUARY, FEBRUARY) == Decimal("3.1")


async def test_a_place_is_never_given_twice(shelf):
    await fill(shelf)
    places = {one.place for one in await shelf.store.list_events(EventFilter())}
    await shelf.archive.archive_before(month_of(APRIL), NOTHING)
    await shelf.store.ingest([event("new", APRIL)])
    (stored,) = await shelf.store.list_events(EventFilter())
    assert stored.place > max(places)


async def test_a_month_that_is_still_needed_stays_and_so_do_the_others(shelf):
    await fill(shelf)
    with pytest.raises(UsageStillNeeded):
        await shelf.archive.archive_before(month_of(MARCH), Needed(MARCH - timedelta(days=1)))
    assert await shelf.archive.archived() == []
    assert not list(shelf.archive.folder.glob("*"))
    assert len(await shelf.archive.archive_before(month_of(MARCH), Needed(MARCH))) == 2


async def test_what_begins_to_need_a_month_while_it_is_written_keeps_it(shelf):
    class ChangingItsMind:
        asked = 0

        async def needed_from(self):
            self.asked += 1
            return JANUARY if self.asked > 1 else None

    await fill(shelf)
    with pytest.raises(UsageStillNeeded):
        await shelf.archive.archive_before(month_of(MARCH), ChangingItsMind())
    assert len(await shelf.ids()) == 3
    assert await shelf.archive.archived() == []


async def test_the_running_month_is_refused(shelf):
    with pytest.raises(NoSuchMonth):
        await shelf.archive.archive_before(month_of(APRIL) + 1, NOTHING)


@pytest.mark.parametrize("harm", ["cut", "other", "gone"])
async def test_a_damaged_file_is_refused_and_changes_nothing(shelf, harm):
    await fill(shelf)
    (done,) = await shelf.archive.archive_before(month_of(FEBRUARY), NOTHING)
    path = shelf.archive.folder / done.file
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif harm == "other":
        path.write_bytes(gzip.compress(b'{"id": "jan"}\n'))
    else:
        path.unlink()
    with pytest.raises(ArchiveDamaged):
        await shelf.archive.restore(month_of(JANUARY))
    assert [one.month for one in await shelf.archive.archived()] == ["2026-01"]
    assert len(await shelf.ids()) == 2


@pytest.mark.parametrize("step", ["remove_events", "remove_values"])
async def test_a_crash_while_events_are_removed_is_mended_by_the_next_run(shelf, monkeypatch, step):
    await fill(shelf)
    whole = await shelf.total()

    async def crash(*_):
        raise SystemError("the power went")

    with monkeypatch.context() as broken:
        broken.setattr(shelf.archive._tables, step, crash)
        with pytest.raises(SystemError):
            await shelf.archive.archive_before(month_of(MARCH), NOTHING)
    with pytest.raises(MonthArchived):
        await shelf.total()
    assert [one.removed for one in await shelf.archive.archived()] == [False]
    await shelf.archive.archive_before(month_of(MARCH), NOTHING)
    assert [one.removed for one in await shelf.archive.archived()] == [True, True]
    for month in (JANUARY, FEBRUARY):
        await shelf.archive.restore(month_of(month))
    assert await shelf.total() == whole


async def test_a_crash_while_a_month_comes_back_is_mended_by_the_next_run(shelf, monkeypatch):
    await fill(shelf)
    whole = await shelf.total()
    await shelf.archive.archive_before(month_of(MARCH), NOTHING)

    async def crash(*_, **__):
        raise SystemError("the power went")

    with monkeypatch.context() as broken:
        broken.setattr(shelf.archive._tables, "insert_values", crash)
        with pytest.raises(SystemError):
            await shelf.archive.restore(month_of(JANUARY))
    with pytest.raises(MonthArchived):
        await shelf.total()
    for month in (JANUARY, FEBRUARY):
        await shelf.archive.restore(month_of(month))
    assert await shelf.total() == whole


async def test_a_meter_made_after_archiving_counts_what_comes_back(shelf):
    await fill(shelf)
    await shelf.archive.archive_before(month_of(MARCH), NOTHING)
    count = MeterDefinition("prompts", "prompt", None, Aggregation.COUNT, None, ())
    await shelf.store.define_meter(count)
    for month in (JANUARY, FEBRUARY):
        await shelf.archive.restore(month_of(month))
    (row,) = await shelf.store.measure(count, MeterQuery(JANUARY, APRIL))
    assert row.value == 3


async def test_events_that_arrive_while_a_month_is_archived_are_neither_lost_nor_doubled(shelf):
    await fill(shelf)
    arriving = [shelf.store.ingest([event(f"late-{n}", JANUARY + timedelta(days=n))]) for n in range(20)]
    await asyncio.gather(shelf.archive.archive_before(month_of(FEBRUARY), NOTHING), *arriving)
    await shelf.archive.restore(month_of(JANUARY))
    assert await shelf.total(JANUARY, FEBRUARY) == Decimal("20.1")
