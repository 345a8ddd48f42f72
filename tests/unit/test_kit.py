import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from dashboard.kit.changes import Changes
from dashboard.kit.clock import FixedClock, OffsetClock, clock_from_text
from dashboard.kit.columns import ExactDecimal, JsonDocument, Timestamp
from dashboard.kit.crypto import SecretBox, SecretKeyMismatch, load_or_make_secret_key
from dashboard.kit.database import SYSTEM, AuditEntry, Database, Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import is_id, new_id
from dashboard.kit.inputs import CurrencyCode, Input, parse_input
from dashboard.kit.paging import Cursor, PageRequest

METADATA = MetaData()
DOCUMENTS = Table("documents", METADATA, Column("id", Integer, primary_key=True), Column("document", JsonDocument))
THINGS = Table(
    "things",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("amount", ExactDecimal),
    Column("at", Timestamp),
)


@pytest.fixture
async def things(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/things.db", clock=FixedClock(datetime(2026, 1, 31, tzinfo=UTC)))
    async with database.write_engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    yield database
    await database.close()


async def test_a_decimal_comes_back_digit_for_digit(things):
    amount = Decimal("12345678901234567890.123456789012345678")
    async with things.transaction(SYSTEM) as work:
        await work.session.execute(THINGS.insert().values(id=1, amount=amount, at=work.now))
    async with things.read() as session:
        assert (await session.execute(select(THINGS.c.amount, THINGS.c.at))).one() == (amount, things.clock.now())


@pytest.mark.parametrize(
    "document", ["\ud800 half a pair", {"n": 10**30}, [0.1], {"a": [None, True, {"ö": "😀"}]}, float("inf")]
)
async def test_a_document_comes_back_as_it_was_whatever_reads_it(things, document):
    async with things.transaction(SYSTEM) as work:
        await work.session.execute(DOCUMENTS.insert().values(id=1, document=document))
    async with things.read() as session:
        assert await session.scalar(select(DOCUMENTS.c.document)) == document


async def test_a_time_without_a_zone_is_refused_by_the_column(things):
    with pytest.raises(Exception, match="without a zone"):
        async with things.transaction(SYSTEM) as work:
            await work.session.execute(THINGS.insert().values(id=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_a_failed_transaction_changes_nothing_and_tells_nobody(things):
    async def fail_in_the_middle():
        async with things.transaction(SYSTEM) as work:
            await work.session.execute(THINGS.insert().values(id=1))
            work.changed("things")
            raise InvalidInput("no")

    with things.changes.subscribe(["things"]) as news:
        with pytest.raises(InvalidInput):
            await fail_in_the_middle()
        assert not await news.wait(0.01)
    async with things.read() as session:
        assert (await session.execute(select(THINGS.c.id))).first() is None


async def test_news_is_told_after_the_commit(things):
    with things.changes.subscribe(["things"]) as news:
        async with things.transaction(SYSTEM) as work:
            await work.session.execute(THINGS.insert().values(id=1))
            work.changed("things")
        assert await news.wait(1)


async def test_audit_entries_are_written_in_the_transaction_they_tell_of(things):
    written: list[AuditEntry] = []

    class Writer:
        async def write(self, work: Work, entries: list[AuditEntry]) -> None:
            written.extend(entries)

    things.audit_writer = Writer()
    async with things.transaction(SYSTEM) as work:
        work.audit("thing.created", "thing", "1", size=3)
    assert written == [AuditEntry("thing.created", "thing", "1", {"size": 3})]


async def test_a_reader_cannot_write(things):
    with pytest.raises(Exception, match="readonly"):
        async with things.read() as session:
            await session.execute(THINGS.insert().values(id=1))


async def test_a_burst_of_news_wakes_a_waiter_once():
    changes = Changes()
    with changes.subscribe(["a", "b"]) as news:
        await changes.publish(["a"])
        await changes.publish(["b", "a"])
        assert await news.wait(0.1)
        assert not await news.wait(0.01)


@pytest.mark.parametrize("turns", range(4))
async def test_who_is_cancelled_in_the_moment_of_the_news_is_cancelled(turns):
    with Changes().subscribe(["invoices"]) as subscription:
        waiting = asyncio.create_task(subscription.wait(60))
        await asyncio.sleep(0.01)
        subscription.wake()
        for _ in range(turns):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting


def test_a_sealed_secret_opens_only_with_its_own_key():
    sealed = SecretBox("one").seal("sk_test_123")
    assert "sk_test" not in sealed
    assert SecretBox("one").open(sealed) == "sk_test_123"
    with pytest.raises(SecretKeyMismatch):
        SecretBox("two").open(sealed)


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    key = load_or_make_secret_key(tmp_path)
    assert load_or_make_secret_key(tmp_path) == key
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_the_clock_variable_is_understood():
    assert clock_from_text("fixed:2026-01-31T12:00:00Z").now() == datetime(2026, 1, 31, 12, tzinfo=UTC)
    shifted = clock_from_text("offset:P31D")
    assert isinstance(shifted, OffsetClock)
    assert shifted.offset == timedelta(days=31)


@pytest.mark.parametrize("text", ["tomorrow", "fixed:never", "offset:soon", "fixed:2026-01-31T12:00:00"])
def test_a_clock_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"METERDESK_CLOCK|without a zone"):
        clock_from_text(text)


def test_ids_sort_by_time_and_are_recognised():
    first, second = new_id(), new_id()
    assert first[:10] <= second[:10]
    assert is_id(first)
    assert not is_id("my-database-id")


def test_a_page_marker_survives_its_journey_and_a_forged_one_is_refused():
    cursor = Cursor(datetime(2026, 1, 31, tzinfo=UTC), "01ABC")
    assert Cursor.from_text(cursor.to_text()) == cursor
    with pytest.raises(InvalidInput):
        Cursor.from_text("bm90IG91cnM")


def test_pages_outside_the_list_limits_are_refused():
    with pytest.raises(InvalidInput):
        PageRequest(number=0)
    with pytest.raises(InvalidInput):
        PageRequest(size=100_000)


class Wanted(Input):
    name: str
    days: int = 0


def test_input_names_every_field_that_needs_another_look():
    with pytest.raises(InvalidInput) as refusal:
        parse_input(Wanted, {"days": "many", "surprise": 1})
    assert set(refusal.value.fields) == {"name", "days", "surprise"}


class Priced(Input):
    currency: CurrencyCode


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "ABC", "$", ""])
def test_a_code_that_is_no_money_is_refused_on_its_field(code):
    with pytest.raises(InvalidInput) as refusal:
        parse_input(Priced, {"currency": code})
    assert "currency" in refusal.value.fields


def test_money_is_known_in_either_case():
    assert parse_input(Priced, {"currency": "eur"}).currency == "EUR"
