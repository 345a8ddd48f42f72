"""How a call to Stripe is let out and tried again. Knows nothing of Stripe's SDK."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import Counter

from dashboard.kit.limiter import BACKGROUND, FINALIZING, PEOPLE
from dashboard.stripe_app.errors import StripeRefused, StripeUnreachable

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

__all__ = [
    "BACKGROUND", "FINALIZING", "PEOPLE", "CallBudget", "CallLimiter", "Caller", "NoLimit", "Sleep",
]  # fmt: skip

CALLS = Counter("meterdesk_stripe_calls", "Calls to Stripe, each try counted.", ["operation", "outcome"])


class CallLimiter(Protocol):
    async def acquire(self, account: str, endpoint: str, *, livemode: bool, priority: int) -> None:
        """Returns when one more call of `endpoint` may go out for `account`; lower `priority` goes first."""
        ...

    def hold_back(self, account: str, seconds: float, *, livemode: bool) -> None:
        """Lets nothing out for `account` for so long."""
        ...


class NoLimit:
    """Lets every call through."""

    async def acquire(self, account: str, endpoint: str, *, livemode: bool, priority: int) -> None:
        return None

    def hold_back(self, account: str, seconds: float, *, livemode: bool) -> None:
        return None


@dataclass(frozen=True, slots=True)
class CallBudget:
    """How often one call is tried and how long it may wait in between, in seconds."""

    attempts: int = 4
    longest_wait: float = 8.0
    total_wait: float = 20.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Lets the calls of one gateway out, one try after the other."""

    limiter: CallLimiter
    budget: CallBudget
    sleep: Sleep
    account: str
    livemode: bool
    priority: int

    async def call(self, operation: str, send: Callable[[], Awaitable[Json]]) -> Json:
        """Waits for the limiter, sends, and tries again while Stripe says it is worth it and the budget lasts."""
        waited, attempt = 0.0, 1
        while True:
            await self.limiter.acquire(self.account, operation, livemode=self.livemode, priority=self.priority)
            try:
                answer = await send()
            except StripeUnreachable as trouble:
                CALLS.labels(operation, str(trouble.stripe_code or trouble.http_status or "network")).inc()
                pause = self._pause(attempt, trouble.retry_after_seconds)
                if trouble.http_status == 429 and trouble.retry_after_seconds:
                    self.limiter.hold_back(self.account, trouble.retry_after_seconds, livemode=self.livemode)
                if trouble.is_final or attempt >= self.budget.attempts or waited + pause > self.budget.total_wait:
                    raise
                await self.sleep(pause)
                waited, attempt = waited + pause, attempt + 1
            except StripeRefused as refusal:
                CALLS.labels(operation, str(refusal.stripe_code or refusal.http_status or "refused")).inc()
                raise
            else:
                CALLS.labels(operation, "ok").inc()
                return answer

    def _pause(self, attempt: int, asked: float | None) -> float:
        backoff = min(self.budget.longest_wait, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
        return max(backoff, asked or 0.0)
