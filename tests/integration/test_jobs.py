"""What a job engine promises, on SQLite and on PostgreSQL. (Death and recovery of workers: `test_jobs_workers.py`.)"""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dashboard.kit.database import SYSTEM, Database, async_url
from dashboard.kit.errors import Conflict, InvalidInput, TooManyRequests, Unavailable
from dashboard.kit.jobs import JOB_TABLES, Job, JobEngine, Jobs, NoFailedRun, StepFailed, UnknownJob, catalogue, engine
from dashboard.kit.jobs.ownership import FileOwnership
from dashboard.kit.jobs.postgresql import AdvisoryOwnership
from tests.servers import postgresql_database

CATALOGUE = {
    "greet": Job("people"),
    "sync": Job("invoices", serial_by="invoice_id", attempts=3),
    "sweep": Job("background", attempts=1),
}


class House:
    """Jobs, a database with them as its outbox, and an engine whose functions a test replaces."""

    def __init__(self, url: str) -> None:
        self.jobs = Jobs(url, CATALOGUE)
        self.database = Database(url, outbox=self.jobs)
        self.functions = {name: self._nothing for name in CATALOGUE}
        self.engine: JobEngine | None = None

    async def _nothing(self, run, **arguments) -> None:
        return None

    async def start(self, **settings) -> JobEngine:
        self.engine = JobEngine(self.jobs, self.functions, **settings)
        await self.engine.start()
        return self.engine

    async def stop(self) -> None:
        if self.engine is not None:
            await self.engine.stop()
            self.engine = None

    async def ask(self, job: str, key: str, **arguments) -> None:
        async with self.database.transaction(SYSTEM) as work:
            await work.enqueue(job, key, **arguments)

    async def ended(self, job: str, key: str) -> str:
        """How the run ended."""
        async with asyncio.timeout(20):
            while (state := await self.jobs.state(job, key)) not in ("succeeded", "failed"):
                await asyncio.sleep(0.01)
        return state


@pytest.fixture(scope="module")
def _template(postgresql_url):
    with postgresql_database(postgresql_url) as url:
        jobs = Jobs(url, {})
        jobs.prepare()
        jobs.engine.dispose()
        yield url


@pytest.fixture
def url_with_job_tables(_template):
    with postgresql_database(_template, template=_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request, tmp_path):
    is_sqlite = request.param == "sqlite"
    house = House(f"sqlite:///{tmp_path}/app.db" if is_sqlite else request.getfixturevalue("url_with_job_tables"))
    await asyncio.to_thread(house.jobs.prepare)
    yield house
    await house.stop()
    await house.database.close()
    await house.jobs.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(catalogue, "FIRST_PAUSE_SECONDS", 0.01)


async def test_a_job_runs_once_after_the_commit_with_the_arguments_it_was_given(house):
    seen = []

    async def greet(run, name, times) -> None:
        seen.append((run.job, run.key, name, times))

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "one", name="Ada", times=[1, {"two": None}])
    assert await house.ended("greet", "one") == "succeeded"
    assert seen == [("greet", "one", "Ada", [1, {"two": None}])]


async def test_a_rolled_back_transaction_leaves_no_job(house):
    await house.start()
    async with house.database.transaction(SYSTEM) as work:
        await work.enqueue("greet", "never")
        await work.session.rollback()
    assert await house.jobs.state("greet", "never") is None


async def test_a_job_is_invisible_until_the_transaction_commits(house):
    await house.start()
    async with house.database.transaction(SYSTEM) as work:
        await work.enqueue("greet", "soon")
        await asyncio.sleep(0.1)
        assert await house.jobs.state("greet", "soon") is None
    assert await house.ended("greet", "soon") == "succeeded"


async def test_the_same_job_and_key_do_not_run_twice(house):
    runs = Counter()

    async def greet(run) -> None:
        runs[run.key] += 1

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "once")
    await house.ask("greet", "once")
    await house.ended("greet", "once")
    await house.ask("greet", "once")
    await house.ask("greet", "after")
    await house.ended("greet", "after")
    assert runs == {"once": 1, "after": 1}


