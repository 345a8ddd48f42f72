"""Invoices: drafts, their lines, and the moves between their states.

States and moves: https://docs.stripe.com/invoicing/overview#invoice-statuses
"""

import copy
from typing import Any

from dashboard.stripe_sandbox import collection, invoice_engine, invoice_life
from dashboard.stripe_sandbox.context import Context, Rendered, renders
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, not_found, refused
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.lists import listing, page, slice_page
from dashboard.stripe_sandbox.resources import accounts, customers, discounts, invoice_items, payment_methods
from dashboard.stripe_sandbox.resources.common import (
    address,
    deleted,
    merge_metadata,
    one_of,
    require,
    save_changes,
    set_fields,
    shipping,
)  # fmt: skip
from dashboard.stripe_sandbox.routing import includable, operation
from dashboard.stripe_sandbox.search import search_page

DAY = 86400
PAYMENT_OPTIONS = (
    "acss_debit", "bancontact", "blik", "card", "customer_balance", "konbini", "payto", "pix", "sepa_debit", "upi",
    "us_bank_account",
)  # fmt: skip
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
    return ctx.need("invoice", id, "invoice", 404)


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
        raise not_found("payment record", params["payment_record"], "payment_record")
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
    customer = (
        ctx.need("customer", params["customer"], "customer") if params.get("customer") else _stranger(ctx, params)
    )
    currency = check_currency(params.get("currency") or customer["currency"] or ctx.state().get("currency", "usd"))
    invoice = new_draft(ctx, customer, currency, "charge_automatically")
    invoice["_preview_customer"] = _preview_customer(params)
    _apply(ctx, invoice, {name: params[name] for name in ("automatic_tax", "discounts") if name in params})
    with ctx.store.trial():
        ctx.save(invoice)
        for entry in params.get("invoice_items") or []:
            _add_preview_item(ctx, invoice, customer, entry)
        for item in invoice_items.pending(ctx, customer, currency) if params.get("customer") else []:
            invoice_items.put_on_invoice(ctx, item, invoice)
        invoice_engine.recalculate(ctx, invoice)
        return Rendered(ctx.render(invoice))


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


def _invoice(ctx: Context, id: str) -> dict[str, Any]:
    return ctx.need("invoice", id, "invoice", 404)


def _apply(ctx: Context, invoice: dict[str, Any], params: dict[str, Any]) -> None:
    """The parameters that create and update share."""
    one_of(params, "days_until_due", "due_date")
    set_fields(invoice, params, PLAIN)
    for name in ("auto_advance", "collection_method", "automatically_finalizes_at", "effective_at"):
        if name in params:
            invoice[name] = params[name] if params[name] != "" else None
    if "number" in params:
        _set_number(ctx, invoice, params["number"])
    if "automatic_tax" in params:
        _set_automatic_tax(invoice, params["automatic_tax"])
    if "default_tax_rates" in params:
        rates = [ctx.need("tax_rate", id, "default_tax_rates") for id in params["default_tax_rates"] or []]
        if rates and invoice["automatic_tax"]["enabled"]:
            raise refused("Default tax rates cannot be used with automatic tax.", param="default_tax_rates")
        invoice["default_tax_rates"] = [ctx.render(rate) for rate in rates]
    if "default_payment_method" in params:
        _set_default_method(ctx, invoice, params["default_payment_method"])
    if params.get("default_source"):
        raise ApiError(
            400, f"No such source: '{params['default_source']}'", code="resource_missing", param="default_source"
        )
    if "discounts" in params:
        invoice["discounts"] = discounts.place(
            ctx, params["discounts"], customer=invoice["customer"], invoice=invoice["id"], currency=invoice["currency"]
        )
    if "payment_settings" in params:
        _set_payment_settings(invoice, params["payment_settings"])
    if "rendering" in params:
        _set_rendering(invoice, params["rendering"])
    if "shipping_details" in params:
        invoice["shipping_details"] = shipping(params["shipping_details"])
    if "issuer" in params:
        invoice["issuer"] = params["issuer"]
    for name in ("on_behalf_of", "application_fee_amount", "transfer_data", "shipping_cost"):
        if params.get(name):
            raise refused(
                f"{name} needs a connected platform or shipping rates, which this account does not have.", param=name
            )
    _set_due_date(ctx, invoice, params)


def _set_due_date(ctx: Context, invoice: dict[str, Any], params: dict[str, Any]) -> None:
    if not {"days_until_due", "due_date"} & params.keys():
        return
    if invoice["collection_method"] != "send_invoice":
        name = "days_until_due" if "days_until_due" in params else "due_date"
        raise invalid_parameter(name, "You can only set a due date on invoices with collection_method=send_invoice.")
    now = ctx.now_for(invoice)
    if "days_until_due" in params:
        if params["days_until_due"] < 0:
            raise invalid_parameter("days_until_due", "Invalid non-negative integer", "parameter_invalid_integer")
        invoice["_days_until_due"] = params["days_until_due"]
        invoice["due_date"] = now + params["days_until_due"] * DAY
    else:
        if params["due_date"] < now:
            raise invalid_parameter("due_date", "The due date must be in the future.")
        invoice["_days_until_due"] = None
        invoice["due_date"] = params["due_date"]
    if invoice["status"] == "open":
        invoice_life.plan_due_date(ctx, invoice)


