"""Fixtures of the Stripe room's tests: the sandbox as a process of its own, and a desk that speaks to it over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.access.audit import AuditLog
from dashboard.billing import jobs as billing_jobs
from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoicing import ADVANCE_JOB
from dashboard.billing.queries import get_invoice
from dashboard.billing.views import Invoice
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.customers.views import Customer
from dashboard.kit.clock import FixedClock
from dashboard.kit.crypto import SecretBox
from dashboard.kit.database import Actor, Database
from dashboard.kit.ids import new_id
from dashboard.kit.inputs import parse_input
from dashboard.kit.locks import Locks
from dashboard.kit.paging import PageRequest
from dashboard.stripe_app.apply import apply_again, apply_bundle
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.events_cursor import poll_app
from dashboard.stripe_app.gateway import Gateways
from dashboard.stripe_app.gateway_calls import CallBudget
from dashboard.stripe_app.inbox import due_letters, list_events
from dashboard.stripe_app.inputs import EventFilter, InstallStripeApp
from dashboard.stripe_app.install import install_stripe_app
from dashboard.stripe_app.plug import StripePlug
from dashboard.stripe_app.views import StripeApp, StripeEvent
from dashboard.usage.event_store import EventStore
from tests.contract.sandbox_support import SHARED, RunningSandbox, contract, running_sandbox
from tests.fakes import NoUsage

ADA = Actor("person", "ada", "Ada")
HURRIED = CallBudget(attempts=3, longest_wait=0.05)


@pytest.fixture(scope="session")
def stripe_sandbox() -> Iterator[RunningSandbox]:
    """A running sandbox. Every test uses an account of its own there, so none disturbs another."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox_url(stripe_sandbox: RunningSandbox) -> str:
    """Where it answers."""
    return stripe_sandbox.url


@dataclass
class JobList:
    """Takes jobs in like the real queue: those of a transaction that commits, each key once."""

    waiting: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)

    async def enqueue(self, session: AsyncSession, job: str, key: str, arguments: Mapping[str, Any]) -> None:
        def take(_session: Any) -> None:
            if (job, key) not in self.done:
                self.waiting[(job, key)] = arguments

        event.listen(session.sync_session, "after_commit", take, once=True)


