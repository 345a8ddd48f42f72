"""Many requests, few commits: those that arrive while one is being written share the next.

A lone request waits for nobody. While requests come close together, each commit waits a few milliseconds for more,
since what a commit costs is mostly the same for one event as for hundreds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from dashboard.usage.views import UsageEvent

EVENTS_PER_COMMIT = 5_000
WINDOW_SECONDS = 0.005

_THE_DATABASE_FAILED = (OperationalError, InterfaceError, NoConnection, psycopg.OperationalError, OSError)


@dataclass(slots=True)
class _Request:
    events: Sequence[UsageEvent]
    done: asyncio.Future[int]


class GroupedWriter:
    """Hands requests to `write` in groups. `write` stores all of a group or nothing, and says how many of each request
    were new."""

    def __init__(self, write: Callable[[Sequence[Sequence[UsageEvent]]], Awaitable[list[int]]]) -> None:
        self._write = write
        self._waiting: deque[_Request] = deque()
        self._task: asyncio.Task[None] | None = None

    async def store(self, events: Sequence[UsageEvent]) -> int:
        """How many of `events` were new, after the commit. What is wrong with other requests does not matter here."""
        request = _Request(events, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_waiting())
        return await request.done

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._task is not None:
            await self._task

    async def _write_waiting(self) -> None:
        busy = False
        while self._waiting:
            if busy and sum(len(request.events) for request in self._waiting) < EVENTS_PER_COMMIT:
                await asyncio.sleep(WINDOW_SECONDS)
            group = self._next_group()
            busy = len(group) > 1
            try:
                await self._settle(group)
            except BaseException:
                for request in [*group, *self._waiting]:
                    if not request.done.done():
                        request.done.set_exception(RuntimeError("stopped"))
                self._waiting.clear()
                raise

    async def _settle(self, group: Sequence[_Request]) -> None:
        try:
            counts = await self._write([request.events for request in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, _THE_DATABASE_FAILED):
                # One of them cannot be stored: each alone, so that it does not spoil its neighbours.
                for request in group:
                    await self._settle([request])
                return
            for request in group:
                if not request.done.done():
                    request.done.set_exception(error)
            return
        for request, count in zip(group, counts, strict=True):
            if not request.done.done():
                request.done.set_result(count)

    def _next_group(self) -> list[_Request]:
        size, group = 0, []
        while self._waiting and (not group or size + len(self._waiting[0].events) <= EVENTS_PER_COMMIT):
            request = self._waiting.popleft()
            size += len(request.events)
            group.append(request)
        return group
