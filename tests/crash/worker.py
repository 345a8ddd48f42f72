"""A worker process of the crash matrix: the real backend and job engine, a person's hands, and places to die at.

It does what it is told through a pipe: begin a story, play it, look at how it ended. With every death five minutes pass
for all others, so that nobody has to wait until somebody is given up.
"""

import asyncio
import functools
import os
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from dashboard import backend as backend_module
from dashboard import worker as worker_module
from dashboard.backend import Backend
from dashboard.billing.desk import BillingDesk
from dashboard.kit.clock import Clock
from dashboard.kit.jobs import JobFunction
from dashboard.kit.jobs import engine as engine_module
from dashboard.kit.jobs.postgresql import AdvisoryOwnership
from dashboard.settings import Settings
from dashboard.stripe_app import inbox, letter_carrier, webhooks
from dashboard.stripe_app.desk import StripeDesk
from tests.crash.collecting_story import Collecting
from tests.crash.invoice_stories import ChangingDraft, Deleting, Issuing, NewInvoiceByCard, NewLongInvoice
from tests.crash.letter_stories import HearingOfPayment, HearingTooEarly, MovingHouse, RotatingSecret
from tests.crash.points import STORY_JOBS, Mortal, in_story
from tests.crash.settling_stories import Crediting, Paying, PayingOutOfBand, Voiding, WritingOff
from tests.crash.stories import CheckoutForNewCustomer, Installing, Site, Story, Uninstalling

STORIES: dict[str, type[Story]] = {
    "installing": Installing,
    "checkout for a new customer": CheckoutForNewCustomer,
    "new invoice of 3 taxed lines by card": NewInvoiceByCard,
    "new invoice of 60 lines": NewLongInvoice,
    "changed draft": ChangingDraft,
    "finalising": Issuing,
    "paying": Paying,
    "paid out of band": PayingOutOfBand,
    "voiding": Voiding,
    "writing off": WritingOff,
    "crediting": Crediting,
    "deleting": Deleting,
    "collecting and rating usage": Collecting,
    "hearing of a payment": HearingOfPayment,
    "hearing of a payment too early": HearingTooEarly,
    "rotating the webhook's secret": RotatingSecret,
    "another public address": MovingHouse,
    "uninstalling": Uninstalling,
}

AFTER_A_DEATH = timedelta(minutes=5)
LOOK_SECONDS = 0.5
LOOK_FOR_DEAD_SECONDS = 0.2
QUIET_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a story plays: what every worker of it is started with."""

    story: str
    database_url: str
    data_dir: Path
    sandbox_url: str
    account: str

    @property
    def deaths(self) -> Path:
        return self.data_dir / "deaths"


@dataclass(frozen=True, slots=True)
class ClockOfDeaths:
    """The machine's time, and five minutes for every byte in a file."""

    deaths: Path

    def now(self) -> datetime:
        return datetime.now(UTC) + self.deaths.stat().st_size * AFTER_A_DEATH


def run(place: Place, pipe: Connection) -> None:
    """The whole life of a worker process."""
    try:
        asyncio.run(_live(place, pipe))
    except EOFError:
        # The test is gone.
        pass
    except Exception:
        traceback.print_exc()
    finally:
        # Nobody waits for the threads of a worker whose test is over.
        os._exit(0)


async def _live(place: Place, pipe: Connection) -> None:
    story_class = STORIES[place.story]
    place.data_dir.mkdir(parents=True, exist_ok=True)
    place.deaths.touch()
    mortal = Mortal(place.deaths)
    mortal.install()
    _make_quick(ClockOfDeaths(place.deaths))
    _keep_quiet(mortal, story_class)
    settings = Settings(
        data_dir=place.data_dir,
        database_url=place.database_url,
        sandbox_url=place.sandbox_url,
        public_url=story_class.public_url,
        stripe_requests_per_second=1000,
    )
    client = httpx.AsyncClient(base_url=place.sandbox_url, trust_env=False, timeout=60)
    async with client, backend_module.open_backend(settings) as backend, worker_module.working(backend):
        story = story_class(Site(backend, client, place.account))
        while True:
            command, *arguments = await asyncio.to_thread(pipe.recv)
            if command == "arm":
                mortal.arm(*arguments)
                pipe.send(("done", None))
                continue
            try:
                if command == "act":
                    with in_story():
                        answer = await story.act(*arguments)
                else:
                    answer = await getattr(story, command)(*arguments)
                pipe.send(("done", answer))
            except Exception:
                pipe.send(("failed", traceback.format_exc(limit=-4)))


def _make_quick(clock: Clock) -> None:
    backend_module.clock_from_text = lambda _text: clock
    worker_module.SWEEP_SECONDS = worker_module.DUE_SECONDS = LOOK_SECONDS
    letter_carrier.LOOK_SECONDS = LOOK_SECONDS
    inbox._FIRST_PAUSE = timedelta(seconds=LOOK_SECONDS)
    worker_module.job_functions = functools.partial(_story_jobs, worker_module.job_functions)
    letter_carrier.apply_bundle = functools.partial(_counted, letter_carrier.apply_bundle)
    stripe_jobs = worker_module.stripe_jobs
    stripe_jobs.keep_webhooks_current = functools.partial(_counted, stripe_jobs.keep_webhooks_current)
    # Each letter writes the same rows, however soon it comes after another.
    webhooks.NOTED_FOR = timedelta()
    engine_module.AdvisoryOwnership = functools.partial(AdvisoryOwnership, look_for_dead_seconds=LOOK_FOR_DEAD_SECONDS)


def _keep_quiet(mortal: Mortal, story: type[Story]) -> None:
    """What is only watched is not joined by the sweep, unless the story begins with it. Nobody listens to Stripe."""
    real_sweep = worker_module.billing_jobs.sweep

    async def sweep(desk: BillingDesk) -> int:
        if mortal.only_watches and not story.is_swept:
            return 0
        return await _counted(real_sweep, desk)

    async def poll(_desk: StripeDesk) -> float:
        return QUIET_SECONDS

    async def compare_nothing(_desk: StripeDesk) -> None:
        return None

    worker_module.billing_jobs.sweep = sweep
    worker_module.stripe_jobs.stripe_poll = poll
    if story.is_told:
        worker_module.stripe_jobs.stripe_reconcile = compare_nothing


def _story_jobs(real: Any, backend: Backend) -> dict[str, JobFunction]:
    functions = real(backend)
    return {
        name: functools.partial(_counted, function) if name in STORY_JOBS else function
        for name, function in functions.items()
    }


async def _counted(function: Any, *arguments: Any, **named: Any) -> Any:
    with in_story():
        return await function(*arguments, **named)
