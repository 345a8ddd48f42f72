"""One at a time, across processes: a lock by name that its holder cannot leave behind, not even by being killed.

On PostgreSQL it is an advisory lock of one connection kept for that; on SQLite, where all processes share a machine, a
byte of a file beside the database. Both go when the process goes.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from dashboard.kit.database import Database

try:
    import fcntl
except ImportError:  # Windows: one process only.
    fcntl = None

RETRY_SECONDS = 0.05
SERVER_KEEPALIVE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""For a connection that holds locks: half a minute after its machine was unplugged PostgreSQL lets them go."""


class _Keeper(Protocol):
    async def take(self, number: int) -> bool: ...

    async def give_back(self, number: int) -> None: ...

    async def close(self) -> None: ...


class Locks:
    """Locks by name. Within one process they are kept too, and nobody gets one that he already holds."""

    def __init__(self, database: Database) -> None:
        self._keeper: _Keeper = _FileBytes(database) if database.is_sqlite else _AdvisoryLocks(database)
        # Each is there as long as somebody holds it or waits for it.
        self._here: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def holding(self, name: str, *, wait_seconds: float = 0) -> AsyncIterator[bool]:
        """True inside the block when `name` is ours, False when somebody else kept it for all of `wait_seconds`."""
        here = self._here.setdefault(name, asyncio.Lock())
        taken = await self._take(name, here, wait_seconds)
        try:
            yield taken
        finally:
            if taken:
                await self._give_back(name, here)

    async def close(self) -> None:
        """Gives back everything."""
        await self._keeper.close()

    async def _take(self, name: str, here: asyncio.Lock, wait_seconds: float) -> bool:
        deadline = asyncio.get_running_loop().time() + wait_seconds
        try:
            async with asyncio.timeout(wait_seconds):
                await here.acquire()
        except TimeoutError:
            return False
        try:
            while not await self._keeper.take(_number(name)):
                if asyncio.get_running_loop().time() >= deadline:
                    here.release()
                    return False
                await asyncio.sleep(RETRY_SECONDS)
        except BaseException:
            here.release()
            raise
        return True

    async def _give_back(self, name: str, here: asyncio.Lock) -> None:
        try:
            await self._keeper.give_back(_number(name))
        finally:
            here.release()


async def lock_until_commit(session: AsyncSession, name: str) -> None:
    """Waits until nobody else is past this line with the same name in an open transaction.

    On SQLite there is nothing to wait for: only one transaction writes at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _number(name)})


class _AdvisoryLocks:
    """Session locks of one connection, which is opened when first needed and again when it broke."""

    def __init__(self, database: Database) -> None:
        self._engine = database.write_engine
        self._connection: AsyncConnection | None = None
        self._one_statement = asyncio.Lock()

    async def take(self, number: int) -> bool:
        return bool(await self._ask("SELECT pg_try_advisory_lock(:number)", number))

    async def give_back(self, number: int) -> None:
        await self._ask("SELECT pg_advisory_unlock(:number)", number)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Back in the pool it would keep our locks.
            await connection.invalidate()
            await connection.close()

    async def _ask(self, statement: str, number: int) -> bool:
        async with self._one_statement:
            try:
                return bool(await (await self._open()).scalar(text(statement), {"number": number}))
            except SQLAlchemyError:
                await self.close()
                raise

    async def _open(self) -> AsyncConnection:
        if self._connection is None:
            connection = await self._engine.connect()
            self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await self._connection.exec_driver_sql(SERVER_KEEPALIVE)
        return self._connection


class _FileBytes:
    """One byte per lock, far apart in an empty file; the system frees them when the process ends."""

    def __init__(self, database: Database) -> None:
        path = database.url.database
        self._file: int | None = None
        if fcntl is not None and path and path != ":memory:":
            self._file = os.open(f"{path}-writers", os.O_RDWR | os.O_CREAT, 0o600)

    async def take(self, number: int) -> bool:
        if fcntl is None or self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, abs(number))
        except OSError:
            return False
        return True

    async def give_back(self, number: int) -> None:
        if fcntl is not None and self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, abs(number))

    async def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _number(name: str) -> int:
    """A signed 64-bit number for a name, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True) >> 1
