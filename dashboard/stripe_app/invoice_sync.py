"""Our draft becomes Stripe's, then Stripe's invoice: create, add lines, finalise. Three calls, each resumable."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import ExternalInvoice, Invoice, Issue
from dashboard.kit.database import SYSTEM, Work
from dashboard.kit.money import format_money, from_minor
from dashboard.stripe_app.calls import Intent, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import (
    NoStripeCustomer,
    StripeCustomerUnusable,
    StripeInvalidRequest,
    StripeObjectMissing,
    StripeTaxProblem,
)
from dashboard.stripe_app.gateway import BACKGROUND, FINALIZING, Gateway
from dashboard.stripe_app.invoice_lines import bring_lines_in_line, difference
from dashboard.stripe_app.invoice_rows import add_note, external_view, is_ours, note_answer, note_lines
from dashboard.stripe_app.links import link_row_of
from dashboard.stripe_app.products import ensure_products, forget_products
from dashboard.stripe_app.tables import StripeAppRow, StripeCustomerLinkRow, StripeInvoiceRow
from dashboard.stripe_app.to_stripe import METADATA_INVOICE, Draft, Party, draft_of

Json = dict[str, Any]

TRUSTED_FOR = timedelta(minutes=5)
"""How long Stripe's last answer about a draft counts as the truth before finalising; older, it is read again."""

CREATE_ONLY = ("customer", "currency")
TAX_CAN_BE_DROPPED = frozenset({"customer_tax_location_invalid", "invalid_tax_location", "stripe_tax_inactive"})
_SEVERAL_TIMES = 2


@dataclass(slots=True)
class _Job:
    desk: StripeDesk
    invoice: Invoice
    app: StripeAppRow
    link: StripeCustomerLinkRow
    row: StripeInvoiceRow
    draft: Draft

    @property
    def stripe_id(self) -> str:
        return self.row.stripe_invoice_id or ""

    @property
    def is_synced(self) -> bool:
        return self.row.stripe_invoice_id is not None and self.row.sent_revision == self.draft.revision

    @property
    def is_past_draft(self) -> bool:
        return self.row.stripe_invoice_id is not None and self.row.status != "draft"

    async def refresh(self) -> None:
        async with self.desk.database.read() as session:
            self.row = await session.get_one(StripeInvoiceRow, self.invoice.id)

    def external(self) -> ExternalInvoice:
        view = external_view(self.row, self.app)
        assert view is not None
        return view


async def sync_draft(desk: StripeDesk, invoice: Invoice, *, priority: int = BACKGROUND) -> ExternalInvoice:
    """Makes Stripe's draft equal to `invoice`, sending only what differs; nothing when nothing does."""
    job = await _job(desk, invoice)
    if not (job.is_synced or job.is_past_draft):
        async with desk.stripe(job.app.id, priority=priority) as gateway:
            await _sync(job, gateway)
    return job.external()


