"""Keeps calls to another company's API under its limits: per account, and per endpoint of an account.

The leaky buckets are pyrate-limiter's (GCRA), in memory, or in Redis when several processes share an account. Who goes
first when calls have to wait is decided here, within a process.
"""

import asyncio
import bisect
import inspect
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import redis.asyncio
from pyrate_limiter import GCRA, Rate, RateItem, RedisStateStore, StateBucket

logger = logging.getLogger(__name__)

PEOPLE, FINALIZING, BACKGROUND = 0, 1, 2
"""Who goes first: somebody who looks at a screen, an invoice on its way out, everything else."""

_asked_by: ContextVar[int] = ContextVar("asked_by", default=BACKGROUND)


@contextmanager
def somebody_waits() -> Iterator[None]:
    """Whatever is called in this block goes first, as somebody looks at a screen until it is done."""
    before = _asked_by.set(PEOPLE)
    try:
        yield
    finally:
        _asked_by.reset(before)


BURST_SHARE = 0.04
"""What may go out at once, as a share of a second's limit. It is missing from the steady flow, so it is small."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls per second. Never more than this many go out in any one second.

    Stripe's figures (https://docs.stripe.com/rate-limits): 25 per endpoint, 25 in all in a sandbox, 100 in all live.
    """

    per_endpoint: float = 25
    total_in_test_mode: float = 25
    total_in_live_mode: float = 100

    def total(self, livemode: bool) -> float:
        return self.total_in_live_mode if livemode else self.total_in_test_mode


@dataclass(order=True, slots=True)
class _Caller:
    priority: int
    arrival: int
    endpoint: str = field(compare=False)
    may_go: "asyncio.Future[None]" = field(compare=False)
    has_endpoint_token: bool = field(default=False, compare=False)


class CallLimiter:
    """Lets calls out one by one. Belongs to one event loop; close it at the end."""

    def __init__(self, limits: Limits | None = None, *, redis_url: str | None = None) -> None:
        self._limits = limits or Limits()
        self._redis = redis.asyncio.from_url(redis_url) if redis_url else None
        self._accounts: dict[tuple[str, bool], _Account] = {}

    async def acquire(self, account: str, endpoint: str, *, livemode: bool, priority: int = BACKGROUND) -> None:
        """Returns when one more call of `endpoint` may go out for `account`; lower `priority` goes first."""
        await self._account(account, livemode).acquire(endpoint, min(priority, _asked_by.get()))

    def hold_back(self, account: str, seconds: float, *, livemode: bool) -> None:
        """Lets nothing out for `account` for so long: the other side has said when to come back (Retry-After)."""
        self._account(account, livemode).hold_back(seconds)

    def waiting_count(self) -> int:
        """How many calls wait for their turn (for metrics)."""
        return sum(account.waiting_count for account in self._accounts.values())

    async def close(self) -> None:
        """Nobody is served any more; who still waits is cancelled."""
        for account in self._accounts.values():
            account.close()
        if self._redis is not None:
            await self._redis.aclose()

    def _account(self, account: str, livemode: bool) -> "_Account":
        key = (account, livemode)
        if key not in self._accounts:
            name = f"{'live' if livemode else 'test'}:{account}"
            self._accounts[key] = _Account(name, self._limits.total(livemode), self._limits.per_endpoint, self._redis)
        return self._accounts[key]


