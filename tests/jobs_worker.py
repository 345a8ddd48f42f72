"""A worker process for `test_jobs_workers.py`: runs one kind of job of three steps and writes down what it does.

    python -m tests.jobs_worker DATABASE_URL DIARY [SECONDS]

Each line of the diary is `<pid> <what> <key>`. Every step lasts so many seconds after its line, step two moreover until
the file `<DIARY>.go` exists.
"""

import asyncio
import os
import sys
from pathlib import Path

from dashboard.kit.jobs import EngineAlreadyRunning, Job, JobEngine, JobRun, Jobs
from dashboard.kit.jobs.ownership import FileOwnership
from dashboard.kit.jobs.postgresql import AdvisoryOwnership

CATALOGUE = {"walk": Job("invoices")}


class Walk:
    def __init__(self, diary: Path, seconds: float) -> None:
        self.diary = diary
        self.seconds = seconds
        self.go = Path(f"{diary}.go")

    def note(self, what: str, key: str = "-") -> None:
        with self.diary.open("a") as file:
            file.write(f"{os.getpid()} {what} {key}\n")

    async def quick(self, what: str, key: str) -> str:
        self.note(what, key)
        await asyncio.sleep(self.seconds)
        return key

    async def slow(self, key: str) -> None:
        await self.quick("two", key)
        while not self.go.exists():
            await asyncio.sleep(0.02)

    async def run(self, run: JobRun) -> None:
        await run.step("one", self.quick, "one", run.key)
        await run.step("two", self.slow, run.key)
        await run.step("three", self.quick, "three", run.key)


async def main(url: str, diary: Path, seconds: float = 0) -> None:
    walk, jobs = Walk(diary, seconds), Jobs(url, CATALOGUE)
    ownership = FileOwnership(jobs) if jobs.is_sqlite else AdvisoryOwnership(jobs, look_for_dead_seconds=0.3)
    engine = JobEngine(jobs, {"walk": walk.run}, polling_seconds=0.25, ownership=ownership)

    async def tick() -> None:
        walk.note("tick")

    engine.every(0.1, "tick", tick)
    try:
        await engine.start()
    except EngineAlreadyRunning as refusal:
        walk.note(refusal.code)
        return
    walk.note("started", engine.executor_id)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:])))
