"""Who is in the storm: a handful of kinds of customers, what people do to their invoices, and how those end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from dashboard.billing.invoice_inputs import EditInvoice, EditLine
from dashboard.billing.service import edit_invoice, perform_action
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus
from dashboard.kit.errors import MeterdeskError
from tests.stripe_house import ADA, House

A, S = InvoiceAction, InvoiceStatus

AMOUNTS = {"USD": ("12.34", "0.99", "100"), "EUR": ("7.77", "3"), "JPY": ("1234", "56"), "KWD": ("1.250", "0.510")}
"""Currencies with two, no and three decimals, and what the lines of an invoice cost."""

EXTRA = Decimal(5)
"""The line that somebody adds to a draft."""


@dataclass(slots=True)
class Story:
    """One invoice: what people still want to do to it, and how it has to end."""

    invoice_id: str
    kind: "Kind"
    currency: str
    amounts: tuple[Decimal, ...]
    to_do: list["Deed"] = field(default_factory=list)

    @property
    def subtotal(self) -> Decimal:
        """What Stripe has to show before tax."""
        return sum(self.amounts, Decimal(0))


Deed = Callable[[House, Story, Invoice], Awaitable[bool]]
"""Something a person tries; answers whether it came about. Until it does, it is tried again every round."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Customers whose invoices go the same way. `ends` is Stripe's status and ours; Stripe's None: it has no such."""

    name: str
    ends: tuple[str | None, InvoiceStatus]
    card: str = "pm_card_visa"
    by_mail: bool = False
    approved_by_hand: bool = False
    taxed: bool = False
    deeds: tuple[Deed, ...] = ()


async def pays_on_the_hosted_page(house: House, story: Story, ours: Invoice) -> bool:
    if ours.external is None or ours.external.status != "open":
        return False
    answer = await house.sandbox.post(f"/_sandbox/invoices/{ours.external.id}/pay_page", json={})
    return answer.status_code == 200


async def comes_back_with_another_card(house: House, story: Story, ours: Invoice) -> bool:
    if ours.status is not S.PAYMENT_FAILED:
        return False
    return await pays_on_the_hosted_page(house, story, ours)


async def is_marked_paid_in_stripe(house: House, story: Story, ours: Invoice) -> bool:
    if ours.status is S.PAID:
        # An earlier try came about, only its answer did not come back.
        return True
    if ours.external is None or ours.external.status != "open":
        return False
    return await asked_stripe(house, f"/v1/invoices/{ours.external.id}/pay", {"paid_out_of_band": "true"})


async def asked_stripe(house: House, path: str, form: dict[str, Any]) -> bool:
    """One try by somebody in Stripe's dashboard, who is in the same storm."""
    try:
        answer = await house.sandbox.post(path, data=form, headers={"Authorization": f"Bearer {house.key}"})
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def asks_for(action: InvoiceAction) -> Deed:
    async def deed(house: House, story: Story, ours: Invoice) -> bool:
        if action not in ours.actions:
            return False
        try:
            await perform_action(house.billing, ADA, story.invoice_id, action)
        except MeterdeskError:
            return False
        # What Stripe could not be asked for now is written down, and goes on by itself.
        return True

    return deed


async def changes_the_draft(house: House, story: Story, ours: Invoice) -> bool:
    """One line goes, another costs something else, and there is a new one."""
    _, second, *rest = ours.lines
    price = {"type": "flat", "amount": str(EXTRA), "payment_term": "in_advance"}
    lines = [_edited(second, price=price), *[_edited(line) for line in rest], _edited(second, id=None, price=price)]
    try:
        async with house.database.transaction(ADA) as work:
            await edit_invoice(work, story.invoice_id, EditInvoice(lines=tuple(lines)))
    except MeterdeskError:
        return False
    story.amounts = (EXTRA, *story.amounts[2:], EXTRA)
    return True


def _edited(line: Any, **changes: Any) -> EditLine:
    now = {name: getattr(line, name) for name in ("id", "name", "price", "period_from", "period_to", "invoice_at")}
    return EditLine(**{**now, **changes})


PAID, OPEN = ("paid", S.PAID), ("open", S.PAYMENT_PENDING)

KINDS = (
    Kind("pays by card", PAID),
    Kind("is declined", ("open", S.PAYMENT_FAILED), card="pm_card_chargeCustomerFail"),
    Kind("pays on the hosted page", PAID, by_mail=True, deeds=(pays_on_the_hosted_page,)),
    Kind("edits and approves", PAID, approved_by_hand=True, deeds=(changes_the_draft, asks_for(A.APPROVE))),
    Kind("pays tax", PAID, taxed=True),
    Kind("is voided", ("void", S.VOIDED), by_mail=True, deeds=(asks_for(A.VOID),)),
    Kind("pays by card, again", PAID),
    Kind("is marked paid by us", PAID, by_mail=True, deeds=(asks_for(A.MARK_PAID),)),
    Kind("is marked paid in Stripe", PAID, by_mail=True, deeds=(is_marked_paid_in_stripe,)),
    Kind("has drafts deleted", (None, S.DELETED), approved_by_hand=True, deeds=(asks_for(A.DELETE),)),
    Kind("waits by mail", OPEN, by_mail=True),
    Kind("is declined, then pays", PAID, card="pm_card_chargeCustomerFail", deeds=(comes_back_with_another_card,)),
)
