"""SQLite for asyncio in few steps aside: a statement and its rows cost one trip to the connection's thread, not four.

aiosqlite owns the thread. SQLAlchemy asks its cursors to be opened, executed, fetched and closed, each a trip; the
cursors here do all of it in one. What a read begins with travels along, and its end is not waited for.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite

Row = tuple[Any, ...]


class SqliteConnection(aiosqlite.Connection):
    """An aiosqlite connection with cursors as SQLAlchemy uses them."""

    _is_to_begin: bool = False
    _reads: bool = False

    def cursor(self) -> "SqliteCursor":  # pyright: ignore[reportIncompatibleMethodOverride]
        return SqliteCursor(self)

    def begin_with_next(self) -> None:
        """Begins a transaction together with the next statement: until then a deferred BEGIN does nothing anyway."""
        self._is_to_begin, self._reads = True, True

    async def rollback(self) -> None:
        """Ends the transaction. A reader's end is not waited for: the thread takes one thing after the other."""
        if self._is_to_begin:
            self._is_to_begin = False
        elif self._reads:
            self._tx.put_nowait((None, self._conn.rollback))
        else:
            await super().rollback()

    async def run(self, statement: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `statement` answers, in the connection's thread."""
        begins, self._is_to_begin = self._is_to_begin, False
        return await self._execute(_begun if begins else _as_it_is, self._conn, statement)


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


def _as_it_is(connection: sqlite3.Connection, statement: Callable[[sqlite3.Connection], Any]) -> Any:
    return statement(connection)


def _begun(connection: sqlite3.Connection, statement: Callable[[sqlite3.Connection], Any]) -> Any:
    connection.execute("BEGIN")
    return statement(connection)
