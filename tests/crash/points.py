"""The points at which a process can die: before and after every call to Stripe and every commit that wrote something.

Every process of a story writes the points it passes into one diary. A point is named by what happens there and by how
many times that had happened in the story, whichever process did it; the process that passes the deadly one is killed.
"""

import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

from dashboard.billing.invoicing import ADVANCE_JOB
from dashboard.billing.jobs import COLLECT_JOB
from dashboard.stripe_app.gateway_calls import Caller

STORY_JOBS = (ADVANCE_JOB, COLLECT_JOB)

_in_story: ContextVar[bool] = ContextVar("in_story", default=False)
_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?([\w.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Point:
    """The `turn`-th time that `what` happens in a story."""

    what: str
    turn: int

    def __str__(self) -> str:
        return f"{self.what} #{self.turn}"


@contextmanager
def in_story() -> Iterator[None]:
    """What happens in this block, and in what it calls, is part of the story; other work of the process is not."""
    token = _in_story.set(True)
    try:
        yield
    finally:
        _in_story.reset(token)


def points_in(diary: Path) -> list[Point]:
    """What a story passed, in order."""
    passed = diary.read_text().splitlines() if diary.exists() else []
    return [Point(what, passed[: number + 1].count(what)) for number, what in enumerate(passed)]


class Mortal:
    """Makes this process die where it is told to, and leaves a byte in `deaths` when it does."""

    def __init__(self, deaths: Path) -> None:
        self._deaths = deaths
        self._diary: Path | None = None
        self._deadly: Point | None = None

    def arm(self, diary: Path | None, deadly: Point | None) -> None:
        """From now on points are written into `diary`, and at `deadly` the process is killed."""
        self._diary, self._deadly = diary, deadly

    @property
    def only_watches(self) -> bool:
        return self._diary is not None and self._deadly is None

    def install(self) -> None:
        """Puts points around every call to Stripe and every commit of this process."""
        self._around_calls()
        self._around_commits()

    def _pass(self, what: str) -> None:
        if self._diary is None:
            return
        with self._diary.open("a") as file:
            file.write(f"{what}\n")
        if self._deadly == points_in(self._diary)[-1]:
            with self._deaths.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

    def _around_calls(self) -> None:
        real = Caller.call

        pass_point = self._pass

        async def call(self: Caller, operation: str, send: Callable[[], Awaitable[Any]]) -> Any:
            if not _in_story.get():
                return await real(self, operation, send)
            pass_point(f"before {operation}")
            answer = await real(self, operation, send)
            pass_point(f"after {operation}")
            return answer

        Caller.call = call

    def _around_commits(self) -> None:
        event.listen(Engine, "after_cursor_execute", _note_write)
        event.listen(Engine, "begin", lambda connection: connection.info.pop("written", None))
        real = DefaultDialect.do_commit

        pass_point = self._pass

        def do_commit(self: DefaultDialect, dbapi_connection: Any) -> None:
            written = dbapi_connection.info.pop("written", None)
            if not written:
                real(self, dbapi_connection)
                return
            tables = ", ".join(sorted(written))
            pass_point(f"before the commit of {tables}")
            real(self, dbapi_connection)
            pass_point(f"after the commit of {tables}")

        DefaultDialect.do_commit = do_commit


def _note_write(
    connection: Connection, cursor: Any, statement: str, parameters: Any, _context: Any, _executemany: bool
) -> None:
    found = _WRITES.match(statement)
    # How many rows came back with RETURNING is not known before they are read.
    if found is None or (cursor.rowcount == 0 and "RETURNING" not in statement):
        return
    # The job engine commits in threads of its own, which know of no story; there the job's name tells.
    if _in_story.get() or any(job in str(parameters) for job in STORY_JOBS):
        connection.info.setdefault("written", set()).add(found[1].rpartition(".")[2])
