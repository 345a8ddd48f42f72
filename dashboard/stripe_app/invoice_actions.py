"""What can be done to an invoice that Stripe has: read, pay, send, void, write off, credit, delete the draft.

Each looks first: Stripe already being where we want it to be counts as done, whoever did it.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import ExternalInvoice, Invoice
from dashboard.kit.database import STRIPE, SYSTEM, Work
from dashboard.kit.ids import new_id
from dashboard.kit.money import to_minor
from dashboard.stripe_app.calls import Intent, answered_count, content_hash, has_begun, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeCardDeclined, StripeInvalidRequest, StripeObjectMissing
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import BACKGROUND, PEOPLE
from dashboard.stripe_app.invoice_rows import external_view, forget_invoice, note_answer
from dashboard.stripe_app.links import link_row_of
from dashboard.stripe_app.tables import StripeAppRow, StripeInvoiceRow
from dashboard.stripe_app.to_stripe import METADATA_INVOICE

Json = dict[str, Any]
METADATA_CREDIT = "meterdesk_credit"


async def read_invoice(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice | None:
    """How the invoice stands in Stripe now; None when Stripe never had it or no longer has it."""
    row = await _row(desk, invoice.id)
    if row is None or row.stripe_invoice_id is None:
        return None
    async with desk.stripe(row.app_id, priority=BACKGROUND) as gateway:
        try:
            await read_again(desk, gateway, row)
        except StripeObjectMissing:
            return None
    return await _external(desk, invoice.id)


async def read_again(desk: StripeDesk, gateway: Gateway, row: StripeInvoiceRow) -> Json:
    """Reads the invoice, with its payments, and keeps the answer."""
    answer = await gateway.invoice(row.stripe_invoice_id or "")
    await _keep(desk, row.invoice_id, answer)
    return answer


async def pay_invoice(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    """Collects now with the customer's payment method. Raises StripeCardDeclined in Stripe's words."""
    row = await _must_have(desk, invoice)
    async with desk.database.read() as session:
        link = await link_row_of(session, row.app_id, invoice.customer_id)
    method = link.payment_method_id if link else None

    async def call(gateway: Gateway, stripe_id: str) -> Json:
        try:
            return await gateway.pay_invoice(stripe_id, {"payment_method": method, "off_session": True}, _key("pay"))
        except StripeCardDeclined:
            # The failed attempt is news too: count, next attempt, reason.
            await read_again(desk, gateway, row)
            raise

    return await _settle(desk, row, call, done={"paid"}, verb="collect")


async def mark_invoice_paid(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    """Records at Stripe that the money came by another way."""
    row = await _must_have(desk, invoice)

    async def call(gateway: Gateway, stripe_id: str) -> Json:
        return await gateway.pay_invoice(stripe_id, {"paid_out_of_band": True}, _key("mark-paid"))

    return await _settle(desk, row, call, done={"paid"}, verb="mark as paid")


async def void_invoice(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    row = await _must_have(desk, invoice)

    async def call(gateway: Gateway, stripe_id: str) -> Json:
        return await gateway.void_invoice(stripe_id, _key("void"))

    return await _settle(desk, row, call, done={"void"}, verb="void")


async def mark_invoice_uncollectible(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    row = await _must_have(desk, invoice)

    async def call(gateway: Gateway, stripe_id: str) -> Json:
        return await gateway.mark_uncollectible(stripe_id, _key("uncollectible"))

    return await _settle(desk, row, call, done={"uncollectible"}, verb="write off")


async def send_invoice(desk: StripeDesk, invoice: Invoice) -> ExternalInvoice:
    """Has Stripe email the invoice (again). In test mode no mail leaves Stripe."""
    row = await _must_have(desk, invoice)
    async with desk.stripe(row.app_id, priority=PEOPLE) as gateway:
        answer = await gateway.send_invoice(row.stripe_invoice_id or "", _key("send"))
    async with desk.database.transaction(SYSTEM) as work:
        kept = await work.session.get_one(StripeInvoiceRow, row.invoice_id)
        kept.sent_at = work.now
        note_answer(work, kept, answer)
    return await _external(desk, row.invoice_id)


async def credit_invoice(
    desk: StripeDesk, invoice: Invoice, amount: Decimal, reason: str, *, refund: bool
) -> ExternalInvoice:
    """A credit note over `amount` (major units, tax included). On an open invoice it lowers what is owed; on a paid one
    it is refunded to the payment method (`refund`) or kept as the customer's credit."""
    row = await _must_have(desk, invoice)
    minor = to_minor(amount, invoice.currency)
    async with desk.stripe(row.app_id, priority=PEOPLE) as gateway:
        status = (await read_again(desk, gateway, row))["status"]
        mark = invoice.request_id or await _credit_mark(desk, row, content_hash([minor, reason, refund]))
        params: Json = {"invoice": row.stripe_invoice_id, "amount": minor, "memo": reason or None}
        params["metadata"] = {METADATA_INVOICE: invoice.id, METADATA_CREDIT: mark}
        if status == "paid":
            params["refund_amount" if refund else "credit_amount"] = minor
        await _make_credit_note(desk, gateway, row, params, mark)
        await read_again(desk, gateway, row)
    return await _external(desk, row.invoice_id)


