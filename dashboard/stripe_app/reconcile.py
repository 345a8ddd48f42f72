"""Our books beside Stripe's: every invoice that may still change is read again, and differences are told to billing."""

import logging
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.invoicing_app import ExternalNews
from dashboard.kit.database import STRIPE
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeObjectMissing, StripeUnauthorized, StripeUnreachable
from dashboard.stripe_app.house import record_news
from dashboard.stripe_app.invoice_rows import external_view, forget_invoice, note_answer
from dashboard.stripe_app.tables import StripeAppRow, StripeInvoiceRow

_log = logging.getLogger(__name__)

UNSETTLED = ("draft", "open", "uncollectible")
RECONCILED = "reconciled"
"""The trigger of news that no event brought."""
GIVE_UP_AFTER = 5
"""So many invoices in a row that nobody could read are an outage, not a bad invoice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An invoice that stood otherwise in Stripe than we had it, e.g. `status: open → paid`."""

    invoice_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many invoices were compared, what was found, and which could not be read."""

    app_id: str
    compared: int
    differences: tuple[Difference, ...]
    unread: tuple[Difference, ...] = ()


async def reconcile_app(desk: StripeDesk, app_id: str) -> Reconciliation:
    """Reads every unsettled invoice of the app in Stripe; differences are recorded, audited and told to billing.

    One invoice that cannot be read or taken over holds up none of the others; it is audited. Raises StripeUnauthorized,
    and StripeUnreachable when several in a row could not be read.
    """
    ids = await _unsettled(desk, app_id)
    found: list[Difference] = []
    unread: list[Difference] = []
    failures_in_a_row = 0
    for invoice_id in ids:
        try:
            difference = await _compare(desk, app_id, invoice_id)
        except StripeUnauthorized:
            raise
        except Exception as trouble:
            failures_in_a_row += 1
            if isinstance(trouble, StripeUnreachable) and failures_in_a_row >= GIVE_UP_AFTER:
                raise
            unread.append(await _note_unread(desk, invoice_id, trouble))
            continue
        failures_in_a_row = 0
        if difference is not None:
            found.append(difference)
    return Reconciliation(app_id, len(ids), tuple(found), tuple(unread))


async def _note_unread(desk: StripeDesk, invoice_id: str, trouble: Exception) -> Difference:
    if not isinstance(trouble, MeterdeskError):
        _log.error("comparing invoice %s failed", invoice_id, exc_info=trouble)
    what = f"could not be compared: {trouble.message if isinstance(trouble, MeterdeskError) else repr(trouble)}"
    async with desk.database.transaction(STRIPE) as work:
        work.audit("invoice.not_reconciled", "invoice", invoice_id, difference=what)
    return Difference(invoice_id, what)


async def _unsettled(desk: StripeDesk, app_id: str) -> list[str]:
    async with desk.database.read() as session:
        rows = await session.scalars(
            select(col(StripeInvoiceRow.invoice_id))
            .where(
                col(StripeInvoiceRow.app_id) == app_id,
                col(StripeInvoiceRow.status).in_(UNSETTLED),
                col(StripeInvoiceRow.stripe_invoice_id).is_not(None),
            )
            .order_by(col(StripeInvoiceRow.invoice_id))
        )
        return list(rows)


async def _compare(desk: StripeDesk, app_id: str, invoice_id: str) -> Difference | None:
    async with desk.database.read() as session:
        row = await session.get_one(StripeInvoiceRow, invoice_id)
    began = desk.database.clock.now()
    async with desk.stripe(app_id) as gateway:
        try:
            answer = await gateway.invoice(row.stripe_invoice_id or "")
        except StripeObjectMissing:
            answer = {"deleted": True}
    before = row.answer or {}
    what = "; ".join(_differences(before, answer))
    if not what:
        return None
    async with desk.database.transaction(STRIPE) as work:
        kept = await work.session.get_one(StripeInvoiceRow, invoice_id, with_for_update=True)
        app = await work.session.get_one(StripeAppRow, app_id)
        work.audit("invoice.reconciled", "invoice", invoice_id, difference=what)
        work.changed(f"invoices/{invoice_id}", "invoices")
        if answer.get("deleted"):
            forget_invoice(kept, "deleted")
        elif kept.answered_at is None or kept.answered_at <= began:
            note_answer(work, kept, answer)
            external = external_view(kept, app)
            if external is not None:
                await record_news(work, ExternalNews(app_id, external, RECONCILED, work.now, invoice_id, began))
    return Difference(invoice_id, what)


def _differences(before: dict, after: dict) -> list[str]:
    if after.get("deleted"):
        return ["the draft is gone from Stripe"]
    names = ("status", "subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "number", "attempt_count")
    return [f"{name}: {before.get(name)} → {after.get(name)}" for name in names if before.get(name) != after.get(name)]