async def test_a_job_starts_at_once_however_rarely_the_queues_are_polled(house):
    started = asyncio.Event()

    async def greet(run) -> None:
        started.set()

    house.functions["greet"] = greet
    await house.start(polling_seconds=60)
    # PostgreSQL is told through a connection that is opened beside the start.
    await asyncio.sleep(0.2)
    await house.ask("greet", "now")
    async with asyncio.timeout(5):
        await started.wait()


async def test_a_job_asked_for_by_another_process_starts_without_waiting_for_the_poll_on_postgresql(house):
    if house.jobs.is_sqlite:
        # There is no other process that could ask: one owns the file.
        return
    started = asyncio.Event()

    async def greet(run) -> None:
        started.set()

    house.functions["greet"] = greet
    await house.start(polling_seconds=60)
    await asyncio.sleep(0.2)
    elsewhere = Jobs(house.jobs.url, CATALOGUE)
    database = Database(house.jobs.url.render_as_string(hide_password=False), outbox=elsewhere)
    async with database.transaction(SYSTEM) as work:
        await work.enqueue("greet", "from elsewhere")
    async with asyncio.timeout(5):
        await started.wait()
    await database.close()
    await elsewhere.close()


async def test_who_only_asks_for_jobs_runs_none(house):
    await house.ask("greet", "waits")
    await asyncio.sleep(0.3)
    assert await house.jobs.state("greet", "waits") == "waiting"
    assert (await house.jobs.backlog())["people"].waiting == 1


async def test_a_transient_error_is_tried_again_without_repeating_finished_steps(house):
    calls = Counter()

    async def create(invoice_id) -> dict:
        calls["create"] += 1
        return {"id": f"in_{invoice_id}"}

    async def finalize(stripe_id) -> str:
        calls["finalize"] += 1
        if calls["finalize"] < 3:
            raise Unavailable("Stripe could not be reached.")
        return stripe_id

    async def sync(run, invoice_id) -> None:
        created = await run.step("create", create, invoice_id)
        assert await run.step("finalize", finalize, created["id"]) == "in_7"

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    assert await house.ended("sync", "7:1") == "succeeded"
    assert calls == {"create": 1, "finalize": 3}


async def test_a_transient_error_outside_a_step_is_tried_again_too(house):
    attempts = []

    async def sync(run, invoice_id) -> None:
        attempts.append(run.attempt)
        if run.attempt == 1:
            raise ConnectionError

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    assert await house.ended("sync", "7:1") == "succeeded"
    assert attempts == [1, 2]


async def test_the_next_try_waits_as_long_as_the_other_side_asked(house):
    tries = []

    async def call() -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise TooManyRequests("Too fast.", retry_after_seconds=0.4)

    async def sync(run, invoice_id) -> None:
        await run.step("call", call)

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    await house.ended("sync", "7:1")
    assert tries[1] - tries[0] >= 0.4


async def test_after_its_last_try_a_job_has_failed_and_is_listed(house):
    attempts = []

    async def sync(run, invoice_id) -> None:
        attempts.append(run.attempt)
        raise Unavailable("Stripe could not be reached.")

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    assert await house.ended("sync", "7:1") == "failed"
    assert attempts == [1, 2, 3]
    (failed,) = await house.jobs.failed()
    assert (failed.job, failed.key, failed.code) == ("sync", "7:1", "unavailable")
    assert (failed.error_name, failed.message) == ("Unavailable", "Stripe could not be reached.")
    assert abs(failed.at - datetime.now(UTC)) < timedelta(seconds=30)
    assert (await house.jobs.backlog())["invoices"].failed == 1


async def test_an_error_that_time_does_not_mend_is_not_tried_again(house):
    attempts = []

    async def refuse() -> None:
        raise InvalidInput("No such tax code.")

    async def sync(run, invoice_id) -> None:
        attempts.append(run.attempt)
        await run.step("refuse", refuse)

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    assert await house.ended("sync", "7:1") == "failed"
    assert attempts == [1]
    (failed,) = await house.jobs.failed()
    assert (failed.error_name, failed.code, failed.message) == ("InvalidInput", "invalid_input", "No such tax code.")


