"""Collecting an invoice's money: the payment intent behind it, attempts, and retries by the clock."""

import copy
from typing import Any

from dashboard.stripe_sandbox import invoice_life, payments
from dashboard.stripe_sandbox.context import Context, changes
from dashboard.stripe_sandbox.errors import ApiError, refused
from dashboard.stripe_sandbox.routing import due_action

DAY = 86400
RETRY_DAYS = (3, 5, 7)
COLLECT_AFTER_SECONDS = 1


def open_payment(ctx: Context, invoice: dict[str, Any]) -> None:
    """The payment intent and default invoice payment of a freshly finalized invoice."""
    method = payment_method_for(ctx, invoice)
    intent = payments.new_intent(
        ctx,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        invoice=invoice,
        method=method,
        description=f"Payment for Invoice {invoice['number']}",
    )
    _new_payment(ctx, invoice, intent, default=True)


def plan(ctx: Context, invoice: dict[str, Any]) -> None:
    """When the invoice advances by itself: charged or mailed a second from now, else left alone."""
    ctx.unschedule(invoice["id"], "invoice.collect", "invoice.send", "invoice.retry")
    invoice["next_payment_attempt"] = None
    if invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    now = ctx.now_for(invoice)
    if invoice["collection_method"] == "send_invoice":
        ctx.schedule("invoice.send", invoice, now + COLLECT_AFTER_SECONDS)
    else:
        invoice["next_payment_attempt"] = now + COLLECT_AFTER_SECONDS
        ctx.schedule("invoice.collect", invoice, now + COLLECT_AFTER_SECONDS)


@due_action("invoice.collect")
def collect(ctx: Context, id: str) -> None:
    """The automatic charge, first or repeated."""
    invoice = ctx.get(id)
    if not invoice or invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    intent = default_intent(ctx, invoice)
    if intent and intent["status"] == "processing":
        return
    method = payment_method_for(ctx, invoice)
    if method is None:
        attempt_failed(ctx, invoice, intent)
        return
    attempt(ctx, invoice, method, off_session=True)


def pay_now(
    ctx: Context, invoice: dict[str, Any], method: dict[str, Any] | None, *, off_session: bool
) -> dict[str, Any]:
    """The `/pay` call: the invoice, or a 402 whose effects stay."""
    method = method or payment_method_for(ctx, invoice)
    intent = default_intent(ctx, invoice)
    if intent and intent["status"] == "processing":
        raise refused("This invoice has a payment that is still processing.", "payment_intent_unexpected_state")
    if method is None:
        customer = ctx.need("customer", invoice["customer"], "customer")
        raise refused(
            f"Cannot charge a customer that has no active card: {customer['id']} has no default payment method. Set "
            "one on the customer or the invoice.",
            "missing",
        )
    attempt(ctx, invoice, method, off_session=off_session)
    intent = default_intent(ctx, invoice)
    if invoice["status"] == "paid" or intent is None or intent["status"] == "processing":
        return invoice
    if intent["status"] == "requires_action":
        raise ApiError(
            402,
            "This payment requires additional user action before it can be completed successfully. Payment can be "
            "completed using the PaymentIntent associated with the invoice.",
            code="invoice_payment_intent_requires_action",
            type="card_error",
            keep_effects=True,
            payment_intent=ctx.render(intent),
        )
    error = intent["last_payment_error"] or {}
    extra: dict[str, Any] = {name: error.get(name) for name in ("charge", "decline_code", "payment_method")}
    raise ApiError(
        402,
        error.get("message", "Your card was declined."),
        type="card_error",
        code=error.get("code", "card_declined"),
        keep_effects=True,
        executed=True,
        payment_intent=ctx.render(intent),
        **extra,
    )


def attempt(ctx: Context, invoice: dict[str, Any], method: dict[str, Any], *, off_session: bool) -> None:
    """One attempt at the whole remaining amount, with all that follows from how it ends."""
    intent = default_intent(ctx, invoice) or _reopen(ctx, invoice, method)
    if intent["status"] == "canceled":
        intent = _reopen(ctx, invoice, method)
    intent["amount"] = invoice["amount_remaining"]
    payments.confirm(ctx, intent, method, off_session=off_session)


