"""The demo company's invoices, each carried to where it shall rest."""

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal

from dashboard.billing.invoice_inputs import CreatePendingLines, InvoicePendingLines, PendingLineInput
from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.queries import available_actions, get_invoice, page_of_invoices
from dashboard.billing.service import advance_invoice, create_pending_lines, invoice_pending_lines, perform_action
from dashboard.billing.views import Invoice, InvoiceStatus
from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.kit.money import amount_text
from dashboard.kit.paging import PageRequest
from dashboard.seed.company import CALL_PRICE, INVOICES, METERED_DAYS, DemoInvoice, DemoLine
from dashboard.seed.report import SEED, Seeding
from dashboard.stripe_app.reconcile import reconcile_app

MARK = "demo_invoice"
PAYMENTS_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.5
MANY = PageRequest(1, 1000)


async def make_invoices(seeding: Seeding, app_id: str, customers: dict[str, Customer]) -> None:
    """Makes what is missing, carries it on, and waits a little for the payments.

    The worker of a running Meterdesk may do the same at the same time; without one, nothing is left undone here.
    """
    there = await marked_invoices(seeding, [customer.id for customer in customers.values()])
    made = {demo.key: await _make(seeding, customers, demo) for demo in INVOICES if demo.key not in there}
    seeding.tell("Invoices", len(made), len(INVOICES))
    ids = {demo.key: made.get(demo.key) or there[demo.key] for demo in INVOICES}
    for demo in INVOICES:
        if demo.rests is not InvoiceStatus.GATHERING:
            await advance_invoice(seeding.backend.billing, ids[demo.key])
            await _act(seeding, demo, ids[demo.key])
    await _wait_for_payments(seeding, app_id, ids if made else {})
    resting = Counter([(await _read(seeding, invoice_id)).status for invoice_id in set(ids.values())])
    seeding.say("Invoices now: " + ", ".join(f"{count} {status.value}" for status, count in sorted(resting.items())))


async def marked_invoices(seeding: Seeding, customer_ids: list[str]) -> dict[str, str]:
    """Key of a demo invoice → id of the invoice that has its lines."""
    now = seeding.backend.database.clock.now()
    async with seeding.backend.database.read() as session:
        page = await page_of_invoices(
            session, MANY, InvoiceFilter(), now, customer_ids=customer_ids, include_deleted=True, with_lines=True
        )
    return {line.metadata[MARK]: found.id for found in page.items for line in found.lines if MARK in line.metadata}


async def _make(seeding: Seeding, customers: dict[str, Customer], demo: DemoInvoice) -> str:
    """Lines and, unless they shall gather, the draft of them, in one transaction."""
    customer_id = customers[demo.customer].id
    async with seeding.backend.database.transaction(SEED) as work:
        lines = tuple(_line(work, demo, line) for line in demo.lines)
        pending = await create_pending_lines(work, CreatePendingLines(customer_id=customer_id, lines=lines))
        if demo.rests is InvoiceStatus.GATHERING:
            return pending.invoice.id
        wanted = InvoicePendingLines(
            customer_id=customer_id, line_ids=tuple(line.id for line in pending.lines), before_its_date=True
        )
        return (await invoice_pending_lines(work, wanted))[0].id


def _line(work: Work, demo: DemoInvoice, line: DemoLine) -> PendingLineInput:
    """A metered line ends yesterday at midnight: then late usage need not be waited for any more."""
    today = work.now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = today - timedelta(days=1)
    is_metered = line.quantity is None
    flat = {"type": "flat", "amount": amount_text(line.unit_price), "payment_term": "in_advance"}
    return PendingLineInput(
        name=line.name,
        price=CALL_PRICE if is_metered else flat,
        quantity=None if line.quantity is None else Decimal(line.quantity),
        feature_key="api_calls" if is_metered else None,
        period_from=end - timedelta(days=METERED_DAYS),
        period_to=end,
        invoice_at=end if is_metered else work.now + timedelta(days=30),
        metadata={MARK: demo.key},
    )


async def _act(seeding: Seeding, demo: DemoInvoice, invoice_id: str) -> None:
    """What a person does with the invoice, if it is not done and possible now."""
    invoice = await _read(seeding, invoice_id)
    if demo.action is None or invoice.status is demo.rests:
        return
    if demo.action in available_actions(invoice, seeding.backend.database.clock.now()):
        reason = "Part of the demo company"
        await perform_action(seeding.backend.billing, SEED, invoice_id, demo.action, reason=reason)


async def _wait_for_payments(seeding: Seeding, app_id: str, ids: dict[str, str]) -> None:
    """Looks at Stripe until every invoice rests where it shall, or says which do not yet."""
    expected = [demo for demo in INVOICES if demo.key in ids]
    deadline = asyncio.get_running_loop().time() + PAYMENTS_SECONDS
    while True:
        await reconcile_app(seeding.backend.stripe, app_id)
        elsewhere = [demo for demo in expected if (await _read(seeding, ids[demo.key])).status is not demo.rests]
        if not elsewhere:
            return
        if asyncio.get_running_loop().time() > deadline:
            break
        for demo in elsewhere:
            # A worker that carried it just then may have been in the way.
            await _act(seeding, demo, ids[demo.key])
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    seeding.say(f"{len(elsewhere)} invoices stand elsewhere than planned: changed by hand, or still on their way.")


async def _read(seeding: Seeding, invoice_id: str) -> Invoice:
    async with seeding.backend.database.read() as session:
        return await get_invoice(session, invoice_id, seeding.backend.database.clock.now())
