"""Customers: create, read, change, delete, list and search."""

import copy
import re
from typing import Any

from dashboard.stripe_sandbox import tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import invalid_parameter, refused
from dashboard.stripe_sandbox.ids import token
from dashboard.stripe_sandbox.lists import listing, page
from dashboard.stripe_sandbox.resources import balance_transactions, discounts, payment_methods, tax_ids
from dashboard.stripe_sandbox.resources.common import address, deleted, save_changes, set_fields, shipping
from dashboard.stripe_sandbox.routing import includable, operation
from dashboard.stripe_sandbox.search import search_page

PLAIN = (
    "description", "email", "name", "phone", "metadata", "invoice_prefix", "next_invoice_sequence", "preferred_locales",
)  # fmt: skip
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PREFIX = re.compile(r"[A-Z0-9]{3,12}")


@operation("POST /v1/customers")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    test_clock = (
        ctx.need("test_helpers.test_clock", params["test_clock"], "test_clock") if "test_clock" in params else None
    )
    customer = ctx.new(
        "customer",
        address=None,
        balance=0,
        currency=None,
        delinquent=False,
        description=None,
        discount=None,
        email=None,
        invoice_prefix=token(8).upper(),
        metadata={},
        name=None,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        shipping=None,
        tax_exempt="none",
        test_clock=test_clock["id"] if test_clock else None,
    )
    if test_clock:
        customer["created"] = test_clock["frozen_time"]
    _apply(ctx, customer, params)
    if params.get("balance"):
        balance_transactions.adjust(
            ctx, customer, params["balance"], "initial", currency=ctx.state().get("currency", "usd")
        )
    ctx.save(customer)
    for entry in params.get("tax_id_data", []):
        tax_ids.add(ctx, customer, entry["type"], entry["value"], announce=False)
    _attach_given(ctx, customer, params)
    ctx.emit("customer.created", customer)
    return customer


