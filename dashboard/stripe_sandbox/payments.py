"""Payment intents and charges: what happens when a payment method is charged.

https://docs.stripe.com/payments/paymentintents/lifecycle. The card decides the outcome, by https://docs.stripe.com/testing.
"""

import copy
from typing import Any

from dashboard.stripe_sandbox import cards, collection
from dashboard.stripe_sandbox.context import Context, changes
from dashboard.stripe_sandbox.ids import new_id, secret
from dashboard.stripe_sandbox.routing import due_action

BANK_DEBIT_SECONDS = 10
DISPUTE_AFTER_SECONDS = 1


def new_intent(
    ctx: Context,
    *,
    amount: int,
    currency: str,
    customer: str,
    invoice: dict[str, Any],
    method: dict[str, Any] | None,
    description: str,
) -> dict[str, Any]:
    """A payment intent for an invoice; told."""
    types = invoice["payment_settings"]["payment_method_types"] or ["card", "link"]
    if method and method["type"] not in types:
        types = [*types, method["type"]]
    intent = ctx.new(
        "payment_intent",
        amount=amount,
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        capture_method="automatic",
        confirmation_method="automatic",
        created=ctx.now_for(invoice),
        currency=currency,
        customer=customer,
        description=description,
        metadata={},
        payment_method=method["id"] if method else None,
        payment_method_options={"card": {
            "installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic",
        }},
        payment_method_types=types,
        setup_future_usage=None,
        status="requires_confirmation" if method else "requires_payment_method",
        test_clock=invoice["test_clock"],
    )  # fmt: skip
    intent["_test_clock"] = intent.pop("test_clock")
    intent["client_secret"] = f"{intent['id']}_secret_{secret(25)}"
    ctx.save(intent)
    ctx.emit("payment_intent.created", intent)
    return intent


def confirm(ctx: Context, intent: dict[str, Any], method: dict[str, Any], *, off_session: bool) -> None:
    """Charge the method: ends succeeded, processing, in need of 3-D Secure, or declined."""
    intent["payment_method"] = method["id"]
    behaviour = method.get("_behaviour", "ok")
    if method["type"] in ("us_bank_account", "sepa_debit"):
        _debit(ctx, intent, method)
    elif behaviour.startswith("3ds") and not (behaviour == "3ds_once" and method.get("_set_up") and off_session):
        _ask_for_authentication(ctx, intent)
    elif behaviour.startswith(("decline:", "fail_later:")):
        decline(ctx, intent, method, behaviour.split(":", 1)[1])
    else:
        _succeed(ctx, intent, method)


def authenticate(ctx: Context, intent: dict[str, Any], approved: bool) -> None:
    """What the customer answered in the 3-D Secure dialog."""
    method = ctx.need("payment_method", intent["payment_method"], "payment_method")
    if not approved:
        decline(ctx, intent, method, "authentication_required")
    elif method.get("_behaviour") == "3ds_then_decline":
        decline(ctx, intent, method, "insufficient_funds")
    else:
        _succeed(ctx, intent, method, authenticated=True)


