"""Letters about invoices and money: whatever they say, the invoice is read again and billing is told how it stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.views import Issue
from dashboard.kit.database import Work
from dashboard.kit.money import format_money, from_minor
from dashboard.stripe_app.calls import is_our_key
from dashboard.stripe_app.errors import StripeObjectMissing
from dashboard.stripe_app.house import record_news
from dashboard.stripe_app.inbox import settle
from dashboard.stripe_app.invoice_rows import (
    add_note,
    external_view,
    forget_invoice,
    invoice_row_by_stripe_id,
    note_answer,
    note_lines,
)
from dashboard.stripe_app.letters import Letter, Outcome, applied, ignored, not_yet
from dashboard.stripe_app.tables import StripeEventRow, StripeInvoiceRow
from dashboard.stripe_app.to_stripe import METADATA_APP, METADATA_INVOICE
from dashboard.stripe_app.views import EventState
from dashboard.stripe_app.wire import id_of

Json = dict[str, Any]
_ENDS = ("paid", "void")
"""Stripe's statuses of an invoice that nothing follows."""
_ECHOES = frozenset({"invoice.created", "invoice.updated"})


async def invoice_changed(letter: Letter) -> Outcome:
    """Any `invoice.*`: told to billing from a fresh reading, together with every other letter waiting about it."""
    stripe_id = letter.carried["id"]
    row = await _row(letter, stripe_id)
    if row is None:
        return await _not_known(letter)
    if await _is_our_own_echo(letter):
        return applied("Our own change; its answer is known already.", invoice_id=row.invoice_id)
    return await _read_and_tell(letter, row, stripe_id)


async def invoice_deleted(letter: Letter) -> Outcome:
    """A draft is gone from Stripe. If it was ours and we did not do it, the next sync makes a fresh one."""
    row = await _row(letter, letter.carried["id"])
    if row is None:
        return ignored("Not one of our invoices, or deleted by us.")

    async def effect(work: Work) -> None:
        kept = await work.session.get_one(StripeInvoiceRow, row.invoice_id)
        forget_invoice(kept, "deleted")
        work.changed(f"invoices/{row.invoice_id}", "invoices")

    return applied(
        "The draft was deleted in Stripe; it is made again with the next sync.",
        effect=effect,
        customer_id=row.customer_id,
        invoice_id=row.invoice_id,
    )


async def about_its_invoice(letter: Letter) -> Outcome:
    """Payments and credit notes name their invoice."""
    stripe_id = id_of(letter.carried.get("invoice"))
    row = await _row(letter, stripe_id) if stripe_id else None
    if row is None or stripe_id is None:
        return ignored("It belongs to no invoice of ours.")
    return await _read_and_tell(letter, row, stripe_id)


async def about_a_charge(letter: Letter) -> Outcome:
    """Refunds and disputes name a charge; its payment intent leads to the invoice, which then says so."""
    charge = await _charge(letter)
    intent_id = id_of(charge.get("payment_intent")) if charge else None
    if charge is None or intent_id is None:
        return ignored("This charge was not made for an invoice.")
    payments = await letter.gateway.invoice_payments(
        {"payment": {"type": "payment_intent", "payment_intent": intent_id}}
    )
    for payment in payments:
        stripe_id = id_of(payment.get("invoice"))
        row = await _row(letter, stripe_id) if stripe_id else None
        if row is not None and stripe_id is not None:
            return await _read_and_tell(letter, row, stripe_id, notes=_notes_of(charge))
    return ignored("This charge was not made for an invoice of ours.")


async def _charge(letter: Letter) -> Json | None:
    is_charge = letter.carried.get("object") == "charge"
    charge_id = letter.carried["id"] if is_charge else id_of(letter.carried.get("charge"))
    try:
        return await letter.gateway.charge(charge_id) if charge_id else None
    except StripeObjectMissing:
        return None


def _notes_of(charge: Json) -> tuple[Issue, ...]:
    notes: list[Issue] = []
    if charge.get("amount_refunded"):
        amount = format_money(from_minor(charge["amount_refunded"], charge["currency"]), charge["currency"])
        notes.append(Issue("info", "refunded", f"{amount} of the payment were refunded.", component="stripe"))
    if charge.get("disputed"):
        remedy = "Answer the dispute in Stripe's dashboard before its deadline."
        notes.append(Issue("warning", "disputed", "The customer disputes the payment.", remedy, component="stripe"))
    return tuple(notes)


