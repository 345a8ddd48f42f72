"""Setup intents: authorise a payment method for later, with 3-D Secure where the card asks for it."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.ids import new_id, secret
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import payment_methods
from dashboard.stripe_sandbox.resources.common import require, save_changes, set_fields
from dashboard.stripe_sandbox.routing import operation

TYPES = ["card", "link"]
FINAL = ("succeeded", "canceled")


@operation("POST /v1/setup_intents")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    customer = ctx.need("customer", params["customer"], "customer") if params.get("customer") else None
    intent = new_intent(
        ctx,
        customer,
        description=params.get("description") or None,
        metadata=params.get("metadata") or {},
        usage=params.get("usage", "off_session"),
        allowed=params.get("allowed_payment_method_types"),
        excluded=params.get("excluded_payment_method_types"),
    )
    if "on_behalf_of" in params:
        intent["on_behalf_of"] = params["on_behalf_of"]
    _take_method(ctx, intent, params)
    if params.get("confirm"):
        require(params, *(() if intent["payment_method"] else ("payment_method",)))
        confirm_with(ctx, intent, params.get("return_url"))
        if error := _fatal(ctx, intent):
            raise error
    return intent


@operation("GET /v1/setup_intents/{intent}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("setup_intent", id, "intent")


@operation("POST /v1/setup_intents/{intent}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    intent = ctx.need("setup_intent", id, "intent")
    if intent["status"] in FINAL:
        raise _unexpected_state(intent, "updated")
    set_fields(intent, params, ("description", "metadata"))
    if params.get("customer"):
        intent["customer"] = ctx.need("customer", params["customer"], "customer")["id"]
    _take_method(ctx, intent, params)
    return ctx.save(intent)


@operation("POST /v1/setup_intents/{intent}/confirm")
def confirm(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    intent = ctx.need("setup_intent", id, "intent")
    _refuse_checkout_owned(ctx, intent)
    if intent["status"] in FINAL:
        raise _unexpected_state(intent, "confirmed")
    _take_method(ctx, intent, params)
    if not intent["payment_method"]:
        raise refused(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            "setup_intent_unexpected_state",
        )
    confirm_with(ctx, intent, params.get("return_url"))
    if error := _fatal(ctx, intent):
        raise error
    return intent


@operation("POST /v1/setup_intents/{intent}/cancel")
def cancel(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    intent = ctx.need("setup_intent", id, "intent")
    _refuse_checkout_owned(ctx, intent)
    if intent["status"] in FINAL:
        raise _unexpected_state(intent, "canceled")
    return cancel_intent(ctx, intent, params.get("cancellation_reason"))


@operation("GET /v1/setup_intents")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("customer", "payment_method") if name in params}
    return page(ctx, "setup_intent", params, "/v1/setup_intents", where)


def new_intent(
    ctx: Context,
    customer: dict[str, Any] | None,
    *,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    usage: str = "off_session",
    allowed: list[str] | None = None,
    excluded: list[str] | None = None,
) -> dict[str, Any]:
    """A setup intent that waits for a payment method."""
    intent = ctx.new("setup_intent", metadata=metadata or {}, description=description, usage=usage)
    types = [kind for kind in (allowed or TYPES) if kind not in (excluded or [])]
    intent |= {
        "allowed_payment_method_types": allowed,
        "automatic_payment_methods": None if allowed else {"allow_redirects": "always", "enabled": True},
        "client_secret": f"{intent['id']}_secret_{secret(25)}",
        "customer": customer["id"] if customer else None,
        "excluded_payment_method_types": excluded,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": types,
        "status": "requires_payment_method",
    }
    ctx.save(intent)
    ctx.emit("setup_intent.created", intent)
    return intent


def confirm_with(ctx: Context, intent: dict[str, Any], return_url: str | None = None) -> None:
    """Try to authorise the intent's payment method: succeeds, fails, or waits for 3-D Secure."""
    method = ctx.need("payment_method", intent["payment_method"], "payment_method")
    behaviour = method.get("_behaviour", "ok")
    if behaviour.startswith("decline:"):
        fail(ctx, intent, method, behaviour.removeprefix("decline:"))
    elif behaviour.startswith("3ds"):
        _ask_for_authentication(ctx, intent, method, return_url)
    else:
        succeed(ctx, intent, method)


def succeed(ctx: Context, intent: dict[str, Any], method: dict[str, Any]) -> None:
    """The method is authorised: attached, mandated, and told."""
    if intent["customer"]:
        customer = ctx.need("customer", intent["customer"], "customer")
        payment_methods.attach_to(ctx, method, customer, set_up=True)
        method["_set_up"] = True
        ctx.save(method)
    _attempt(ctx, intent, method, "succeeded")
    if method["type"] != "card":
        intent["mandate"] = _mandate(ctx, method)["id"]
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    ctx.save(intent)
    ctx.emit("setup_intent.succeeded", intent)


