"""Prices. Everything that decides an amount is fixed at creation."""

import copy
from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_amount, check_currency
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import products
from dashboard.stripe_sandbox.resources.common import one_of, save_changes, set_fields
from dashboard.stripe_sandbox.routing import includable, operation
from dashboard.stripe_sandbox.search import search_page


@operation("POST /v1/prices")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    one_of(params, "product", "product_data")
    if "product_data" in params:
        product = products.new_product(ctx, params["product_data"])
        ctx.emit("product.created", product)
    elif "product" in params:
        product = ctx.need("product", params["product"], "product")
    else:
        raise missing_parameter("product")
    price = new_price(ctx, params, product)
    ctx.emit("price.created", price)
    return price


@operation("GET /v1/prices/{price}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("price", id, "price", 404)


@operation("POST /v1/prices/{price}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    price = ctx.need("price", id, "price", 404)
    before = copy.deepcopy(price)
    behavior = params.get("tax_behavior")
    if behavior and price["tax_behavior"] not in ("unspecified", behavior):
        raise refused("You cannot change a price's tax behavior once it has been set.", param="tax_behavior")
    set_fields(price, params, ("active", "metadata", "nickname", "tax_behavior"))
    _take_lookup_key(ctx, price, params)
    return save_changes(ctx, price, before, "price.updated")


@operation("GET /v1/prices")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("active", "currency", "product", "type") if name in params}
    if params.get("lookup_keys"):
        where["lookup_key"] = params["lookup_keys"]
    for name, value in params.get("recurring", {}).items():
        where[f"recurring.{name}"] = value
    return page(ctx, "price", params, "/v1/prices", where)


@operation("GET /v1/prices/search")
def search(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return search_page(ctx, "price", params, "/v1/prices/search")


@includable("price", "tiers")
def tiers_of(ctx: Context, shown: dict[str, Any]) -> list[dict[str, Any]]:
    return (ctx.get(shown["id"]) or {}).get("_tiers", [])


@includable("price", "currency_options")
def currency_options_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    own = {"custom_unit_amount": None, "tax_behavior": shown["tax_behavior"], "unit_amount": shown["unit_amount"],
           "unit_amount_decimal": shown["unit_amount_decimal"]}  # fmt: skip
    return {shown["currency"]: own}


def new_price(ctx: Context, given: dict[str, Any], product: dict[str, Any], *, active: bool = True) -> dict[str, Any]:
    """A price of the product. Raises for amounts that are missing, negative, or doubled."""
    currency = check_currency(given["currency"])
    one_of(given, "unit_amount", "unit_amount_decimal", "custom_unit_amount")
    tiers = given.get("tiers")
    if given.get("billing_scheme") == "tiered" and not (tiers and given.get("tiers_mode")):
        raise missing_parameter("tiers" if not tiers else "tiers_mode")
    custom = given.get("custom_unit_amount")
    if not tiers and not custom and "unit_amount" not in given and "unit_amount_decimal" not in given:
        raise missing_parameter("unit_amount")
    whole, exact = (None, None) if tiers or custom else unit_amounts(given, currency)
    recurring = given.get("recurring")
    price = ctx.new(
        "price",
        active=given.get("active", active),
        billing_scheme=given.get("billing_scheme", "per_unit"),
        currency=currency,
        custom_unit_amount={name: custom.get(name) for name in ("maximum", "minimum", "preset")} if custom else None,
        metadata=given.get("metadata") or {},
        nickname=given.get("nickname") or None,
        product=product["id"],
        recurring=_recurring(recurring) if recurring else None,
        tax_behavior=given.get("tax_behavior", "unspecified"),
        tiers_mode=given.get("tiers_mode"),
        transform_quantity=given.get("transform_quantity"),
        type="recurring" if recurring else "one_time",
        unit_amount=whole,
        unit_amount_decimal=exact,
    )
    if tiers:
        price["_tiers"] = [_tier(tier) for tier in tiers]
    _take_lookup_key(ctx, price, given)
    return ctx.save(price)


def inline(ctx: Context, data: dict[str, Any], where: str) -> dict[str, Any]:
    """The archived price (and product) that `price_data` stands for."""
    one_of(data, "product", "product_data")
    if "product_data" in data:
        product = products.new_product(ctx, data["product_data"], active=False)
    elif data.get("product"):
        product = ctx.need("product", data["product"], f"{where}[product]")
    else:
        raise missing_parameter(f"{where}[product]")
    return new_price(ctx, data, product, active=False)


def unit_amounts(given: dict[str, Any], currency: str) -> tuple[int | None, str]:
    """`(unit_amount, unit_amount_decimal)`: whole minor units when it is whole, and the exact text."""
    if "unit_amount" in given:
        exact = Decimal(given["unit_amount"])
    else:
        exact = Decimal(given["unit_amount_decimal"])
        digits = exact.as_tuple().exponent
        if isinstance(digits, int) and digits < -12:
            raise invalid_parameter("unit_amount_decimal", "At most 12 decimal places are allowed.")
    if exact < 0:
        raise invalid_parameter("unit_amount", "Invalid non-negative integer", "parameter_invalid_integer")
    whole = int(exact) if exact == exact.to_integral_value() else None
    if whole is not None:
        check_amount(whole, currency, "unit_amount")
    return whole, plain(exact)


def plain(value: Decimal) -> str:
    """A decimal as text without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _recurring(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type", "licensed"),
    }


def _tier(given: dict[str, Any]) -> dict[str, Any]:
    flat, unit = given.get("flat_amount"), given.get("unit_amount")
    return {
        "flat_amount": flat,
        "flat_amount_decimal": given.get("flat_amount_decimal") or (str(flat) if flat is not None else None),
        "unit_amount": unit,
        "unit_amount_decimal": given.get("unit_amount_decimal") or (str(unit) if unit is not None else None),
        "up_to": None if given["up_to"] == "inf" else given["up_to"],
    }


def _take_lookup_key(ctx: Context, price: dict[str, Any], params: dict[str, Any]) -> None:
    if "lookup_key" not in params:
        return
    key = params["lookup_key"] or None
    for other in ctx.find("price", {"lookup_key": key}) if key else []:
        if other["id"] == price["id"]:
            continue
        if not params.get("transfer_lookup_key"):
            raise refused(f"A price (`{other['id']}`) already uses that lookup key.", param="lookup_key")
        other["lookup_key"] = None
        ctx.save(other)
    price["lookup_key"] = key
