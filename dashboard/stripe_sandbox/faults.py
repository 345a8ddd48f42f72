"""Faults that a tester orders: slow answers, errors, cut connections, and limits, per method and path."""

import random
import re
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

EFFECTS = (
    "latency", "hang", "rate_limit", "lock_timeout", "error_500_before", "error_500_after", "unavailable", "cut_before",
    "cut_after", "unauthorized", "forbidden", "tax_inactive", "portal_unconfigured",
)  # fmt: skip
RATE_LIMIT_REASONS = ("global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency", "resource-specific")
HANG_MS = 100_000


@dataclass
class Fault:
    """One ordered fault. From the `nth` matching call on, it strikes `times` calls (0: all of them).

    With a `seed` the dice of `probability` fall the same way every time, call after call.
    """

    effect: str
    method: str = "*"
    path: str = "/v1/"
    nth: int = 1
    times: int = 1
    delay_ms: int = 0
    jitter_ms: int = 0
    probability: float = 1.0
    reason: str = "endpoint-rate"
    should_retry: bool | None = None
    seed: int | None = None
    seen: int = 0
    struck: int = 0

    def matches(self, method: str, path: str) -> bool:
        """`path` is a prefix, or a template such as `/v1/invoices/{id}/finalize`."""
        if self.method not in ("*", method):
            return False
        if "{" not in self.path:
            return path.startswith(self.path)
        return bool(re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(self.path)), path))

    def delay_seconds(self) -> float:
        """How long this call waits."""
        return (self.delay_ms + random.uniform(0, self.jitter_ms)) / 1000


class Faults:
    """The ordered faults, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._dice = random.Random()

    def order(self, fault: Fault) -> Fault:
        """Add a fault. Its seed, if any, is for the dice of all of them."""
        self._faults.append(fault)
        if fault.seed is not None:
            self._dice = random.Random(fault.seed)
        return fault

    def clear(self) -> None:
        """Back to good weather."""
        self._faults.clear()

    def strike(self, method: str, path: str) -> list[Fault]:
        """The faults that hit this call. A spent fault is dropped."""
        hits = []
        for fault in [fault for fault in self._faults if fault.matches(method, path)]:
            fault.seen += 1
            if fault.seen < fault.nth or self._dice.random() >= fault.probability:
                continue
            fault.struck += 1
            hits.append(fault)
            if fault.times and fault.struck >= fault.times:
                self._faults.remove(fault)
        return hits

    def listing(self) -> list[dict[str, Any]]:
        """What is ordered, for the console."""
        return [asdict(fault) for fault in self._faults]


class Limiter:
    """Stripe's request rates as token buckets: per account, and per account and endpoint. Off until `enabled`."""

    def __init__(self, rate: float = 25.0) -> None:
        self.enabled = False
        self.rate = rate
        self._buckets: dict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (rate, time.monotonic()))

    def refuse(self, account: str, endpoint: str) -> str | None:
        """The reason to refuse this call, or None. Real time counts here, not the sandbox's clock."""
        if not self.enabled:
            return None
        if not self._take((account, "")):
            return "global-rate"
        return None if self._take((account, endpoint)) else "endpoint-rate"

    def _take(self, bucket: tuple[str, str]) -> bool:
        tokens, since = self._buckets[bucket]
        now = time.monotonic()
        tokens = min(self.rate, tokens + (now - since) * self.rate)
        self._buckets[bucket] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1
