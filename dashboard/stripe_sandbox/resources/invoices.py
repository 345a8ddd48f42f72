"""Invoices: drafts, their lines, and the moves between their states.

States and moves: https://docs.stripe.com/invoicing/overview#invoice-statuses
"""

import copy
from typing import Any

from dashboard.stripe_sandbox import collection, invoice_engine, invoice_life
from dashboard.stripe_sandbox.context import Context, renders
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.lists import listing, page, slice_page
from dashboard.stripe_sandbox.resources import accounts, customers, discounts, invoice_items, payment_methods
from dashboard.stripe_sandbox.resources.common import (
    deleted, merge_metadata, one_of, require, save_changes, set_fields, shipping,
)  # fmt: skip
from dashboard.stripe_sandbox.routing import includable, operation
from dashboard.stripe_sandbox.search import search_page

DAY = 86400
PLAIN = ("description", "footer", "metadata", "statement_descriptor", "custom_fields", "account_tax_ids")
AFTER_FINALIZE = frozenset(
    ("metadata", "auto_advance", "payment_settings", "default_payment_method", "default_source", "expand", "due_date",
     "days_until_due", "automatically_finalizes_at", "collection_method")
)  # fmt: skip


@operation("POST /v1/invoices")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if "from_invoice" in params:
        return _revise(ctx, params)
    require(params, "customer")
    customer = ctx.need("customer", params["customer"], "customer")
    currency = check_currency(params.get("currency") or customer["currency"] or ctx.state().get("currency", "usd"))
    customers.lock_currency(ctx, customer, currency)
    invoice = new_draft(ctx, customer, currency, params.get("collection_method", "charge_automatically"))
    _apply(ctx, invoice, params)
    _check_collection(invoice, customer)
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
    return ctx.need("invoice", id, "invoice_id")