def _check_collection(invoice: dict[str, Any], customer: dict[str, Any]) -> None:
    if invoice["collection_method"] != "send_invoice":
        return
    if not customer["email"]:
        raise refused(
            "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid "
            "email.",
            param="customer",
        )
    if invoice["due_date"] is None:
        raise missing_parameter("days_until_due")


def _set_automatic_tax(invoice: dict[str, Any], given: dict[str, Any]) -> None:
    automatic = invoice["automatic_tax"]
    automatic["enabled"] = given["enabled"]
    automatic["liability"] = (given.get("liability") or {"type": "self"}) if given["enabled"] else None
    automatic["provider"] = "stripe" if given["enabled"] else None
    automatic["status"] = None
    automatic["disabled_reason"] = None


def _set_number(ctx: Context, invoice: dict[str, Any], number: str) -> None:
    if number and len(number) > 26:
        raise invalid_parameter("number", "An invoice number can be at most 26 characters.")
    taken = ctx.find("invoice", {"number": number}) if number else []
    if any(other["id"] != invoice["id"] for other in taken):
        raise invalid_parameter("number", f"The invoice number {number} is already in use.")
    invoice["number"] = number or None


def _set_default_method(ctx: Context, invoice: dict[str, Any], id: str) -> None:
    if not id:
        invoice["default_payment_method"] = None
        return
    method = payment_methods.resolve(ctx, id, "default_payment_method")
    _check_method(invoice, method, "default_payment_method")
    invoice["default_payment_method"] = method["id"]


def _check_method(invoice: dict[str, Any], method: dict[str, Any], param: str = "payment_method") -> None:
    if method["customer"] != invoice["customer"]:
        raise invalid_parameter(
            param,
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
            "attached to the customer.",
            "resource_missing",
        )


def _set_payment_settings(invoice: dict[str, Any], given: dict[str, Any]) -> None:
    settings = invoice["payment_settings"]
    if "default_mandate" in given:
        settings["default_mandate"] = given["default_mandate"] or None
    if "payment_method_types" in given:
        settings["payment_method_types"] = given["payment_method_types"] or None
    if "payment_method_options" in given:
        options = given["payment_method_options"]
        shown: dict[str, Any] = dict.fromkeys(PAYMENT_OPTIONS)
        shown.update({kind: _payment_option(kind, value) for kind, value in options.items() if value})
        settings["payment_method_options"] = shown


def _payment_option(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    blanks: dict[str, dict[str, Any]] = {
        "card": {"request_three_d_secure": None},
        "customer_balance": {"funding_type": None},
        "bancontact": {"preferred_language": "en"},
        "pix": {"amount_includes_iof": None},
    }
    shown = blanks.get(kind, {}) | value
    if isinstance(shown.get("installments"), dict):
        shown["installments"] = {"enabled": shown["installments"].get("enabled")}
    return shown


def _set_rendering(invoice: dict[str, Any], given: dict[str, Any]) -> None:
    shown = invoice["rendering"] or {
        "amount_tax_display": None,
        "pdf": None,
        "template": None,
        "template_version": None,
    }
    for name in ("amount_tax_display", "template", "template_version"):
        if name in given:
            shown[name] = given[name] or None
    if "pdf" in given:
        shown |= {"pdf": {"page_size": given["pdf"].get("page_size", "auto")}}
    invoice["rendering"] = shown


def _check_late_edit(invoice: dict[str, Any], params: dict[str, Any]) -> None:
    """Once finalized, only payment settings and notes of the caller may change."""
    late = sorted(set(params) - AFTER_FINALIZE)
    if late or (invoice["status"] != "open" and set(params) - {"metadata"}):
        field = late[0] if late else sorted(set(params) - {"metadata"})[0]
        raise ApiError(
            400,
            f"Finalized invoices can't be updated in this way: {field} cannot be changed.",
            code="invoice_not_editable",
            param=field,
        )


def _check_payable(invoice: dict[str, Any]) -> None:
    if invoice["status"] == "paid":
        raise refused("Invoice is already paid", "invoice_already_paid")
    if invoice["status"] == "void":
        raise _wrong_state("You can only pay open or uncollectible invoices", invoice)


def _wrong_state(what: str, invoice: dict[str, Any]) -> ApiError:
    return refused(f"{what}. This invoice is {invoice['status']}.", "status_transition_invalid")


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


def _in_range(moment: int | None, wanted: dict[str, int] | int) -> bool:
    if moment is None:
        return False
    if isinstance(wanted, int):
        return moment == wanted
    checks = {"gt": moment.__gt__, "gte": moment.__ge__, "lt": moment.__lt__, "lte": moment.__le__}
    return all(checks[name](bound) for name, bound in wanted.items())


def _revise(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A new draft that replaces a finalized invoice, with the same lines."""
    original = ctx.need("invoice", params["from_invoice"]["invoice"], "from_invoice[invoice]")
    if original["status"] not in ("open", "paid"):
        raise _wrong_state("You can only revise open or paid invoices", original)
    customer = ctx.need("customer", original["customer"], "customer")
    invoice = new_draft(ctx, customer, original["currency"], original["collection_method"])
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
    _apply(ctx, invoice, {name: value for name, value in params.items() if name not in ("from_invoice", "customer")})
    invoice_engine.recalculate(ctx, invoice)
    ctx.emit("invoice.created", invoice)
    return invoice


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
