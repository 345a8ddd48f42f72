"""Many requests, few commits: those that arrive while one is being written share the next.

A lone request waits for nobody. While requests come close together, each commit waits a few milliseconds for more,
since what a commit costs is mostly the same for one thing as for hundreds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

Request = TypeVar("Request")
Answer = TypeVar("Answer")

WINDOW_SECONDS = 0.005

_THE_DATABASE_FAILED = (OperationalError, InterfaceError, NoConnection, psycopg.OperationalError, OSError)


@dataclass(slots=True)
class _Waiting(Generic[Request, Answer]):
    request: Request
    done: asyncio.Future[Answer]


class GroupedWriter(Generic[Request, Answer]):
    """Hands requests to `write` in groups. `write` stores all of a group or nothing, and has an answer for each.

    The `size` of a group's requests comes to at most `most_per_commit`, unless one alone is larger.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]],
        *,
        size: Callable[[Request], int],
        most_per_commit: int,
    ) -> None:
        self._write = write
        self._size = size
        self._most_per_commit = most_per_commit
        self._waiting: deque[_Waiting[Request, Answer]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def store(self, request: Request) -> Answer:
        """What `write` answers to `request`, after the commit. What is wrong with other requests does not matter here.

        Raises what `write` raises.
        """
        waiting = _Waiting[Request, Answer](request, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_waiting())
        return await waiting.done

    async def close(self) -> None:
        """Waits for what is being written."""
        if self._task is not None:
            await self._task

    async def _write_waiting(self) -> None:
        busy = False
        while self._waiting:
            if busy and sum(self._size(one.request) for one in self._waiting) < self._most_per_commit:
                await asyncio.sleep(WINDOW_SECONDS)
            group = self._next_group()
            busy = len(group) > 1
            try:
                await self._settle(group)
            except BaseException:
                for one in [*group, *self._waiting]:
                    if not one.done.done():
                        one.done.set_exception(RuntimeError("stopped"))
                self._waiting.clear()
                raise

    async def _settle(self, group: Sequence[_Waiting[Request, Answer]]) -> None:
        try:
            answers = await self._write([one.request for one in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, _THE_DATABASE_FAILED):
                # One of them cannot be stored: each alone, so that it does not spoil its neighbours.
                for one in group:
                    await self._settle([one])
                return
            for one in group:
                if not one.done.done():
                    one.done.set_exception(error)
            return
        for one, answer in zip(group, answers, strict=True):
            if not one.done.done():
                one.done.set_result(answer)

    def _next_group(self) -> list[_Waiting[Request, Answer]]:
        size, group = 0, []
        while self._waiting and (not group or size + self._size(self._waiting[0].request) <= self._most_per_commit):
            one = self._waiting.popleft()
            size += self._size(one.request)
            group.append(one)
        return group
