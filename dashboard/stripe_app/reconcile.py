"""Our books beside Stripe's: every invoice that may still change is read again, and differences are told to billing."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.invoicing_app import ExternalNews
from dashboard.kit.database import STRIPE
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import StripeObjectMissing, StripeRefused, StripeUnauthorized
from dashboard.stripe_app.house import record_news
from dashboard.stripe_app.invoice_rows import external_view, forget_invoice, note_answer
from dashboard.stripe_app.tables import StripeAppRow, StripeInvoiceRow

UNSETTLED = ("draft", "open", "uncollectible")
RECONCILED = "reconciled"
"""The trigger of news that no event brought."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An invoice that stood otherwise in Stripe than we had it, e.g. `status: open → paid`."""

    invoice_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many invoices were compared and what was found."""

    app_id: str
    compared: int
    differences: tuple[Difference, ...]


async def reconcile_app(desk: StripeDesk, app_id: str) -> Reconciliation:
    """Reads every unsettled invoice of the app in Stripe; differences are recorded, audited and told to billing.

    One invoice that cannot be read holds up none of the others. Raises StripeUnauthorized, StripeUnreachable.
    """
    ids = await _unsettled(desk, app_id)
    found = [difference for invoice_id in ids if (difference := await _compare(desk, app_id, invoice_id))]
    return Reconciliation(app_id, len(ids), tuple(found))


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
        except StripeUnauthorized:
            raise
        except StripeObjectMissing:
            answer = {"deleted": True}
        except StripeRefused as refusal:
            return Difference(invoice_id, f"could not be read: {refusal.message}")
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
