"""The stories of issued invoices: paid, voided, written off, credited."""

from decimal import Decimal
from typing import Any, ClassVar

from dashboard.billing.views import InvoiceAction, InvoiceStatus
from tests.crash.invoice_stories import InvoiceStory

A = InvoiceAction
S = InvoiceStatus


class Settling(InvoiceStory):
    """Something that happens to an issued invoice at Stripe first."""

    action: ClassVar[InvoiceAction]
    arguments: ClassVar[dict[str, Any]] = {}

    async def prepare(self) -> str:
        subject = await super().prepare()
        await self.draft_until(subject, S.PAYMENT_PENDING)
        return subject

    async def act(self, subject: str) -> None:
        await self.perform(subject, self.action, **self.arguments)

    async def is_known(self, subject: str) -> bool:
        return f"{self.action}_requested" in [one.trigger for one in (await self.invoice(subject)).transitions]


class Paying(Settling):
    action = A.PAY
    ends = frozenset({S.PAID})
    at_stripe = "paid"

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [there] = await self.invoices_at_stripe(subject)
        charges = (await self.site.stripe("GET", "/v1/charges", customer=there["customer"]))["data"]
        assert [one["amount"] for one in charges] == [1000]


class PayingOutOfBand(Settling):
    action = A.MARK_PAID
    ends = frozenset({S.PAID})
    at_stripe = "paid"


class Voiding(Settling):
    action = A.VOID
    ends = frozenset({S.VOIDED})
    at_stripe = "void"


class WritingOff(Settling):
    action = A.MARK_UNCOLLECTIBLE
    ends = frozenset({S.UNCOLLECTIBLE})
    at_stripe = "uncollectible"


class Crediting(Settling):
    action = A.CREDIT
    arguments = {"amount": Decimal(4), "reason": "sorry"}

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [there] = await self.invoices_at_stripe(subject)
        notes = (await self.site.stripe("GET", "/v1/credit_notes", invoice=there["id"]))["data"]
        assert [note["amount"] for note in notes] == [400]
        external = (await self.invoice(subject)).external
        assert external is not None
        assert external.amount_remaining == Decimal(6)
