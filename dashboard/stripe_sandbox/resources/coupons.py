"""Coupons: a percentage or an amount off."""

from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter
from dashboard.stripe_sandbox.ids import token
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import deleted, one_of, update
from dashboard.stripe_sandbox.routing import includable, operation


@operation("POST /v1/coupons")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    one_of(params, "percent_off", "amount_off")
    if "percent_off" not in params and "amount_off" not in params:
        raise missing_parameter("percent_off")
    percent: Decimal | None = params.get("percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise invalid_parameter("percent_off", "The percentage must be above 0 and at most 100.")
    if "amount_off" in params and params["amount_off"] <= 0:
        raise invalid_parameter("amount_off", "Invalid positive integer", "parameter_invalid_integer")
    if "amount_off" in params and "currency" not in params:
        raise missing_parameter("currency")
    duration = params.get("duration", "once")
    if duration == "repeating" and "duration_in_months" not in params:
        raise missing_parameter("duration_in_months")
    if "id" in params and ctx.get(params["id"]):
        raise invalid_parameter("id", f"Coupon already exists: {params['id']}", "resource_already_exists")
    coupon = ctx.new(
        "coupon",
        id=params.get("id") or token(8),
        amount_off=params.get("amount_off"),
        currency=check_currency(params["currency"]) if "amount_off" in params else None,
        duration=duration,
        duration_in_months=params.get("duration_in_months"),
        max_redemptions=params.get("max_redemptions"),
        metadata=params.get("metadata") or {},
        name=params.get("name") or None,
        percent_off=float(percent) if percent is not None else None,
        redeem_by=params.get("redeem_by"),
        times_redeemed=0,
        valid=True,
        _percent=str(percent) if percent is not None else None,
        _applies_to=params.get("applies_to"),
    )
    ctx.emit("coupon.created", coupon)
    return ctx.save(coupon)


@operation("GET /v1/coupons/{coupon}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("coupon", id, "coupon", 404)


@operation("POST /v1/coupons/{coupon}")
def change(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return update(ctx, ctx.need("coupon", id, "coupon", 404), params, ("metadata", "name"), "coupon.updated")


@operation("DELETE /v1/coupons/{coupon}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    coupon = ctx.need("coupon", id, "coupon", 404)
    ctx.emit("coupon.deleted", coupon)
    coupon["deleted"] = True
    ctx.save(coupon)
    return deleted(coupon)


@operation("GET /v1/coupons")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return page(ctx, "coupon", params, "/v1/coupons", {"deleted": None})


@includable("coupon", "applies_to")
def applies_to_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    applies_to = (ctx.get(shown["id"]) or {}).get("_applies_to") or {}
    return {"products": applies_to.get("products", [])}
