"""Workers as processes of their own: killed, frozen, started twice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.jobs import EngineAlreadyRunning, Jobs
from dashboard.kit.jobs.postgresql import AdvisoryOwnership
from tests.jobs_worker import CATALOGUE
from tests.servers import empty_postgresql_url as empty_postgresql_url

ROOT = Path(__file__).parents[2]
KEYS = [f"job{number}" for number in range(6)]


class Site:
    """A database and the workers on it, with the diary they all write."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.diary = folder / "diary"
        self.diary.touch()
        self.jobs = Jobs(url, CATALOGUE)
        self.jobs.prepare()
        self.database = Database(url, outbox=self.jobs)
        self.workers: list[psutil.Popen] = []

    async def start_worker(self, seconds_per_step: float = 0) -> psutil.Popen:
        command = [sys.executable, "-m", "tests.jobs_worker", self.url, str(self.diary), str(seconds_per_step)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        worker = psutil.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        self.workers.append(worker)
        await self.until(lambda: {"started", "job_engine_already_running"} & {w for p, w, _ in self.lines(worker)})
        return worker

    async def ask(self, keys: list[str]) -> None:
        async with self.database.transaction(SYSTEM) as work:
            for key in keys:
                await work.enqueue("walk", key)

    def lines(self, worker: psutil.Popen | None = None) -> list[tuple[int, str, str]]:
        found = [line.split(" ", 2) for line in self.diary.read_text().splitlines()]
        return [(int(pid), what, key) for pid, what, key in found if worker is None or int(pid) == worker.pid]

    def count(self, what: str, worker: psutil.Popen | None = None) -> Counter[str]:
        return Counter(key for _, found, key in self.lines(worker) if found == what)

    def let_step_two_end(self) -> None:
        Path(f"{self.diary}.go").touch()

    async def until(self, condition) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.02)

    async def until_all_succeeded(self, keys: list[str]) -> None:
        async with asyncio.timeout(60):
            for key in keys:
                while await self.jobs.state("walk", key) != "succeeded":
                    await asyncio.sleep(0.02)

    async def kill(self, worker: psutil.Popen) -> None:
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.wait)

    async def close(self) -> None:
        for worker in self.workers:
            if worker.is_running():
                worker.kill()
            worker.wait()
        await self.database.close()
        await self.jobs.close()


@pytest.fixture
async def shared_site(empty_postgresql_url, tmp_path):
    """On PostgreSQL, where several workers may run."""
    site = Site(empty_postgresql_url, tmp_path)
    yield site
    await site.close()


@pytest.fixture
async def embedded_site(tmp_path):
    """On SQLite, where one process runs the jobs."""
    site = Site(f"sqlite:///{tmp_path}/app.db", tmp_path)
    yield site
    await site.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def site_with_workers(request):
    """Each kind of site, with how many workers it bears."""
    if request.param == "sqlite":
        return request.getfixturevalue("embedded_site"), 1
    return request.getfixturevalue("shared_site"), 3


async def test_a_killed_process_goes_on_where_it_was_when_it_is_started_again(embedded_site):
    site = embedded_site
    worker = await site.start_worker()
    await site.ask(KEYS)
    await site.until(lambda: len(site.count("two")) == len(KEYS))
    await site.kill(worker)
    site.let_step_two_end()
    await site.start_worker()
    await site.until_all_succeeded(KEYS)
    assert site.count("one") == dict.fromkeys(KEYS, 1)
    assert site.count("three") == dict.fromkeys(KEYS, 1)
    # What was in flight is done once more: that is what idempotency keys are for.
    assert site.count("two") == dict.fromkeys(KEYS, 2)


async def test_a_second_process_on_the_same_sqlite_file_is_refused_until_the_first_is_gone(embedded_site):
    site = embedded_site
    first = await site.start_worker()
    second = await site.start_worker()
    assert second.wait(10) == 0
    assert site.count("job_engine_already_running", second)
    await site.kill(first)
    third = await site.start_worker()
    assert site.count("started", third)


async def test_on_sqlite_the_runs_of_any_other_executor_are_taken_over_at_the_start(embedded_site):
    site = embedded_site
    worker = await site.start_worker()
    await site.ask(["job0"])
    await site.until(lambda: site.count("two"))
    await site.kill(worker)
    async with site.database.transaction(SYSTEM) as work:
        await work.session.execute(text("UPDATE workflow_status SET executor_id = 'a worker of long ago'"))
    site.let_step_two_end()
    await site.start_worker()
    await site.until_all_succeeded(["job0"])


async def test_the_runs_of_a_killed_worker_are_finished_by_another(shared_site):
    site = shared_site
    first = await site.start_worker()
    await site.ask(KEYS)
    await site.until(lambda: len(site.count("two", first)) == len(KEYS))
    second = await site.start_worker()
    await site.kill(first)
    site.let_step_two_end()
    await site.until_all_succeeded(KEYS)
    assert site.count("one") == dict.fromkeys(KEYS, 1)
    assert site.count("three", second) == dict.fromkeys(KEYS, 1)


