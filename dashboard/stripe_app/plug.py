"""The Stripe app as billing sees it: `InvoicingApp`, with every refusal turned into what billing should do next."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import CustomerBilling, ExternalInvoice, Invoice, Issue
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app import invoice_actions, invoice_issue, invoice_sync
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeRefused, StripeTaxProblem, StripeUnauthorized, StripeUnreachable
from dashboard.stripe_app.readiness import readiness

# Stripe's own tax calculation being out of order passes; everything else about tax somebody has to mend.
_TAX_OUTAGES = frozenset({"taxes_calculation_failed", "failed_tax_calculation"})


@dataclass(frozen=True, slots=True)
class StripePlug:
    """Fills `billing.invoicing_app.InvoicingApp`. Keeps nothing: all state is in the database and at Stripe."""

    desk: StripeDesk

    async def readiness(self, app_id: str, billing: CustomerBilling) -> tuple[Issue, ...]:
        async with _in_billings_words():
            return await readiness(self.desk, app_id, billing)

    async def sync_draft(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_sync.sync_draft(self.desk, invoice)

    async def issue(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_issue.issue_invoice(self.desk, invoice)

    async def delete_draft(self, invoice: Invoice) -> None:
        async with self._writing(invoice):
            await invoice_actions.delete_draft(self.desk, invoice)

    async def read(self, invoice: Invoice) -> ExternalInvoice | None:
        async with _in_billings_words():
            return await invoice_actions.read_invoice(self.desk, invoice)

    async def pay(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.pay_invoice(self.desk, invoice)

    async def mark_paid(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.mark_invoice_paid(self.desk, invoice)

    async def send(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.send_invoice(self.desk, invoice)

    async def void(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.void_invoice(self.desk, invoice)

    async def mark_uncollectible(self, invoice: Invoice) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.mark_invoice_uncollectible(self.desk, invoice)

    async def credit(self, invoice: Invoice, amount: Decimal, reason: str, *, refund: bool) -> ExternalInvoice:
        async with self._writing(invoice):
            return await invoice_actions.credit_invoice(self.desk, invoice, amount, reason, refund=refund)

    @asynccontextmanager
    async def _writing(self, invoice: Invoice) -> AsyncIterator[None]:
        async with _in_billings_words(), self.desk.writing_for(invoice.customer_id):
            yield


@asynccontextmanager
async def _in_billings_words() -> AsyncIterator[None]:
    try:
        yield
    except MeterdeskError as error:
        raise invoicing_error(error) from error


def invoicing_error(error: MeterdeskError) -> InvoicingAppError:
    """What billing should make of a refusal: wait and retry, wait for a key, mend tax, or ask a person."""
    code = error.code
    if isinstance(error, StripeRefused):
        code = error.decline_code or error.stripe_code or error.code
    retry_after = error.retry_after_seconds if isinstance(error, StripeUnreachable) else None
    return InvoicingAppError(
        _trouble(error), code, error.message, remedy=error.what_to_do, retry_after_seconds=retry_after
    )


def _trouble(error: MeterdeskError) -> Trouble:
    if isinstance(error, StripeUnreachable):
        return Trouble.TRANSIENT
    if isinstance(error, StripeUnauthorized):
        return Trouble.UNAUTHORIZED
    if isinstance(error, StripeTaxProblem):
        return Trouble.TRANSIENT if error.stripe_code in _TAX_OUTAGES else Trouble.TAX
    return Trouble.NEEDS_PERSON
