"""A worker is killed before and after every call to Stripe and every commit; then there is exactly one of everything.

On SQLite the one worker is started again; on PostgreSQL a second one is there and finishes what the first began.

Between two of them nothing leaves a trace, so dying after the one or before the next is the same: in the ordinary run
CRASH_SEED chooses one of the two on SQLite, and on PostgreSQL one point of each kind. CRASH_POINTS=all plays all.
"""

import os
import random
from pathlib import Path

import pytest

from dashboard.kit.ids import new_id
from tests.contract.sandbox_support import RunningSandbox
from tests.crash.matrix import Matrix
from tests.crash.points import Point
from tests.crash.worker import STORIES, Place
from tests.stripe_house import stripe_sandbox as stripe_sandbox

EVERY_POINT = os.environ.get("CRASH_POINTS") == "all"
SEED = os.environ.get("CRASH_SEED", "1")


@pytest.mark.timeout(3600 if EVERY_POINT else 600)
@pytest.mark.parametrize("story", STORIES)
def test_wherever_a_worker_is_killed_there_is_one_of_everything(
    story: str, database_url: str, stripe_sandbox: RunningSandbox, tmp_path: Path
) -> None:
    place = Place(story, database_url, tmp_path / "data", stripe_sandbox.url, new_id().lower())
    workers = 1 if database_url.startswith("sqlite") else 2
    matrix = Matrix(place, tmp_path, workers)
    try:
        points = matrix.found()
        chosen = points if EVERY_POINT else one_in_each_gap(points) if workers == 1 else one_of_each_kind(points)
        wrong = [f"{point}: {problem}" for point in chosen if (problem := matrix.die_at(point))]
        matrix.finale()
    finally:
        matrix.close()
    print(f"{story}: {len(chosen)} deaths at {len(points)} points")  # noqa: T201
    assert wrong == []


def one_in_each_gap(points: list[Point]) -> list[Point]:
    """Between any two calls or commits one point, either after the first or before the second."""
    chance = random.Random(SEED)
    inner = [chance.choice(points[number : number + 2]) for number in range(1, len(points) - 1, 2)]
    return [points[0], *inner, points[-1]]


def one_of_each_kind(points: list[Point]) -> list[Point]:
    """One before a call, one after a call, one before a commit, one after a commit."""
    chance = random.Random(SEED)
    by_kind: dict[tuple[str, bool], list[Point]] = {}
    for point in points:
        by_kind.setdefault((point.what.split()[0], " the commit of " in point.what), []).append(point)
    chosen = {chance.choice(alike) for alike in by_kind.values()}
    return [point for point in points if point in chosen]
