"""Previews: a draft that is worked out, answered, and forgotten."""

from typing import Any

from dashboard.stripe_sandbox import invoice_engine
from dashboard.stripe_sandbox.context import Context, Rendered
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import not_found
from dashboard.stripe_sandbox.resources import invoice_drafts, invoice_items
from dashboard.stripe_sandbox.resources.common import address, shipping
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/invoices/create_preview")
def create_preview(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A draft that is worked out, answered, and forgotten."""
    for name in ("subscription", "schedule"):
        if params.get(name):
            raise not_found(name, params[name], name)
    customer = (
        ctx.need("customer", params["customer"], "customer") if params.get("customer") else _stranger(ctx, params)
    )
    currency = check_currency(params.get("currency") or customer["currency"] or ctx.state().get("currency", "usd"))
    invoice = invoice_drafts.new_draft(ctx, customer, currency, "charge_automatically")
    invoice["_preview_customer"] = _preview_customer(params)
    invoice_drafts.apply(
        ctx, invoice, {name: params[name] for name in ("automatic_tax", "discounts") if name in params}
    )
    with ctx.store.trial():
        ctx.save(invoice)
        for entry in params.get("invoice_items") or []:
            _add_preview_item(ctx, invoice, customer, entry)
        for item in invoice_items.pending(ctx, customer, currency) if params.get("customer") else []:
            invoice_items.put_on_invoice(ctx, item, invoice)
        invoice_engine.recalculate(ctx, invoice)
        return Rendered(ctx.render(invoice))


def _add_preview_item(ctx: Context, invoice: dict[str, Any], customer: dict[str, Any], entry: dict[str, Any]) -> None:
    given = {name: value for name, value in entry.items() if name not in ("price", "invoiceitem")}
    if "price" in entry:
        given["pricing"] = {"price": entry["price"]}
    item = invoice_items.build(ctx, given, customer, invoice["currency"], invoice)
    invoice_items.put_on_invoice(ctx, item, invoice)


def _stranger(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The customer of a preview for nobody in particular."""
    nobody = dict.fromkeys(("address", "currency", "email", "name", "phone", "shipping", "test_clock"))
    return ctx.new("customer", **nobody, balance=0, tax_exempt="none") | _preview_customer(params)


def _preview_customer(params: dict[str, Any]) -> dict[str, Any]:
    details = params.get("customer_details") or {}
    found: dict[str, Any] = {}
    if details.get("address"):
        found["address"] = address(details["address"])
    if details.get("shipping"):
        found["shipping"] = shipping(details["shipping"])
    if details.get("tax_exempt"):
        found["tax_exempt"] = details["tax_exempt"]
    if "tax_ids" in details:
        found["tax_ids"] = details["tax_ids"] or []
    return found
