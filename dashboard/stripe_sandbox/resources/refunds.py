"""Refunds of charges."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import one_of, update
from dashboard.stripe_sandbox.routing import operation

CARD_REFUND = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}


@operation("POST /v1/refunds")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    one_of(params, "charge", "payment_intent")
    if "charge" in params:
        charge = ctx.need("charge", params["charge"], "charge", 400)
    elif "payment_intent" in params:
        intent = ctx.need("payment_intent", params["payment_intent"], "payment_intent")
        if not intent["latest_charge"]:
            raise refused("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        charge = ctx.need("charge", intent["latest_charge"], "charge", 400)
    else:
        raise missing_parameter("charge")
    return refund_charge(ctx, charge, params.get("amount"), params.get("reason"), params.get("metadata") or {})


@operation("GET /v1/refunds/{refund}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("refund", id)


@operation("POST /v1/refunds/{refund}")
def change(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return update(ctx, ctx.need("refund", id), params, ("metadata",), "refund.updated")


@operation("POST /v1/refunds/{refund}/cancel")
def cancel(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    refund = ctx.need("refund", id)
    if refund["status"] not in ("requires_action", "pending"):
        raise refused(f"A refund that is {refund['status']} cannot be canceled.")
    refund["status"] = "canceled"
    ctx.save(refund)
    ctx.emit("refund.updated", refund, {"status": "pending"})
    return refund


@operation("GET /v1/refunds")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("charge", "payment_intent") if name in params}
    return page(ctx, "refund", params, "/v1/refunds", where)


def refund_charge(
    ctx: Context, charge: dict[str, Any], amount: int | None, reason: str | None, metadata: dict[str, str]
) -> dict[str, Any]:
    """Money back from a succeeded charge: all that is left, or a part. Raises for more than is left."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} has not succeeded and cannot be refunded.")
    if charge["disputed"]:
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
    if not left:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    amount = amount if amount is not None else int(left)
    if amount <= 0:
        raise invalid_parameter("amount", "Invalid positive integer", "parameter_invalid_integer")
    if amount > left:
        raise invalid_parameter(
            "amount", f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        )
    refund = ctx.new(
        "refund",
        amount=amount,
        balance_transaction=new_id("balance_transaction"),
        charge=charge["id"],
        currency=charge["currency"],
        customer=charge["customer"],
        destination_details={"card": dict(CARD_REFUND), "type": "card"},
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=reason,
        status="succeeded",
    )  # fmt: skip
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    ctx.save(refund)
    ctx.save(charge)
    ctx.emit("refund.created", refund)
    ctx.emit("charge.refunded", charge)
    ctx.emit("charge.updated", charge, {name: old for name, old in before.items() if old != charge[name]})
    return refund
