"""Who may run jobs. On SQLite one process, which holds a file lock; PostgreSQL's rule is in `postgresql.py`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from dashboard.kit.jobs import internals
from dashboard.kit.jobs.catalogue import RUNS_AT_ONCE
from dashboard.kit.jobs.errors import EngineAlreadyRunning
from dashboard.kit.jobs.store import Jobs


class Ownership(Protocol):
    """What makes a process the only one under its executor id."""

    executor_id: str

    async def take(self) -> None:
        """Becomes the owner. Raises EngineAlreadyRunning."""
        ...

    async def watch(self, ring: Callable[[str], None]) -> None:
        """Called once the engine is launched: takes over what dead owners left, now and from now on. Rings the queues
        that somebody else has put something into."""
        ...

    async def leads(self, name: str) -> bool:
        """Whether the periodic work `name` is this process's to do."""
        ...

    async def release(self) -> None: ...


class FileOwnership:
    """One process per SQLite file. The lock dies with its holder, however it dies."""

    executor_id = "embedded"

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = FileLock(f"{Path(jobs.url.database or '').resolve()}.worker.lock", thread_local=False)

    async def take(self) -> None:
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise EngineAlreadyRunning(f"Another process already runs the jobs of {self._jobs.url.database}.") from None

    async def watch(self, ring: Callable[[str], None]) -> None:
        # Whoever else has runs here is dead, for the lock is ours.
        for executor in await asyncio.to_thread(internals.executors_with_running_jobs, self._jobs.engine):
            if executor != self.executor_id:
                await asyncio.to_thread(internals.recover, executor)
        for queue in RUNS_AT_ONCE:
            ring(queue)

    async def leads(self, name: str) -> bool:
        return True

    async def release(self) -> None:
        self._lock.release()