@dataclass
class House:
    """A desk, an account of the sandbox, and helpers to play Stripe's and the customer's part."""

    desk: StripeDesk
    clock: FixedClock
    jobs: JobList
    billing: BillingDesk
    sandbox: httpx.AsyncClient
    account: str
    first_exchange: int

    @property
    def key(self) -> str:
        return f"sk_test_sandbox_{self.account}"

    @property
    def database(self) -> Database:
        return self.desk.database

    async def install(self, **more: Any) -> StripeApp:
        request = parse_input(InstallStripeApp, {"api_key": self.key, **more})
        return await install_stripe_app(self.desk, ADA, request)

    async def customer(self, name: str = "Acme", **more: Any) -> Customer:
        async with self.database.transaction(ADA) as work:
            return await create_customer(work, parse_input(CreateCustomer, {"name": name, **more}))

    async def work_off(self) -> int:
        """Runs the jobs that wait and applies the letters that are due, and what those leave behind; answers how many
        there were."""
        done = 0
        while more := await self._run_jobs() + await self.apply_letters():
            done += more
        return done

    async def apply_letters(self) -> int:
        """Applies the letters that are due, one after the other; answers how many."""
        async with self.database.read() as session:
            bundles = await due_letters(session, self.clock.now())
        for bundle in bundles:
            assert await apply_bundle(self.desk, bundle)
        return sum(len(bundle.event_ids) for bundle in bundles)

    async def _run_jobs(self) -> int:
        ran = 0
        while self.jobs.waiting:
            (job, key), arguments = next(iter(self.jobs.waiting.items()))
            del self.jobs.waiting[(job, key)]
            self.jobs.done.add((job, key))
            await self.run_job(job, arguments)
            ran += 1
        return ran

    async def run_job(self, job: str, arguments: Mapping[str, Any]) -> None:
        """What the worker does for one job."""
        if job == ADVANCE_JOB:
            await billing_jobs.advance(self.billing, **arguments)
        else:
            await billing_jobs.collect(self.billing, **arguments)

    async def read(self, invoice_id: str) -> Invoice:
        """One of our invoices as billing has it."""
        async with self.database.read() as session:
            return await get_invoice(session, invoice_id, self.clock.now())

    async def hear(self, app_id: str, until: Any = None, tries: int = 60) -> None:
        """Polls Stripe and applies what it says, again until `until()` holds (once when it is None)."""
        for _ in range(tries):
            await poll_app(self.desk, app_id)
            await self.work_off()
            if until is None or await until():
                return
            await asyncio.sleep(0.1)
        pytest.fail("what was awaited from Stripe did not come")

    async def stripe(
        self, method: str, path: str, data: Mapping[str, Any] | None = None, **params: Any
    ) -> dict[str, Any]:
        """A call to the sandbox as somebody else would make it, past our gateway."""
        answer = await self.sandbox.request(
            method, path, data=data, params=params, headers={"Authorization": f"Bearer {self.key}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def charged(self, external_id: str, tries: int = 100) -> None:
        """Waits until Stripe has charged the card of a finalised invoice, which it does by itself a moment later."""
        for _ in range(tries):
            if (await self.stripe("GET", f"/v1/invoices/{external_id}"))["status"] == "paid":
                return
            await asyncio.sleep(0.1)
        pytest.fail("Stripe did not charge the invoice")

    async def complete_checkout(self, session_id: str, **how: Any) -> None:
        """Plays the customer: fills in the checkout page."""
        answer = await self.sandbox.post(f"/_sandbox/checkout/{session_id}/complete", json=how)
        assert answer.status_code == 200, answer.text

    async def inbox(self, **wanted: Any) -> list[StripeEvent]:
        """The letters in the inbox, oldest first."""
        async with self.database.read() as session:
            page = await list_events(session, EventFilter(**wanted), PageRequest(1, 1000))
        return list(reversed(page.items))

    async def apply_again(self, event_id: str) -> None:
        """Puts a letter back and applies it."""
        await apply_again(self.desk, ADA, event_id)
        await self.work_off()

    async def fault(self, **order: Any) -> None:
        """Orders bad weather at the sandbox."""
        answer = await self.sandbox.post("/_sandbox/faults", json=order)
        assert answer.status_code < 300, answer.text

    async def clear_faults(self) -> None:
        """Back to good weather."""
        answer = await self.sandbox.delete("/_sandbox/faults")
        assert answer.status_code < 300, answer.text

    async def exchanges(self) -> list[dict[str, Any]]:
        """What the sandbox was asked for this account, oldest first, each with its number `n`."""
        answer = await self.sandbox.get("/_sandbox/exchanges", params={"after": self.first_exchange})
        return [one for one in answer.json() if one["account"] == self.account]

    async def account_id(self) -> str:
        return (await self.stripe("GET", "/v1/account"))["id"]

    async def writes(self) -> list[str]:
        """The writing calls this account has seen, as `POST /v1/invoices/{}/finalize`."""
        return [f"{one['method']} {_template(one['path'])}" for one in await self.exchanges() if one["method"] != "GET"]


def _template(path: str) -> str:
    parts = path.split("?")[0].split("/")
    prefixes = ("in_", "cus_", "we_", "pm_", "seti_", "cs_", "bpc_", "il_", "cn_")
    return "/".join("{}" if part.startswith(prefixes) else part for part in parts)


@pytest.fixture
async def house(database_url: str, clock: FixedClock, stripe_sandbox: RunningSandbox) -> AsyncIterator[House]:
    """A fresh house with a fresh account at the sandbox; nothing is installed yet.

    Afterwards every request this account saw is held against Stripe's contract.
    """
    async with open_house(database_url, clock, stripe_sandbox.url) as made:
        yield made
        await made.clear_faults()
        breaches = contract_breaches(await made.exchanges())
    assert breaches == []


@asynccontextmanager
async def open_house(
    database_url: str, clock: FixedClock, sandbox_url: str, budget: CallBudget = HURRIED
) -> AsyncIterator[House]:
    """A house for the length of the block; nothing is checked afterwards."""
    jobs = JobList()
    database = Database(database_url, clock=clock, outbox=jobs, audit_writer=AuditLog())
    gateways = Gateways(sandbox_url=sandbox_url, budget=budget)
    locks = Locks(database)
    desk = StripeDesk(database, SecretBox("a secret key"), gateways, locks=locks)
    async with httpx.AsyncClient(base_url=sandbox_url, trust_env=False, timeout=60) as client:
        billing = BillingDesk(database, StripePlug(desk), cast(EventStore, NoUsage()), locks)
        before = (await client.get("/_sandbox/state")).json()["exchanges"]
        try:
            yield House(desk, clock, jobs, billing, client, new_id().lower(), before)
        finally:
            await locks.close()
            await gateways.close()
            await database.close()


def contract_breaches(exchanges: list[dict[str, Any]]) -> list[str]:
    """Where a request does not fit Stripe's API (nothing to say on machines without the description)."""
    if not (SHARED / "contracts" / "stripe_contract.py").exists():
        return []
    checker = contract()
    return [
        f"{one['method']} {one['path']}: {error}"
        for one in exchanges
        for error in checker.request_errors(
            one["method"], _whole_path(one), one["params"] if one["method"] == "POST" else None
        )
    ]


def _whole_path(one: dict[str, Any]) -> str:
    if one["method"] == "POST" or not one["params"] or "?" in one["path"]:
        return one["path"]
    return f"{one['path']}?{one['params']}"
