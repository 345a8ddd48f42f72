"""A running Meterdesk for benchmarks: `meterdesk up` over a folder, with what the measurements need in it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import SecretStr

from dashboard.backend import Backend
from dashboard.billing.inputs import CreateBillingProfile, SupplierInput, TaxConfigInput, WorkflowInput
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput, InvoicePendingLines
from dashboard.billing.queries import get_invoice
from dashboard.billing.service import add_charges, advance_invoice, create_billing_profile, invoice_pending_lines
from dashboard.billing.views import CollectionMethod, Invoice
from dashboard.customers.inputs import AddressInput, CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.customers.views import Customer
from dashboard.kit.database import Actor
from dashboard.settings import Settings
from dashboard.stripe_app.apps import is_installed
from dashboard.stripe_app.customer_link import create_stripe_customer
from dashboard.stripe_app.inputs import InstallStripeApp
from dashboard.stripe_app.install import install_stripe_app

OWNER = {"name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse battery"}
ACTOR = Actor("system", "benchmark", "Benchmark")
KEY = "sk_test_sandbox_benchmark"
START_SECONDS = 60
# Made once: what it costs (a TLS context that nobody needs here) would otherwise be measured as if it were ours.
HTTP = httpx.Client(timeout=60)
HEAD_OFFICE = {
    "defaults[tax_behavior]": "exclusive",
    "defaults[tax_code]": "txcd_10103001",
    "head_office[address][country]": "US",
    "head_office[address][state]": "CA",
    "head_office[address][postal_code]": "94105",
    "head_office[address][city]": "San Francisco",
    "head_office[address][line1]": "1 Market St",
}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(slots=True)
class House:
    """Where things are. With `has_webhooks` the server's public address is its loopback one, so that the sandbox sends
    it webhooks and nothing is polled; without, it has none and polls as often as by default."""

    data_dir: Path
    port: int
    sandbox_port: int
    has_webhooks: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def settings(self) -> Settings:
        public_url = self.url if self.has_webhooks else None
        return Settings(data_dir=self.data_dir, sandbox_url=self.sandbox_url, public_url=public_url)

    def sandbox(self, path: str, **body: Any) -> Any:
        """A control call to the sandbox."""
        return HTTP.post(f"{self.sandbox_url}/_sandbox{path}", json=body).raise_for_status().json()

    def exchanges(self, after: int = 0) -> list[dict[str, Any]]:
        """What the sandbox was asked since exchange number `after`, oldest first."""
        answer = HTTP.get(f"{self.sandbox_url}/_sandbox/exchanges", params={"after": after})
        return answer.raise_for_status().json()


@contextlib.contextmanager
def running(house: House) -> Iterator[tuple[psutil.Process, float]]:
    """`meterdesk up` for the length of the block: its process, and the seconds until `/health` and a page answered."""
    environment = {
        **os.environ,
        "METERDESK_DATA_DIR": str(house.data_dir),
        "METERDESK_SANDBOX_URL": house.sandbox_url,
    }
    if house.has_webhooks:
        # Nothing shall be polled meanwhile: what arrives, arrives by webhook.
        environment |= {"METERDESK_PUBLIC_URL": house.url, "METERDESK_EVENTS_POLL_SECONDS": "600"}
    command = [sys.executable, "-m", "dashboard.cli", "up", "--port", str(house.port)]
    with (house.data_dir / "server.log").open("a") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for path in ("/health", "/login"):
            _wait_for(f"{house.url}{path}", process, started + START_SECONDS)
        yield psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(timeout=30)


def sign_in(house: House) -> dict[str, str]:
    """The owner's session cookie; the owner is made by the form people use."""
    form = {**OWNER, "password_again": OWNER["password"]}
    answer = httpx.post(f"{house.url}/auth/setup", data=form, headers={"origin": house.url}, timeout=60)
    if not answer.cookies:
        raise RuntimeError(f"signing in failed: {answer.status_code} {answer.headers.get('location')}")
    return dict(answer.cookies)


async def furnish(backend: Backend, customers: int) -> Customer:
    """Stripe with tax switched on, a profile that sends invoices, and so many customers; answers one that is linked."""
    sandbox = backend.settings.sandbox_url
    httpx.post(f"{sandbox}/v1/tax/settings", data=HEAD_OFFICE, auth=(KEY, ""), timeout=60).raise_for_status()
    app = await install_stripe_app(backend.stripe, ACTOR, InstallStripeApp(api_key=SecretStr(KEY)))
    async with backend.database.transaction(ACTOR) as work:
        profile = CreateBillingProfile(
            name="Benchmark",
            app_id=app.id,
            supplier=SupplierInput(name="Meterdesk", country="US"),
            workflow=WorkflowInput(collection_method=CollectionMethod.SEND_INVOICE),
            default_currency="USD",
        )
        await create_billing_profile(work, profile, apps=is_installed)
        for number in range(customers - 1):
            wanted = CreateCustomer(name=f"Customer {number:04d}", key=f"c{number}", primary_email=f"c{number}@x.test")
            await create_customer(work, wanted)
        place = AddressInput(country="US", state="CA", postal_code="94105", city="San Francisco", line1="1 Market St")
        linked = await create_customer(
            work, CreateCustomer(name="Acme", key="acme", primary_email="a@acme.test", billing_address=place)
        )
    await create_stripe_customer(backend.stripe, ACTOR, linked.id, app.id)
    return linked


async def issue_invoice(backend: Backend, customer: Customer, lines: int, name: str) -> Invoice:
    """An invoice of so many lines of one rate card, with a tax code, issued and sent."""
    tax = TaxConfigInput(stripe_code="txcd_10103001")
    charges = tuple(
        ChargeInput(name=name, description=f"Part {number}", unit_price=Decimal(1 + number), tax=tax)
        for number in range(lines)
    )
    async with backend.database.transaction(ACTOR) as work:
        await add_charges(work, AddCharges(customer_id=customer.id, charges=charges))
        wanted = InvoicePendingLines(customer_id=customer.id, before_its_date=True)
        (draft,) = await invoice_pending_lines(work, wanted)
    for _ in range(60):
        await advance_invoice(backend.billing, draft.id)
        async with backend.database.read() as session:
            draft = await get_invoice(session, draft.id, backend.clock.now())
        if draft.external is not None and draft.external.status == "open":
            return draft
    raise RuntimeError(f"the invoice was not issued: {draft.status.value} {[one.message for one in draft.issues]}")


def _wait_for(url: str, process: subprocess.Popen[bytes], deadline: float) -> None:
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError("meterdesk ended by itself; see server.log in its data directory")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5, follow_redirects=True).status_code == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer")
