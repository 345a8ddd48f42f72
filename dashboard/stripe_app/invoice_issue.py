"""The draft becomes an invoice: totals agree to the minor unit first, tax is never dropped in silence."""

from datetime import timedelta
from typing import Any

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import ExternalInvoice, Invoice, Issue
from dashboard.kit.database import SYSTEM, Work
from dashboard.kit.money import format_money, from_minor
from dashboard.stripe_app.apps import expect_news
from dashboard.stripe_app.calls import Intent, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.draft_lines import METADATA_LINE
from dashboard.stripe_app.errors import StripeInvalidRequest, StripeTaxProblem
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import FINALIZING
from dashboard.stripe_app.invoice_job import InvoiceJob, current_draft, open_job, read_job_again
from dashboard.stripe_app.invoice_lines import bring_lines_in_line
from dashboard.stripe_app.invoice_rows import add_note, after_discounts, before_tax, is_ours, note_answer, note_lines
from dashboard.stripe_app.invoice_sync import bring_draft_in_line
from dashboard.stripe_app.products import ensure_products
from dashboard.stripe_app.tables import StripeInvoiceRow

Json = dict[str, Any]

TRUSTED_FOR = timedelta(minutes=1)
"""How long Stripe's last answer about a draft counts as the truth before finalising; older, it is read again."""

TAX_CAN_BE_DROPPED = frozenset({"customer_tax_location_invalid", "invalid_tax_location", "stripe_tax_inactive"})