def decline(ctx: Context, intent: dict[str, Any], method: dict[str, Any], decline_code: str) -> None:
    """The bank said no: a failed charge, and the intent waits for another method."""
    code, message = cards.MESSAGES[decline_code]
    authentication = decline_code == "authentication_required"
    charge = _charge(ctx, intent, method, "failed")
    charge |= {"failure_code": code, "failure_message": message, "captured": False, "amount_captured": 0}
    charge["outcome"] = _outcome(decline_code)
    ctx.save(charge)
    error = {
        "charge": charge["id"],
        "code": "payment_intent_authentication_failure" if authentication else code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": ctx.render(method),
        "type": "card_error",
    }
    if code == "card_declined":
        error["decline_code"] = decline_code
    intent |= {
        "last_payment_error": error,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    ctx.save(intent)
    ctx.emit("charge.failed", charge)
    ctx.emit("payment_intent.payment_failed", intent)
    collection.intent_failed(ctx, intent)


def cancel(ctx: Context, intent: dict[str, Any], reason: str | None) -> dict[str, Any]:
    """No further attempts."""
    intent |= {"status": "canceled", "cancellation_reason": reason, "canceled_at": ctx.now, "next_action": None}
    ctx.save(intent)
    ctx.emit("payment_intent.canceled", intent)
    return intent


@due_action("payment.settle")
def settle_debit(ctx: Context, id: str) -> None:
    """A bank debit ends: the money is there, or it bounced."""
    intent = ctx.get(id)
    if not intent or intent["status"] != "processing":
        return
    method = ctx.need("payment_method", intent["payment_method"], "payment_method")
    charge = ctx.need("charge", intent["latest_charge"], "charge")
    behaviour = method.get("_behaviour", "ok")
    if behaviour.startswith("decline:"):
        ctx.delete(charge)
        decline(ctx, intent, method, behaviour.removeprefix("decline:"))
        return
    charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    charge["balance_transaction"] = new_id("balance_transaction")
    _received(ctx, intent, charge)


@due_action("charge.dispute")
def dispute(ctx: Context, id: str) -> None:
    """The cardholder of a dispute test card complains."""
    charge = ctx.get(id)
    if not charge or charge["disputed"]:
        return
    before = {"disputed": False}
    charge["disputed"] = True
    ctx.save(charge)
    made = {
        "id": new_id("dispute"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": ctx.now + 9 * 86400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    }
    ctx.save(made)
    ctx.emit("charge.dispute.created", made)
    ctx.emit("charge.dispute.funds_withdrawn", made)
    ctx.emit("charge.updated", charge, before)


def _succeed(ctx: Context, intent: dict[str, Any], method: dict[str, Any], *, authenticated: bool = False) -> None:
    charge = _charge(ctx, intent, method, "succeeded")
    charge["outcome"] = _outcome(None)
    charge["balance_transaction"] = new_id("balance_transaction")
    if authenticated:
        charge["payment_method_details"]["card"]["three_d_secure"] = {
            "authentication_flow": "challenge", "electronic_commerce_indicator": "05", "exemption_indicator": None,
            "result": "authenticated", "result_reason": None, "transaction_id": new_id("request"), "version": "2.2.0",
        }  # fmt: skip
    if method.get("_behaviour") == "dispute":
        ctx.schedule("charge.dispute", charge["id"], ctx.now + DISPUTE_AFTER_SECONDS)
    _received(ctx, intent, charge)


def _received(ctx: Context, intent: dict[str, Any], charge: dict[str, Any]) -> None:
    intent |= {
        "amount_received": charge["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": None,
        "status": "succeeded",
    }
    ctx.save(charge)
    ctx.save(intent)
    ctx.emit("charge.succeeded", charge)
    ctx.emit("payment_intent.succeeded", intent)
    collection.intent_succeeded(ctx, intent)


def _debit(ctx: Context, intent: dict[str, Any], method: dict[str, Any]) -> None:
    """Bank debits take their time: processing first."""
    charge = _charge(ctx, intent, method, "pending")
    charge |= {"paid": False, "captured": True, "outcome": _outcome(None)}
    intent |= {"latest_charge": charge["id"], "status": "processing", "next_action": None}
    ctx.save(charge)
    ctx.save(intent)
    at = ctx.now_for({"test_clock": intent.get("_test_clock")}) + ctx.state().get(
        "bank_debit_seconds", BANK_DEBIT_SECONDS
    )
    ctx.schedule("payment.settle", {"id": intent["id"], "test_clock": intent.get("_test_clock")}, at)
    ctx.emit("charge.pending", charge)
    ctx.emit("payment_intent.processing", intent)
    collection.intent_processing(ctx, intent)


def _ask_for_authentication(ctx: Context, intent: dict[str, Any]) -> None:
    before = copy.deepcopy(intent)
    url = f"{ctx.base_url}/3ds/{intent['id']}?secret={intent['client_secret']}"
    intent |= {
        "next_action": {"redirect_to_url": {"return_url": None, "url": url}, "type": "redirect_to_url"},
        "status": "requires_action",
    }
    ctx.save(intent)
    if changes(before, intent):
        ctx.emit("payment_intent.requires_action", intent)
        collection.intent_requires_action(ctx, intent)


def _charge(ctx: Context, intent: dict[str, Any], method: dict[str, Any], status: str) -> dict[str, Any]:
    succeeded = status == "succeeded"
    details = _method_details(method)
    charge = ctx.new(
        "charge",
        amount=intent["amount"],
        amount_captured=intent["amount"] if succeeded else 0,
        amount_refunded=0,
        billing_details=copy.deepcopy(method["billing_details"]),
        calculated_statement_descriptor="SANDBOX",
        captured=succeeded,
        created=ctx.now_for({"test_clock": intent.get("_test_clock")}),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        fraud_details={},
        metadata={},
        paid=succeeded,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"type": method["type"], method["type"]: details},
        receipt_url=None,
        status=status,
    )
    return ctx.save(charge)


def _method_details(method: dict[str, Any]) -> dict[str, Any]:
    facts = method[method["type"]]
    if method["type"] == "us_bank_account":
        names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
        return {name: facts[name] for name in names} | {"payment_reference": None}
    if method["type"] == "sepa_debit":
        names = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        return {name: facts[name] for name in names} | {"mandate": None}
    if method["type"] != "card":
        return {"country": None} if method["type"] == "link" else {}
    names = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    return {name: facts[name] for name in names} | {
        "amount_authorized": None, "authorization_code": None, "electronic_commerce_indicator": None,
        "installments": None, "mandate": None, "network": facts["brand"], "network_transaction_id": None,
        "regulated_status": "unregulated", "three_d_secure": None, "transaction_link_id": None,
    }  # fmt: skip


def _outcome(decline_code: str | None) -> dict[str, Any]:
    approved = decline_code is None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete." if approved else "The bank did not approve this payment.",
        "type": "authorized" if approved else "issuer_declined",
    }
