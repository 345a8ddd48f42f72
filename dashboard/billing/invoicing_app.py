"""The plug: what billing asks of whoever writes, sends and collects invoices. `stripe_app` fills it.

No method is called while a transaction is open. Each may be called again after a crash and then finds what it left.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from dashboard.billing.views import CustomerBilling, ExternalInvoice, Invoice, Issue


class Trouble(StrEnum):
    """What kind of 'no' an app gave, which decides what happens next."""

    TRANSIENT = "transient"
    """Network, 5xx, 429, locks: tried again by itself, with back-off."""
    NEEDS_PERSON = "needs_person"
    """Somebody has to mend something first; `remedy` says what."""
    UNAUTHORIZED = "unauthorized"
    """The app's key is revoked: everything waits until it is replaced."""
    TAX = "tax"
    """Tax cannot be computed for this invoice as things stand."""


class InvoicingAppError(Exception):
    """The app could not do it. `message` is the provider's own, `remedy` is ours."""

    def __init__(
        self,
        trouble: Trouble,
        code: str,
        message: str,
        *,
        remedy: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How a customer pays: a card's brand, last four and expiry, or a bank account's."""

    id: str
    kind: str
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


class InvoicingApp(Protocol):
    async def readiness(self, app_id: str, billing: CustomerBilling) -> tuple[Issue, ...]:
        """What this customer still lacks to be billed as `billing` says; empty when ready. Each issue has a remedy."""
        ...

    async def sync_draft(self, invoice: Invoice) -> ExternalInvoice:
        """Makes the provider's draft equal to `invoice`: creates it once, later sends only what differs."""
        ...

    async def issue(self, invoice: Invoice) -> ExternalInvoice:
        """Checks that totals before tax agree to the minor unit, then finalises. Answers what stands afterwards."""
        ...

    async def delete_draft(self, invoice: Invoice) -> None:
        """Removes the provider's draft; one that never existed or is already gone is fine."""
        ...

    async def read(self, invoice: Invoice) -> ExternalInvoice | None:
        """What the provider says of `invoice` now, None when it knows no such invoice."""
        ...

    async def pay(self, invoice: Invoice) -> ExternalInvoice:
        """Tries to collect now with the method in force; a decline raises NEEDS_PERSON with the provider's words."""
        ...

    async def mark_paid(self, invoice: Invoice) -> ExternalInvoice:
        """Records that the money came by another way."""
        ...

    async def send(self, invoice: Invoice) -> ExternalInvoice:
        """Emails the invoice (again)."""
        ...

    async def void(self, invoice: Invoice) -> ExternalInvoice: ...

    async def mark_uncollectible(self, invoice: Invoice) -> ExternalInvoice: ...

    async def credit(self, invoice: Invoice, amount: Decimal, reason: str, *, refund: bool) -> ExternalInvoice:
        """Credits `amount` (major units): before payment it lowers what is owed, afterwards it is refunded or kept."""
        ...


@dataclass(frozen=True, slots=True)
class ExternalNews:
    """The app heard something about one of our invoices: how it stands now, which message said so and when.

    `invoice_id` is our id, for an app that knows it before we know theirs; `read_at` is when `external` was asked for,
    so that an older reading never overrules a newer one.
    """

    app_id: str
    external: ExternalInvoice
    trigger: str
    at: datetime
    invoice_id: str | None = None
    read_at: datetime | None = None
