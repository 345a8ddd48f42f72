"""SQLite for asyncio in few steps aside: a statement and its rows cost one trip to the connection's thread, not four.

aiosqlite owns the thread. SQLAlchemy asks its cursors to be opened, executed, fetched and closed, each a trip; the
cursors here do all of it in one. What a transaction begins with travels along with its first statement, the end of a
read is not waited for, and what is committed is not rolled back once more when its connection goes back to the pool.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite

Row = tuple[Any, ...]


class SqliteConnection(aiosqlite.Connection):
    """An aiosqlite connection with cursors as SQLAlchemy uses them."""

    _to_begin_with: str | None = None
    _is_open: bool = False
    _reads: bool = False

    def cursor(self) -> "SqliteCursor":  # pyright: ignore[reportIncompatibleMethodOverride]
        return SqliteCursor(self)

    def begin_with_next(self, begin: str, *, reads: bool) -> None:
        """Begins a transaction, by the statement `begin`, together with the next one: until then nothing needs it.

        With `reads` nothing will be written, so that nobody has to wait for its end.
        """
        self._to_begin_with, self._is_open, self._reads = begin, True, reads

    async def commit(self) -> None:
        """Commits the transaction, if anything was done in it."""
        if self._to_begin_with is None:
            await super().commit()
        self._to_begin_with, self._is_open = None, False

    async def rollback(self) -> None:
        """Ends the transaction, if it still is open. A reader's end is not waited for: the thread takes one thing after
        the other."""
        has_begun = self._is_open and self._to_begin_with is None
        self._to_begin_with, self._is_open = None, False
        if has_begun and self._reads:
            self._tx.put_nowait((None, self._conn.rollback))
        elif has_begun:
            await super().rollback()

    async def run(self, statement: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `statement` answers, in the connection's thread."""
        begin, self._to_begin_with = self._to_begin_with, None
        if begin is None:
            return await self._execute(statement, self._conn)
        try:
            return await self._execute(_begun, self._conn, begin, statement)
        except sqlite3.Error:
            if not self._conn.in_transaction:
                # Somebody else was writing for too long. What comes next must not run outside of any transaction.
                self._to_begin_with = begin
            raise


class SqliteCursor:
    """What SQLAlchemy's adapter asks of a cursor."""

    arraysize = 1

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: list[Row] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        return await self._run(lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> Self:
        return await self._run(lambda cursor: cursor.executemany(operation, parameters))

    async def fetchall(self) -> Sequence[Row]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    async def _run(self, execute: Callable[[sqlite3.Cursor], Any]) -> Self:
        def whole(connection: sqlite3.Connection) -> tuple[Any, list[Row], int, int | None]:
            cursor = connection.cursor()
            try:
                execute(cursor)
                return cursor.description, cursor.fetchall(), cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        self.description, self._rows, self.rowcount, self.lastrowid = await self._connection.run(whole)
        return self


def open_sqlite(database: str, **options: Any) -> SqliteConnection:
    """A connection to await, for SQLAlchemy's `connect_args={"async_creator_fn": …}`. `options`: `sqlite3.connect`."""
    connection = SqliteConnection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    # A program that ends without closing its connections must not hang.
    connection._thread.daemon = True
    return connection


def _begun(connection: sqlite3.Connection, begin: str, statement: Callable[[sqlite3.Connection], Any]) -> Any:
    connection.execute(begin)
    return statement(connection)
