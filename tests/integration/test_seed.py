"""The demo company: believable, checkable, safe to make twice, and gone when removed. Over HTTP with the sandbox."""

from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from dashboard.backend import Backend, open_backend
from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.overrides import customer_billing
from dashboard.billing.queries import get_invoice, page_of_invoices
from dashboard.billing.views import InvoiceStatus
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.queries import count_customers, live_customer
from dashboard.customers.service import create_customer
from dashboard.kit.paging import PageRequest
from dashboard.seed.company import CUSTOMERS, INVOICES
from dashboard.seed.customers import SandboxDoesNotAnswer
from dashboard.seed.invoices import marked_invoices
from dashboard.seed.making import make_company
from dashboard.seed.names import NamesTaken
from dashboard.seed.removing import remove_company
from dashboard.seed.report import Seeding
from dashboard.seed.sample_data import TOPIC, SampleDataBusy, begin_sample_data, has_sample_data, sample_data_run
from dashboard.settings import Settings
from dashboard.starting.migrations import database_url, migrate
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.stripe_app.readiness import readiness
from tests.cast import ANN
from tests.contract.sandbox_support import free_port, running_sandbox

MANY = PageRequest(1, 1000)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """An installation without a worker, beside a sandbox that nobody else uses (the demo account is one for all)."""
    with running_sandbox() as sandbox:
        settings = Settings(data_dir=tmp_path, sandbox_url=sandbox.url, secret_key=SecretStr("a secret key"))
        migrate(database_url(settings))
        async with open_backend(settings) as opened:
            yield opened


@pytest.fixture
async def lonely(tmp_path: Path) -> AsyncIterator[Backend]:
    """An installation whose sandbox is not running."""
    url = f"http://127.0.0.1:{free_port()}"
    settings = Settings(data_dir=tmp_path, sandbox_url=url, secret_key=SecretStr("a secret key"))
    migrate(database_url(settings))
    async with open_backend(settings) as opened:
        yield opened


async def test_the_demo_company_is_made_once_adds_up_and_goes_again(backend: Backend) -> None:
    said: list[str] = []
    seeding = Seeding(backend, said.append)

    await make_company(seeding)
    statuses, totals = await _papers(seeding)
    assert statuses == {demo.key: demo.rests for demo in INVOICES}
    by_hand = {demo.key: Decimal(demo.total) for demo in INVOICES if demo.rests is not InvoiceStatus.DELETED}
    assert {key: totals[key] for key in by_hand} == by_hand
    lacking = {("no_payment_method",): 2, ("no_stripe_email",): 1, ("customer_not_linked",): 3}
    assert await _lacks(backend) == lacking | {(): len(CUSTOMERS) - 6}

    async with backend.database.read() as session:
        assert await has_sample_data(session)

    before = await _counts(backend)
    said.clear()
    await make_company(seeding)
    assert await _counts(backend) == before
    assert all(" made" not in line for line in said)
    assert await _papers(seeding) == (statuses, totals)

    said.clear()
    await remove_company(seeding)
    async with backend.database.read() as session:
        assert await count_customers(session) == 0
    left = [line for line in said if line.startswith("Stays:")]
    assert left, "the default billing profile cannot go, and it says so"
    assert all("default" in line or "in use" in line or "used" in line for line in left), left

    await make_company(seeding)
    async with backend.database.read() as session:
        assert await count_customers(session) == len(CUSTOMERS), "it comes back under the same names"


async def test_a_customer_of_ones_own_is_never_taken_for_the_demos(lonely: Backend) -> None:
    async with lonely.database.transaction(ANN) as work:
        await create_customer(work, CreateCustomer(name="The real Acme", key="acme"))
    with pytest.raises(NamesTaken, match="customer acme"):
        await make_company(Seeding(lonely, lambda _line: None))
    async with lonely.database.read() as session:
        assert await count_customers(session) == 1
        assert (await live_customer(session, "acme")).name == "The real Acme"


async def test_without_the_sandbox_nothing_is_made_and_it_says_what_to_start(lonely: Backend) -> None:
    with pytest.raises(SandboxDoesNotAnswer) as refusal:
        await make_company(Seeding(lonely, lambda _line: None))
    assert "meterdesk up" in refusal.value.for_people()
    async with lonely.database.read() as session:
        assert await list_stripe_apps(session) == ()
        assert await count_customers(session) == 0


async def test_what_runs_in_the_background_says_why_it_ended_and_runs_once_at_a_time(lonely: Backend) -> None:
    assert sample_data_run(lonely) is None
    with lonely.changes.subscribe([TOPIC]) as news:
        await begin_sample_data(lonely, "load")
        with pytest.raises(SampleDataBusy):
            await begin_sample_data(lonely, "remove")
        while (run := sample_data_run(lonely)) is None or run.is_running:
            assert await news.wait(60), "each step is news"
    assert run.verb == "load"
    assert isinstance(run.problem, SandboxDoesNotAnswer)
    async with lonely.database.read() as session:
        assert not await has_sample_data(session)


async def _papers(seeding: Seeding) -> tuple[dict[str, InvoiceStatus], dict[str, Decimal]]:
    """Status and total of each demo invoice; of a gathering one, the total of its own line."""
    backend = seeding.backend
    async with backend.database.read() as session:
        ids = [(await live_customer(session, demo.key)).id for demo in CUSTOMERS]
    found = await marked_invoices(seeding, ids)
    async with backend.database.read() as session:
        now = backend.clock.now()
        invoices = {key: await get_invoice(session, invoice_id, now) for key, invoice_id in found.items()}
    statuses = {key: invoice.status for key, invoice in invoices.items()}
    return statuses, {key: invoice.totals.total for key, invoice in invoices.items()}


async def _counts(backend: Backend) -> tuple[int, int]:
    async with backend.database.read() as session:
        page = await page_of_invoices(session, MANY, InvoiceFilter(), backend.clock.now(), include_deleted=True)
        return await count_customers(session), len(page.items)


async def _lacks(backend: Backend) -> dict[tuple[str, ...], int]:
    """How many customers lack what."""
    async with backend.database.read() as session:
        (app,) = await list_stripe_apps(session)
        billings = [await customer_billing(session, (await live_customer(session, one.key)).id) for one in CUSTOMERS]
    found = [tuple(issue.code for issue in await readiness(backend.stripe, app.id, billing)) for billing in billings]
    return dict(Counter(found))
