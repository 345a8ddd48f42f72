"""Discounts: a coupon put on a customer, an invoice or a line."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, not_found, refused
from dashboard.stripe_sandbox.resources.common import deleted


def place(
    ctx: Context, given: list[dict[str, Any]] | str, *, customer: str | None, invoice: str | None = None,
    invoice_item: str | None = None, currency: str | None = None,
) -> list[str]:  # fmt: skip
    """Discount ids for a `discounts` parameter. Raises for coupons that are unknown, spent or in another currency."""
    ids = []
    for position, entry in enumerate(given or []):
        assert isinstance(entry, dict)
        if entry.get("discount"):
            ids.append(ctx.need("discount", entry["discount"], f"discounts[{position}][discount]")["id"])
        elif entry.get("coupon"):
            coupon = ctx.need("coupon", entry["coupon"], f"discounts[{position}][coupon]")
            ids.append(_redeem(ctx, coupon, customer, invoice, invoice_item, currency)["id"])
        elif entry.get("promotion_code"):
            raise not_found("promotion code", entry["promotion_code"], f"discounts[{position}][promotion_code]", 400)
        else:
            raise invalid_parameter(f"discounts[{position}]", "A discount needs a coupon, discount or promotion code.")
    return ids


def remove_from_customer(ctx: Context, customer: dict[str, Any]) -> dict[str, Any]:
    """Take the customer's discount away; answers the discount as deleted."""
    discount = customer.get("discount")
    if not discount:
        raise not_found("customer discount", customer["id"], "customer")
    customer["discount"] = None
    ctx.save(customer)
    ctx.emit("customer.discount.deleted", discount)
    gone = {name: value for name, value in discount.items() if name != "end"}
    return {**gone, **deleted(discount)}


def _redeem(
    ctx: Context, coupon: dict[str, Any], customer: str | None, invoice: str | None, invoice_item: str | None,
    currency: str | None,
) -> dict[str, Any]:  # fmt: skip
    if not coupon["valid"]:
        raise refused(f"Coupon {coupon['id']} is expired or used up.", "coupon_expired")
    if coupon["amount_off"] and currency and coupon["currency"] != currency:
        raise invalid_parameter("discounts", f"The coupon {coupon['id']} is in {coupon['currency']}, not {currency}.")
    discount = ctx.new(
        "discount",
        customer=customer,
        invoice=invoice,
        invoice_item=invoice_item,
        source={"coupon": coupon["id"], "type": "coupon"},
        start=ctx.now,
        _coupon=coupon["id"],
        _created=ctx.now,
    )
    coupon["times_redeemed"] += 1
    spent = coupon["max_redemptions"] and coupon["times_redeemed"] >= coupon["max_redemptions"]
    coupon["valid"] = coupon["valid"] and not spent
    ctx.save(coupon)
    return ctx.save(discount)
