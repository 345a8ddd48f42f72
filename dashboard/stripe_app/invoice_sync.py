"""Our draft becomes Stripe's: created once, later only what differs is sent. Every step is resumable."""

from contextlib import suppress
from typing import Any

from sqlalchemy import inspect

from dashboard.billing.views import ExternalInvoice, Invoice
from dashboard.kit.database import SYSTEM, Work
from dashboard.stripe_app.calls import Intent, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeInvalidRequest, StripeObjectMissing
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import BACKGROUND
from dashboard.stripe_app.invoice_job import InvoiceJob, open_job, read_job_again
from dashboard.stripe_app.invoice_lines import bring_lines_in_line
from dashboard.stripe_app.invoice_rows import forget_invoice, note_answer
from dashboard.stripe_app.products import ensure_products, forget_products
from dashboard.stripe_app.tables import StripeInvoiceRow
from dashboard.stripe_app.to_stripe import METADATA_INVOICE

Json = dict[str, Any]
CREATE_ONLY = ("customer", "currency")
_SEVERAL_TIMES = 2


async def sync_draft(desk: StripeDesk, invoice: Invoice, *, priority: int = BACKGROUND) -> ExternalInvoice:
    """Makes Stripe's draft equal to `invoice`, sending only what differs; nothing when nothing does."""
    job = await open_job(desk, invoice)
    if not (job.is_synced or job.is_past_draft):
        async with desk.stripe(job.app.id, priority=priority, row=job.app) as gateway:
            await bring_draft_in_line(job, gateway)
    return job.external()


async def bring_draft_in_line(job: InvoiceJob, gateway: Gateway) -> None:
    for attempt in range(_SEVERAL_TIMES):
        try:
            await _sync_once(job, gateway)
            break
        except StripeObjectMissing as missing:
            if attempt or not await _forget_what_is_gone(job, gateway, missing):
                raise
        except StripeInvalidRequest:
            if not await _is_past_draft_at_stripe(job, gateway):
                raise
            return
    if not job.is_synced:
        async with job.desk.database.transaction(SYSTEM) as work:
            job.note_sent(await work.session.get_one(StripeInvoiceRow, job.invoice.id))


async def _sync_once(job: InvoiceJob, gateway: Gateway) -> None:
    if job.row.stripe_invoice_id is not None and job.row.sent_header.get("customer") != job.link.stripe_customer_id:
        await _start_over(job, gateway)
    is_made_now = job.row.stripe_invoice_id is None
    if is_made_now:
        await _create(job, gateway)
    # Stripe takes no untaxable lines on an invoice with automatic tax: tax goes off before lines change, on after.
    if not job.draft.automatic_tax:
        await _update_header(job, gateway)
    if job.row.sent_lines != job.draft.lines_revision:
        product_ids = await ensure_products(job.desk, gateway, job.app.id, job.draft.products())
        await bring_lines_in_line(job, gateway, product_ids, is_empty=is_made_now)
    if job.draft.automatic_tax:
        await _update_header(job, gateway)


async def _create(job: InvoiceJob, gateway: Gateway) -> None:
    params = {name: value for name, value in job.draft.header.items() if value not in ("", [])}
    params |= {"auto_advance": False, "pending_invoice_items_behavior": "exclude"}

    def intend(work: Work) -> None:
        if inspect(job.row).transient:
            work.session.add(job.row)

    async def look() -> Json | None:
        drafts = await gateway.customer_drafts(job.link.stripe_customer_id)
        return next((one for one in drafts if one["metadata"].get(METADATA_INVOICE) == job.invoice.id), None)

    async def call(key: str) -> Json:
        return await gateway.create_invoice(params, key)

    async def record(work: Work, answer: Json) -> None:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.stripe_customer_id, row.sent_header = job.link.stripe_customer_id, job.draft.header
        note_answer(work, row, answer)
        job.row = row

    intent = Intent(job.app.id, job.invoice.id, "create", f"{job.row.syncs}-{job.link.stripe_customer_id}")
    await once(job.desk.database, intent, intend=intend, look=look, call=call, record=record)


async def _update_header(job: InvoiceJob, gateway: Gateway) -> None:
    sent = job.row.sent_header
    changed = {
        name: value
        for name, value in job.draft.header.items()
        if name not in CREATE_ONLY and sent.get(name, "") != value
    }
    if not changed:
        return
    if changed.get("custom_fields") == []:
        changed["custom_fields"] = ""

    async def look() -> Json | None:
        return None

    async def call(key: str) -> Json:
        return await gateway.update_invoice(job.stripe_id, changed, key)

    async def record(work: Work, answer: Json) -> None:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.sent_header = job.draft.header
        note_answer(work, row, answer)
        job.row = row

    intent = Intent(job.app.id, job.invoice.id, "update", f"{job.row.syncs}-{job.draft.revision}")
    await once(job.desk.database, intent, look=look, call=call, record=record)


# When Stripe is not as we left it


async def _start_over(job: InvoiceJob, gateway: Gateway) -> None:
    """The customer was linked to another Stripe customer, and an invoice cannot change hands."""
    with suppress(StripeObjectMissing):
        await gateway.delete_invoice(job.stripe_id)
    await _forget_invoice(job)


async def _forget_what_is_gone(job: InvoiceJob, gateway: Gateway, missing: StripeObjectMissing) -> bool:
    if "product" in (missing.param or "") or "prod" in missing.message:
        await forget_products(job.desk, job.app.id, list(job.draft.products()))
        return True
    try:
        await gateway.invoice(job.stripe_id)
    except StripeObjectMissing:
        await _forget_invoice(job)
        return True
    return False


async def _forget_invoice(job: InvoiceJob) -> None:
    async with job.desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        forget_invoice(row, "none")
    await job.refresh()


async def _is_past_draft_at_stripe(job: InvoiceJob, gateway: Gateway) -> bool:
    if job.row.stripe_invoice_id is None:
        return False
    await read_job_again(job, gateway)
    return job.is_past_draft
