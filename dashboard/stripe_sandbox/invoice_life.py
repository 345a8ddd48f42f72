"""An invoice's moves from state to state, each with its events: finalize, pay, send, void, give up.

Order of events of a happy charge: invoice.updated, invoice.finalized, payment_intent.created, charge.succeeded,
payment_intent.succeeded, invoice_payment.paid, invoice.updated, invoice.paid, invoice.payment_succeeded.
"""

import copy
from typing import Any

from dashboard.stripe_sandbox import collection, invoice_engine
from dashboard.stripe_sandbox.context import Context, changes
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.resources import balance_transactions
from dashboard.stripe_sandbox.routing import due_action

HOUR, DAY = 3600, 86400
LATEST_FINALIZATION = 72 * HOUR
WILL_BE_DUE = 3 * DAY


def plan_finalization(ctx: Context, invoice: dict[str, Any]) -> None:
    """A draft that advances by itself is finalized at its set time, else an hour after its event was acknowledged."""
    ctx.unschedule(invoice["id"], "invoice.finalize")
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if invoice["automatically_finalizes_at"]:
        ctx.schedule("invoice.finalize", invoice, invoice["automatically_finalizes_at"])
        return
    waits_for_webhooks = (
        bool(ctx.find("webhook_endpoint", {"status": "enabled"}, limit=1)) and not invoice["test_clock"]
    )
    now = ctx.now_for(invoice)
    if invoice["webhooks_delivered_at"]:
        at = max(now, invoice["webhooks_delivered_at"] + HOUR)
    else:
        at = invoice["created"] + (LATEST_FINALIZATION if waits_for_webhooks else HOUR)
    if not waits_for_webhooks and not invoice["webhooks_delivered_at"]:
        invoice["webhooks_delivered_at"] = now
        ctx.save(invoice)
    ctx.schedule("invoice.finalize", invoice, at)


@due_action("invoice.finalize")
def finalize_when_due(ctx: Context, id: str) -> None:
    """Automatic finalization; a failure is told and the invoice stays a draft."""
    invoice = ctx.get(id)
    if not invoice or invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    try:
        finalize(ctx, invoice, None)
    except ApiError as error:
        invoice["last_finalization_error"] = error.body
        invoice["automatic_tax"]["disabled_reason"] = None
        ctx.save(invoice)
        ctx.emit("invoice.finalization_failed", invoice)
        ctx.schedule("invoice.finalize", invoice, ctx.now_for(invoice) + DAY)


