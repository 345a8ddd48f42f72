"""Actions that happen at the provider first: pay, send, void, give up, mark as paid, credit.

The request is written on the invoice before the call and taken off with the answer, so that a crash between them leads
to the same call again, with the same request id.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboard.billing.desk import BillingDesk
from dashboard.billing.external import apply_external, set_payment_wake
from dashboard.billing.invoice_rows import SyncState, locked_invoice, note_step, read_invoice, touch
from dashboard.billing.invoicing_app import InvoicingApp, InvoicingAppError, Trouble
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.troubles import clear_trouble, hold_for_retry
from dashboard.billing.views import ExternalInvoice, Invoice, InvoiceAction
from dashboard.kit.database import SYSTEM, Actor, Work
from dashboard.kit.ids import new_id

A = InvoiceAction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActionArguments:
    """What some actions need to know. `amount` is in major units."""

    amount: Decimal | None = None
    reason: str = ""
    refund: bool = False


def request(work: Work, row: InvoiceRow, action: InvoiceAction, arguments: ActionArguments) -> None:
    """Writes down that somebody wants an action, before anything is called."""
    row.requested_action = action.value
    row.requested_by = {"kind": work.actor.kind, "id": work.actor.id, "label": work.actor.label}
    row.requested_arguments = {
        "request_id": new_id(),
        "amount": None if arguments.amount is None else str(arguments.amount),
        "reason": arguments.reason,
        "refund": arguments.refund,
    }
    row.requested_at = row.wake_at = work.now
    row.next_attempt_at = None
    note_step(work, row, row.status, row.status, f"{action.value}_requested")
    touch(work, row)


async def perform_requested(desk: BillingDesk, invoice_id: str) -> InvoicingAppError | None:
    """Calls the provider for the action that is written on the invoice. Answers why it did not come about, if so.

    A transient failure keeps the request, to be tried again; any other takes it back.
    """
    async with desk.database.read() as session:
        row = await session.get_one(InvoiceRow, invoice_id)
        invoice = await read_invoice(session, row, desk.database.clock.now())
        action, arguments = A(row.requested_action), dict(row.requested_arguments or {})
        actor = Actor(**(row.requested_by or {}))
    try:
        answer = await _CALLS[action](desk.app, invoice, arguments)
    except InvoicingAppError as error:
        return await _failed(desk, invoice, action, actor, error)
    except Exception as error:
        _log.exception("action %s of invoice %s", action.value, invoice_id)
        unexpected = InvoicingAppError(Trouble.TRANSIENT, "unexpected", f"Something unexpected happened: {error}")
        return await _failed(desk, invoice, action, actor, unexpected)
    async with desk.database.transaction(actor) as work:
        row = await locked_invoice(work.session, invoice_id)
        _take_back(row)
        await clear_trouble(work, row, action.value)
        before = row.status
        await apply_external(work, row, answer, action.value, actor=actor)
        if row.status == before:
            note_step(work, row, before, before, action.value)
        touch(work, row)
        work.audit(f"invoice.{action.value}", "invoice", row.id, number=row.number, **_told(arguments))
    return None


async def _failed(
    desk: BillingDesk, invoice: Invoice, action: InvoiceAction, actor: Actor, error: InvoicingAppError
) -> InvoicingAppError:
    async with desk.database.transaction(actor) as work:
        row = await locked_invoice(work.session, invoice.id)
        if error.trouble is Trouble.TRANSIENT:
            await hold_for_retry(work, row, error, action.value)
            return error
        _take_back(row)
        row.sync_state = SyncState.SYNCED
        set_payment_wake(row, work.now)
        await clear_trouble(work, row, action.value)
        note_step(work, row, row.status, row.status, f"{action.value}_failed", error=(error.code, error.message))
        touch(work, row)
    if error.trouble is Trouble.NEEDS_PERSON:
        await _look_again(desk, invoice, action)
    return error


async def _look_again(desk: BillingDesk, invoice: Invoice, action: InvoiceAction) -> None:
    """A refusal may have changed something too: a declined card, or somebody was there before."""
    try:
        external = await desk.app.read(invoice)
    except InvoicingAppError:
        return
    if external is None:
        return
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice.id)
        await apply_external(work, row, external, f"{action.value}_failed")


def _take_back(row: InvoiceRow) -> None:
    row.requested_action = row.requested_by = row.requested_arguments = row.requested_at = None
    row.wake_at = row.next_attempt_at = None


def _told(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value and name != "request_id"}


_Call = Callable[[InvoicingApp, Invoice, dict[str, Any]], Awaitable[ExternalInvoice]]

_CALLS: dict[InvoiceAction, _Call] = {
    A.PAY: lambda app, invoice, _: app.pay(invoice),
    A.SEND: lambda app, invoice, _: app.send(invoice),
    A.VOID: lambda app, invoice, _: app.void(invoice),
    A.MARK_UNCOLLECTIBLE: lambda app, invoice, _: app.mark_uncollectible(invoice),
    A.MARK_PAID: lambda app, invoice, _: app.mark_paid(invoice),
    A.CREDIT: lambda app, invoice, arguments: app.credit(
        invoice, Decimal(arguments["amount"]), arguments["reason"], refund=arguments["refund"]
    ),
}