async def test_two_workers_share_the_work_and_run_nothing_twice(shared_site):
    site = shared_site
    site.let_step_two_end()
    workers = [await site.start_worker() for _ in range(2)]
    keys = [f"shared{number}" for number in range(60)]
    for start in range(0, len(keys), 5):
        await site.ask(keys[start : start + 5])
    await site.until_all_succeeded(keys)
    for step in ("one", "two", "three"):
        assert site.count(step) == dict.fromkeys(keys, 1)
    assert all(site.count("one", worker) for worker in workers)


async def test_a_frozen_worker_that_was_given_up_does_nothing_more_with_its_runs_when_it_thaws(shared_site):
    site = shared_site
    frozen = await site.start_worker()
    await site.ask(KEYS)
    await site.until(lambda: len(site.count("two", frozen)) == len(KEYS))
    frozen.send_signal(signal.SIGSTOP)
    await cut_all_connections(site)
    other = await site.start_worker()
    await site.until(lambda: len(site.count("two", other)) == len(KEYS))
    site.let_step_two_end()
    await site.until_all_succeeded(KEYS)
    frozen.send_signal(signal.SIGCONT)
    # It is well again: it takes new work, and leaves what it has lost alone.
    await site.kill(other)
    await site.ask(["afterwards"])
    await site.until_all_succeeded(["afterwards"])
    assert site.count("three", frozen) == {"afterwards": 1}
    assert site.count("three") == dict.fromkeys([*KEYS, "afterwards"], 1)


async def test_periodic_work_is_done_by_one_worker_and_passes_to_another_when_that_dies(shared_site):
    site = shared_site
    first = await site.start_worker()
    await site.until(lambda: site.count("tick", first))
    second = await site.start_worker()
    ticks = site.count("tick", first).total()
    await site.until(lambda: site.count("tick", first).total() > ticks + 3)
    assert not site.count("tick", second)
    await site.kill(first)
    await site.until(lambda: site.count("tick", second))


async def test_a_worker_that_lost_its_database_connections_takes_its_place_again(shared_site):
    site = shared_site
    worker = await site.start_worker()
    await cut_all_connections(site)
    ticks = site.count("tick").total()
    await site.until(lambda: site.count("tick", worker).total() > ticks + 3)
    await site.ask(KEYS)
    await site.until(lambda: len(site.count("two", worker)) == len(KEYS))
    other = await site.start_worker()
    # By then the other has looked for dead workers, and found none.
    await asyncio.sleep(1)
    site.let_step_two_end()
    await site.until_all_succeeded(KEYS)
    assert site.count("two") == dict.fromkeys(KEYS, 1)
    assert not site.count("two", other)


async def test_two_processes_cannot_run_jobs_under_one_id(shared_site):
    first, second = AdvisoryOwnership(shared_site.jobs), AdvisoryOwnership(shared_site.jobs)
    second.executor_id = first.executor_id
    await first.take()
    with pytest.raises(EngineAlreadyRunning):
        await second.take()
    await first.release()
    await second.take()
    await second.release()


async def test_nothing_is_lost_and_no_finished_step_repeated_while_workers_are_killed_again_and_again(
    site_with_workers,
):
    site, workers = site_with_workers
    site.let_step_two_end()
    team = await asyncio.gather(*(site.start_worker(0.1) for _ in range(workers)))
    keys = [f"chaos{number}" for number in range(60)]
    for start in range(0, len(keys), 20):
        noted = len(site.lines())
        await site.ask(keys[start : start + 20])
        await site.until(lambda noted=noted: any(what == "two" for _, what, _ in site.lines()[noted:]))
        busiest = max(team, key=lambda worker: len(site.lines(worker)) - site.count("tick", worker).total())
        await site.kill(busiest)
        team[team.index(busiest)] = await site.start_worker(0.1)
    await site.until_all_succeeded(keys)
    order = ("one", "two", "three")
    for key in keys:
        steps = [order.index(what) for _, what, of in site.lines() if of == key]
        assert sorted(steps) == steps, f"{key} went back to a step that was finished: {steps}"
        assert set(steps) == {0, 1, 2}
    repeated = sum(sum(site.count(step).values()) for step in order) - 3 * len(keys)
    assert repeated > 0, "no kill hit a step in flight: the test proves nothing"


async def cut_all_connections(site: Site) -> None:
    """What the server does when it no longer hears from a machine: its connections go, and their locks with them."""
    async with site.database.transaction(SYSTEM) as work:
        ours = await work.session.scalar(text("SELECT pg_backend_pid()"))
        cut = await work.session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> :ours AND backend_type = 'client backend'"
            ),
            {"ours": ours},
        )
        assert cut.all()