async def test_a_step_that_fails_tells_the_job_what_happened(house):
    caught: list[StepFailed] = []

    async def refuse() -> None:
        raise Conflict("It is paid already.")

    async def sync(run, invoice_id) -> None:
        try:
            await run.step("void", refuse)
        except StepFailed as failure:
            caught.append(failure)

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    assert await house.ended("sync", "7:1") == "succeeded"
    (failure,) = caught
    assert (failure.step, failure.error_name, failure.code) == ("void", "Conflict", "conflict")
    assert (failure.message, failure.is_transient) == ("It is paid already.", False)


async def test_a_failed_job_can_be_run_again_and_then_no_longer_counts_as_failed(house):
    is_mended = False

    async def sync(run, invoice_id) -> None:
        if not is_mended:
            raise InvalidInput("No such tax code.")

    house.functions["sync"] = sync
    await house.start()
    await house.ask("sync", "7:1", invoice_id="7")
    await house.ended("sync", "7:1")
    is_mended = True
    await house.jobs.retry("sync", "7:1")
    assert await house.ended("sync", "7:1") == "succeeded"
    assert await house.jobs.failed() == ()


async def test_only_a_failed_run_can_be_run_again(house):
    await house.start()
    await house.ask("greet", "fine")
    await house.ended("greet", "fine")
    with pytest.raises(NoFailedRun):
        await house.jobs.retry("greet", "fine")
    with pytest.raises(NoFailedRun):
        await house.jobs.retry("greet", "unheard of")
    with pytest.raises(UnknownJob):
        await house.jobs.retry("dance", "fine")


async def test_runs_about_the_same_thing_never_overlap_and_others_do(house):
    running, most_of_one, most_of_all = Counter(), 0, 0

    async def sync(run, invoice_id) -> None:
        nonlocal most_of_one, most_of_all
        running[invoice_id] += 1
        most_of_one = max(most_of_one, running[invoice_id])
        most_of_all = max(most_of_all, running.total())
        await asyncio.sleep(0.02)
        running[invoice_id] -= 1

    house.functions["sync"] = sync
    await house.start()
    keys = [(invoice, revision) for invoice in "abcd" for revision in range(4)]
    for invoice, revision in keys:
        await house.ask("sync", f"{invoice}:{revision}", invoice_id=invoice)
    for invoice, revision in keys:
        await house.ended("sync", f"{invoice}:{revision}")
    assert most_of_one == 1
    assert most_of_all > 1


@pytest.mark.parametrize("value", [Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), b"x", float("nan")], ids=repr)
async def test_arguments_that_are_not_plain_json_are_refused_and_nothing_is_stored(house, value):
    with pytest.raises((TypeError, ValueError)):
        await house.ask("greet", "odd", name=value)
    assert await house.jobs.state("greet", "odd") is None


async def test_a_step_whose_answer_is_not_plain_json_fails_at_once_instead_of_changing_it_after_a_crash(house):
    async def price() -> Decimal:
        return Decimal("1.50")

    async def sweep(run) -> None:
        await run.step("price", price)

    house.functions["sweep"] = sweep
    await house.start()
    await house.ask("sweep", "today")
    assert await house.ended("sweep", "today") == "failed"
    (failed,) = await house.jobs.failed()
    assert failed.error_name == "TypeError"
    assert "Decimal" in failed.message


async def test_two_steps_of_one_name_are_a_mistake(house):
    async def nothing() -> None:
        return None

    async def sweep(run) -> None:
        await run.step("same", nothing)
        await run.step("same", nothing)

    house.functions["sweep"] = sweep
    await house.start()
    await house.ask("sweep", "today")
    assert await house.ended("sweep", "today") == "failed"


async def test_an_unknown_job_is_refused_and_the_rest_of_the_transaction_with_it(house):
    async def ask_for_both() -> None:
        async with house.database.transaction(SYSTEM) as work:
            await work.enqueue("greet", "before")
            await work.enqueue("dance", "tonight")

    with pytest.raises(UnknownJob):
        await ask_for_both()
    assert await house.jobs.state("greet", "before") is None