async def _credit_mark(desk: StripeDesk, row: StripeInvoiceRow, content: str) -> str:
    # The same credit asked for again before its answer was noted is the same credit; after that it is another one.
    async with desk.database.read() as session:
        before = await answered_count(session, row.invoice_id, "credit", content)
    return f"{content}-{before}"


async def _make_credit_note(desk: StripeDesk, gateway: Gateway, row: StripeInvoiceRow, params: Json, mark: str) -> None:
    async def look() -> Json | None:
        notes = await gateway.credit_notes(row.stripe_invoice_id or "")
        return next((note for note in notes if note["metadata"].get(METADATA_CREDIT) == mark), None)

    async def call(key: str) -> Json:
        return await gateway.create_credit_note(params, key)

    async def record(work: Work, note: Json) -> None:
        work.audit("invoice.credited", "invoice", row.invoice_id, credit_note=note["id"], minor=note["amount"])

    await once(desk.database, Intent(row.app_id, row.invoice_id, "credit", mark), look=look, call=call, record=record)


async def delete_draft(desk: StripeDesk, invoice: Invoice) -> None:
    """Removes the draft from Stripe; one that never came there or is gone already is fine.

    Raises InvoicingAppError NEEDS_PERSON when it is no draft any more.
    """
    row = await _row(desk, invoice.id)
    if row is None:
        return
    async with desk.stripe(row.app_id, priority=PEOPLE) as gateway:
        stripe_id = row.stripe_invoice_id or await _find_lost_draft(desk, gateway, row, invoice)
        if stripe_id is None:
            return
        try:
            await gateway.delete_invoice(stripe_id)
        except StripeObjectMissing:
            pass
        except StripeInvalidRequest:
            # Stripe refuses to delete what is finalised; say so in our words, with how it stands.
            status = (await gateway.invoice(stripe_id))["status"]
            if status == "draft":
                raise
            raise InvoicingAppError(
                Trouble.NEEDS_PERSON, "not_a_draft", f"The invoice is {status} in Stripe and can no longer be deleted.",
                remedy="Void it instead.",
            ) from None  # fmt: skip
    async with desk.database.transaction(SYSTEM) as work:
        kept = await work.session.get_one(StripeInvoiceRow, row.invoice_id)
        forget_invoice(kept, "deleted")


async def _find_lost_draft(desk: StripeDesk, gateway: Gateway, row: StripeInvoiceRow, invoice: Invoice) -> str | None:
    """A draft whose making was cut off before its id was written."""
    async with desk.database.read() as session:
        began = await has_begun(session, invoice.id, "create")
        link = await link_row_of(session, row.app_id, invoice.customer_id)
    if not began or link is None:
        return None
    drafts = await gateway.customer_drafts(link.stripe_customer_id)
    return next((one["id"] for one in drafts if one["metadata"].get(METADATA_INVOICE) == invoice.id), None)


async def _settle(
    desk: StripeDesk,
    row: StripeInvoiceRow,
    call: Callable[[Gateway, str], Awaitable[Json]],
    *,
    done: set[str],
    verb: str,
) -> ExternalInvoice:
    async with desk.stripe(row.app_id, priority=PEOPLE) as gateway:
        answer = await read_again(desk, gateway, row)
        if answer["status"] not in done:
            if answer["status"] == "draft":
                raise InvoicingAppError(
                    Trouble.NEEDS_PERSON, "still_a_draft", f"Stripe cannot {verb} a draft.", remedy="Approve it first."
                )
            try:
                await call(gateway, row.stripe_invoice_id or "")
            except StripeInvalidRequest:
                # Stripe's own collection, or somebody in its dashboard, may have been a moment faster.
                if (await read_again(desk, gateway, row))["status"] not in done:
                    raise
            else:
                await read_again(desk, gateway, row)
    return await _external(desk, row.invoice_id)


async def _row(desk: StripeDesk, invoice_id: str) -> StripeInvoiceRow | None:
    async with desk.database.read() as session:
        return await session.get(StripeInvoiceRow, invoice_id)


async def _must_have(desk: StripeDesk, invoice: Invoice) -> StripeInvoiceRow:
    row = await _row(desk, invoice.id)
    if row is None or row.stripe_invoice_id is None:
        raise InvoicingAppError(
            Trouble.NEEDS_PERSON, "not_in_stripe", "This invoice is not in Stripe.", remedy="Approve or retry it first."
        )
    return row


async def _keep(desk: StripeDesk, invoice_id: str, answer: Json) -> None:
    async with desk.database.transaction(STRIPE) as work:
        note_answer(work, await work.session.get_one(StripeInvoiceRow, invoice_id), answer)


async def _external(desk: StripeDesk, invoice_id: str) -> ExternalInvoice:
    async with desk.database.read() as session:
        row = await session.get_one(StripeInvoiceRow, invoice_id)
        view = external_view(row, await session.get_one(StripeAppRow, row.app_id))
    assert view is not None
    return view


def _key(verb: str) -> str:
    return f"meterdesk-{verb}-{new_id()}"
