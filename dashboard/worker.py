"""Which job runs which function, and what is done every so often. `python -m dashboard.worker` runs only this."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from dashboard.backend import Backend, open_backend
from dashboard.billing import jobs as billing_jobs
from dashboard.billing.invoicing import ADVANCE_JOB
from dashboard.billing.settlement import settle_late_usage
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.kit.jobs import JobEngine, JobFunction, JobRun
from dashboard.settings import Settings
from dashboard.stripe_app import jobs as stripe_jobs
from dashboard.stripe_app.letter_carrier import LetterCarrier

EMBEDDED_WORKER = "METERDESK_EMBEDDED_WORKER"
SWEEP_SECONDS = 60
DUE_SECONDS = 5
ROLLUP_SECONDS = 600
RECONCILE_SECONDS = 24 * 3600
FORGET_SECONDS = 24 * 3600
SETTLE_SECONDS = 24 * 3600

logger = logging.getLogger(__name__)


def job_functions(backend: Backend) -> dict[str, JobFunction]:
    """Job name → what runs. `backend.JOBS` says in which queue."""

    async def advance_invoice(_run: JobRun, invoice_id: str) -> None:
        await billing_jobs.advance(backend.billing, invoice_id)

    async def collect_customer(_run: JobRun, customer_id: str) -> None:
        await billing_jobs.collect(backend.billing, customer_id)

    return {
        ADVANCE_JOB: advance_invoice,
        billing_jobs.COLLECT_JOB: collect_customer,
    }


@asynccontextmanager
async def working(backend: Backend) -> AsyncIterator[None]:
    """Runs jobs and periodic work for the length of the block."""
    engine = JobEngine(backend.jobs, job_functions(backend))
    engine.every(DUE_SECONDS, "subscriptions", lambda: sync_due_subscriptions(backend.billing))
    engine.every(DUE_SECONDS, "enqueue what is due", lambda: billing_jobs.sweep(backend.billing))
    engine.every(SETTLE_SECONDS, "settle late usage", lambda: settle_late_usage(backend.billing))
    engine.every(SWEEP_SECONDS, "Stripe housekeeping", lambda: stripe_jobs.stripe_sweep(backend.stripe))
    engine.every(
        RECONCILE_SECONDS, "compare invoices with Stripe", lambda: stripe_jobs.stripe_reconcile(backend.stripe)
    )
    engine.every(ROLLUP_SECONDS, "daily figures of usage", lambda: backend.event_store.refresh_rollups())
    engine.every(FORGET_SECONDS, "forget settled letters", lambda: stripe_jobs.stripe_forget(backend.stripe))
    await engine.start()
    keep_what_is_there()
    listening = asyncio.create_task(_listen_to_stripe(backend))
    carrying = asyncio.create_task(LetterCarrier(backend.stripe).run())
    try:
        yield
    finally:
        for task in (listening, carrying):
            task.cancel()
        await asyncio.gather(listening, carrying, return_exceptions=True)
        await engine.stop()


@asynccontextmanager
async def serving() -> AsyncIterator[None]:
    """What a web process has open: the backend, and a worker if it shall work too."""
    async with open_backend(Settings()) as backend, working(backend) if embedded() else nullcontext():
        keep_what_is_there()
        yield


def keep_what_is_there() -> None:
    """Spares what a start has made from garbage collection, for it stays anyway: looking through all of it held every
    page and every invoice up for a fifth of a second, time and again. See `gc.freeze` in Python's documentation."""
    gc.freeze()


def embedded() -> bool:
    """Whether the web process of this start also works (the default of `meterdesk up`)."""
    return os.environ.get(EMBEDDED_WORKER, "0") == "1"


async def _listen_to_stripe(backend: Backend) -> None:
    """Reads events where there is no webhook, and fills gaps where there is one."""
    while True:
        try:
            pause = await stripe_jobs.stripe_poll(backend.stripe)
        except Exception:
            logger.exception("polling Stripe's events failed; it goes on")
            pause = backend.settings.events_poll_seconds
        await asyncio.sleep(pause)


async def _main() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with open_backend(Settings()) as backend, working(backend):
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(_main())
