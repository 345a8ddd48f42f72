"""The jobs of one database, seen from any process: ask for one, see what failed, count what waits. Runs nothing."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from dashboard.kit.database import SQLITE_BUSY_TIMEOUT_MS, sync_url
from dashboard.kit.jobs import internals
from dashboard.kit.jobs.catalogue import Job
from dashboard.kit.jobs.errors import NoFailedRun, UnknownJob
from dashboard.kit.jobs.run import plain_json

APPLICATION = "meterdesk"
CHANNEL = "meterdesk_jobs"
"""Where PostgreSQL tells workers in other processes that a queue has news; the payload is the queue's name."""
CONNECTIONS = 10
PAGE = 500

# Known to SQLite only: on PostgreSQL they live in a schema of their own, out of the way of our migrations.
JOB_TABLES = frozenset((
    "application_versions", "dbos_migrations", "notifications", "operation_outputs", "queues", "streams",
    "workflow_events", "workflow_events_history", "workflow_input", "workflow_output", "workflow_schedules",
    "workflow_status",
))  # fmt: skip

State = Literal["waiting", "running", "succeeded", "failed"]
_STATES: dict[str, State] = {"ENQUEUED": "waiting", "DELAYED": "waiting", "PENDING": "running", "SUCCESS": "succeeded"}


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that has failed for good. `code` is that of our own refusals, None for any other exception."""

    job: str
    key: str
    error_name: str
    code: str | None
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many runs of one queue wait, run, and have failed."""

    waiting: int = 0
    running: int = 0
    failed: int = 0


