"""Invoices: made, read, changed while they are drafts, listed and found."""

import copy
from typing import Any

from dashboard.stripe_sandbox import collection, invoice_engine, invoice_life
from dashboard.stripe_sandbox.context import Context, renders
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import refused
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.lists import listing, page, slice_page
from dashboard.stripe_sandbox.resources import customers, invoice_drafts, invoice_items
from dashboard.stripe_sandbox.resources.common import deleted, require, save_changes
from dashboard.stripe_sandbox.resources.invoice_moves import wrong_state
from dashboard.stripe_sandbox.routing import includable, operation
from dashboard.stripe_sandbox.search import search_page


@operation("POST /v1/invoices")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if "from_invoice" in params:
        return _revise(ctx, params)
    require(params, "customer")
    customer = ctx.need("customer", params["customer"], "customer")
    currency = check_currency(params.get("currency") or customer["currency"] or ctx.state().get("currency", "usd"))
    customers.lock_currency(ctx, customer, currency)
    invoice = invoice_drafts.new_draft(ctx, customer, currency, params.get("collection_method", "charge_automatically"))
    invoice_drafts.apply(ctx, invoice, params)
    invoice_drafts.check_collection(invoice, customer)
    ctx.save(invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        for item in invoice_items.pending(ctx, customer, currency):
            invoice_items.put_on_invoice(ctx, item, invoice)
        invoice_items.check_line_count(ctx, invoice)
    invoice_engine.recalculate(ctx, invoice)
    ctx.emit("invoice.created", invoice)
    invoice_life.plan_finalization(ctx, invoice)
    return invoice


@operation("GET /v1/invoices/{invoice}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("invoice", id, "invoice", 404)


@operation("POST /v1/invoices/{invoice}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    before = copy.deepcopy(invoice)
    if invoice["status"] != "draft":
        invoice_drafts.check_late_edit(invoice, params)
    invoice_drafts.apply(ctx, invoice, params)
    if invoice["status"] == "draft":
        invoice_drafts.check_collection(invoice, ctx.need("customer", invoice["customer"], "customer"))
        invoice_engine.recalculate(ctx, invoice)
        if {"auto_advance", "automatically_finalizes_at"} & params.keys():
            invoice_life.plan_finalization(ctx, invoice)
    elif "auto_advance" in params:
        collection.plan(ctx, invoice)
    return save_changes(ctx, invoice, before, "invoice.updated")


@operation("DELETE /v1/invoices/{invoice}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] != "draft":
        raise refused(
            f"You can only delete draft invoices. Invoice {id} is {invoice['status']}.", "invoice_not_editable"
        )
    ctx.emit("invoice.deleted", invoice)
    for line in invoice_engine.lines_of(ctx, invoice):
        item = ctx.need("invoiceitem", line["_item"])
        ctx.delete(line)
        ctx.delete(item)
    ctx.unschedule(id)
    ctx.delete(invoice)
    return deleted(invoice)


@operation("GET /v1/invoices")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    names = ("customer", "status", "collection_method")
    where = {name: params[name] for name in names if name in params}
    if "customer" not in where:
        where["clock"] = None
    if "subscription" in params:
        where["subscription"] = params["subscription"]
    result = page(ctx, "invoice", params, "/v1/invoices", where)
    due = params.get("due_date")
    if due is not None:
        result["data"] = [invoice for invoice in result["data"] if _in_range(invoice["due_date"], due)]
    return result


@operation("GET /v1/invoices/search")
def search(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return search_page(ctx, "invoice", params, "/v1/invoices/search")


@renders("invoice")
def render(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    """Adds the first ten lines."""
    found = ctx.find("line_item", {"parent": shown["id"]}, newest_first=False, limit=11)
    url = f"/v1/invoices/{shown['id']}/lines"
    shown["lines"] = listing([ctx.render(line) for line in found[:10]], url, len(found) > 10)
    return shown


@includable("invoice", "payments")
def payments_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    found = ctx.find("invoice_payment", {"parent": shown["id"]})
    return slice_page(ctx, found, {}, f"/v1/invoice_payments?invoice={shown['id']}")


@includable("invoice", "confirmation_secret")
def confirmation_secret_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any] | None:
    intent = collection.default_intent(ctx, ctx.need("invoice", shown["id"]))
    if not intent or shown["status"] != "open":
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _invoice(ctx: Context, id: str) -> dict[str, Any]:
    return ctx.need("invoice", id, "invoice", 404)


def _revise(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A new draft that replaces a finalized invoice, with the same lines."""
    original = ctx.need("invoice", params["from_invoice"]["invoice"], "from_invoice[invoice]")
    if original["status"] not in ("open", "paid"):
        raise wrong_state("You can only revise open or paid invoices", original)
    customer = ctx.need("customer", original["customer"], "customer")
    invoice = invoice_drafts.new_draft(ctx, customer, original["currency"], original["collection_method"])
    invoice |= {
        "automatic_tax": copy.deepcopy(original["automatic_tax"]),
        "due_date": original["due_date"],
        "from_invoice": {"action": "revision", "invoice": original["id"]},
        "metadata": dict(original["metadata"]),
    }
    ctx.save(invoice)
    for line in invoice_engine.lines_of(ctx, original):
        item = copy.deepcopy(ctx.need("invoiceitem", line["_item"]))
        item |= {"id": new_id("invoiceitem"), "invoice": None, "_line": None}
        invoice_items.put_on_invoice(ctx, ctx.save(item), invoice)
    original["latest_revision"] = invoice["id"]
    ctx.save(original)
    invoice_drafts.apply(
        ctx, invoice, {name: value for name, value in params.items() if name not in ("from_invoice", "customer")}
    )
    invoice_engine.recalculate(ctx, invoice)
    ctx.emit("invoice.created", invoice)
    return invoice


def _in_range(moment: int | None, wanted: dict[str, int] | int) -> bool:
    if moment is None:
        return False
    if isinstance(wanted, int):
        return moment == wanted
    checks = {"gt": moment.__gt__, "gte": moment.__ge__, "lt": moment.__lt__, "lte": moment.__le__}
    return all(checks[name](bound) for name, bound in wanted.items())
