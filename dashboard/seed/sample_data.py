"""The demo company for the screens: made or removed in the background of a web process, while a page follows.

It is no durable job: everything in it may be done again, so after a crash one presses the button once more.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.backend import Backend
from dashboard.customers.queries import customers_by_id, customers_of_subjects
from dashboard.kit.errors import Conflict, MeterdeskError
from dashboard.seed.company import CUSTOMERS, DEMO
from dashboard.seed.making import make_company
from dashboard.seed.removing import remove_company
from dashboard.seed.report import Seeding

TOPIC = "sample_data"
"""What the news calls it."""
_LOCK = "sample data"

logger = logging.getLogger(__name__)

Verb = Literal["load", "remove"]


class SampleDataBusy(Conflict):
    code = "sample_data_busy"
    remedy = "Wait until that is done, then look again."


class SampleDataFailed(MeterdeskError):
    code = "sample_data_failed"
    remedy = "Try once more: what is there already stays as it is."


@dataclass(frozen=True, slots=True)
class SampleDataRun:
    """What goes on with the demo company, or went on last in this process.

    `problem` is why it ended too early, `left` what a removal had to leave and why.
    """

    verb: Verb
    is_running: bool = True
    step: str = ""
    done: int = 0
    total: int = 1
    problem: MeterdeskError | None = None
    left: tuple[str, ...] = ()


_last: list[tuple[Backend, SampleDataRun]] = []
_tasks: set[asyncio.Task[None]] = set()
"""Python forgets a task that nobody holds."""


def sample_data_run(backend: Backend) -> SampleDataRun | None:
    """The run of this process that goes on now or was the last; None before the first."""
    return next((run for owner, run in _last if owner is backend), None)


async def has_sample_data(session: AsyncSession) -> bool:
    """Whether a customer of the demo company is here."""
    owners = await customers_of_subjects(session, [demo.key for demo in CUSTOMERS])
    customers = await customers_by_id(session, owners.values())
    return any(customer.metadata == DEMO for customer in customers.values())


async def begin_sample_data(backend: Backend, verb: Verb) -> None:
    """Begins to make or to remove the demo company, and returns at once; news on `TOPIC` tell of each step.

    Raises SampleDataBusy while one goes on, in whichever process.
    """
    locked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    _keep(asyncio.create_task(_run(backend, verb, locked)))
    if not await locked:
        raise SampleDataBusy("The sample data is being loaded or removed already.")


async def _run(backend: Backend, verb: Verb, locked: asyncio.Future[bool]) -> None:
    async with backend.billing.locks.holding(_LOCK) as taken:
        if taken:
            _note(backend, SampleDataRun(verb))
        locked.set_result(taken)
        if taken:
            await _work(backend, verb)


async def _work(backend: Backend, verb: Verb) -> None:
    def begin(step: str, done: int, total: int) -> None:
        _note(backend, SampleDataRun(verb, step=step, done=done, total=total))

    seeding = Seeding(backend, logger.info, begin)
    left: list[str] = []
    problem: MeterdeskError | None = None
    try:
        if verb == "load":
            await make_company(seeding)
        else:
            left = await remove_company(seeding)
    except MeterdeskError as refusal:
        problem = refusal
    except Exception:
        logger.exception("the sample data could not be finished")
        problem = SampleDataFailed("The sample data could not be finished; the server's log says why.")
    _note(backend, SampleDataRun(verb, is_running=False, problem=problem, left=tuple(left)))


def _note(backend: Backend, run: SampleDataRun) -> None:
    _last[:] = [(backend, run)]
    _keep(asyncio.create_task(backend.changes.publish([TOPIC])))


def _keep(task: asyncio.Task[None]) -> None:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