class Jobs:
    """Asks for jobs and answers questions about them; the `Outbox` of `kit.database`.

    `catalogue` has every job by name. Build one per process and close it at the end.
    """

    def __init__(self, url: str | URL, catalogue: Mapping[str, Job]) -> None:
        self.url = make_url(url)
        self.catalogue = dict(catalogue)
        self.engine = _engine(self.url)
        self._client = DBOSClient(
            system_database_engine=self.engine,
            dbos_system_schema=internals.POSTGRESQL_SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )
        self._listeners: list[Callable[[str], None]] = []

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def prepare(self) -> None:
        """Creates the engine's own tables or brings them up to date. Quick when there is nothing to do; it blocks."""
        internals.migrate(self._client)

    def on_enqueued(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Calls `listener` with the queue's name after each commit here that enqueued; answers how to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def enqueue(self, session: AsyncSession, job: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Makes `job` run once for `key` if the transaction of `session` commits; the same pair again is no second run.

        `arguments` are plain JSON values and never secrets: they are stored readably. Raises UnknownJob, and TypeError
        for other values.
        """
        known = self._known(job)
        await session.run_sync(self._enqueue, known, job, key, plain_json(dict(arguments)))

    def _enqueue(self, session: Session, known: Job, job: str, key: str, arguments: dict[str, Any]) -> None:
        self._client.enqueue_in_transaction(session, _options(known, job, key, arguments), key, arguments)
        queues = session.info.setdefault("queues_with_news", set())
        if not queues:
            event.listen(session, "after_commit", lambda _: self._tell(queues), once=True)
            event.listen(session, "after_rollback", lambda _: queues.clear(), once=True)
        if known.queue not in queues and not self.is_sqlite:
            session.execute(text("SELECT pg_notify(:channel, :queue)"), {"channel": CHANNEL, "queue": known.queue})
        queues.add(known.queue)

    def _tell(self, queues: set[str]) -> None:
        for queue in queues:
            for listener in tuple(self._listeners):
                listener(queue)
        queues.clear()

    async def state(self, job: str, key: str) -> State | None:
        """What became of the run; None when there is none, or none any more."""
        found = await self._client.list_workflows_async(workflow_ids=[run_id(job, key)], load_input=False)
        return _STATES.get(found[0].status, "failed") if found else None

    async def failed(self, limit: int = 50) -> tuple[FailedRun, ...]:
        """The runs that failed for good, newest first."""
        found = await self._client.list_workflows_async(
            status=list(internals.FAILED), sort_desc=True, limit=limit, application_name=APPLICATION
        )
        return tuple(_failed_run(status) for status in found)

    async def retry(self, job: str, key: str) -> None:
        """Runs a failed job once more from its start, with its old arguments. Raises UnknownJob, NoFailedRun."""
        known = self._known(job)
        found = await self._client.list_workflows_async(workflow_ids=[run_id(job, key)])
        if not found or found[0].status not in internals.FAILED:
            raise NoFailedRun(f"No failed run of {job} for {key}.")
        partition = found[0].queue_partition_key
        await self._client.rewind_workflow_async(
            run_id(job, key), start_step=1, queue_name=known.queue, queue_partition_key=partition
        )
        self._tell({known.queue})

    async def backlog(self) -> dict[str, Backlog]:
        """For every queue with anything in it, how much (for metrics)."""
        rows = await asyncio.to_thread(internals.count_by_queue_and_status, self.engine)
        counts: dict[str, dict[str, int]] = {}
        for queue, status, count in rows:
            of_queue = counts.setdefault(queue, {"waiting": 0, "running": 0, "failed": 0})
            of_queue[_STATES.get(status, "failed")] += count
        return {queue: Backlog(**of_queue) for queue, of_queue in counts.items()}

    async def forget_finished(self, before: datetime) -> int:
        """Deletes what finished before that moment; answers how many runs. Their keys may then be used again."""
        deleted = 0
        while True:
            found = await self._client.list_workflows_async(
                status=["SUCCESS", *internals.FAILED],
                completed_before=before.astimezone(UTC).isoformat(),
                limit=PAGE,
                load_input=False,
                load_output=False,
                application_name=APPLICATION,
            )
            await self._client.delete_workflows_async([status.workflow_id for status in found])
            deleted += len(found)
            if len(found) < PAGE:
                return deleted

    async def close(self) -> None:
        await asyncio.to_thread(self._client.destroy)
        self.engine.dispose()

    def _known(self, job: str) -> Job:
        if job not in self.catalogue:
            raise UnknownJob(f"There is no job named {job!r}.")
        return self.catalogue[job]


def run_id(job: str, key: str) -> str:
    return f"{job}:{key}"


def _options(known: Job, job: str, key: str, arguments: Mapping[str, Any]) -> EnqueueOptions:
    # Every queue is partitioned; a run that is serial with nothing is a partition of its own.
    serial = f"{known.serial_by}={arguments[known.serial_by]}" if known.serial_by else run_id(job, key)
    return {
        "workflow_name": job,
        "queue_name": known.queue,
        "workflow_id": run_id(job, key),
        "queue_partition_key": serial,
    }


def _failed_run(status: WorkflowStatus) -> FailedRun:
    error = status.error
    at_ms = status.completed_at or status.updated_at or status.created_at or 0
    code, data = getattr(error, "code", None), getattr(error, "data", None)
    in_step = data.get("error_name") if isinstance(data, dict) else None
    return FailedRun(
        job=status.name,
        key=status.workflow_id.removeprefix(f"{status.name}:"),
        error_name=in_step or getattr(error, "name", None) or _name_without_error(status.status),
        code=code if isinstance(code, str) else None,
        message=str(error or ""),
        at=datetime.fromtimestamp(at_ms / 1000, UTC),
    )


def _name_without_error(status: str) -> str:
    return "TooManyCrashes" if status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED" else status.capitalize()


def _engine(url: URL) -> Engine:
    """The engine's own connections: they wait for locks in threads, which ours must not."""
    if url.get_backend_name() != "sqlite":
        return create_engine(sync_url(url), pool_size=CONNECTIONS, max_overflow=0, pool_pre_ping=True)
    engine = create_engine(sync_url(url), pool_size=CONNECTIONS, max_overflow=CONNECTIONS)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # Before its first write the driver begins immediately: two deferred writers would fail instead of waiting.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={2 * SQLITE_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine
