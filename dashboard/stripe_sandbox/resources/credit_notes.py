"""Credit notes: before payment they lower what is owed, afterwards they give money or credit back."""

import copy
from typing import Any

from dashboard.stripe_sandbox import collection, invoice_life
from dashboard.stripe_sandbox.context import Context, Rendered, changes, renders
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.lists import listing, page, slice_page
from dashboard.stripe_sandbox.resources import balance_transactions, credit_note_lines, refunds
from dashboard.stripe_sandbox.resources.common import one_of, update
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/credit_notes")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return _issue(ctx, params)


@operation("GET /v1/credit_notes/preview")
def preview(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    with ctx.store.trial():
        return Rendered(copy.deepcopy(ctx.render(_issue(ctx, params))))


@operation("GET /v1/credit_notes/preview/lines")
def preview_lines(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    with ctx.store.trial():
        paging = ("limit", "starting_after", "ending_before")
        note = _issue(ctx, {name: value for name, value in params.items() if name not in paging})
        return Rendered(copy.deepcopy(slice_page(ctx, note["_lines"], params, "/v1/credit_notes/preview/lines")))


@operation("GET /v1/credit_notes/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("credit_note", id)


@operation("POST /v1/credit_notes/{id}")
def change(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return update(ctx, ctx.need("credit_note", id), params, ("memo", "metadata"), "credit_note.updated")


@operation("GET /v1/credit_notes/{credit_note}/lines")
def lines(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    note = ctx.need("credit_note", id)
    return slice_page(ctx, note["_lines"], params, f"/v1/credit_notes/{id}/lines")


@operation("POST /v1/credit_notes/{id}/void")
def void(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    note = ctx.need("credit_note", id)
    invoice = ctx.need("invoice", note["invoice"], "invoice")
    if note["status"] != "issued" or note["type"] != "pre_payment" or invoice["status"] != "open":
        raise refused("You can only void credit notes on open invoices that have not been voided yet.")
    before = copy.deepcopy(invoice)
    invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
    invoice["amount_due"] += note["pre_payment_amount"]
    invoice["amount_remaining"] += note["pre_payment_amount"]
    ctx.save(invoice)
    collection.keep_default_equal(ctx, invoice)
    note |= {"status": "void", "voided_at": ctx.now_for(invoice)}
    ctx.save(note)
    ctx.emit("credit_note.voided", note)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))
    return note


@operation("GET /v1/credit_notes")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("customer", "invoice") if name in params}
    return page(ctx, "credit_note", params, "/v1/credit_notes", where)


@renders("credit_note")
def render(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    """Adds the first ten lines."""
    stored = ctx.get(shown["id"])
    found = stored["_lines"] if stored else []
    url = f"/v1/credit_notes/{shown['id']}/lines"
    return shown | {"lines": listing([dict(line) for line in found[:10]], url, len(found) > 10)}


def _issue(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    one_of(params, "amount", "lines")
    invoice = ctx.need("invoice", params["invoice"], "invoice")
    if invoice["status"] not in ("open", "paid"):
        raise refused(f"You cannot create a credit note for an invoice that is {invoice['status']}.", param="invoice")
    if "shipping_cost" in params:
        raise refused("The invoice has no shipping cost.", param="shipping_cost")
    note = _note(ctx, invoice, params)
    ctx.save(note)
    if invoice["status"] == "open":
        _apply_before_payment(ctx, invoice, note, params)
    else:
        _apply_after_payment(ctx, invoice, note, params)
    return note


def _note(ctx: Context, invoice: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    noted = credit_note_lines.lines_from(ctx, invoice, params)
    subtotal = sum(line["amount"] for line in noted)
    discount = sum(line["discount_amount"] for line in noted)
    taxes = credit_note_lines.sum_taxes([entry for line in noted for entry in line["taxes"]])
    exclusive = sum(entry["amount"] for entry in taxes if entry["tax_behavior"] == "exclusive")
    inclusive = sum(entry["amount"] for entry in taxes if entry["tax_behavior"] == "inclusive")
    total = subtotal - discount + exclusive
    _check_total(ctx, invoice, total)
    count = len(ctx.find("credit_note", {"parent": invoice["id"]})) + 1
    now = ctx.now_for(invoice)
    note = ctx.new(
        "credit_note",
        amount=total,
        amount_shipping=0,
        created=now,
        currency=invoice["currency"],
        customer=invoice["customer"],
        discount_amount=discount,
        discount_amounts=credit_note_lines.sum_discounts(
            [entry for line in noted for entry in line["discount_amounts"]]
        ),
        effective_at=params.get("effective_at", now),
        invoice=invoice["id"],
        memo=params.get("memo") or None,
        metadata=params.get("metadata") or {},
        number=f"{invoice['number']}-CN-{count:02d}",
        out_of_band_amount=params.get("out_of_band_amount"),
        post_payment_amount=0,
        pre_payment_amount=0,
        reason=params.get("reason"),
        status="issued",
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - inclusive,
        total=total,
        total_excluding_tax=total - exclusive - inclusive,
        total_taxes=taxes,
        type="pre_payment",
        _lines=noted,
    )
    note["pdf"] = f"{ctx.base_url}/cn/{ctx.account}/{note['id']}/{secret(24)}/pdf"
    note["_page_key"] = note["pdf"].rsplit("/", 2)[1]
    return note


def _check_total(ctx: Context, invoice: dict[str, Any], total: int) -> None:
    if total <= 0:
        raise invalid_parameter("amount", "The credit note's total must be above zero.")
    credited = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    if credited + total > invoice["total"]:
        raise invalid_parameter(
            "amount", f"The credit notes' total cannot be above the invoice's total of {invoice['total']}."
        )


def _apply_before_payment(ctx: Context, invoice: dict[str, Any], note: dict[str, Any], params: dict[str, Any]) -> None:
    for name in ("refund_amount", "credit_amount", "out_of_band_amount", "refunds"):
        if params.get(name):
            raise invalid_parameter(name, f"{name} can only be given for a paid invoice.")
    total = note["total"]
    if total > invoice["amount_remaining"]:
        raise invalid_parameter("amount", "The credit note is above the invoice's remaining amount.")
    before = copy.deepcopy(invoice)
    note["pre_payment_amount"] = total
    invoice["pre_payment_credit_notes_amount"] += total
    invoice["amount_due"] -= total
    invoice["amount_remaining"] -= total
    ctx.save(note)
    ctx.save(invoice)
    ctx.emit("credit_note.created", note)
    if invoice["amount_remaining"]:
        collection.keep_default_equal(ctx, invoice)
        ctx.emit("invoice.updated", invoice, changes(before, invoice))
    else:
        invoice_life.paid_by_credit(ctx, invoice)


def _apply_after_payment(ctx: Context, invoice: dict[str, Any], note: dict[str, Any], params: dict[str, Any]) -> None:
    refund, credit = params.get("refund_amount", 0), params.get("credit_amount", 0)
    outside = params.get("out_of_band_amount", 0)
    linked = [_linked_refund(ctx, entry) for entry in params.get("refunds") or []]
    given = refund + credit + outside + sum(amount for _, amount in linked)
    if given != note["total"]:
        raise ApiError(
            400,
            "The sum of credit amount, refund amount and out of band amount must equal the credit note amount on a "
            "paid invoice.",
            param="amount",
        )
    before = copy.deepcopy(invoice)
    note |= {"post_payment_amount": note["total"], "type": "post_payment"}
    if refund:
        made = refunds.refund_charge(ctx, _charge_of(ctx, invoice), refund, None, {})
        linked.append((made["id"], refund))
    note["refunds"] = [
        {"amount_refunded": amount, "payment_record_refund": None, "refund": id, "type": "refund"}
        for id, amount in linked
    ]
    if credit:
        customer = ctx.need("customer", invoice["customer"], "customer")
        transaction = balance_transactions.adjust(
            ctx,
            customer,
            -credit,
            "credit_note",
            currency=invoice["currency"],
            credit_note=note["id"],
            invoice=invoice["id"],
        )
        note["customer_balance_transaction"] = transaction["id"]
    invoice["post_payment_credit_notes_amount"] += note["total"]
    ctx.save(note)
    ctx.save(invoice)
    ctx.emit("credit_note.created", note)
    ctx.emit("invoice.updated", invoice, changes(before, invoice))


def _linked_refund(ctx: Context, entry: dict[str, Any]) -> tuple[str, int]:
    if not entry.get("refund"):
        raise missing_parameter("refunds[0][refund]")
    refund = ctx.need("refund", entry["refund"], "refunds[0][refund]")
    return refund["id"], entry.get("amount_refunded", refund["amount"])


def _charge_of(ctx: Context, invoice: dict[str, Any]) -> dict[str, Any]:
    intent = collection.default_intent(ctx, invoice)
    if not intent or not intent["latest_charge"]:
        raise invalid_parameter("refund_amount", "The invoice was not paid by a charge that could be refunded.")
    return ctx.need("charge", intent["latest_charge"], "charge", 400)
