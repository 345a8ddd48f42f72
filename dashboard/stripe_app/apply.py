"""Applying letters: one small function per kind, and what happens when it cannot be done yet."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import select
from sqlmodel import col

from dashboard.kit.database import STRIPE, Actor
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeAppDeleted, StripeAppNotFound, StripeEventNotFound, StripeUnauthorized
from dashboard.stripe_app.inbox import DUE, Bundle, is_due, put_off, settle
from dashboard.stripe_app.letters import Letter, Outcome, applied, ignored
from dashboard.stripe_app.letters_about_customers import (
    checkout_completed,
    checkout_expired,
    customer_changed,
    payment_method_changed,
    setup_intent_succeeded,
    setup_intent_troubled,
)
from dashboard.stripe_app.letters_about_invoices import (
    about_a_charge,
    about_its_invoice,
    invoice_changed,
    invoice_deleted,
)
from dashboard.stripe_app.tables import StripeEventRow
from dashboard.stripe_app.tax import tax_settings
from dashboard.stripe_app.views import EventState

_log = logging.getLogger(__name__)

_UNSETTLED = (EventState.RECEIVED, EventState.WAITING)


async def tax_settings_changed(letter: Letter) -> Outcome:
    """The account's tax set-up was changed in Stripe."""
    await tax_settings(letter.desk, letter.app.id, fresh=True)
    return applied()


HANDLERS: Mapping[str, Callable[[Letter], Awaitable[Outcome]]] = {
    "setup_intent.succeeded": setup_intent_succeeded,
    "setup_intent.setup_failed": setup_intent_troubled,
    "setup_intent.requires_action": setup_intent_troubled,
    "checkout.session.completed": checkout_completed,
    "checkout.session.expired": checkout_expired,
    "customer.updated": customer_changed,
    "customer.deleted": customer_changed,
    "payment_method.attached": payment_method_changed,
    "payment_method.detached": payment_method_changed,
    "payment_method.updated": payment_method_changed,
    "payment_method.automatically_updated": payment_method_changed,
    "invoice.created": invoice_changed,
    "invoice.updated": invoice_changed,
    "invoice.deleted": invoice_deleted,
    "invoice.finalized": invoice_changed,
    "invoice.finalization_failed": invoice_changed,
    "invoice.sent": invoice_changed,
    "invoice.paid": invoice_changed,
    "invoice.payment_succeeded": invoice_changed,
    "invoice.payment_failed": invoice_changed,
    "invoice.payment_action_required": invoice_changed,
    "invoice.payment_attempt_required": invoice_changed,
    "invoice.overdue": invoice_changed,
    "invoice.overpaid": invoice_changed,
    "invoice.will_be_due": invoice_changed,
    "invoice.marked_uncollectible": invoice_changed,
    "invoice.voided": invoice_changed,
    "invoice_payment.paid": about_its_invoice,
    "credit_note.created": about_its_invoice,
    "credit_note.voided": about_its_invoice,
    "charge.refunded": about_a_charge,
    "charge.dispute.created": about_a_charge,
    "tax.settings.updated": tax_settings_changed,
}


async def apply_bundle(desk: StripeDesk, bundle: Bundle) -> bool:
    """Applies letters about one thing, one after the other, and writes what became of each. False when another worker
    has letters about the same thing in hand.

    Refusals, outages and faults of ours do not raise: the letter waits and is tried again.
    """
    async with in_hand(desk, bundle) as ours:
        left = list(bundle.event_ids)
        # Each is asked for anew: one reading may have settled several.
        while ours and left and (row := await _first_due(desk, left)) is not None:
            left.remove(row.id)
            await _apply(desk, row, tuple(left))
    return ours


def in_hand(desk: StripeDesk, bundle: Bundle) -> AbstractAsyncContextManager[bool]:
    """True inside the block when letters about this thing are this worker's, False when another has some in hand.

    Nobody leaves them behind: what says so goes when its process goes.
    """
    return desk.holding(f"letters about {bundle.about} for {bundle.app_id}")


async def apply_again(desk: StripeDesk, actor: Actor, event_id: str) -> None:
    """Puts a letter back into the inbox, whatever became of it before. Raises StripeEventNotFound."""
    async with desk.database.transaction(actor) as work:
        row = await work.session.get(StripeEventRow, event_id, with_for_update=True)
        if row is None:
            raise StripeEventNotFound(f"There is no Stripe event {event_id}.")
        row.state, row.reason, row.attempts, row.settled_at = EventState.RECEIVED, None, 0, None
        work.audit("stripe_event.applied_again", "stripe_event", row.id, event=row.event_id)
        work.changed("stripe_events", DUE)


async def _first_due(desk: StripeDesk, event_ids: Sequence[str]) -> StripeEventRow | None:
    query = select(StripeEventRow).where(col(StripeEventRow.id).in_(event_ids), is_due(desk.database.clock.now()))
    async with desk.database.read() as session:
        return await session.scalar(query.order_by(col(StripeEventRow.id)).limit(1))


async def _apply(desk: StripeDesk, row: StripeEventRow, others: tuple[str, ...]) -> None:
    try:
        await _write(desk, row, await _handle(desk, row, others))
    except (StripeAppNotFound, StripeAppDeleted) as gone:
        await _write(desk, row, ignored(gone.message))
    except StripeUnauthorized as refusal:
        await _put_off(desk, row, refusal.message, give_up=False)
    except MeterdeskError as trouble:
        await _put_off(desk, row, trouble.message)
    except Exception as fault:
        # A fault of ours must not make a letter go round for ever, nor vanish: it waits, and in the end it has failed.
        _log.exception("event %s (%s) could not be applied", row.event_id, row.type)
        await _put_off(desk, row, f"Something unexpected happened: {fault!r}")


async def _handle(desk: StripeDesk, row: StripeEventRow, others: tuple[str, ...]) -> Outcome:
    handler = HANDLERS.get(row.type)
    if handler is None:
        return ignored("Meterdesk does not act on events of this type.")
    app = await desk.app_row(row.app_id)
    if bool(row.payload.get("livemode")) != app.livemode:
        return ignored("It comes from the other mode (test or live) than this app.")
    async with desk.stripe(app.id, row=app) as gateway:
        return await handler(Letter(desk, gateway, app, row, others))


async def _write(desk: StripeDesk, row: StripeEventRow, outcome: Outcome) -> None:
    if outcome.state is EventState.WAITING:
        await _put_off(desk, row, outcome.reason or "Not yet.")
        return
    async with desk.database.transaction(STRIPE) as work:
        kept = await work.session.get_one(StripeEventRow, row.id, with_for_update=True)
        if kept.state not in _UNSETTLED:
            return
        if outcome.effect is not None:
            await outcome.effect(work)
        kept.customer_id = outcome.customer_id or kept.customer_id
        kept.invoice_id = outcome.invoice_id or kept.invoice_id
        settle(kept, outcome.state, outcome.reason, work.now)
        work.changed("stripe_events")


async def _put_off(desk: StripeDesk, row: StripeEventRow, reason: str, *, give_up: bool = True) -> None:
    async with desk.database.transaction(STRIPE) as work:
        kept = await work.session.get_one(StripeEventRow, row.id, with_for_update=True)
        if kept.state in _UNSETTLED:
            put_off(kept, reason, work.now, give_up=give_up)
            work.changed("stripe_events", f"stripe_apps/{row.app_id}")
