"""Everything we use of DBOS that it does not promise to keep. `tests/integration/test_jobs*.py` guard it.

Checked against dbos 3.4; the major version is pinned.
"""

import logging
import threading
import time
from typing import cast

from dbos import DBOS, DBOSClient
from dbos._dbos import _get_dbos_instance
from dbos._queue import queue_worker_thread
from sqlalchemy import Engine, bindparam, text

POSTGRESQL_SCHEMA = "dbos"

_SAID_BY_US = ("Exception encountered in asynchronous workflow", "Asyncio task cancelled for workflow or step")


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_SAID_BY_US)


# With a handler of its own DBOS adds none: what it says goes where everything goes, and only when it matters.
_dbos_log = logging.getLogger("dbos")
_dbos_log.addHandler(logging.NullHandler())
_dbos_log.addFilter(_is_news)
_dbos_log.setLevel(logging.WARNING)

UNFINISHED = ("ENQUEUED", "PENDING", "DELAYED")
FAILED = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED")


BETWEEN_LOOKS_SECONDS = 0.1
"""A look at a queue costs several milliseconds of processor time, whatever it finds. The first ring after a rest is
heard at once; a busy queue's rings, one for each run that ended, are answered together."""


class Bell:
    """What a queue's thread waits on between two looks: ends the wait at `ring`, and for good at `set`.

    Between two looks lie `between_looks` seconds at least. It stands where DBOS expects a `threading.Event` that means
    "stop".
    """

    def __init__(self, between_looks: float = BETWEEN_LOOKS_SECONDS) -> None:
        self._between_looks = between_looks
        self._condition = threading.Condition()
        self._last_look = 0.0
        self._rung = False
        self._stopped = False

    def ring(self) -> None:
        with self._condition:
            self._rung = True
            self._condition.notify_all()

    def set(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def is_set(self) -> bool:
        return self._stopped

    def wait(self, timeout: float | None = None) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self._rung or self._stopped, timeout)
            too_soon = self._last_look + self._between_looks - time.monotonic()
            self._condition.wait_for(lambda: self._stopped, max(too_soon, 0))
            self._last_look = time.monotonic()
            self._rung = False
            return self._stopped


def start_queue_thread(queue_name: str, bell: Bell) -> threading.Thread:
    """Lets the launched DBOS take work from `queue_name`, at its polling interval and whenever `bell` rings.

    DBOS starts these threads itself, but with a wait that nothing can end early.
    """
    queue = DBOS.retrieve_queue(queue_name)
    thread = threading.Thread(
        target=queue_worker_thread,
        args=(cast(threading.Event, bell), _get_dbos_instance(), queue),
        name=f"jobs-{queue_name}",
        daemon=True,
    )
    thread.start()
    return thread


def recover(executor_id: str) -> int:
    """Puts the runs that the dead executor `executor_id` left behind back into their queues; answers how many.

    Harmless when they are taken over already: DBOS checks the executor's id again in the same statement.
    """
    return len(DBOS._recover_pending_workflows([executor_id]))


def executors_with_running_jobs(engine: Engine) -> set[str]:
    statement = f"SELECT DISTINCT executor_id FROM {_status_table(engine)} WHERE status = 'PENDING'"
    with engine.connect() as connection:
        return {name for (name,) in connection.execute(text(statement)) if name is not None}


def count_by_queue_and_status(engine: Engine) -> list[tuple[str, str, int]]:
    """How many runs of each queue wait, run, or have failed."""
    statement = text(
        f"SELECT queue_name, status, count(*) FROM {_status_table(engine)} "
        "WHERE status IN :statuses AND queue_name IS NOT NULL GROUP BY queue_name, status"
    ).bindparams(bindparam("statuses", [*UNFINISHED, *FAILED], expanding=True))
    with engine.connect() as connection:
        return [(queue, status, count) for queue, status, count in connection.execute(statement)]


def migrate(client: DBOSClient) -> None:
    """Creates DBOS's own tables, or brings them up to date; safe when several processes do it at once."""
    client._sys_db.run_migrations()


def _status_table(engine: Engine) -> str:
    return "workflow_status" if engine.dialect.name == "sqlite" else f"{POSTGRESQL_SCHEMA}.workflow_status"