async def issue_invoice(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    """Syncs, compares the totals to the minor unit, finalises. Raises InvoicingAppError when they differ."""
    job = await open_job(desk, invoice)
    if job.is_past_draft:
        return job.external()
    async with desk.stripe(job.app.id, priority=FINALIZING, row=job.app) as gateway:
        if not job.is_synced:
            await bring_draft_in_line(job, gateway)
        await _trust_or_read_again(job, gateway)
        if job.is_past_draft:
            return job.external()
        await _guard_pennies(job, gateway)
        try:
            await _finalize(job, gateway)
        except StripeTaxProblem as refusal:
            _raise_unless_tax_may_be_dropped(job, refusal)
            await _drop_tax(job, refusal)
            await bring_draft_in_line(job, gateway)
            await _guard_pennies(job, gateway)
            await _finalize(job, gateway)
        await _explain_what_was_issued(job, gateway)
    return job.external()


async def _trust_or_read_again(job: InvoiceJob, gateway: Gateway) -> None:
    answered_at = job.row.answered_at
    if answered_at is None or job.desk.database.clock.now() - answered_at > TRUSTED_FOR:
        await read_job_again(job, gateway)


async def _guard_pennies(job: InvoiceJob, gateway: Gateway) -> None:
    """Nothing is finalised that does not agree to the minor unit with what we calculated."""
    if _before_tax(job) == job.draft.minor_total:
        return
    # Somebody edited the draft in Stripe. Our own lines are put right once; what others added is theirs to keep.
    product_ids = await ensure_products(job.desk, gateway, job.app.id, job.draft.products())
    await bring_lines_in_line(job, gateway, product_ids)
    lines = await _read_all_lines(job, gateway)
    await read_job_again(job, gateway)
    if _before_tax(job) != job.draft.minor_total + _foreign_total(lines):
        raise InvoicingAppError(Trouble.NEEDS_PERSON, "totals_differ", _what_differs(job, lines), remedy=_TOTALS_REMEDY)


_TOTALS_REMEDY = "Look at the draft in Stripe (discounts or edits there change its total), then retry."


async def _explain_what_was_issued(job: InvoiceJob, gateway: Gateway) -> None:
    """An edit in Stripe between our last look and finalising cannot be stopped any more; it is never left unsaid."""
    if job.row.status == "draft" or _before_tax(job) == job.draft.minor_total:
        return
    lines = await _read_all_lines(job, gateway)
    if _before_tax(job) == job.draft.minor_total + _foreign_total(lines):
        return
    remedy = "Credit the difference, or void the invoice and bill it again."
    issue = Issue("critical", "issued_total_differs", _what_differs(job, lines), remedy, component="stripe")
    async with job.desk.database.transaction(SYSTEM) as work:
        add_note(await work.session.get_one(StripeInvoiceRow, job.invoice.id), issue)
        work.audit("invoice.issued_total_differs", "invoice", job.invoice.id, what=issue.message)
    await job.refresh()


async def _read_all_lines(job: InvoiceJob, gateway: Gateway) -> list[Json]:
    lines = await gateway.invoice_lines(job.stripe_id)
    async with job.desk.database.transaction(SYSTEM) as work:
        note_lines(await work.session.get_one(StripeInvoiceRow, job.invoice.id), lines)
    await job.refresh()
    return lines


def _before_tax(job: InvoiceJob) -> int:
    return before_tax(job.row.answer or {})


def _foreign_total(lines: list[Json]) -> int:
    return sum(after_discounts(line) for line in lines if not is_ours(line))


def _what_differs(job: InvoiceJob, lines: list[Json]) -> str:
    def money(minor: int) -> str:
        return format_money(from_minor(minor, job.invoice.currency), job.invoice.currency)

    ours, theirs = money(job.draft.minor_total), money(_before_tax(job))
    sentence = f"Before tax the invoice is {ours} here and {theirs} in Stripe."
    there = {line["metadata"][METADATA_LINE]: after_discounts(line) for line in lines if is_ours(line)}
    for line in job.draft.lines:
        if line.key not in there:
            return f"{sentence} The line “{line.description}” is missing in Stripe."
        if there[line.key] != line.minor:
            here, in_stripe = money(line.minor), money(there[line.key])
            return f"{sentence} The line “{line.description}” is {here} here and {in_stripe} in Stripe."
    return sentence


async def _finalize(job: InvoiceJob, gateway: Gateway) -> None:
    async def look() -> Json | None:
        answer = await gateway.invoice(job.stripe_id)
        return answer if answer["status"] != "draft" else None

    async def call(key: str) -> Json:
        try:
            return await gateway.finalize_invoice(job.stripe_id, key)
        except StripeInvalidRequest:
            # Somebody may have finalised it in Stripe's dashboard meanwhile.
            answer = await look()
            if answer is None:
                raise
            return answer

    async def record(work: Work, answer: Json) -> None:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        note_answer(work, row, answer)
        await expect_news(work, job.app)
        job.row = row

    intent = Intent(job.app.id, job.invoice.id, "finalize", f"{job.stripe_id}-{job.row.syncs}")
    await once(job.desk.database, intent, look=look, call=call, record=record)


def _raise_unless_tax_may_be_dropped(job: InvoiceJob, refusal: StripeTaxProblem) -> None:
    enforced = job.invoice.workflow is not None and job.invoice.workflow.tax_enforced
    if enforced or refusal.stripe_code not in TAX_CAN_BE_DROPPED or job.row.tax_dropped is not None:
        raise refusal


_COMPLETE_ADDRESS = "Complete the customer's address, or enforce tax in the billing profile to hold such invoices."
_TAX_REMEDIES = {
    "stripe_tax_inactive": "Finish the account's tax settings in Stripe, or switch tax off in the billing profile.",
}


async def _drop_tax(job: InvoiceJob, refusal: StripeTaxProblem) -> None:
    async with job.desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.tax_dropped = refusal.stripe_code
        add_note(
            row,
            Issue(
                "warning",
                "tax_dropped",
                f"Issued without tax, which the billing profile does not enforce. Stripe said: {refusal.message}",
                _TAX_REMEDIES.get(refusal.stripe_code or "", _COMPLETE_ADDRESS),
                component="stripe",
            ),
        )
        work.audit("invoice.tax_dropped", "invoice", job.invoice.id, reason=refusal.stripe_code)
    await job.refresh()
    job.draft = current_draft(job.invoice, job.app, job.link, job.row)