def finalize(ctx: Context, invoice: dict[str, Any], auto_advance: bool | None) -> dict[str, Any]:
    """From draft to open, or at once to paid when nothing is due. Raises Stripe's tax refusals, changing nothing."""
    before = copy.deepcopy(invoice)
    now = ctx.now_for(invoice)
    if auto_advance is not None:
        invoice["auto_advance"] = auto_advance
    invoice_engine.recalculate(ctx, invoice, final=True)
    customer = ctx.need("customer", invoice["customer"], "customer")
    _number(ctx, invoice, customer)
    _apply_customer_balance(ctx, invoice, customer)
    if invoice.get("_days_until_due") is not None:
        invoice["due_date"] = now + invoice["_days_until_due"] * DAY
    key = secret(40)
    invoice |= {
        "_page_key": key,
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or now,
        "hosted_invoice_url": f"{ctx.base_url}/i/{ctx.account}/{key}",
        "invoice_pdf": f"{ctx.base_url}/i/{ctx.account}/{key}/pdf",
        "last_finalization_error": None,
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = now
    if not invoice["amount_due"]:
        invoice["attempted"] = True
        _mark_paid(ctx, invoice, now)
    ctx.unschedule(invoice["id"], "invoice.finalize")
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.finalized", invoice)
    if invoice["status"] == "paid":
        ctx.emit("invoice.paid", invoice)
        ctx.emit("invoice.payment_succeeded", invoice)
        _void_original(ctx, invoice)
        return invoice
    collection.open_payment(ctx, invoice)
    collection.plan(ctx, invoice)
    plan_due_date(ctx, invoice)
    _void_original(ctx, invoice)
    return ctx.save(invoice)


def plan_due_date(ctx: Context, invoice: dict[str, Any]) -> None:
    """Reminders before and after the due date."""
    if invoice["collection_method"] != "send_invoice" or invoice["due_date"] is None:
        return
    now = ctx.now_for(invoice)
    if invoice["due_date"] - WILL_BE_DUE > now:
        ctx.schedule("invoice.will_be_due", invoice, invoice["due_date"] - WILL_BE_DUE)
    ctx.schedule("invoice.overdue", invoice, invoice["due_date"])


@due_action("invoice.will_be_due")
def will_be_due(ctx: Context, id: str) -> None:
    invoice = ctx.get(id)
    if invoice and invoice["status"] == "open":
        ctx.emit("invoice.will_be_due", invoice)


@due_action("invoice.overdue")
def overdue(ctx: Context, id: str) -> None:
    invoice = ctx.get(id)
    if invoice and invoice["status"] == "open":
        customer = ctx.get(invoice["customer"])
        if customer and not customer.get("deleted") and not customer["delinquent"]:
            customer["delinquent"] = True
            ctx.save(customer)
            ctx.emit("customer.updated", customer, {"delinquent": False})
        ctx.emit("invoice.overdue", invoice)


@due_action("invoice.send")
def send_when_due(ctx: Context, id: str) -> None:
    """The mail of an invoice that advances by itself."""
    invoice = ctx.get(id)
    if invoice and invoice["status"] == "open" and invoice["collection_method"] == "send_invoice":
        send(ctx, invoice)


def send(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any]:
    """No mail leaves a sandbox, but the event is true."""
    ctx.unschedule(invoice["id"], "invoice.send")
    ctx.emit("invoice.sent", invoice)
    return invoice


def settle(ctx: Context, invoice: dict[str, Any], amount: int) -> None:
    """`amount` has arrived: the invoice is paid when nothing remains; any surplus becomes the customer's credit."""
    before = copy.deepcopy(invoice)
    now = ctx.now_for(invoice)
    remaining = invoice["amount_remaining"]
    invoice["amount_paid"] += amount
    invoice["amount_remaining"] = max(0, remaining - amount)
    over = amount - remaining
    if over > 0:
        invoice["amount_overpaid"] += over
    if not invoice["amount_remaining"]:
        _mark_paid(ctx, invoice, now)
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    if invoice["status"] == "paid" and before["status"] != "paid":
        ctx.emit("invoice.paid", invoice)
        ctx.emit("invoice.payment_succeeded", invoice)
    if over > 0:
        customer = ctx.need("customer", invoice["customer"], "customer")
        balance_transactions.adjust(
            ctx, customer, -over, "invoice_overpaid", currency=invoice["currency"], invoice=invoice["id"]
        )
        ctx.emit("invoice.overpaid", invoice)


def paid_by_credit(ctx: Context, invoice: dict[str, Any]) -> None:
    """A credit note has brought the remaining amount to zero."""
    before = copy.deepcopy(invoice)
    collection.cancel_open(ctx, invoice, "void_invoice")
    _mark_paid(ctx, invoice, ctx.now_for(invoice))
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.paid", invoice)
    ctx.emit("invoice.payment_succeeded", invoice)


def pay_out_of_band(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any]:
    """Paid outside Stripe: no money moves, the payment is closed."""
    before = copy.deepcopy(invoice)
    collection.cancel_open(ctx, invoice, "void_invoice")
    amount = invoice["amount_remaining"]
    invoice["amount_paid"] += amount
    invoice["amount_paid_off_stripe"] = amount
    invoice["amount_remaining"] = 0
    invoice["attempted"] = True
    _mark_paid(ctx, invoice, ctx.now_for(invoice))
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.paid", invoice)
    ctx.emit("invoice.payment_succeeded", invoice)
    return invoice


def void(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any]:
    """As if it had never been sent: customer credit that it used comes back."""
    before = copy.deepcopy(invoice)
    collection.cancel_open(ctx, invoice, "void_invoice")
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = ctx.now_for(invoice)
    used = (invoice["ending_balance"] or 0) - invoice["starting_balance"]
    if used:
        customer = ctx.need("customer", invoice["customer"], "customer")
        balance_transactions.adjust(
            ctx, customer, -used, "unapplied_from_invoice", currency=invoice["currency"], invoice=invoice["id"]
        )
    ctx.unschedule(invoice["id"])
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.voided", invoice)
    return invoice


def mark_uncollectible(ctx: Context, invoice: dict[str, Any], reason: str) -> dict[str, Any]:
    """Given up on, but it can still be paid or voided."""
    before = copy.deepcopy(invoice)
    invoice |= {
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "uncollectible",
        "status_details": {"uncollectible": {"reason": reason}},
    }
    invoice["status_transitions"]["marked_uncollectible_at"] = ctx.now_for(invoice)
    ctx.unschedule(invoice["id"])
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _mark_paid(ctx: Context, invoice: dict[str, Any], now: int) -> None:
    invoice |= {"status": "paid", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["paid_at"] = now
    ctx.unschedule(invoice["id"])
    _clear_delinquency(ctx, invoice)


def _clear_delinquency(ctx: Context, invoice: dict[str, Any]) -> None:
    customer = ctx.get(invoice["customer"])
    if not customer or customer.get("deleted") or not customer["delinquent"]:
        return
    others = [
        other for other in ctx.find("invoice", {"customer": customer["id"], "status": "open"}) if other is not invoice
    ]
    if not others:
        customer["delinquent"] = False
        ctx.save(customer)
        ctx.emit("customer.updated", customer, {"delinquent": True})


def _number(ctx: Context, invoice: dict[str, Any], customer: dict[str, Any]) -> None:
    if invoice["number"]:
        return
    invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    ctx.save(customer)


def _apply_customer_balance(ctx: Context, invoice: dict[str, Any], customer: dict[str, Any]) -> None:
    ending = invoice.get("_carried", 0)
    invoice["ending_balance"] = ending
    delta = ending - invoice["starting_balance"]
    if delta:
        kind = "invoice_too_small" if ending > 0 and not invoice["amount_due"] else "applied_to_invoice"
        balance_transactions.adjust(ctx, customer, delta, kind, currency=invoice["currency"], invoice=invoice["id"])


def _void_original(ctx: Context, invoice: dict[str, Any]) -> None:
    """Finalizing a revision voids the invoice that it replaces."""
    if invoice["from_invoice"]:
        original = ctx.get(invoice["from_invoice"]["invoice"])
        if original and original["status"] == "open":
            void(ctx, original)