def fail(ctx: Context, intent: dict[str, Any], method: dict[str, Any], decline_code: str) -> None:
    """The bank said no; the intent waits for another method."""
    error = payment_methods.decline_error(decline_code).body | {"payment_method": ctx.render(method)}
    intent |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    _attempt(ctx, intent, method, "failed", error)
    ctx.save(intent)
    ctx.emit("setup_intent.setup_failed", intent)


def authenticate(ctx: Context, intent: dict[str, Any], approved: bool) -> None:
    """What the customer answered in the 3-D Secure dialog."""
    method = ctx.need("payment_method", intent["payment_method"], "payment_method")
    if approved:
        succeed(ctx, intent, method)
        return
    error = {
        "code": "setup_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/setup-intent-authentication-failure",
        "message": "The latest attempt to set up the payment method has failed because authentication failed.",
        "payment_method": ctx.render(method),
        "type": "invalid_request_error",
    }
    intent |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    _attempt(ctx, intent, method, "failed", error)
    ctx.save(intent)
    ctx.emit("setup_intent.setup_failed", intent)


def cancel_intent(ctx: Context, intent: dict[str, Any], reason: str | None) -> dict[str, Any]:
    """No further attempts."""
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    ctx.save(intent)
    ctx.emit("setup_intent.canceled", intent)
    return intent


def _take_method(ctx: Context, intent: dict[str, Any], params: dict[str, Any]) -> None:
    if params.get("payment_method_data"):
        method = ctx.save(payment_methods.build(ctx, params["payment_method_data"]))
    elif params.get("payment_method"):
        method = payment_methods.resolve(ctx, params["payment_method"], "payment_method")
    else:
        return
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid_parameter(
            "payment_method", "The payment method belongs to another customer.", "payment_method_customer_mismatch"
        )
    before = copy.deepcopy(intent)
    intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    save_changes(ctx, intent, before, None)


def _ask_for_authentication(
    ctx: Context, intent: dict[str, Any], method: dict[str, Any], return_url: str | None
) -> None:
    url = f"{ctx.base_url}/3ds/{intent['id']}?secret={intent['client_secret']}"
    intent |= {
        "next_action": {"redirect_to_url": {"return_url": return_url, "url": url}, "type": "redirect_to_url"},
        "status": "requires_action",
    }
    _attempt(ctx, intent, method, "requires_action")
    ctx.save(intent)
    ctx.emit("setup_intent.requires_action", intent)


def _attempt(
    ctx: Context, intent: dict[str, Any], method: dict[str, Any], status: str, error: dict[str, Any] | None = None
) -> None:
    attempt = ctx.new(
        "setup_attempt",
        customer=intent["customer"],
        flow_directions=None,
        payment_method=method["id"],
        payment_method_details={"type": method["type"], method["type"]: _attempt_details(method)},
        setup_error=error,
        setup_intent=intent["id"],
        status=status,
        usage=intent["usage"],
    )
    ctx.save(attempt)
    intent["latest_attempt"] = attempt["id"]


def _attempt_details(method: dict[str, Any]) -> dict[str, Any]:
    if method["type"] != "card":
        return {}
    card = method["card"]
    return {
        "brand": card["brand"], "checks": card["checks"], "country": card["country"], "exp_month": card["exp_month"],
        "exp_year": card["exp_year"], "fingerprint": card["fingerprint"], "funding": card["funding"],
        "last4": card["last4"], "network": card["brand"], "three_d_secure": None, "wallet": None,
    }  # fmt: skip


def _mandate(ctx: Context, method: dict[str, Any]) -> dict[str, Any]:
    return ctx.save(
        ctx.new(
            "mandate",
            id=new_id("mandate"),
            customer_acceptance={
                "accepted_at": ctx.now,
                "online": {"ip_address": "127.0.0.1", "user_agent": None},
                "type": "online",
            },
            multi_use={},
            payment_method=method["id"],
            payment_method_details={"type": method["type"], method["type"]: _mandate_details(method)},
            status="active",
            type="multi_use",
        )
    )


def _mandate_details(method: dict[str, Any]) -> dict[str, Any]:
    return (
        {"reference": method["id"][-10:], "url": "https://example.com/mandate"}
        if method["type"] == "sepa_debit"
        else {}
    )


def _refuse_checkout_owned(ctx: Context, intent: dict[str, Any]) -> None:
    if intent.get("_checkout_session"):
        raise refused("You cannot perform this action on this SetupIntent: a Checkout Session made it and manages it.")


def _unexpected_state(intent: dict[str, Any], verb: str) -> ApiError:
    return refused(
        f"You cannot use this SetupIntent: it has a status of {intent['status']} and cannot be {verb}.",
        "setup_intent_unexpected_state",
    )


def _fatal(ctx: Context, intent: dict[str, Any]) -> ApiError | None:
    """After a failed confirmation the API answers the card error, while the intent keeps what happened."""
    error = intent["last_setup_error"]
    if intent["status"] != "requires_payment_method" or not error or error["type"] != "card_error":
        return None
    extra = {name: error[name] for name in ("decline_code", "payment_method") if name in error}
    return ApiError(
        402, error["message"], type="card_error", code=error["code"], keep_effects=True,
        setup_intent=ctx.render(intent), **extra,
    )  # fmt: skip
