"""The lines of a draft: listed, added, changed and removed, all or nothing."""

import copy
from typing import Any

from dashboard.stripe_sandbox import invoice_engine
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources import invoice_items
from dashboard.stripe_sandbox.resources.common import merge_metadata, save_changes
from dashboard.stripe_sandbox.routing import operation


@operation("GET /v1/invoices/{invoice}/lines")
def lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    ctx.need("invoice", id, "invoice", 404)
    return page(ctx, "line_item", params, f"/v1/invoices/{id}/lines", {"parent": id}, newest_first=False)


@operation("POST /v1/invoices/{invoice}/add_lines")
def add_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _draft(ctx, id)
    before = copy.deepcopy(invoice)
    customer = ctx.need("customer", invoice["customer"], "customer")
    if len(params["lines"]) + len(invoice_engine.lines_of(ctx, invoice)) > invoice_engine.MAX_LINES:
        raise refused(f"An invoice can have at most {invoice_engine.MAX_LINES} line items.", param="lines")
    for position, entry in enumerate(params["lines"]):
        _add_line(ctx, invoice, customer, entry, position)
    _set_invoice_metadata(invoice, params)
    invoice_engine.recalculate(ctx, invoice)
    return save_changes(ctx, invoice, before, "invoice.updated")


@operation("POST /v1/invoices/{invoice}/update_lines")
def update_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _draft(ctx, id)
    before = copy.deepcopy(invoice)
    for position, entry in enumerate(params["lines"]):
        item = _item_of_line(ctx, invoice, entry["id"], f"lines[{position}][id]")
        invoice_items.change(ctx, item, entry)
    _set_invoice_metadata(invoice, params)
    invoice_engine.recalculate(ctx, invoice)
    return save_changes(ctx, invoice, before, "invoice.updated")


@operation("POST /v1/invoices/{invoice}/remove_lines")
def remove_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _draft(ctx, id)
    before = copy.deepcopy(invoice)
    for position, entry in enumerate(params["lines"]):
        item = _item_of_line(ctx, invoice, entry["id"], f"lines[{position}][id]")
        if entry["behavior"] == "delete":
            invoice_items.remove(ctx, item)
        else:
            invoice_items.take_off_invoice(ctx, item)
    _set_invoice_metadata(invoice, params)
    invoice_engine.recalculate(ctx, invoice)
    return save_changes(ctx, invoice, before, "invoice.updated")


@operation("POST /v1/invoices/{invoice}/lines/{line_item_id}")
def update_line(ctx: Context, params: dict[str, Any], id: str, line_id: str) -> dict[str, Any]:
    invoice = _draft(ctx, id)
    before = copy.deepcopy(invoice)
    item = _item_of_line(ctx, invoice, line_id, "line_item_id")
    invoice_items.change(ctx, item, params)
    invoice_engine.recalculate(ctx, invoice)
    save_changes(ctx, invoice, before, "invoice.updated")
    return ctx.need("line_item", line_id)


def _draft(ctx: Context, id: str) -> dict[str, Any]:
    return invoice_items.draft(ctx, ctx.need("invoice", id, "invoice", 404)["id"], "invoice")


def _add_line(
    ctx: Context, invoice: dict[str, Any], customer: dict[str, Any], entry: dict[str, Any], position: int
) -> None:
    if "invoice_item" in entry:
        item = ctx.need("invoiceitem", entry["invoice_item"], f"lines[{position}][invoice_item]")
        if item["invoice"] or item["customer"] != invoice["customer"] or item["currency"] != invoice["currency"]:
            raise invalid_parameter(
                f"lines[{position}][invoice_item]", "The invoice item is not pending on this customer in this currency."
            )
        invoice_items.change(ctx, item, {name: value for name, value in entry.items() if name != "invoice_item"})
        invoice_items.put_on_invoice(ctx, item, invoice)
        return
    item = invoice_items.build(ctx, entry, customer, invoice["currency"], invoice)
    invoice_items.put_on_invoice(ctx, item, invoice)
    ctx.emit("invoiceitem.created", item)


def _item_of_line(ctx: Context, invoice: dict[str, Any], line_id: str, param: str) -> dict[str, Any]:
    line = ctx.need("line_item", line_id, param, 404 if param == "line_item_id" else 400)
    if line["invoice"] != invoice["id"]:
        raise ApiError(400, f"No such invoice line item: '{line_id}'", code="resource_missing", param=param)
    return ctx.need("invoiceitem", line["_item"], param)


def _set_invoice_metadata(invoice: dict[str, Any], params: dict[str, Any]) -> None:
    if "invoice_metadata" in params:
        invoice["metadata"] = merge_metadata(invoice["metadata"], params["invoice_metadata"])