async def _read_and_tell(
    letter: Letter, row: StripeInvoiceRow, stripe_id: str, *, notes: tuple[Issue, ...] = ()
) -> Outcome:
    began = letter.desk.database.clock.now()
    try:
        answer = await letter.gateway.invoice(stripe_id)
        # Ten lines come with the answer. Somebody's edit may be beyond them.
        is_edited = row.answer is not None and row.answer.get("subtotal") != answer.get("subtotal")
        lines = await letter.gateway.invoice_lines(stripe_id) if is_edited and answer["lines"]["has_more"] else None
    except StripeObjectMissing:
        return ignored("The invoice no longer exists in Stripe.")

    async def effect(work: Work) -> None:
        kept = await work.session.get_one(StripeInvoiceRow, row.invoice_id, with_for_update=True)
        # What was written down after we asked may have been answered before: an end is news all the same.
        ends_it = answer["status"] in _ENDS and kept.status not in _ENDS
        if kept.answered_at is None or kept.answered_at <= began or ends_it:
            note_answer(work, kept, answer)
            if lines is not None:
                note_lines(kept, lines)
        for note in notes:
            add_note(kept, note)
        others = await _also_waiting(work, letter)
        for other in others:
            other.customer_id, other.invoice_id = kept.customer_id, kept.invoice_id
            settle(other, EventState.APPLIED, f"Read together with {letter.row.event_id}.", work.now)
        await _tell(work, letter, kept, [*others, letter.row], began)

    return applied(effect=effect, customer_id=row.customer_id, invoice_id=row.invoice_id)


async def _tell(
    work: Work, letter: Letter, row: StripeInvoiceRow, events: Sequence[StripeEventRow], read_at: datetime
) -> None:
    """Tells billing once, whatever the number of letters: one reading stands behind them all, the first names it."""
    for event in events:
        if event.type == "invoice.sent":
            row.sent_at = event.created_at
    external = external_view(row, letter.app)
    if external is not None:
        # A payment's letter may come before its invoice's, whose name says more about the invoice.
        first = min(events, key=lambda event: (event.object_type != "invoice", event.created_at, event.id))
        news = ExternalNews(letter.app.id, external, first.type, first.created_at, row.invoice_id, read_at)
        await record_news(work, news)


async def _also_waiting(work: Work, letter: Letter) -> list[StripeEventRow]:
    if not letter.others:
        return []
    rows = await work.session.scalars(
        select(StripeEventRow)
        .where(
            col(StripeEventRow.id).in_(letter.others),
            col(StripeEventRow.type) != "invoice.deleted",
            col(StripeEventRow.state).in_((EventState.RECEIVED, EventState.WAITING)),
        )
        .order_by(col(StripeEventRow.created_at), col(StripeEventRow.id))
        # What somebody else is writing about this very moment is theirs to settle.
        .with_for_update(skip_locked=True)
    )
    return list(rows)


async def _row(letter: Letter, stripe_id: str) -> StripeInvoiceRow | None:
    async with letter.desk.database.read() as session:
        return await invoice_row_by_stripe_id(session, letter.app.id, stripe_id)


async def _not_known(letter: Letter) -> Outcome:
    metadata = letter.carried.get("metadata") or {}
    if metadata.get(METADATA_APP) != letter.app.id or METADATA_INVOICE not in metadata:
        return ignored("Not one of our invoices.")
    try:
        await letter.gateway.invoice(letter.carried["id"])
    except StripeObjectMissing:
        # A draft whose making was never answered, and which was found and deleted later.
        return ignored("The invoice no longer exists in Stripe.")
    return not_yet("The invoice is ours, but that it was made is not written down yet.")


async def _is_our_own_echo(letter: Letter) -> bool:
    if letter.type not in _ECHOES or letter.carried.get("status") != "draft" or not letter.row.idempotency_key:
        return False
    async with letter.desk.database.read() as session:
        return await is_our_key(session, letter.row.idempotency_key)
