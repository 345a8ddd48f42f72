"""One at a time, across processes, and nothing left behind by a process that is killed."""

import asyncio
import signal
import sys
from pathlib import Path

from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database
from dashboard.kit.locks import Locks

ROOT = Path(__file__).parent.parent.parent

HOLDER = """
import asyncio, sys
from dashboard.kit.database import Database
from dashboard.kit.locks import Locks

async def main():
    async with Locks(Database(sys.argv[1])).holding("invoice:1") as ours:
        print("held" if ours else "not held", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_process_leaves_no_lock_behind(database_url: str, clock: FixedClock) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database_url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    database = Database(database_url, clock=clock)
    locks = Locks(database)
    async with locks.holding("invoice:1") as ours:
        assert not ours
    async with locks.holding("invoice:2") as ours:
        assert ours

    holder.send_signal(signal.SIGKILL)
    await holder.wait()
    async with locks.holding("invoice:1", wait_seconds=10) as ours:
        assert ours
    await locks.close()
    await database.close()


async def test_nobody_takes_what_he_holds_already(database: Database) -> None:
    locks = Locks(database)
    async with locks.holding("a") as first, locks.holding("a") as second, locks.holding("b") as other:
        assert (first, second, other) == (True, False, True)
    async with locks.holding("a") as again:
        assert again
    await locks.close()


async def test_whoever_waits_long_enough_gets_it(database: Database) -> None:
    locks = Locks(database)
    order: list[str] = []

    async def work(name: str) -> None:
        async with locks.holding("a", wait_seconds=20) as ours:
            assert ours
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(*(work(name) for name in "123"))
    assert [step.split()[1] for step in order] == ["in", "out"] * 3
    await locks.close()
