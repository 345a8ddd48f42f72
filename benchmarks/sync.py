"""How fast invoices come to Stripe and letters come in: against Stripe's rate limit, and beside a bare web application.

    uv run python -m benchmarks sync

Invoices go through the worker of the product (durable jobs, limiter, gateway) to a sandbox that limits as Stripe does.
Letters go straight into the product's ASGI application, one after the other and many at once, and in turns into a bare
Starlette application that stores each in one row of the same kind of database file.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from stripe import WebhookSignature

from benchmarks.api import call
from benchmarks.house import ACTOR, KEY, free_port
from dashboard.api.app import close_api, create_api
from dashboard.backend import Backend, open_backend
from dashboard.billing.inputs import CreateBillingProfile, SupplierInput, TaxConfigInput, WorkflowInput
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput, InvoicePendingLines
from dashboard.billing.service import add_charges, create_billing_profile, invoice_pending_lines
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import CollectionMethod
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.kit.database import Database
from dashboard.kit.ids import new_id
from dashboard.settings import Settings
from dashboard.starting.migrations import database_url, migrate
from dashboard.stripe_app.apps import is_installed
from dashboard.stripe_app.customer_link import create_stripe_customer
from dashboard.stripe_app.inputs import InstallStripeApp
from dashboard.stripe_app.install import install_stripe_app
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import StripeApp
from dashboard.worker import working

INVOICES, LINES = 120, 10
CUSTOMERS = 10
"""Invoices of one customer are written one after the other, because Stripe locks its customers."""
RATE = 25
"""Stripe's calls per second in test mode, https://docs.stripe.com/rate-limits."""
TURNS, LETTERS_PER_TURN, AT_ONCE = 6, 100, 20


async def sync(backend: Backend, sandbox: httpx.AsyncClient, app: StripeApp) -> None:
    """Prints how fast invoices of ten lines are issued, and what one of them costs."""
    drafts = await _drafts(backend, app.id)
    await sandbox.post("/_sandbox/limits", json={"enabled": True, "rate": RATE})
    since = await _exchanges(sandbox)
    async with working(backend):
        # The flow is what is measured, not the start of the worker.
        while (begun := await _exchanges(sandbox) - since) == 0:
            await asyncio.sleep(0.02)
        began, used = time.perf_counter(), time.process_time()
        await _until_issued(backend, drafts)
        seconds, used = time.perf_counter() - began, time.process_time() - used
    exchanges = (await sandbox.get("/_sandbox/exchanges", params={"after": since})).json()
    await sandbox.post("/_sandbox/limits", json={"enabled": False})
    about_invoices = [one for one in exchanges if one["method"] == "POST"]
    rate = (len(exchanges) - begun) / seconds
    print(f"  {INVOICES} invoices of {LINES} lines: {rate:.1f} calls per second,", end=" ")
    print(f"{rate / RATE:.0%} of Stripe's {RATE}; answered 429:", end=" ")
    print(sum(one["status"] == 429 for one in exchanges))
    print(f"  CPU per invoice, jobs and all: {1000 * used / INVOICES:.0f} ms ({used / seconds:.0%} of one core)")
    openmeter = 2 * LINES + 2 * 1 + 4
    print(f"  writing calls per invoice: {len(about_invoices) / INVOICES:.2f}; OpenMeter's 2L + 2P + 4: {openmeter}")


async def _exchanges(sandbox: httpx.AsyncClient) -> int:
    return (await sandbox.get("/_sandbox/state")).json()["exchanges"]


async def _drafts(backend: Backend, app_id: str) -> list[str]:
    async with backend.database.transaction(ACTOR) as work:
        workflow = WorkflowInput(
            collection_method=CollectionMethod.SEND_INVOICE, collection_interval="PT0S", draft_period="PT0S",
            tax_enabled=False,
        )  # fmt: skip
        profile = CreateBillingProfile(
            name="Benchmark",
            app_id=app_id,
            supplier=SupplierInput(name="Meterdesk", country="US"),
            workflow=workflow,
            default_currency="USD",
        )
        await create_billing_profile(work, profile, apps=is_installed)
        wanted = [
            CreateCustomer(name=f"Acme {n}", key=f"acme{n}", primary_email="a@acme.test") for n in range(CUSTOMERS)
        ]
        customers = [await create_customer(work, one) for one in wanted]
    for customer in customers:
        await create_stripe_customer(backend.stripe, ACTOR, customer.id, app_id)
    tax = TaxConfigInput(stripe_code="txcd_10103001")
    charges = tuple(
        ChargeInput(name=f"Part {number}", unit_price=Decimal(1 + number), tax=tax) for number in range(LINES)
    )
    found = []
    for number in range(INVOICES):
        customer = customers[number % CUSTOMERS]
        async with backend.database.transaction(ACTOR) as work:
            await add_charges(work, AddCharges(customer_id=customer.id, charges=charges))
            pending = InvoicePendingLines(customer_id=customer.id, before_its_date=True)
            found += [draft.id for draft in await invoice_pending_lines(work, pending)]
    return found


