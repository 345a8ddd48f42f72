"""One limit of the limiter by a clock of our own: what a late machine sends, and that no second ever sees too much."""

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from dashboard.kit import limiter
from tests.busiest import busiest_second

SENT = 150


async def sent(monkeypatch: pytest.MonkeyPatch, per_second: float, late: Callable[[], float]) -> list[float]:
    """When so many calls go out that all wait from the beginning, each fetched `late()` seconds after its time."""
    now = 1_000.0
    bucket = limiter._Bucket("acct_1", per_second, None)
    monkeypatch.setattr(limiter, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(bucket._alone, "now", lambda: round(now * 1000))
    stamps: list[float] = []
    while len(stamps) < SENT:
        pause = await bucket.take()
        if pause > 0:
            now += pause + late()
        else:
            stamps.append(now)
    return stamps


@pytest.mark.parametrize(("per_second", "late"), [(25, 0.0), (25, 0.015), (20, 0.02), (100, 0.004)])
async def test_a_machine_that_is_late_for_every_call_still_sends_nearly_all_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, per_second: float, late: float
) -> None:
    stamps = await sent(monkeypatch, per_second, lambda: late)
    assert busiest_second(stamps) <= per_second
    assert (SENT - 1) / (stamps[-1] - stamps[0]) >= 0.95 * per_second


@pytest.mark.parametrize("per_second", [1, 5, 20, 25, 100])
@pytest.mark.parametrize("seed", range(5))
async def test_however_late_calls_are_no_second_sees_more_than_its_limit(
    monkeypatch: pytest.MonkeyPatch, per_second: float, seed: int
) -> None:
    chance = random.Random(seed)
    stamps = await sent(monkeypatch, per_second, lambda: chance.choice([0.0, 0.001, 0.01, 0.02, 0.04, 0.2, 1.5]))
    assert busiest_second(stamps) <= per_second
