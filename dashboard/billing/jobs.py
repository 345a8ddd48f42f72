"""What the worker runs for this room. Every job is safe to repeat."""

import logging
from datetime import timedelta

from dashboard.billing.advance import advance_invoice
from dashboard.billing.desk import BillingDesk
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.gathering import due_for_collection, gathering_rows, lock_billing_of, refresh_gathering
from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.invoicing import ADVANCE_JOB, billable_lines, make_drafts
from dashboard.billing.overrides import customer_billing
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.queries import due_for_advance
from dashboard.customers.errors import CustomerDeleted
from dashboard.kit.database import SYSTEM

COLLECT_JOB = "invoice.collect"

_log = logging.getLogger(__name__)

NOT_DUE_AFTER_ALL = timedelta(hours=1)
"""A line may reach its date before it can be billed (a volume price in mid-period); then it is looked at this often."""


A_JOB_TAKES = timedelta(minutes=1)
"""So long an invoice is left to the job that was asked for with its last change; then another is."""


async def advance(desk: BillingDesk, invoice_id: str) -> None:
    """`invoice.advance`: carries one invoice on until it rests."""
    await advance_invoice(desk, invoice_id)


async def collect(desk: BillingDesk, customer_id: str) -> None:
    """`invoice.collect`: makes an invoice of a customer's lines whose date has come; never of a part of a period."""
    wanted = InvoicePendingLines(customer_id=customer_id, progressive_billing=False)
    try:
        async with desk.database.transaction(SYSTEM) as work:
            await make_drafts(work, wanted, bypass_alignment=False)
    except (NothingToInvoice, NoBillingProfile, CustomerDeleted):
        await _look_later(desk, customer_id)
    except Exception as error:
        # A fault of ours must not stand in the way of customers who are due later; the log tells; it is tried again.
        _log.error("collecting the lines of customer %s failed", customer_id, exc_info=error)
        await _put_off(desk, customer_id)


async def sweep(desk: BillingDesk) -> int:
    """Every few seconds: enqueues what is due, whatever became of the job that should do it. Answers how much."""
    now = desk.database.clock.now()
    async with desk.database.read() as session:
        invoices = await due_for_advance(session, now, patience=A_JOB_TAKES)
        customers = await due_for_collection(session, now)
    if not invoices and not customers:
        return 0
    # The minute is part of the key: a run that died and left everything as it was must not be the last.
    minute = now.strftime("%Y%m%dT%H%M")
    async with desk.database.transaction(SYSTEM) as work:
        for invoice_id, version in invoices:
            await work.enqueue(ADVANCE_JOB, f"{invoice_id}:{version}:{minute}", invoice_id=invoice_id)
        for customer_id in customers:
            await work.enqueue(COLLECT_JOB, f"{customer_id}:{minute}", customer_id=customer_id)
    return len(invoices) + len(customers)


async def _put_off(desk: BillingDesk, customer_id: str) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        await lock_billing_of(work, customer_id)
        for row in await gathering_rows(work.session, customer_id):
            row.wake_at = work.now + NOT_DUE_AFTER_ALL


async def _look_later(desk: BillingDesk, customer_id: str) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        await lock_billing_of(work, customer_id)
        for row in await gathering_rows(work.session, customer_id):
            await billable_lines(work, row)
            try:
                billing = await customer_billing(work.session, customer_id)
                await refresh_gathering(work, row, billing.workflow)
            except NoBillingProfile:
                pass
            if row.wake_at is not None and row.wake_at <= work.now:
                row.wake_at = work.now + NOT_DUE_AFTER_ALL