def intent_succeeded(ctx: Context, intent: dict[str, Any]) -> None:
    """A payment intent of an invoice has the money."""
    payment = payment_of(ctx, intent)
    if payment is None:
        return
    invoice = ctx.need("invoice", payment["invoice"], "invoice")
    now = ctx.now_for(invoice)
    payment |= {"status": "paid", "amount_paid": intent["amount_received"]}
    payment["status_transitions"]["paid_at"] = now
    ctx.save(payment)
    _count_attempt(ctx, invoice, intent)
    ctx.emit("invoice_payment.paid", payment)
    invoice_life.settle(ctx, invoice, intent["amount_received"])


def intent_failed(ctx: Context, intent: dict[str, Any]) -> None:
    """A payment intent of an invoice was declined."""
    payment = payment_of(ctx, intent)
    invoice = ctx.get(payment["invoice"]) if payment else None
    if invoice and invoice["status"] in ("open", "uncollectible"):
        attempt_failed(ctx, invoice, intent)


def intent_requires_action(ctx: Context, intent: dict[str, Any]) -> None:
    """A payment intent of an invoice waits for 3-D Secure."""
    payment = payment_of(ctx, intent)
    invoice = ctx.get(payment["invoice"]) if payment else None
    if not invoice:
        return
    before = copy.deepcopy(invoice)
    _count_attempt(ctx, invoice, intent)
    intent["_counted"] = True
    ctx.save(intent)
    _plan_retry(ctx, invoice)
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.payment_action_required", invoice)


def intent_processing(ctx: Context, intent: dict[str, Any]) -> None:
    """A bank debit is under way; the invoice stays open until it settles."""
    payment = payment_of(ctx, intent)
    invoice = ctx.get(payment["invoice"]) if payment else None
    if invoice:
        before = copy.deepcopy(invoice)
        invoice["attempted"] = True
        invoice["next_payment_attempt"] = None
        ctx.unschedule(invoice["id"], "invoice.collect")
        ctx.save(invoice)
        ctx.emit("invoice.updated", invoice, changes(before, invoice))


def attempt_failed(ctx: Context, invoice: dict[str, Any], intent: dict[str, Any] | None) -> None:
    """Counts the attempt, plans the next one, and gives up after the last."""
    before = copy.deepcopy(invoice)
    _count_attempt(ctx, invoice, intent)
    more = _plan_retry(ctx, invoice)
    ctx.save(invoice)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    ctx.emit("invoice.payment_failed", invoice)
    automatic = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    if (
        not more
        and automatic
        and invoice["status"] == "open"
        and ctx.state().get("after_retries", "uncollectible") == "uncollectible"
    ):
        invoice_life.mark_uncollectible(ctx, invoice, "max_payment_attempts")


def attach(ctx: Context, invoice: dict[str, Any], intent: dict[str, Any]) -> dict[str, Any]:
    """Count another payment intent of the same customer and currency towards the invoice."""
    if payment_of(ctx, intent):
        raise refused("The PaymentIntent is already attached to an invoice.", param="payment_intent")
    if intent["currency"] != invoice["currency"] or intent["customer"] != invoice["customer"]:
        raise refused("The PaymentIntent is of another customer or currency.", param="payment_intent")
    if intent["status"] in ("canceled", "requires_payment_method"):
        raise refused(f"The PaymentIntent is {intent['status']}.", param="payment_intent")
    _new_payment(ctx, invoice, intent, default=False)
    if intent["status"] == "succeeded":
        intent_succeeded(ctx, intent)
        keep_default_equal(ctx, invoice)
    return invoice