@operation("POST /v1/invoices/{invoice}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    before = copy.deepcopy(invoice)
    if invoice["status"] != "draft":
        _check_late_edit(invoice, params)
    _apply(ctx, invoice, params)
    if invoice["status"] == "draft":
        _check_collection(invoice, ctx.need("customer", invoice["customer"], "customer"))
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
        raise refused(f"You can only delete draft invoices. Invoice {id} is {invoice['status']}.", "invoice_not_editable")
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


@operation("GET /v1/invoices/{invoice}/lines")
def lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    _invoice(ctx, id)
    return page(ctx, "line_item", params, f"/v1/invoices/{id}/lines", {"parent": id}, newest_first=False)


@operation("POST /v1/invoices/{invoice}/add_lines")
def add_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = invoice_items.draft(ctx, _invoice(ctx, id)["id"], "invoice")
    customer = ctx.need("customer", invoice["customer"], "customer")
    if len(params["lines"]) + len(invoice_engine.lines_of(ctx, invoice)) > invoice_engine.MAX_LINES:
        raise refused(f"An invoice can have at most {invoice_engine.MAX_LINES} line items.", param="lines")
    for position, entry in enumerate(params["lines"]):
        _add_line(ctx, invoice, customer, entry, position)
    _set_invoice_metadata(invoice, params)
    invoice_engine.recalculate(ctx, invoice)
    return invoice


@operation("POST /v1/invoices/{invoice}/update_lines")
def update_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = invoice_items.draft(ctx, _invoice(ctx, id)["id"], "invoice")
    before = copy.deepcopy(invoice)
    for position, entry in enumerate(params["lines"]):
        item = _item_of_line(ctx, invoice, entry["id"], f"lines[{position}][id]")
        invoice_items.change(ctx, item, entry)
    _set_invoice_metadata(invoice, params)
    invoice_engine.recalculate(ctx, invoice)
    return save_changes(ctx, invoice, before, "invoice.updated")


@operation("POST /v1/invoices/{invoice}/remove_lines")
def remove_lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = invoice_items.draft(ctx, _invoice(ctx, id)["id"], "invoice")
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
    invoice = invoice_items.draft(ctx, _invoice(ctx, id)["id"], "invoice")
    before = copy.deepcopy(invoice)
    item = _item_of_line(ctx, invoice, line_id, "line_item_id")
    invoice_items.change(ctx, item, params)
    invoice_engine.recalculate(ctx, invoice)
    save_changes(ctx, invoice, before, "invoice.updated")
    return ctx.need("line_item", line_id)


@operation("POST /v1/invoices/{invoice}/finalize")
def finalize(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] != "draft":
        raise refused(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", "status_transition_invalid"
        )
    return invoice_life.finalize(ctx, invoice, params.get("auto_advance"))


@operation("POST /v1/invoices/{invoice}/pay")
def pay(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] == "draft":
        invoice_life.finalize(ctx, invoice, None)
        if invoice["status"] == "paid":
            return invoice
    _check_payable(invoice)
    if params.get("paid_out_of_band"):
        one_of(params, "paid_out_of_band", "payment_method", "source")
        return invoice_life.pay_out_of_band(ctx, invoice)
    method = None
    given = params.get("payment_method") or params.get("source")
    if given:
        method = payment_methods.resolve(ctx, given, "payment_method")
        _check_method(invoice, method)
    return collection.pay_now(ctx, invoice, method, off_session=params.get("off_session", True))


@operation("POST /v1/invoices/{invoice}/send")
def send(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] == "draft":
        invoice_life.finalize(ctx, invoice, None)
    if invoice["status"] in ("void", "uncollectible"):
        raise refused(f"You cannot send an invoice that is {invoice['status']}.", "status_transition_invalid")
    if invoice["collection_method"] != "send_invoice":
        raise refused("You can only manually send an invoice if its collection method is 'send_invoice'.")
    return invoice_life.send(ctx, invoice)


@operation("POST /v1/invoices/{invoice}/void")
def void(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] not in ("open", "uncollectible"):
        raise _wrong_state("You can only void open or uncollectible invoices", invoice)
    if invoice["amount_paid"]:
        raise refused("You cannot void an invoice that has been partially paid.", "status_transition_invalid")
    return invoice_life.void(ctx, invoice)


@operation("POST /v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    if invoice["status"] != "open":
        raise _wrong_state("You can only mark open invoices as uncollectible", invoice)
    return invoice_life.mark_uncollectible(ctx, invoice, "user_forgiven")


@operation("POST /v1/invoices/{invoice}/attach_payment")
def attach_payment(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = _invoice(ctx, id)
    _check_payable(invoice)
    if "payment_record" in params:
        raise ApiError(404, f"No such payment record: '{params['payment_record']}'", code="resource_missing", param="payment_record")  # fmt: skip
    if "payment_intent" not in params:
        raise missing_parameter("payment_intent")
    intent = ctx.need("payment_intent", params["payment_intent"], "payment_intent")
    return collection.attach(ctx, invoice, intent)


@operation("POST /v1/invoices/create_preview")
def create_preview(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A draft that is worked out, answered, and forgotten."""
    for name in ("subscription", "schedule"):
        if params.get(name):
            raise ApiError(404, f"No such {name}: '{params[name]}'", code="resource_missing", param=name)
    customer = ctx.need("customer", params["customer"], "customer") if params.get("customer") else _stranger(ctx, params)
    currency = check_currency(params.get("currency") or customer["currency"] or ctx.state().get("currency", "usd"))
    invoice = new_draft(ctx, customer, currency, "charge_automatically")
    invoice["_preview_customer"] = _preview_customer(params)
    _apply(ctx, invoice, {name: params[name] for name in ("automatic_tax", "discounts") if name in params})
    ctx.save(invoice)
    events_before = ctx.store.one("SELECT max(seq) AS seq FROM events")
    for entry in params.get("invoice_items") or []:
        given = {**entry, **({"pricing": {"price": entry["price"]}} if "price" in entry else {})}
        given.pop("price", None)
        given.pop("invoiceitem", None)
        item = invoice_items.build(ctx, given, customer, currency, invoice)
        invoice_items.put_on_invoice(ctx, item, invoice)
    for item in invoice_items.pending(ctx, customer, currency) if params.get("customer") else []:
        invoice_items.put_on_invoice(ctx, item, invoice)
    invoice_engine.recalculate(ctx, invoice)
    answer = ctx.render(invoice)
    _forget_preview(ctx, invoice, events_before["seq"] if events_before else None)
    raise _Preview(answer)


@renders("invoice")
def render(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    """Adds the first ten lines."""
    found = ctx.find("line_item", {"parent": shown["id"]}, newest_first=False, limit=11)
    url = f"/v1/invoices/{shown['id']}/lines"
    shown["lines"] = listing([ctx.render(line) for line in found[:10]], url, len(found) > 10)
    shown["lines"]["total_count"] = len(found)
    shown["lines"].pop("total_count")
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


def new_draft(ctx: Context, customer: dict[str, Any], currency: str, collection_method: str) -> dict[str, Any]:
    """An empty draft for the customer, with Stripe's defaults."""
    now = ctx.now_for(customer)
    return ctx.new(
        "invoice",
        account_country=ctx.state().get("country", "US"),
        account_name=accounts.display_name(ctx),
        amount_due=0,
        amount_overpaid=0,
        amount_paid=0,
        amount_remaining=0,
        amount_shipping=0,
        attempt_count=0,
        auto_advance=False,
        billing_reason="manual",
        collection_method=collection_method,
        created=now,
        currency=currency,
        customer=customer["id"],
        custom_fields=(customer.get("invoice_settings") or {}).get("custom_fields"),
        footer=(customer.get("invoice_settings") or {}).get("footer"),
        hosted_invoice_url=None,
        invoice_pdf=None,
        issuer={"type": "self"},
        metadata={},
        period_end=now,
        period_start=now,
        post_payment_credit_notes_amount=0,
        pre_payment_credit_notes_amount=0,
        starting_balance=0,
        status="draft",
        subtotal=0,
        test_clock=customer.get("test_clock"),
        total=0,
        **customers.invoice_fields(ctx, customer),
    )


class _Preview(Exception):
    """Carries a preview out of its transaction, which is undone."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("preview")
        self.answer = answer


def _invoice(ctx: Context, id: str) -> dict[str, Any]:
    return ctx.need("invoice", id, "invoice_id")
