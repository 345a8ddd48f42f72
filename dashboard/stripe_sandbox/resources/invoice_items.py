"""Invoice items: what an invoice's lines are made from, pending on a customer or already on a draft."""

import copy
from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox import invoice_engine, tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_amount, check_currency
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import customers, discounts, prices, tax_codes, tax_rates
from dashboard.stripe_sandbox.resources.common import deleted, merge_metadata, one_of, require
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/invoiceitems")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    require(params, "customer")
    customer = ctx.need("customer", params["customer"], "customer")
    invoice = None
    if params.get("invoice"):
        invoice = draft(ctx, params["invoice"], "invoice")
        if invoice["customer"] != customer["id"]:
            raise invalid_parameter("invoice", "The invoice belongs to another customer.")
    if "subscription" in params:
        ctx.need("subscription", params["subscription"], "subscription")
    currency = _currency(ctx, params, customer, invoice)
    item = build(ctx, params, customer, currency, invoice)
    ctx.emit("invoiceitem.created", item)
    if invoice:
        put_on_invoice(ctx, item, invoice)
        check_line_count(ctx, invoice)
        invoice_engine.recalculate(ctx, invoice)
    return item


@operation("GET /v1/invoiceitems/{invoiceitem}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("invoiceitem", id)


@operation("POST /v1/invoiceitems/{invoiceitem}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    item = ctx.need("invoiceitem", id)
    invoice = draft(ctx, item["invoice"], "invoiceitem") if item["invoice"] else None
    change(ctx, item, params)
    if invoice:
        invoice_engine.recalculate(ctx, invoice)
    return item


@operation("DELETE /v1/invoiceitems/{invoiceitem}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    item = ctx.need("invoiceitem", id)
    invoice = draft(ctx, item["invoice"], "invoiceitem") if item["invoice"] else None
    remove(ctx, item)
    if invoice:
        invoice_engine.recalculate(ctx, invoice)
    return deleted(item)


@operation("GET /v1/invoiceitems")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("customer", "invoice") if name in params}
    if params.get("pending"):
        where["invoice"] = None
    return page(ctx, "invoiceitem", params, "/v1/invoiceitems", where)


def draft(ctx: Context, id: str, param: str) -> dict[str, Any]:
    """The invoice, which must still be a draft."""
    invoice = ctx.need("invoice", id, param)
    if invoice["status"] != "draft":
        raise ApiError(
            400, f"Invoice {id} is no longer editable", code="invoice_not_editable", param=param
        )  # fmt: skip
    return invoice


def pending(ctx: Context, customer: dict[str, Any], currency: str) -> list[dict[str, Any]]:
    """The customer's items that wait for an invoice in this currency, newest first."""
    return ctx.find("invoiceitem", {"customer": customer["id"], "invoice": None, "currency": currency})


def build(
    ctx: Context, given: dict[str, Any], customer: dict[str, Any], currency: str, invoice: dict[str, Any] | None
) -> dict[str, Any]:
    """An invoice item from the parameters of create or of one line; not yet told. Raises for contradictions."""
    now = ctx.now_for(customer)
    item = ctx.new(
        "invoiceitem",
        currency=currency,
        customer=customer["id"],
        date=now,
        discountable=True,
        discounts=[],
        invoice=None,
        metadata={},
        net_amount=0,
        period={"end": now, "start": now},
        quantity=1,
        quantity_decimal="1",
        tax_rates=[],
        test_clock=customer["test_clock"],
        amount=0,
        _created=now,
    )
    change(ctx, item, given, new=True)
    if item["amount"] < 0 and "discountable" not in given:
        item["discountable"] = False
    _check_for_automatic_tax(ctx, item, invoice)
    return ctx.save(item)


def change(ctx: Context, item: dict[str, Any], given: dict[str, Any], *, new: bool = False) -> None:
    """Apply the parameters of create or update to an item (and to its line, if it has one)."""
    one_of(given, "amount", "price_data", "pricing", "unit_amount_decimal")
    one_of(given, "quantity", "quantity_decimal")
    for name in ("description", "discountable"):
        if name in given:
            item[name] = given[name] if given[name] != "" else None
    if "metadata" in given:
        item["metadata"] = merge_metadata(item["metadata"], given["metadata"])
    if "period" in given:
        if given["period"]["end"] < given["period"]["start"]:
            raise invalid_parameter("period[end]", "The period's end cannot be before its start.")
        item["period"] = {"end": given["period"]["end"], "start": given["period"]["start"]}
    _set_pricing(ctx, item, given, new)
    _set_taxes(ctx, item, given)
    if "discounts" in given:
        item["discounts"] = discounts.place(
            ctx, given["discounts"], customer=item["customer"], invoice_item=item["id"], currency=item["currency"]
        )
    ctx.save(item)
    if item.get("_line"):
        _mirror(item, ctx.need("line_item", item["_line"]))
        ctx.save(ctx.need("line_item", item["_line"]))


def put_on_invoice(ctx: Context, item: dict[str, Any], invoice: dict[str, Any]) -> dict[str, Any]:
    """Make the item a line of the invoice."""
    item["invoice"] = invoice["id"]
    line = ctx.new(
        "line_item",
        id=new_id("line_item"),
        currency=item["currency"],
        invoice=invoice["id"],
        parent={
            "invoice_item_details": {
                "invoice_item": item["id"], "proration": False, "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        subtotal=0,
        _created=item["_created"],
        _item=item["id"],
    )  # fmt: skip
    _mirror(item, line)
    item["_line"] = line["id"]
    ctx.save(item)
    return ctx.save(line)


def take_off_invoice(ctx: Context, item: dict[str, Any]) -> None:
    """Make the item pending again."""
    ctx.delete(ctx.need("line_item", item["_line"]))
    item |= {"invoice": None, "_line": None}
    ctx.save(item)


def remove(ctx: Context, item: dict[str, Any]) -> None:
    """Delete the item and its line."""
    if item.get("_line"):
        ctx.delete(ctx.need("line_item", item["_line"]))
    ctx.delete(item)
    ctx.emit("invoiceitem.deleted", item)


def check_line_count(ctx: Context, invoice: dict[str, Any]) -> None:
    """Raises when the invoice has more lines than Stripe allows."""
    if len(invoice_engine.lines_of(ctx, invoice)) > invoice_engine.MAX_LINES:
        raise refused(f"An invoice can have at most {invoice_engine.MAX_LINES} line items.", param="invoice")


def _mirror(item: dict[str, Any], line: dict[str, Any]) -> None:
    for name in (
        "amount", "description", "discountable", "discounts", "metadata", "period", "pricing", "quantity",
        "quantity_decimal", "_product", "_tax_behavior", "_tax_code", "_tax_amounts",
    ):  # fmt: skip
        if name in item:
            line[name] = copy.deepcopy(item[name])
    line["subtotal"] = item["amount"]
    line["_tax_rates"] = [rate["id"] for rate in item["tax_rates"] or []]


def _currency(ctx: Context, params: dict[str, Any], customer: dict[str, Any], invoice: dict[str, Any] | None) -> str:
    given = params.get("currency") or (params.get("price_data") or {}).get("currency")
    if not given and params.get("pricing", {}).get("price"):
        given = ctx.need("price", params["pricing"]["price"], "pricing[price]")["currency"]
    currency = given or (invoice["currency"] if invoice else customer["currency"] or ctx.state().get("currency", "usd"))
    currency = check_currency(currency)
    if invoice and currency != invoice["currency"]:
        raise invalid_parameter("currency", f"The invoice is in {invoice['currency']}, the item in {currency}.")
    customers.lock_currency(ctx, customer, currency)
    return currency


def _set_pricing(ctx: Context, item: dict[str, Any], given: dict[str, Any], new: bool) -> None:
    """Amount alone, or unit amount times quantity from a price, inline price data, or a bare decimal."""
    if "quantity" in given or "quantity_decimal" in given:
        _set_quantity(item, given)
    if "amount" in given:
        if not new and "quantity" not in given:
            item |= {"quantity": 1, "quantity_decimal": "1"}
        if "quantity" in given and given["quantity"] != 1:
            raise invalid_parameter("quantity", "You cannot give both an amount and a quantity.")
        item["amount"] = check_amount(given["amount"], item["currency"])
        item["pricing"] = {"type": "price_details", "unit_amount_decimal": str(given["amount"])}
        item["_unit"] = None
        return
    price = None
    if "price_data" in given:
        price = prices.inline(ctx, given["price_data"], "price_data")
    elif given.get("pricing", {}).get("price"):
        price = ctx.need("price", given["pricing"]["price"], "pricing[price]")
        _check_price(price)
    if price:
        if price["currency"] != item["currency"]:
            raise invalid_parameter("price_data[currency]", "The price's currency is not the invoice's currency.")
        _use_price(ctx, item, price)
    elif "unit_amount_decimal" in given:
        item["_unit"] = given["unit_amount_decimal"]
        item["pricing"] = {"type": "price_details", "unit_amount_decimal": prices.plain(Decimal(item["_unit"]))}
    elif new:
        raise missing_parameter("amount")
    if item.get("_unit") is not None:
        item["amount"] = invoice_engine.line_amount(Decimal(item["_unit"]), Decimal(item["quantity_decimal"]))
        check_amount(item["amount"], item["currency"])


def _set_quantity(item: dict[str, Any], given: dict[str, Any]) -> None:
    if "quantity" in given:
        quantity = Decimal(given["quantity"])
    else:
        quantity = Decimal(given["quantity_decimal"])
        digits = quantity.as_tuple().exponent
        if isinstance(digits, int) and digits < -12:
            raise invalid_parameter("quantity_decimal", "At most 12 decimal places are allowed.")
    if quantity < 0:
        raise invalid_parameter("quantity", "Invalid non-negative integer", "parameter_invalid_integer")
    item["quantity"] = int(quantity)
    item["quantity_decimal"] = prices.plain(quantity)


def _check_price(price: dict[str, Any]) -> None:
    if price["type"] == "recurring":
        raise invalid_parameter(
            "pricing[price]",
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
        )
    if not price["active"]:
        raise invalid_parameter("pricing[price]", "The price specified is inactive.")


def _use_price(ctx: Context, item: dict[str, Any], price: dict[str, Any]) -> None:
    product = ctx.need("product", price["product"], "price")
    item["_unit"] = price["unit_amount_decimal"]
    item["pricing"] = {
        "price_details": {"price": price["id"], "product": product["id"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
    item["description"] = item["description"] or product["name"]
    item["_product"] = product["id"]
    item["_tax_code"] = product["tax_code"]
    item["_tax_behavior"] = None if price["tax_behavior"] == "unspecified" else price["tax_behavior"]
    item["_tax_unspecified"] = price["tax_behavior"] == "unspecified"


def _set_taxes(ctx: Context, item: dict[str, Any], given: dict[str, Any]) -> None:
    if "tax_code" in given:
        item["_tax_code"] = tax_codes.check(given["tax_code"], "tax_code") if given["tax_code"] else None
    if "tax_behavior" in given:
        behavior = given["tax_behavior"]
        item["_tax_behavior"] = None if behavior == "unspecified" else behavior
        item["_tax_unspecified"] = behavior == "unspecified"
    if "tax_rates" in given:
        rates = [ctx.need("tax_rate", id, "tax_rates") for id in given["tax_rates"] or []]
        item["tax_rates"] = [ctx.render(rate) for rate in rates]
    if "tax_amounts" in given:
        item["_tax_amounts"] = [_tax_amount(ctx, entry) for entry in given["tax_amounts"] or []]


def _tax_amount(ctx: Context, entry: dict[str, Any]) -> dict[str, Any]:
    """A tax that the caller has worked out; its rate is made by the way."""
    rate = tax_rates.new_rate(ctx, entry["tax_rate_data"] | {"active": False})
    return {
        "amount": entry["amount"],
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": entry.get("taxability_reason", "not_available"),
        "taxable_amount": entry["taxable_amount"],
        "type": "tax_rate_details",
    }


def _check_for_automatic_tax(ctx: Context, item: dict[str, Any], invoice: dict[str, Any] | None) -> None:
    """What an invoice with automatic tax cannot hold."""
    if not invoice or not invoice["automatic_tax"]["enabled"]:
        return
    if item["amount"] < 0:
        raise refused("Negative line items cannot be added to an invoice with automatic tax.", param="amount")
    if item["tax_rates"] or item.get("_tax_amounts"):
        raise refused("Tax rates and tax amounts cannot be used with automatic tax.", param="tax_rates")
    if item.get("_tax_unspecified") and not tax.default_behavior(ctx, item["currency"]):
        raise refused(
            "A price with tax_behavior=unspecified cannot be used with automatic tax. Set the price's tax_behavior or "
            "a default in your tax settings.",
            param="price_data[tax_behavior]",
        )