@operation("GET /v1/customers/{customer}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    customer = ctx.get(id)
    if customer and customer["object"] == "customer" and customer.get("deleted"):
        return deleted(customer)
    return ctx.need("customer", id)


@operation("POST /v1/customers/{customer}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    customer = ctx.need("customer", id)
    before = copy.deepcopy(customer)
    _apply(ctx, customer, params)
    if "balance" in params:
        currency = customer["currency"] or ctx.state().get("currency", "usd")
        delta = params["balance"] - customer["balance"]
        if delta:
            balance_transactions.adjust(ctx, customer, delta, "adjustment", currency=currency)
    _attach_given(ctx, customer, params)
    save_changes(ctx, customer, before, "customer.updated")
    refresh_drafts(ctx, customer)
    return customer


@operation("DELETE /v1/customers/{customer}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    customer = ctx.need("customer", id)
    for method in ctx.find("payment_method", {"customer": id}):
        payment_methods.detach(ctx, method)
    ctx.emit("customer.deleted", customer)
    customer["deleted"] = True
    ctx.save(customer)
    return deleted(customer)


@operation("GET /v1/customers")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where: dict[str, Any] = {"deleted": None}
    if "email" in params:
        where["email"] = params["email"]
    # Customers of a test clock are only listed with their clock, as at Stripe.
    where["clock"] = params.get("test_clock")
    return page(ctx, "customer", params, "/v1/customers", where)


@operation("GET /v1/customers/search")
def search(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return search_page(ctx, "customer", params, "/v1/customers/search")


@operation("DELETE /v1/customers/{customer}/discount")
def delete_discount(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return discounts.remove_from_customer(ctx, ctx.need("customer", id))


@includable("customer", "tax")
def tax_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    customer = ctx.need("customer", shown["id"])
    return tax.customer_tax(ctx, customer)


@includable("customer", "sources")
def sources_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    return listing([], f"/v1/customers/{shown['id']}/sources")


@includable("customer", "subscriptions")
def subscriptions_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    return listing([], f"/v1/customers/{shown['id']}/subscriptions")


@includable("customer", "tax_ids")
def tax_ids_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    found = ctx.find("tax_id", {"customer": shown["id"]}, limit=10)
    return listing([ctx.render(tax_id) for tax_id in found], f"/v1/customers/{shown['id']}/tax_ids")


@includable("customer", "invoice_credit_balance")
def invoice_credit_balance_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    return {shown["currency"]: shown["balance"]} if shown.get("currency") else {}


@includable("customer", "cash_balance")
def cash_balance_of(ctx: Context, shown: dict[str, Any]) -> None:
    return None


def lock_currency(ctx: Context, customer: dict[str, Any], currency: str) -> None:
    """A customer's first invoice fixes the currency; another one is refused while invoices are open."""
    check_currency(currency)
    if customer["currency"] in (None, currency):
        customer["currency"] = currency
        ctx.save(customer)
        return
    if ctx.find("invoice", {"customer": customer["id"], "status": ["draft", "open"]}, limit=1) or customer["balance"]:
        raise refused(
            f"You cannot combine currencies on a single customer. This customer has had a transaction in "
            f"{customer['currency']}, and is now being billed in {currency}."
        )
    customer["currency"] = currency
    ctx.save(customer)


def invoice_fields(ctx: Context, customer: dict[str, Any]) -> dict[str, Any]:
    """What an invoice says about its customer until it is finalized."""
    found = ctx.find("tax_id", {"customer": customer["id"]}, newest_first=False)
    return {
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [{"type": tax_id["type"], "value": tax_id["value"]} for tax_id in found],
    }


def refresh_drafts(ctx: Context, customer: dict[str, Any]) -> None:
    """Drafts follow their customer's name, address and tax ids; finalized invoices never do."""
    for invoice in ctx.find("invoice", {"customer": customer["id"], "status": "draft"}):
        invoice.update(invoice_fields(ctx, customer))
        ctx.save(invoice)


def _apply(ctx: Context, customer: dict[str, Any], params: dict[str, Any]) -> None:
    if params.get("email") and not _EMAIL.fullmatch(params["email"]):
        raise invalid_parameter("email", f"Invalid email address: {params['email']}", "email_invalid")
    prefix = params.get("invoice_prefix")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise invalid_parameter("invoice_prefix", "The prefix must be 3 to 12 uppercase letters or numbers.")
    set_fields(customer, params, PLAIN)
    for name in ("business_name", "individual_name"):
        if params.get(name):
            customer[name] = params[name]
            customer["name"] = params.get("name") or params[name]
        elif name in params:
            customer.pop(name, None)
    if "address" in params:
        customer["address"] = address(params["address"])
    if "shipping" in params:
        customer["shipping"] = shipping(params["shipping"])
    if "tax_exempt" in params:
        customer["tax_exempt"] = params["tax_exempt"] or "none"
    if "ip_address" in params.get("tax", {}):
        customer["_ip_address"] = params["tax"]["ip_address"] or None
    if params.get("tax", {}).get("validate_location") == "immediately" and not tax.location_of(ctx, customer):
        raise tax.location_invalid()
    _apply_invoice_settings(ctx, customer, params.get("invoice_settings", {}))


def _apply_invoice_settings(ctx: Context, customer: dict[str, Any], given: dict[str, Any]) -> None:
    settings = customer["invoice_settings"]
    if "custom_fields" in given:
        settings["custom_fields"] = given["custom_fields"] or None
    if "footer" in given:
        settings["footer"] = given["footer"] or None
    if "rendering_options" in given:
        options = given["rendering_options"]
        settings["rendering_options"] = (
            {"amount_tax_display": options.get("amount_tax_display") or None, "template": options.get("template")}
            if options
            else None
        )
    method_id = given.get("default_payment_method")
    if method_id is None:
        return
    if not method_id:
        settings["default_payment_method"] = None
        return
    method = payment_methods.resolve(ctx, method_id, "invoice_settings[default_payment_method]")
    if method["customer"] != customer["id"]:
        raise invalid_parameter(
            "invoice_settings[default_payment_method]",
            f"The customer does not have a payment method with the ID {method_id}. The payment method must be attached "
            "to the customer.",
            "resource_missing",
        )
    settings["default_payment_method"] = method["id"]


def _attach_given(ctx: Context, customer: dict[str, Any], params: dict[str, Any]) -> None:
    for name in ("payment_method", "source"):
        if params.get(name):
            method = payment_methods.resolve(ctx, params[name], name)
            payment_methods.attach_to(ctx, method, customer)
