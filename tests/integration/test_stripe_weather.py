"""Many invoices in bad weather: calls that fail in every way, letters shuffled, doubled, dropped. Nothing is lost.

`WEATHER_SEEDS` (`1-10`) and `WEATHER_INVOICES` ask for more; `tests/weather.py` says how to run a hundred by hand.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.weather import Report, run_seed

FIRST, _, LAST = os.environ.get("WEATHER_SEEDS", "1-10").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
INVOICES = int(os.environ.get("WEATHER_INVOICES", "24"))
PROCESSES = 2


@pytest.fixture(scope="module")
def storms(request: pytest.FixtureRequest) -> Iterator[dict[int, Future[Report]]]:
    """The chosen seeds' storms, two at a time, each in a process that shares nothing with this one."""
    chosen = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = {int(str(item.callspec.params["seed"])) for item in chosen if "storms" in item.fixturenames}
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield {seed: pool.submit(run_seed, seed, INVOICES) for seed in sorted(wanted)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
def test_after_the_storm_every_invoice_is_as_stripe_has_it_and_there_is_one_of_each(
    storms: dict[int, Future[Report]], seed: int
):
    report = storms[seed].result()
    assert report.wrongs == ()
    assert report.disturbed >= 0.2, "the weather was too fine to prove anything"