class _Account:
    def __init__(
        self, name: str, total: float, per_endpoint: float, connection: "redis.asyncio.Redis | None" = None
    ) -> None:
        self._name = name
        self._per_endpoint = per_endpoint
        self._redis = connection
        self._total = _Bucket(name, total, connection)
        self._endpoints: dict[str, _Bucket] = {}
        self._queue: list[_Caller] = []
        self._arrivals = 0
        self._held_until = 0.0
        self._news = asyncio.Event()
        self._server: asyncio.Task[None] | None = None

    @property
    def waiting_count(self) -> int:
        return len(self._queue)

    async def acquire(self, endpoint: str, priority: int) -> None:
        self._arrivals += 1
        caller = _Caller(priority, self._arrivals, endpoint, asyncio.get_running_loop().create_future())
        bisect.insort(self._queue, caller)
        self._news.set()
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        await caller.may_go

    def hold_back(self, seconds: float) -> None:
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    def close(self) -> None:
        if self._server is not None:
            self._server.cancel()
        for caller in self._queue:
            caller.may_go.cancel()

    async def _serve(self) -> None:
        while self._queue:
            self._news.clear()
            pause = await self._let_out()
            if pause > 0:
                # Whoever arrives meanwhile may be more urgent, or want another endpoint.
                await _wait(self._news, pause)

    async def _let_out(self) -> float:
        """Lets out everyone who may go now, the most urgent first; answers the seconds until another try pays."""
        pauses: dict[str, float] = {}
        for caller in tuple(self._queue):
            if (held := self._held_until - time.monotonic()) > 0:
                return held
            if caller.may_go.done():
                self._queue.remove(caller)
                continue
            if caller.endpoint in pauses:
                continue
            if not caller.has_endpoint_token and (pause := await self._endpoint(caller.endpoint).take()) > 0:
                pauses[caller.endpoint] = pause
                continue
            # It keeps this token if the account as a whole has to wait, so no token is lost.
            caller.has_endpoint_token = True
            if (pause := await self._total.take()) > 0:
                return pause
            self._queue.remove(caller)
            if not caller.may_go.done():
                caller.may_go.set_result(None)
            if self._news.is_set():
                return 0.0
        return min(pauses.values(), default=0.0)

    def _endpoint(self, endpoint: str) -> "_Bucket":
        if endpoint not in self._endpoints:
            self._endpoints[endpoint] = _Bucket(f"{self._name}:{endpoint}", self._per_endpoint, self._redis)
        return self._endpoints[endpoint]


class _Bucket:
    """One limit. The next token is set aside while we wait for it, so that a busy machine, late to fetch it, does not
    push all later ones back. Fetched much too late it is forfeit."""

    def __init__(self, name: str, per_second: float, connection: "redis.asyncio.Redis | None") -> None:
        rate = _rate(per_second)
        self._name = name
        # So late a call may be that no second sees more than its limit.
        self._late_max = (per_second - rate.burst + 1) * rate.interval / rate.limit / 1000 - 1
        self._set_aside_for: float | None = None
        self._alone = StateBucket([rate], GCRA())
        self._shared = None
        if connection is not None:
            store = RedisStateStore(connection, f"meterdesk:limiter:{name}")
            self._shared = StateBucket([rate], GCRA(), store)

    async def take(self) -> float:
        """Takes a token and answers 0, or answers the seconds until there is one."""
        at, now = self._set_aside_for, time.monotonic()
        if at is not None and now < at:
            return at - now
        self._set_aside_for = None
        if at is not None and now <= at + self._late_max:
            return 0.0
        pause, is_ours = await self._ask()
        if is_ours and pause > 0:
            self._set_aside_for = now + pause
        return pause

    async def _ask(self) -> tuple[float, bool]:
        if self._shared is not None:
            try:
                return await _next(self._shared, self._name)
            except redis.asyncio.RedisError as error:
                logger.warning("rate limits are kept by each process alone: Redis does not answer (%s)", error)
        return await _next(self._alone, self._name)


async def _next(bucket: StateBucket, name: str) -> tuple[float, bool]:
    """The seconds until the next token, and whether it is taken; another process may have been faster."""
    now = await _result(bucket.now())
    item = RateItem(name, now)
    if await _result(bucket.put(item)):
        return 0.0, True
    pause = max(await _result(bucket.waiting(item)), 1)
    return pause / 1000, bool(await _result(bucket.put(RateItem(name, now + pause))))


async def _result(value: object) -> int:
    result = await value if inspect.isawaitable(value) else value
    assert isinstance(result, int)
    return result


def _rate(per_second: float) -> Rate:
    """A burst and then a steady flow, such that both together stay within any one second's limit: evenly spaced calls
    with half a space to spare for those that are late."""
    burst = max(1, int(per_second * BURST_SHARE))
    steady = max(per_second - burst + 0.5, per_second * (1 - BURST_SHARE))
    # Rates are whole numbers per whole milliseconds.
    return Rate(max(1, round(steady * 1000)), 1_000_000, burst=burst)


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
