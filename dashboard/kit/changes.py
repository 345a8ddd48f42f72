"""Live news: who writes says which topic changed, who shows waits for it. Nothing is carried but the topic's name."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import redis.asyncio

REDIS_CHANNEL = "meterdesk:changes"


class Subscription:
    """A place to wait for news on some topics. Bursts melt into one awakening."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> bool:
        """True as soon as there is news since the last call, False when `timeout_seconds` went by without."""
        try:
            # (Until Python 3.12 `wait_for` keeps a cancellation to itself that comes together with the news.)
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def wake(self) -> None:
        """Ends the wait as news does."""
        self._news.set()


class Changes:
    """News within one process; with `redis_url` also between processes.

    Call `publish` after the commit, never before: a reader who wakes earlier reads the old rows.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._waiting: dict[str, set[Subscription]] = defaultdict(set)
        self._redis = redis.asyncio.from_url(redis_url) if redis_url else None

    async def publish(self, topics: Iterable[str]) -> None:
        """Tells everyone who waits for one of `topics`."""
        names = sorted(set(topics))
        self._deliver(names)
        if self._redis is not None and names:
            # News is a convenience: a page that misses it is stale until its next load, money never depends on it.
            with contextlib.suppress(redis.asyncio.RedisError):
                await self._redis.publish(REDIS_CHANNEL, "\n".join(names))

    @contextlib.contextmanager
    def subscribe(self, topics: Iterable[str]) -> Iterator[Subscription]:
        """A subscription to `topics` for the length of the block."""
        subscription = Subscription()
        names = list(topics)
        for name in names:
            self._waiting[name].add(subscription)
        try:
            yield subscription
        finally:
            for name in names:
                self._waiting[name].discard(subscription)
                if not self._waiting[name]:
                    del self._waiting[name]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Takes in other processes' news for the length of the block (nothing to do without Redis)."""
        if self._redis is None:
            yield
            return
        task = asyncio.create_task(self._listen(self._redis))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._redis.aclose()

    async def _listen(self, connection: redis.asyncio.Redis) -> None:
        while True:
            try:
                async with connection.pubsub() as channel:
                    await channel.subscribe(REDIS_CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._deliver(message["data"].decode().split("\n"))
            except redis.asyncio.RedisError:
                await asyncio.sleep(1)

    def _deliver(self, topics: Iterable[str]) -> None:
        for topic in topics:
            for subscription in tuple(self._waiting.get(topic, ())):
                subscription.wake()
