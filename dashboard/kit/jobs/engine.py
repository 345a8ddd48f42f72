"""Runs jobs and periodic work in this process, inside the running event loop."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from dashboard.kit.errors import TooManyRequests, Unavailable
from dashboard.kit.jobs import internals
from dashboard.kit.jobs.catalogue import RUNS_AT_ONCE, Job, JobFunction
from dashboard.kit.jobs.internals import Bell
from dashboard.kit.jobs.ownership import FileOwnership, Ownership
from dashboard.kit.jobs.postgresql import AdvisoryOwnership
from dashboard.kit.jobs.run import JobRun, Transient, run_with_retries
from dashboard.kit.jobs.store import APPLICATION, Jobs

logger = logging.getLogger(__name__)

# Runs that were begun under another number are never finished: raise it only after a drain. It is not our version.
WORKFLOW_VERSION = "1"
CRASHES_UNTIL_GIVEN_UP = 20
TAKE_OVER_SECONDS = 60.0
"""How often a process asks for periodic work that another one does: that one may have died."""
TRANSIENT: Transient = (Unavailable, TooManyRequests, ConnectionError, TimeoutError)

_started: list["JobEngine"] = []
"""DBOS is one per process, and a second one would silently be the first."""


class JobEngine:
    """Runs the jobs of `jobs`, each by the function of its name. One per process.

    `transient` are the exceptions worth another try. Work starts at once when it was enqueued through this very `jobs`
    or anywhere on the same PostgreSQL; `polling_seconds` is for what a wake-up call missed. Finished runs are deleted
    after `keep_finished`.
    """

    def __init__(
        self,
        jobs: Jobs,
        functions: Mapping[str, JobFunction],
        *,
        transient: Transient = TRANSIENT,
        polling_seconds: float = 1.0,
        grace_seconds: float = 5.0,
        keep_finished: timedelta = timedelta(days=30),
        ownership: Ownership | None = None,
    ) -> None:
        if set(functions) != set(jobs.catalogue):
            different = sorted(set(functions) ^ set(jobs.catalogue))
            raise ValueError(f"the catalogue and the functions do not name the same jobs: {different}")
        self._jobs = jobs
        self._functions = dict(functions)
        self._transient = transient
        self._polling_seconds = polling_seconds
        self._grace_seconds = grace_seconds
        self._ownership = ownership or (FileOwnership(jobs) if jobs.is_sqlite else AdvisoryOwnership(jobs))
        self._bells: dict[str, Bell] = {}
        self._threads: list[threading.Thread] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._periodic: list[tuple[float, str, Callable[[], Awaitable[object]]]] = []
        self._loops: list[asyncio.Task[None]] = []
        self._stop_listening: Callable[[], None] = _nothing
        self._is_started = False
        self.every(3600, "forget finished jobs", lambda: jobs.forget_finished(datetime.now(UTC) - keep_finished))

    @property
    def executor_id(self) -> str:
        return self._ownership.executor_id

    @property
    def running_count(self) -> int:
        """How many jobs run in this process right now."""
        return len(self._running)

    def every(self, seconds: float, name: str, function: Callable[[], Awaitable[object]]) -> None:
        """Calls `function` at the start and then `seconds` after it last ended, in one process of all.

        Not recorded and not retried before its next turn; when a process loses its database for a moment two may
        overlap, so it has to be harmless twice.
        """
        self._periodic.append((seconds, name, function))
        if self._is_started:
            self._start_loop(seconds, name, function)

    async def start(self) -> None:
        """Takes over what a crash left behind and begins to work. Raises EngineAlreadyRunning, and RuntimeError when
        this process has started an engine already."""
        if _started:
            raise RuntimeError("a process runs one job engine at a time")
        await self._ownership.take()
        _started.append(self)
        try:
            await self._launch()
            await self._ownership.watch(self.ring)
        except BaseException:
            await self.stop()
            raise
        self._stop_listening = self._jobs.on_enqueued(self.ring)
        self._is_started = True
        for seconds, name, function in self._periodic:
            self._start_loop(seconds, name, function)

    async def stop(self) -> None:
        """Takes nothing new, gives what runs `grace_seconds` to finish, and leaves the rest for the next start."""
        self._is_started = False
        self._stop_listening()
        self._stop_listening = _nothing
        await _cancel(self._loops)
        for bell in self._bells.values():
            bell.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        if self._running:
            await asyncio.wait(set(self._running), timeout=self._grace_seconds)
        # A cancelled run stays unfinished in the record; it goes on where it was at the next start.
        await _cancel(list(self._running))
        await self._destroy()
        await self._ownership.release()
        if self in _started:
            _started.remove(self)

    def ring(self, queue: str) -> None:
        """Makes the queue be looked at now. May be called from any thread."""
        if queue in self._bells:
            self._bells[queue].ring()

    async def _launch(self) -> None:
        await asyncio.to_thread(self._jobs.prepare)
        DBOS(config=self._config())
        for name, function in self._functions.items():
            self._register(name, self._jobs.catalogue[name], function)
        # The queues' threads are ours, so that they can be woken.
        DBOS.listen_queues([])
        DBOS.launch()
        for queue, at_once in RUNS_AT_ONCE.items():
            await DBOS.register_queue_async(
                queue,
                worker_concurrency=at_once,
                partition_concurrency=1,
                polling_interval_sec=self._polling_seconds,
                on_conflict="always_update",
            )
            self._bells[queue] = Bell()
            self._threads.append(await asyncio.to_thread(internals.start_queue_thread, queue, self._bells[queue]))

    def _config(self) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_engine": self._jobs.engine,
            "dbos_system_schema": internals.POSTGRESQL_SCHEMA,
            "serializer": DBOSPortableJSONSerializer(),
            "executor_id": self.executor_id,
            "application_version": WORKFLOW_VERSION,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 0.2,
            "log_level": "WARNING",
        }

    def _register(self, name: str, job: Job, function: JobFunction) -> None:
        async def workflow(key: str, arguments: dict[str, Any]) -> None:
            self._keep_track(job.queue)
            await run_with_retries(function, JobRun(name, key, self._transient), job, arguments)

        DBOS.workflow(name=name, max_recovery_attempts=CRASHES_UNTIL_GIVEN_UP)(workflow)

    def _keep_track(self, queue: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # A run that had to wait for this one may start now.
        task.add_done_callback(lambda _: self.ring(queue))

    def _start_loop(self, seconds: float, name: str, function: Callable[[], Awaitable[object]]) -> None:
        self._loops.append(asyncio.create_task(self._repeat(seconds, name, function)))

    async def _repeat(self, seconds: float, name: str, function: Callable[[], Awaitable[object]]) -> None:
        while True:
            leads = False
            try:
                leads = await self._ownership.leads(name)
                if leads:
                    await function()
            except Exception:
                logger.exception("periodic work %r failed; its next turn is in %s s", name, seconds)
            # Daily work of a process that died is not to wait for a day.
            await asyncio.sleep(seconds if leads else min(seconds, TAKE_OVER_SECONDS))

    async def _destroy(self) -> None:
        # Not through the loop's executor: DBOS has put its own there, and shuts that down.
        with ThreadPoolExecutor(1) as thread:
            await asyncio.get_running_loop().run_in_executor(thread, lambda: DBOS.destroy(destroy_registry=True))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        self._bells, self._threads, self._loops = {}, [], []


def _nothing() -> None:
    return None


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