async def test_a_job_may_use_the_database_and_ask_for_further_jobs(house):
    async def sweep(run) -> None:
        async with house.database.transaction(SYSTEM) as work:
            answer = await work.session.scalar(text("SELECT 42"))
            await work.enqueue("greet", f"everyone of {answer}")

    house.functions["sweep"] = sweep
    await house.start()
    await house.ask("sweep", "today")
    assert await house.ended("greet", "everyone of 42") == "succeeded"


async def test_jobs_run_in_the_loop_of_the_program_that_started_the_engine(house):
    loops = []

    async def greet(run) -> None:
        loops.append(asyncio.get_running_loop())

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "where")
    await house.ended("greet", "where")
    assert loops == [asyncio.get_running_loop()]


async def test_a_stop_lets_a_short_run_finish(house):
    has_begun = asyncio.Event()

    async def greet(run) -> None:
        has_begun.set()
        await asyncio.sleep(0.1)

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "short")
    await has_begun.wait()
    await house.stop()
    assert await house.jobs.state("greet", "short") == "succeeded"


async def test_a_run_interrupted_by_a_stop_goes_on_after_its_finished_steps_at_the_next_start(house):
    calls, has_begun = Counter(), asyncio.Event()

    async def create() -> str:
        calls["create"] += 1
        return "in_7"

    async def finalize(stripe_id) -> str:
        calls["finalize"] += 1
        has_begun.set()
        if calls["finalize"] == 1:
            await asyncio.sleep(60)
        return stripe_id

    async def sync(run, invoice_id) -> None:
        await run.step("finalize", finalize, await run.step("create", create))

    house.functions["sync"] = sync
    await house.start(grace_seconds=0.05)
    await house.ask("sync", "7:1", invoice_id="7")
    await has_begun.wait()
    await house.stop()
    assert await house.jobs.state("sync", "7:1") == "running"
    await house.start()
    assert await house.ended("sync", "7:1") == "succeeded"
    assert calls == {"create": 1, "finalize": 2}


async def test_a_failure_recorded_before_a_crash_looks_the_same_afterwards(house):
    calls, seen, has_begun = Counter(), [], asyncio.Event()

    async def refuse() -> None:
        calls["refuse"] += 1
        raise Conflict("It is paid already.")

    async def note() -> None:
        calls["note"] += 1
        has_begun.set()
        if calls["note"] == 1:
            await asyncio.sleep(60)

    async def sync(run, invoice_id) -> None:
        try:
            await run.step("void", refuse)
        except StepFailed as failure:
            seen.append((failure.error_name, failure.code, failure.message, failure.is_transient))
            await run.step("note", note)

    house.functions["sync"] = sync
    await house.start(grace_seconds=0.05)
    await house.ask("sync", "7:1", invoice_id="7")
    await has_begun.wait()
    await house.stop()
    await house.start()
    assert await house.ended("sync", "7:1") == "succeeded"
    assert calls["refuse"] == 1
    assert seen == [("Conflict", "conflict", "It is paid already.", False)] * 2


async def test_a_transient_failure_recorded_before_a_crash_is_still_tried_again(house):
    calls, has_begun = Counter(), asyncio.Event()

    async def call() -> str:
        calls["call"] += 1
        if calls["call"] == 1:
            raise Unavailable("Stripe could not be reached.")
        return "done"

    async def wait() -> None:
        calls["wait"] += 1
        has_begun.set()
        if calls["wait"] == 1:
            await asyncio.sleep(60)

    async def sync(run, invoice_id) -> None:
        assert await run.step("call", call) == "done"
        await run.step("wait", wait)

    house.functions["sync"] = sync
    await house.start(grace_seconds=0.05)
    await house.ask("sync", "7:1", invoice_id="7")
    await has_begun.wait()
    await house.stop()
    await house.start()
    assert await house.ended("sync", "7:1") == "succeeded"
    assert calls == {"call": 2, "wait": 2}