async def _until_issued(backend: Backend, drafts: list[str]) -> None:
    # A question that costs next to nothing: it is asked in the process that is measured.
    left = select(func.count()).where(col(InvoiceRow.id).in_(drafts), col(InvoiceRow.issued_at).is_(None))
    while True:
        async with backend.database.read() as session:
            if not await session.scalar(left):
                return
        await asyncio.sleep(0.1)


async def letters(backend: Backend, app: StripeApp, folder: Path) -> None:
    """Prints how many letters a second are taken in, beside a bare application, in turns."""
    async with backend.database.read() as session:
        row = await session.get_one(StripeAppRow, app.id)
    secret = backend.stripe.secrets.open(row.sealed_webhook_secret or "")
    bare = Database(f"sqlite:///{folder / 'bare.db'}")
    async with bare.write_engine.begin() as connection:
        await connection.execute(text("CREATE TABLE letter (id TEXT PRIMARY KEY, body TEXT NOT NULL)"))
    ours, theirs = close_api(create_api()), _bare_app(bare.write_engine)
    path = f"/api/v1/apps/{app.id}/stripe/webhook"

    async def to_us() -> None:
        body = _letter()
        signature = WebhookSignature.generate_signature_header(body.decode(), secret)
        await _ok(call(ours, "POST", path, body, ((b"stripe-signature", signature.encode()),)))

    async def to_them() -> None:
        await _ok(call(theirs, "POST", "/", _letter()))

    for name, at_once in (("one after the other", 1), (f"{AT_ONCE} at once", AT_ONCE)):
        times = {to_us: 0.0, to_them: 0.0}
        for one in times:
            await _send(one, AT_ONCE, at_once)
        for _ in range(TURNS):
            for one in times:
                times[one] += await _send(one, LETTERS_PER_TURN, at_once)
        count = TURNS * LETTERS_PER_TURN
        us, them = count / times[to_us], count / times[to_them]
        print(f"  letters taken in, {name}: {us:.0f} per second, bare {them:.0f}; {us / them:.0%}", flush=True)
    await bare.close()


def _bare_app(engine: AsyncEngine) -> Starlette:
    async def take(request: Request) -> Response:
        body = await request.body()
        async with engine.begin() as connection:
            row = {"id": json.loads(body)["id"], "body": body.decode()}
            await connection.execute(text("INSERT INTO letter (id, body) VALUES (:id, :body)"), row)
        return Response()

    return Starlette(routes=[Route("/", take, methods=["POST"])])


def _letter() -> bytes:
    invoice = {"id": f"in_{new_id()}", "object": "invoice", "metadata": {"note": "x" * 3000}}
    letter = {"id": f"evt_{new_id()}", "object": "event", "type": "invoice.updated", "created": int(time.time())}
    return json.dumps({**letter, "livemode": False, "data": {"object": invoice}}).encode()


async def _send(one: Callable[[], Awaitable[None]], count: int, at_once: int) -> float:
    began = time.perf_counter()
    for _ in range(count // at_once):
        await asyncio.gather(*[one() for _ in range(at_once)])
    return time.perf_counter() - began


async def _ok(answer: Awaitable[tuple[int, bytes]]) -> None:
    status, content = await answer
    if status != 200:
        raise RuntimeError(f"{status}: {content[:300]!r}")


async def _answers(sandbox: httpx.AsyncClient) -> None:
    for _ in range(600):
        try:
            await sandbox.get("/_sandbox/state")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the sandbox did not start")


async def main() -> None:
    """A sandbox, a backend over an empty folder, and both measurements."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "dashboard.stripe_sandbox", "--port", str(port), "--data-dir", folder]
        process = subprocess.Popen(command)
        url = f"http://127.0.0.1:{port}"
        # Nobody listens at the public address: letters are made here, and the sandbox's own are of no interest.
        settings = Settings(
            data_dir=Path(folder), sandbox_url=url, public_url="http://127.0.0.1:9", secret_key=SecretStr("benchmark")
        )
        await asyncio.to_thread(migrate, database_url(settings))
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as sandbox:
                await _answers(sandbox)
                await sandbox.post("/_sandbox/webhooks", json={"mode": "drop"})
                async with open_backend(settings) as backend:
                    app = await install_stripe_app(backend.stripe, ACTOR, InstallStripeApp(api_key=SecretStr(KEY)))
                    await sync(backend, sandbox, app)
                    await letters(backend, app, Path(folder))
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(main())