def keep_default_equal(ctx: Context, invoice: dict[str, Any]) -> None:
    """The default payment always asks for what remains; it is closed when nothing does."""
    if invoice["status"] == "paid":
        cancel_open(ctx, invoice, "automatic")
        return
    payment = default_payment(ctx, invoice)
    if payment and payment["status"] == "open":
        payment["amount_requested"] = invoice["amount_remaining"]
        ctx.save(payment)
        intent = ctx.get(payment["payment"]["payment_intent"])
        if intent:
            intent["amount"] = invoice["amount_remaining"]
            ctx.save(intent)


def cancel_open(ctx: Context, invoice: dict[str, Any], reason: str) -> None:
    """Close the invoice's open payments and their payment intents."""
    for payment in ctx.find("invoice_payment", {"parent": invoice["id"], "status": "open"}):
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = ctx.now_for(invoice)
        ctx.save(payment)
        intent = ctx.get(payment["payment"].get("payment_intent"))
        if intent and intent["status"] not in ("succeeded", "canceled", "processing"):
            payments.cancel(ctx, intent, reason)


def default_payment(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any] | None:
    """The invoice payment that automatic collection works on."""
    found = ctx.find("invoice_payment", {"parent": invoice["id"], "is_default": True}, limit=1)
    return found[0] if found else None


def default_intent(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any] | None:
    """The payment intent behind the default invoice payment."""
    payment = default_payment(ctx, invoice)
    return ctx.get(payment["payment"].get("payment_intent")) if payment else None


def payment_of(ctx: Context, intent: dict[str, Any]) -> dict[str, Any] | None:
    """The invoice payment that a payment intent belongs to."""
    return ctx.get(intent.get("_invoice_payment"))


def payment_method_for(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any] | None:
    """What is charged when nobody says: the invoice's default, then the customer's."""
    customer = ctx.get(invoice["customer"]) or {}
    choices = (
        invoice["default_payment_method"],
        (customer.get("invoice_settings") or {}).get("default_payment_method"),
    )
    return next((method for method in map(ctx.get, choices) if method and method["customer"]), None)


def _count_attempt(ctx: Context, invoice: dict[str, Any], intent: dict[str, Any] | None) -> None:
    """One attempt counts once, also when 3-D Secure stands between its beginning and its end."""
    invoice["attempted"] = True
    if intent and intent.get("_counted"):
        intent["_counted"] = False
        ctx.save(intent)
    else:
        invoice["attempt_count"] += 1


def _new_payment(ctx: Context, invoice: dict[str, Any], intent: dict[str, Any], *, default: bool) -> None:
    payment = ctx.new(
        "invoice_payment",
        amount_requested=intent["amount"],
        created=ctx.now_for(invoice),
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=default,
        payment={"payment_intent": intent["id"], "type": "payment_intent"},
        status="open",
    )
    payment["status_transitions"] = {"canceled_at": None, "paid_at": None}
    ctx.save(payment)
    intent["_invoice_payment"] = payment["id"]
    ctx.save(intent)


def _reopen(ctx: Context, invoice: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    """A fresh payment for an invoice whose first one was closed."""
    old = default_payment(ctx, invoice)
    if old:
        old["is_default"] = False
        ctx.save(old)
    intent = payments.new_intent(
        ctx, amount=invoice["amount_remaining"], currency=invoice["currency"], customer=invoice["customer"],
        invoice=invoice, method=method, description=f"Payment for Invoice {invoice['number']}",
    )  # fmt: skip
    _new_payment(ctx, invoice, intent, default=True)
    return intent


def _plan_retry(ctx: Context, invoice: dict[str, Any]) -> bool:
    """Schedules the next automatic attempt; False when there is none left."""
    days = ctx.state().get("retry_days", list(RETRY_DAYS))
    number = invoice["attempt_count"]
    automatic = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    if not automatic or invoice["status"] != "open" or number > len(days):
        invoice["next_payment_attempt"] = None
        return False
    invoice["next_payment_attempt"] = ctx.now_for(invoice) + days[number - 1] * DAY
    ctx.schedule("invoice.collect", invoice, invoice["next_payment_attempt"])
    return True