async def test_threads_still_work_after_a_stop(house):
    async def greet(run) -> None:
        await run.step("nothing", asyncio.sleep, 0)

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "one")
    await house.ended("greet", "one")
    await house.stop()
    assert await asyncio.to_thread(lambda: "works") == "works"


async def test_periodic_work_goes_on_after_a_turn_that_failed(house):
    turns, has_turned_thrice = 0, asyncio.Event()

    async def look() -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            has_turned_thrice.set()
        raise RuntimeError("not today")

    engine = await house.start()
    engine.every(0.01, "look", look)
    async with asyncio.timeout(5):
        await has_turned_thrice.wait()


async def test_daily_work_of_a_process_that_died_is_taken_over_soon(house, monkeypatch):
    monkeypatch.setattr(engine, "TAKE_OVER_SECONDS", 0.01)
    ownership = FileOwnership(house.jobs) if house.jobs.is_sqlite else AdvisoryOwnership(house.jobs)
    another_one_lives, taken_over = True, asyncio.Event()

    async def leads(name: str) -> bool:
        return not another_one_lives

    async def look() -> None:
        taken_over.set()

    ownership.leads = leads
    (await house.start(ownership=ownership)).every(24 * 3600, "look", look)
    await asyncio.sleep(0.05)
    assert not taken_over.is_set()
    another_one_lives = False
    async with asyncio.timeout(5):
        await taken_over.wait()


async def test_periodic_work_ends_with_the_stop(house):
    turns = 0

    async def look() -> None:
        nonlocal turns
        turns += 1

    engine = await house.start()
    engine.every(0.01, "look", look)
    await asyncio.sleep(0.05)
    await house.stop()
    counted = turns
    await asyncio.sleep(0.05)
    assert counted == turns > 0


async def test_finished_runs_are_forgotten_after_their_time_and_unfinished_ones_never(house):
    async def sweep(run) -> None:
        raise ValueError("broken")

    house.functions["sweep"] = sweep
    await house.start()
    await house.ask("greet", "fine")
    await house.ask("sweep", "broken")
    await house.ended("greet", "fine")
    await house.ended("sweep", "broken")
    await house.stop()
    await house.ask("greet", "waits")
    assert await house.jobs.forget_finished(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await house.jobs.forget_finished(datetime.now(UTC) + timedelta(hours=1)) == 2
    assert await house.jobs.state("greet", "fine") is None
    assert await house.jobs.state("greet", "waits") == "waiting"


async def test_nothing_is_stored_as_a_pickle(house):
    async def greet(run, name) -> None:
        await run.step("nothing", asyncio.sleep, 0, name)

    house.functions["greet"] = greet
    await house.start()
    await house.ask("greet", "one", name="Ada")
    await house.ended("greet", "one")
    async with create_async_engine(async_url(house.jobs.url)).connect() as connection:
        schema = "" if house.jobs.is_sqlite else "dbos."
        for table in ("workflow_status", "operation_outputs"):
            formats = set(await connection.scalars(text(f"SELECT serialization FROM {schema}{table}")))
            assert formats == {"portable_json"}


async def test_the_engines_own_tables_are_known_by_name_so_that_migrations_leave_them_alone(house):
    if not house.jobs.is_sqlite:
        return
    async with house.database.read() as session:
        found = set(await session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    assert found == JOB_TABLES


async def test_a_second_engine_in_the_same_process_is_refused_and_the_first_goes_on(house, tmp_path):
    await house.start()
    elsewhere = Jobs(f"sqlite:///{tmp_path}/elsewhere.db", CATALOGUE)
    with pytest.raises(RuntimeError, match="one job engine"):
        await JobEngine(elsewhere, house.functions).start()
    await elsewhere.close()
    await house.ask("greet", "still there")
    assert await house.ended("greet", "still there") == "succeeded"


async def test_every_job_of_the_catalogue_needs_its_function_and_no_other(house):
    with pytest.raises(ValueError, match="dance"):
        JobEngine(house.jobs, {**house.functions, "dance": house._nothing})
    with pytest.raises(ValueError, match="sweep"):
        JobEngine(house.jobs, {"greet": house._nothing, "sync": house._nothing})
