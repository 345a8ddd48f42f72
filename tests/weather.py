"""A storm at Stripe: many invoices at once while calls fail in every way, and letters come shuffled, twice or never.

    uv run python -m tests.weather 1-100 --invoices 200

runs so many seeds one after the other and says which failed. A failing one is made smaller with `--invoices` (fewer),
`--kinds` (only these numbers of `KINDS`) and `--effects` (only some of `EFFECTS`).
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import create_engine

from dashboard.billing import jobs as billing_jobs
from dashboard.billing.inputs import SetCustomerOverride, TaxConfigInput
from dashboard.billing.service import set_customer_override
from dashboard.billing.views import BillingProfile, CollectionMethod
from dashboard.customers.views import Customer
from dashboard.kit.clock import FixedClock
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app import customer_link
from dashboard.stripe_app.apply import apply_bundle
from dashboard.stripe_app.events_cursor import poll_app
from dashboard.stripe_app.gateway_calls import CallBudget
from dashboard.stripe_app.inbox import Bundle, due_letters
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.tables import METADATA
from tests.cast import draft_for, make_profile
from tests.contract.sandbox_support import running_sandbox
from tests.stripe_house import ADA, House, open_house
from tests.stripe_side import IN_BERLIN, switch_tax_on
from tests.weather_check import disturbed_share, is_over, wrongs
from tests.weather_kinds import AMOUNTS, KINDS, Kind, Story, asked_stripe

EFFECTS = (
    "rate_limit", "lock_timeout", "error_500_before", "error_500_after", "unavailable", "cut_before", "cut_after",
)  # fmt: skip
CHANCE_OF_EACH = 0.045
"""Seven effects at this chance each disturb more than a quarter of the calls."""

JOBS_AT_ONCE = 20
STORMY_ROUNDS, CALM_ROUNDS = 7, 12
LETTERS = {"mode": "hold", "order": "shuffle", "duplicate_every": 4, "drop_every": 5}
"""Held until the round's end, then in any order; each fourth twice, each fifth never."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What to run. The same seed gives the same people, the same dice for every fault, the same order of letters."""

    seed: int
    invoices: int = 200
    kinds: tuple[Kind, ...] = KINDS
    effects: tuple[str, ...] = EFFECTS


@dataclass(frozen=True, slots=True)
class Report:
    """How one storm went. `wrongs` has a sentence for everything that is not as it should be."""

    seed: int
    wrongs: tuple[str, ...]
    disturbed: float
    calls: int
    seconds: float

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.calls} calls, {self.disturbed:.0%} disturbed, {self.seconds:.0f} s"
        return "\n    ".join([head, *self.wrongs])


def run(weather: Weather) -> Report:
    """One storm in a sandbox and a database of its own."""
    with tempfile.TemporaryDirectory() as folder, running_sandbox() as sandbox:
        url = f"sqlite:///{Path(folder) / 'meterdesk.db'}"
        engine = create_engine(url)
        METADATA.create_all(engine)
        engine.dispose()
        return asyncio.run(_storm(weather, url, sandbox.url))


async def _storm(weather: Weather, database_url: str, sandbox_url: str) -> Report:
    began = time.monotonic()
    clock = FixedClock(datetime.now(UTC).replace(microsecond=0))
    # Two tries only: what the gateway mends by itself would leave little for everybody else to mend.
    budget = CallBudget(attempts=2, longest_wait=0.01)
    async with (
        open_house(database_url, clock, sandbox_url, budget) as house,
        _letter_box(house, weather.seed) as app_id,
    ):
        storm = _Storm(weather, house, app_id)
        await storm.prepare()
        await storm.rage()
        calls, disturbed = disturbed_share(await house.exchanges())
        await storm.calm_down()
        found = await wrongs(house, app_id, storm.stories)
    return Report(weather.seed, tuple(found), disturbed, calls, time.monotonic() - began)


