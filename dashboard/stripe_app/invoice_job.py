"""One invoice on its way to Stripe: what we want, what we sent, whom it concerns."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlmodel import col

from dashboard.billing.views import ExternalInvoice, Invoice
from dashboard.kit.database import SYSTEM
from dashboard.stripe_app.desk import StripeDesk, usable_app
from dashboard.stripe_app.errors import NoStripeCustomer, StripeCustomerUnusable, StripePermissionMissing
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.invoice_rows import external_view, note_answer, replace_notes
from dashboard.stripe_app.tables import StripeAppRow, StripeCustomerLinkRow, StripeInvoiceRow
from dashboard.stripe_app.tax import tax_settings
from dashboard.stripe_app.to_stripe import DRAFT_NOTES, Draft, Party, draft_of

Json = dict[str, Any]


@dataclass(slots=True)
class InvoiceJob:
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

    def note_sent(self, row: StripeInvoiceRow) -> None:
        """Writes into `row`, as it is read for that, that Stripe's draft is what it should be."""
        row.sent_revision, row.sent_lines = self.draft.revision, self.draft.lines_revision
        row.syncs += 1
        wanted = {line.key for line in self.draft.lines}
        row.line_ids = {key: line_id for key, line_id in row.line_ids.items() if key in wanted}
        replace_notes(row, DRAFT_NOTES, self.draft.notes)
        self.row = row

    def external(self) -> ExternalInvoice:
        view = external_view(self.row, self.app)
        assert view is not None
        return view


_ROWS = (
    select(StripeAppRow, StripeCustomerLinkRow, StripeInvoiceRow)
    .outerjoin(
        StripeCustomerLinkRow,
        and_(
            col(StripeCustomerLinkRow.app_id) == col(StripeAppRow.id),
            col(StripeCustomerLinkRow.customer_id) == bindparam("customer_id"),
        ),
    )
    .outerjoin(StripeInvoiceRow, col(StripeInvoiceRow.invoice_id) == bindparam("invoice_id"))
    .where(col(StripeAppRow.id) == bindparam("app_id"))
)


async def open_job(desk: StripeDesk, invoice: Invoice) -> InvoiceJob:
    """Reads all that is known of an invoice at Stripe. Its row may be new and not stored yet."""
    async with desk.database.read() as session:
        wanted = {"app_id": invoice.app_id, "customer_id": invoice.customer_id, "invoice_id": invoice.id}
        found = (await session.execute(_ROWS, wanted)).one_or_none()
    app, link, row = found or (None, None, None)
    app = usable_app(app, invoice.app_id or "")
    if link is None:
        raise NoStripeCustomer("This customer is not linked to a Stripe customer.")
    if link.stripe_deleted_at is not None:
        raise StripeCustomerUnusable(
            "The linked customer was deleted in Stripe.", remedy="Unlink it, then link or create another."
        )
    app = await _knowing_its_tax(desk, app, invoice)
    row = row or StripeInvoiceRow(
        invoice_id=invoice.id, app_id=app.id, customer_id=invoice.customer_id, created_at=desk.database.clock.now()
    )
    return InvoiceJob(desk, invoice, app, link, row, current_draft(invoice, app, link, row))


async def _knowing_its_tax(desk: StripeDesk, app: StripeAppRow, invoice: Invoice) -> StripeAppRow:
    """The account's default tax behaviour decides for lines that name none, so it has to be known before the first."""
    if app.tax_settings is None and invoice.workflow is not None and invoice.workflow.tax_enabled:
        with suppress(StripePermissionMissing):
            await tax_settings(desk, app.id)
            return await desk.app_row(app.id)
    return app


def current_draft(invoice: Invoice, app: StripeAppRow, link: StripeCustomerLinkRow, row: StripeInvoiceRow) -> Draft:
    account_default = (app.tax_settings or {}).get("default_tax_behavior")
    party = Party(
        app_id=app.id,
        stripe_customer_id=link.stripe_customer_id,
        payment_method_id=link.payment_method_id,
        default_tax_behavior=None if account_default else "exclusive",
    )
    return draft_of(invoice, party, tax_dropped=row.tax_dropped is not None)


async def read_job_again(job: InvoiceJob, gateway: Gateway) -> None:
    answer = await gateway.invoice(job.stripe_id)
    async with job.desk.database.transaction(SYSTEM) as work:
        note_answer(work, await work.session.get_one(StripeInvoiceRow, job.invoice.id), answer)
    await job.refresh()