async def issue(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    """Syncs, compares the totals to the minor unit, finalises. Raises InvoicingAppError when they differ."""
    job = await _job(desk, invoice)
    if job.is_past_draft:
        return job.external()
    async with desk.stripe(job.app.id, priority=FINALIZING) as gateway:
        if not job.is_synced:
            await _sync(job, gateway)
        await _trust_or_read_again(job, gateway)
        if job.is_past_draft:
            return job.external()
        await _guard_pennies(job, gateway)
        try:
            await _finalize(job, gateway)
        except StripeTaxProblem as refusal:
            _raise_unless_tax_may_be_dropped(job, refusal)
            await _drop_tax(job, refusal)
            await _sync(job, gateway)
            await _finalize(job, gateway)
    return job.external()


# Beginning


async def _job(desk: StripeDesk, invoice: Invoice) -> _Job:
    app = await desk.app_row(invoice.app_id or "")
    async with desk.database.transaction(SYSTEM) as work:
        link = await link_row_of(work.session, app.id, invoice.customer_id)
        if link is None:
            raise NoStripeCustomer("This customer is not linked to a Stripe customer.")
        if link.stripe_deleted_at is not None:
            raise StripeCustomerUnusable(
                "The linked customer was deleted in Stripe.", remedy="Unlink it, then link or create another."
            )
        row = await work.session.get(StripeInvoiceRow, invoice.id)
        if row is None:
            row = StripeInvoiceRow(
                invoice_id=invoice.id, app_id=app.id, customer_id=invoice.customer_id, created_at=work.now
            )
            work.session.add(row)
    return _Job(desk, invoice, app, link, row, _draft(invoice, app, link, row))


def _draft(invoice: Invoice, app: StripeAppRow, link: StripeCustomerLinkRow, row: StripeInvoiceRow) -> Draft:
    account_default = (app.tax_settings or {}).get("default_tax_behavior")
    party = Party(
        app_id=app.id,
        stripe_customer_id=link.stripe_customer_id,
        payment_method_id=link.payment_method_id,
        default_tax_behavior=None if account_default else "exclusive",
    )
    return draft_of(invoice, party, tax_dropped=row.tax_dropped is not None)


# Draft


async def _sync(job: _Job, gateway: Gateway) -> None:
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
    await _note_synced(job)


async def _sync_once(job: _Job, gateway: Gateway) -> None:
    if job.row.stripe_invoice_id is not None and job.row.sent_header.get("customer") != job.link.stripe_customer_id:
        await _start_over(job, gateway)
    if job.row.stripe_invoice_id is None:
        await _create(job, gateway)
    product_ids = await ensure_products(job.desk, gateway, job.app.id, job.draft.products())
    # Stripe takes no untaxable lines on an invoice with automatic tax: tax goes off before lines change, on after.
    if not job.draft.automatic_tax:
        await _update_header(job, gateway)
    await bring_lines_in_line(job.desk, gateway, job.row, job.draft, product_ids)
    if job.draft.automatic_tax:
        await _update_header(job, gateway)
    await job.refresh()


async def _create(job: _Job, gateway: Gateway) -> None:
    params = {name: value for name, value in job.draft.header.items() if value not in ("", [])}
    params |= {"auto_advance": False, "pending_invoice_items_behavior": "exclude"}

    async def look() -> Json | None:
        drafts = await gateway.customer_drafts(job.link.stripe_customer_id)
        return next((one for one in drafts if one["metadata"].get(METADATA_INVOICE) == job.invoice.id), None)

    async def call(key: str) -> Json:
        return await gateway.create_invoice(params, key)

    async def record(work: Work, answer: Json) -> None:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.stripe_customer_id, row.sent_header = job.link.stripe_customer_id, job.draft.header
        note_answer(work, row, answer)

    intent = Intent(job.app.id, job.invoice.id, "create", f"{job.row.syncs}-{job.link.stripe_customer_id}")
    await once(job.desk.database, intent, look=look, call=call, record=record)
    await job.refresh()


async def _update_header(job: _Job, gateway: Gateway) -> None:
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

    intent = Intent(job.app.id, job.invoice.id, "update", f"{job.row.syncs}-{job.draft.revision}")
    await once(job.desk.database, intent, look=look, call=call, record=record)
    await job.refresh()


async def _note_synced(job: _Job) -> None:
    async with job.desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.sent_revision = job.draft.revision
        row.syncs += 1
        for note in job.draft.notes:
            add_note(row, note)
    await job.refresh()


# Before and at the end


async def _trust_or_read_again(job: _Job, gateway: Gateway) -> None:
    answered_at = job.row.answered_at
    if answered_at is None or job.desk.database.clock.now() - answered_at > TRUSTED_FOR:
        await _read_again(job, gateway)


async def _read_again(job: _Job, gateway: Gateway) -> None:
    answer = await gateway.invoice(job.stripe_id)
    async with job.desk.database.transaction(SYSTEM) as work:
        note_answer(work, await work.session.get_one(StripeInvoiceRow, job.invoice.id), answer)
    await job.refresh()


async def _guard_pennies(job: _Job, gateway: Gateway) -> None:
    """Nothing is finalised that does not agree to the minor unit with what we calculated."""
    if _subtotal(job) == job.draft.minor_total:
        return
    # Somebody edited the draft in Stripe. Our own lines are put right once; what others added is theirs to keep.
    product_ids = await ensure_products(job.desk, gateway, job.app.id, job.draft.products())
    await bring_lines_in_line(job.desk, gateway, job.row, job.draft, product_ids)
    lines = await gateway.invoice_lines(job.stripe_id)
    async with job.desk.database.transaction(SYSTEM) as work:
        note_lines(await work.session.get_one(StripeInvoiceRow, job.invoice.id), lines)
    await _read_again(job, gateway)
    foreign = sum(line["amount"] for line in lines if not is_ours(line))
    if _subtotal(job) != job.draft.minor_total + foreign:
        raise InvoicingAppError(Trouble.NEEDS_PERSON, "totals_differ", _what_differs(job, lines), remedy=_TOTALS_REMEDY)


_TOTALS_REMEDY = "Look at the draft in Stripe (discounts or edits there change its total), then retry."


def _subtotal(job: _Job) -> int:
    return int((job.row.answer or {}).get("subtotal") or 0)


def _what_differs(job: _Job, lines: list[Json]) -> str:
    code = job.invoice.currency
    ours, theirs = from_minor(job.draft.minor_total, code), from_minor(_subtotal(job), code)
    sentence = f"Before tax the invoice is {format_money(ours, code)} here and {format_money(theirs, code)} in Stripe."
    wrong = difference(job.draft, lines)
    names = [line.description for line in wrong.add] + [line.description for _, line in wrong.update]
    return f"{sentence} The line “{names[0]}” differs." if names else sentence


async def _finalize(job: _Job, gateway: Gateway) -> None:
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

    intent = Intent(job.app.id, job.invoice.id, "finalize", f"{job.stripe_id}-{job.row.syncs}")
    await once(job.desk.database, intent, look=look, call=call, record=record)
    await job.refresh()


def _raise_unless_tax_may_be_dropped(job: _Job, refusal: StripeTaxProblem) -> None:
    enforced = job.invoice.workflow is not None and job.invoice.workflow.tax_enforced
    if enforced or refusal.stripe_code not in TAX_CAN_BE_DROPPED or job.row.tax_dropped is not None:
        raise refusal


async def _drop_tax(job: _Job, refusal: StripeTaxProblem) -> None:
    async with job.desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.tax_dropped = refusal.stripe_code
        add_note(
            row,
            Issue(
                "warning",
                "tax_dropped",
                f"Issued without tax, which the billing profile does not enforce. Stripe said: {refusal.message}",
                "Complete the customer's address in Stripe, or enforce tax in the profile to hold such invoices.",
                component="stripe",
            ),
        )
        work.audit("invoice.tax_dropped", "invoice", job.invoice.id, reason=refusal.stripe_code)
    await job.refresh()
    job.draft = _draft(job.invoice, job.app, job.link, job.row)


# When Stripe is not as we left it


async def _start_over(job: _Job, gateway: Gateway) -> None:
    """The customer was linked to another Stripe customer, and an invoice cannot change hands."""
    with suppress(StripeObjectMissing):
        await gateway.delete_invoice(job.stripe_id)
    await _forget_invoice(job)


async def _forget_what_is_gone(job: _Job, gateway: Gateway, missing: StripeObjectMissing) -> bool:
    if "product" in (missing.param or "") or "prod" in missing.message:
        await forget_products(job.desk, job.app.id, list(job.draft.products()))
        return True
    try:
        await gateway.invoice(job.stripe_id)
    except StripeObjectMissing:
        await _forget_invoice(job)
        return True
    return False


async def _forget_invoice(job: _Job) -> None:
    async with job.desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        row.stripe_invoice_id = row.sent_revision = None
        row.sent_header, row.line_ids, row.status = {}, {}, "none"
        row.syncs += 1
    await job.refresh()


async def _is_past_draft_at_stripe(job: _Job, gateway: Gateway) -> bool:
    if job.row.stripe_invoice_id is None:
        return False
    await _read_again(job, gateway)
    return job.is_past_draft
