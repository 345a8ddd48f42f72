"""SQLite in few trips aside, and still one moment per read, one writer at a time, and nothing left open."""

import asyncio
import contextlib
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.sqlite_driver import SqliteConnection

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
READ = text("SELECT word FROM note ORDER BY word")
SLOW = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n")


@pytest.fixture
async def notes(database: Database) -> Database:
    """A table with one row."""
    async with database.transaction(SYSTEM) as work:
        await work.session.execute(text("CREATE TABLE note (word TEXT PRIMARY KEY)"))
    await write(database, "first")
    return database


async def write(database: Database, word: str) -> None:
    async with database.transaction(SYSTEM) as work:
        await work.session.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})


async def words(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(READ))


async def test_a_read_sees_one_moment_from_its_first_statement_on(notes):
    async with notes.read() as session:
        await write(notes, "before the first statement")
        before = list(await session.scalars(READ))
        await write(notes, "later")
        assert list(await session.scalars(READ)) == before == ["before the first statement", "first"]
    assert "later" in await words(notes)


async def test_a_read_cannot_write(notes):
    async with notes.read() as session:
        with pytest.raises(OperationalError):
            await session.execute(text("DELETE FROM note"))
    assert await words(notes) == ["first"]


async def test_a_refused_statement_leaves_its_connection_as_good_as_before(notes):
    async def ask_nonsense() -> None:
        async with notes.read() as session:
            await session.execute(text("SELECT nothing FROM nowhere"))

    async def write_and_fail() -> None:
        async with notes.transaction(SYSTEM) as work:
            await work.session.execute(text("INSERT INTO note VALUES ('lost')"))
            await work.session.execute(text("SELECT nothing FROM nowhere"))

    for refused in (ask_nonsense, write_and_fail) * 20:
        with pytest.raises(OperationalError):
            await refused()
    assert await words(notes) == ["first"]


async def test_a_read_that_nobody_waits_for_any_more_harms_no_other(notes):
    async def slow() -> None:
        async with notes.read() as session:
            await session.execute(SLOW)

    for _ in range(12):
        reading = asyncio.create_task(slow())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await write(notes, "second")
    assert await words(notes) == ["first", "second"]


async def test_many_rows_and_many_parameters_arrive_whole(notes):
    async with notes.transaction(SYSTEM) as work:
        rows = [{"word": f"{number:05}"} for number in range(2_000)]
        await work.session.execute(text("INSERT INTO note VALUES (:word)"), rows)
        changed = await work.session.execute(text("UPDATE note SET word = word || '!'"))
        assert changed.rowcount == 2_001
    assert await words(notes) == [f"{number:05}!" for number in range(2_000)] + ["first!"]


async def test_a_read_of_one_statement_is_one_trip_and_a_write_two(notes, monkeypatch):
    await words(notes)
    trips = 0
    execute = SqliteConnection._execute

    async def counted(connection, function, *arguments):
        nonlocal trips
        trips += 1
        return await execute(connection, function, *arguments)

    monkeypatch.setattr(SqliteConnection, "_execute", counted)
    await words(notes)
    assert trips == 1
    await write(notes, "second")
    # BEGIN with INSERT, and COMMIT.
    assert trips == 1 + 2


async def test_a_write_that_nobody_waits_for_any_more_leaves_nothing_behind(notes):
    async def slow() -> None:
        async with notes.transaction(SYSTEM) as work:
            await work.session.execute(text("INSERT INTO note VALUES ('lost')"))
            await work.session.execute(SLOW)

    for _ in range(12):
        writing = asyncio.create_task(slow())
        await asyncio.sleep(0.01)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await write(notes, "second")
    assert await words(notes) == ["first", "second"]


async def test_a_writer_who_could_not_begin_begins_with_the_next_statement(notes):
    path = str(notes.url.database)
    impatient = Database(f"sqlite:///{path}", pragmas={"busy_timeout": 10})
    insert = text("INSERT INTO note VALUES ('lost')")

    async def write_and_fail(other: sqlite3.Connection) -> None:
        async with impatient.transaction(SYSTEM) as work:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError):
                await work.session.execute(insert)
            other.execute("ROLLBACK")
            await work.session.execute(insert)
            raise RuntimeError

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other, pytest.raises(RuntimeError):
        await write_and_fail(other)
    await impatient.close()
    assert await words(notes) == ["first"]
