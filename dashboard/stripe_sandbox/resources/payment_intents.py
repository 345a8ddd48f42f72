"""Payment intents, as far as invoices make them: read, confirm, cancel."""

from typing import Any

from dashboard.stripe_sandbox import collection, payments
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import payment_methods
from dashboard.stripe_sandbox.routing import operation


@operation("GET /v1/payment_intents")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {"customer": params["customer"]} if "customer" in params else {}
    return page(ctx, "payment_intent", params, "/v1/payment_intents", where)


@operation("GET /v1/payment_intents/{intent}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("payment_intent", id, "intent")


@operation("POST /v1/payment_intents/{intent}/confirm")
def confirm(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    intent = ctx.need("payment_intent", id, "intent")
    _refuse_unless(intent, "confirmed", "requires_payment_method", "requires_confirmation", "requires_action")
    if params.get("payment_method_data"):
        method = ctx.save(payment_methods.build(ctx, params["payment_method_data"]))
    elif params.get("payment_method") or intent["payment_method"]:
        method = payment_methods.resolve(
            ctx, params.get("payment_method") or intent["payment_method"], "payment_method"
        )
    else:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            "payment_intent_unexpected_state",
        )
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid_parameter("payment_method", "The payment method belongs to another customer.")
    payments.confirm(ctx, intent, method, off_session=bool(params.get("off_session")))
    error = intent["last_payment_error"]
    if intent["status"] == "requires_payment_method" and error:
        extra = {name: error.get(name) for name in ("charge", "decline_code", "payment_method")}
        raise ApiError(
            402, error["message"], type="card_error", code=error["code"], keep_effects=True,
            payment_intent=ctx.render(intent), **extra,
        )  # fmt: skip
    return intent


@operation("POST /v1/payment_intents/{intent}/cancel")
def cancel(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    intent = ctx.need("payment_intent", id, "intent")
    if collection.payment_of(ctx, intent):
        raise refused(
            "You cannot cancel a PaymentIntent that was created by an invoice. Void the invoice instead.",
            "payment_intent_unexpected_state",
        )
    _refuse_unless(intent, "canceled", "requires_payment_method", "requires_confirmation", "requires_action")
    return payments.cancel(ctx, intent, params.get("cancellation_reason"))


def _refuse_unless(intent: dict[str, Any], verb: str, *states: str) -> None:
    if intent["status"] not in states:
        raise refused(
            f"This PaymentIntent's status is {intent['status']}: it cannot be {verb}.",
            "payment_intent_unexpected_state",
        )
