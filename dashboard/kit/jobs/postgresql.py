"""Who may run jobs on PostgreSQL: any number of workers, each under an id of its own, guarded by an advisory lock.

The lock belongs to a connection, so it goes when its process goes: no heartbeats and no clocks to compare. Whoever can
take the lock of another id knows that its owner is dead, and puts that owner's runs back into their queues.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import socket
from collections.abc import Callable

from psycopg import AsyncConnection, OperationalError

from dashboard.kit.jobs import internals
from dashboard.kit.jobs.catalogue import RUNS_AT_ONCE
from dashboard.kit.jobs.errors import EngineAlreadyRunning
from dashboard.kit.jobs.store import CHANNEL, Jobs
from dashboard.kit.locks import SERVER_KEEPALIVE

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0

# Like the server, we notice within half a minute that the other was unplugged.
OUR_KEEPALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}


class AdvisoryOwnership:
    """One id per process; needs connections of its own to the server, not through a pooler that shares them out."""

    def __init__(self, jobs: Jobs, *, look_for_dead_seconds: float = 3.0) -> None:
        self.executor_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._jobs = jobs
        address = jobs.url.set(drivername="postgresql").update_query_dict(OUR_KEEPALIVE)
        self._address = address.render_as_string(hide_password=False)
        self._look_for_dead_seconds = look_for_dead_seconds
        self._locks: AsyncConnection | None = None
        self._led: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def take(self) -> None:
        connection = await self._connect()
        await connection.execute(SERVER_KEEPALIVE)
        if not await _try_lock(connection, _executor(self.executor_id)):
            await connection.close()
            raise EngineAlreadyRunning(f"Another process runs jobs as {self.executor_id}.")
        self._locks, self._led = connection, set()

    async def watch(self, ring: Callable[[str], None]) -> None:
        self._tasks = [asyncio.create_task(self._guard(ring)), asyncio.create_task(self._listen(ring))]

    async def leads(self, name: str) -> bool:
        if self._locks is None:
            return False
        try:
            if name in self._led:
                # An answer means that the connection lives, and with it the lock.
                await self._locks.execute("SELECT 1")
                return True
            if await _try_lock(self._locks, f"every:{name}"):
                self._led.add(name)
                return True
        except OperationalError:
            logger.warning("the connection that holds our locks is gone")
        return False

    async def release(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._locks is not None:
            await self._locks.close()
            self._locks = None

    async def _connect(self) -> AsyncConnection:
        return await AsyncConnection.connect(self._address, autocommit=True)

    async def _guard(self, ring: Callable[[str], None]) -> None:
        while True:
            try:
                if await self._take_over_from_the_dead():
                    for queue in RUNS_AT_ONCE:
                        ring(queue)
            except OperationalError as error:
                logger.warning("jobs: lost the database, reconnecting: %s", error)
                await self._take_again()
            except Exception:
                logger.exception("jobs: looking for dead workers failed")
            await asyncio.sleep(self._look_for_dead_seconds)

    async def _take_over_from_the_dead(self) -> int:
        """Answers how many runs went back into their queues."""
        assert self._locks is not None
        total = 0
        await self._locks.execute("SELECT 1")
        executors = await asyncio.to_thread(internals.executors_with_running_jobs, self._jobs.engine)
        for executor in executors - {self.executor_id}:
            if not await _try_lock(self._locks, _executor(executor)):
                continue
            try:
                recovered = await asyncio.to_thread(internals.recover, executor)
                total += recovered
                logger.warning("jobs: worker %s is dead, %d of its runs start again", executor, recovered)
            finally:
                await _unlock(self._locks, _executor(executor))
        return total

    async def _take_again(self) -> None:
        """A new connection with our id's lock. Another worker may hold that for a moment, while it takes our runs over;
        whatever we had in flight is then no longer ours to record, and DBOS sees to that."""
        while True:
            if self._locks is not None:
                await self._locks.close()
            with contextlib.suppress(OperationalError, EngineAlreadyRunning):
                await self.take()
                return
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, ring: Callable[[str], None]) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    async for notice in connection.notifies():
                        ring(notice.payload)
            except OperationalError:
                # Polling goes on meanwhile: only the speed suffers.
                await asyncio.sleep(RECONNECT_SECONDS)


def _executor(executor_id: str) -> str:
    return f"executor:{executor_id}"


async def _try_lock(connection: AsyncConnection, name: str) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_lock_number(name),))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _unlock(connection: AsyncConnection, name: str) -> None:
    await connection.execute("SELECT pg_advisory_unlock(%s)", (_lock_number(name),))


def _lock_number(name: str) -> int:
    """PostgreSQL names advisory locks by a signed 64-bit number, per database."""
    digest = hashlib.sha256(f"meterdesk.jobs.{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