class _Storm:
    def __init__(self, weather: Weather, house: House, app_id: str) -> None:
        self.weather, self.house, self.app_id = weather, house, app_id
        self.chance = random.Random(weather.seed)
        self.stories: list[Story] = []

    async def prepare(self) -> None:
        """Bad weather begins, customers come, and their invoices are made."""
        await switch_tax_on(self.house.stripe)
        async with self.house.database.transaction(ADA) as work:
            plain = {"app_id": self.app_id, "collection_interval": "PT0S", "draft_period": "PT0S"}
            await make_profile(work, **plain, tax_enabled=False)
            taxed = await make_profile(work, **plain, name="Taxed")
        for effect in self.weather.effects:
            order = {"effect": effect, "times": 0, "probability": CHANCE_OF_EACH, "seed": self.weather.seed}
            await self.house.fault(**order)
        # Two customers of each kind, if there are invoices enough.
        kinds = self.weather.kinds
        each = max(1, self.weather.invoices // (2 * len(kinds)))
        for number, first in enumerate(range(0, self.weather.invoices, each)):
            kind = kinds[number % len(kinds)]
            customer = await self._customer(number, kind, taxed)
            for _ in range(min(each, self.weather.invoices - first)):
                await self._invoice(kind, customer)

    async def _customer(self, number: int, kind: Kind, taxed: BillingProfile) -> Customer:
        currency = "EUR" if kind.taxed else self.chance.choice(list(AMOUNTS))
        customer = await self.house.customer(
            f"Customer {number}", currency=currency, primary_email="pay@acme.example.com", billing_address=IN_BERLIN
        )
        async with self.house.database.transaction(ADA) as work:
            override = SetCustomerOverride(
                billing_profile_id=taxed.id if kind.taxed else None,
                collection_method=CollectionMethod.SEND_INVOICE if kind.by_mail else None,
                auto_advance=False if kind.approved_by_hand else None,
            )
            await set_customer_override(work, customer.id, override)
        # A person who is told that Stripe cannot be reached clicks again.
        while True:
            with suppress(MeterdeskError):
                link = await customer_link.create_stripe_customer(self.house.desk, ADA, customer.id, self.app_id)
                break
        while not await asked_stripe(
            self.house, f"/v1/payment_methods/{kind.card}/attach", {"customer": link.stripe_customer_id}
        ):
            pass
        while True:
            with suppress(MeterdeskError):
                (method, *_) = await customer_link.list_payment_methods(self.house.desk, self.app_id, customer.id)
                request = LinkStripeCustomer(
                    customer_id=customer.id,
                    stripe_customer_id=link.stripe_customer_id,
                    default_payment_method_id=method.id,
                )
                await customer_link.link_stripe_customer(self.house.desk, ADA, request)
                return customer

    async def _invoice(self, kind: Kind, customer: Customer) -> None:
        currency = customer.currency or ""
        amounts = tuple(self.chance.choice(AMOUNTS[currency]) for _ in range(self.chance.randint(2, 4)))
        more: dict[str, Any] = {"tax": TaxConfigInput(stripe_code="txcd_10103001")} if kind.taxed else {}
        draft = await draft_for(self.house.database, customer, *amounts, **more)
        exact = tuple(Decimal(amount) for amount in amounts)
        self.stories.append(Story(draft.id, kind, currency, exact, list(kind.deeds)))

    async def rage(self) -> None:
        """Half a minute after the other in bad weather, until everybody has done what they wanted."""
        for round_ in range(STORMY_ROUNDS):
            await self._round(calm=False)
            await self._people()
            if round_ >= STORMY_ROUNDS // 2 and not any(story.to_do for story in self.stories):
                break

    async def calm_down(self) -> None:
        """Fine weather until nothing is left to do; whoever has not come about yet goes on trying."""
        await self.house.clear_faults()
        await self.house.sandbox.post("/_sandbox/webhooks", json={"drop_every": 0, "duplicate_every": 0})
        for _ in range(CALM_ROUNDS):
            await self._round(calm=True)
            await self._people()
            if await is_over(self.house, self.stories):
                return

    async def _round(self, *, calm: bool) -> None:
        """What workers do in half a minute, and what Stripe sends meanwhile."""
        await self._work_off()
        # Stripe charges and mails a second after finalising.
        await self.house.sandbox.post("/_sandbox/clock", json={"advance": "PT3S"})
        await self.house.sandbox.post("/_sandbox/webhooks/flush", json={})
        if calm or self.chance.random() < 0.3:
            with suppress(MeterdeskError):
                await poll_app(self.house.desk, self.app_id)
        await self._work_off()
        self.house.clock.advance(timedelta(seconds=1800 if calm else 31))
        await billing_jobs.sweep(self.house.billing)
        await self._work_off()

    async def _people(self) -> None:
        async def act(story: Story) -> None:
            ours = await self.house.read(story.invoice_id)
            if await story.to_do[0](self.house, story, ours):
                story.to_do.pop(0)

        busy = [story for story in self.stories if story.to_do]
        self.chance.shuffle(busy)
        await _some_at_once([act(story) for story in busy])

    async def _work_off(self) -> None:
        """Runs what waits in any order, many at once, one invoice's advances one after the other, as the queues do; so
        are letters about one thing."""
        jobs = self.house.jobs
        while (bundles := await self._due_letters()) or jobs.waiting:
            waiting, jobs.waiting = list(jobs.waiting.items()), {}
            jobs.done.update(key for key, _ in waiting)
            self.chance.shuffle(waiting)
            chains = defaultdict(list)
            for (job, key), arguments in waiting:
                chains[arguments.get("invoice_id", key)].append((job, arguments))
            letters = [apply_bundle(self.house.desk, bundle) for bundle in bundles]
            await _some_at_once([*letters, *(self._run(chain) for chain in chains.values())])

    async def _due_letters(self) -> list[Bundle]:
        async with self.house.database.read() as session:
            found = await due_letters(session, self.house.clock.now())
        self.chance.shuffle(found)
        return found

    async def _run(self, chain: list) -> None:
        for job, arguments in chain:
            await self.house.run_job(job, arguments)


async def _some_at_once(work: Sequence) -> None:
    gate = asyncio.Semaphore(JOBS_AT_ONCE)

    async def one(coroutine) -> None:
        async with gate:
            await coroutine

    await asyncio.gather(*[one(coroutine) for coroutine in work])


@asynccontextmanager
async def _letter_box(house: House, seed: int) -> AsyncIterator[str]:
    """An installed app whose webhooks arrive over HTTP; now and then our thanks get lost on the way back."""
    chance = random.Random(seed)

    async def receive(request: web.Request) -> web.Response:
        app_id = request.match_info["app_id"]
        await house.desk.letterbox.receive(app_id, await request.read(), request.headers.get("stripe-signature"))
        return web.Response(status=500 if chance.random() < 0.05 else 200)

    site = web.Application()
    site.router.add_post("/api/v1/apps/{app_id}/stripe/webhook", receive)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    try:
        house.desk.public_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        app = await house.install()
        await house.sandbox.post("/_sandbox/webhooks", json={**LETTERS, "seed": seed})
        yield app.id
    finally:
        await runner.cleanup()


def run_seed(seed: int, invoices: int) -> Report:
    """One storm of all kinds of invoices, for a process of its own."""
    return run(Weather(seed, invoices))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("seeds", help="one, or a range such as 1-100")
    asked.add_argument("--invoices", type=int, default=200)
    asked.add_argument("--kinds", help="numbers of KINDS, such as 0,3")
    asked.add_argument("--effects", help="names of EFFECTS, with commas")
    given = asked.parse_args()
    first, _, last = given.seeds.partition("-")
    kinds = tuple(KINDS[int(number)] for number in given.kinds.split(",")) if given.kinds else KINDS
    effects = tuple(given.effects.split(",")) if given.effects else EFFECTS
    failed = []
    for seed in range(int(first), int(last or first) + 1):
        try:
            report = run(Weather(seed, given.invoices, kinds, effects))
            print(report, flush=True)
            wrong = bool(report.wrongs)
        except Exception:
            traceback.print_exc()
            wrong = True
        failed += [seed] * wrong
    print(f"failed: {failed}" if failed else "all passed", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
