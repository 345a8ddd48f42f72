"""The calls that move an invoice from state to state."""

from typing import Any

from dashboard.stripe_sandbox import collection, invoice_life
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, missing_parameter, not_found, refused
from dashboard.stripe_sandbox.resources import invoice_drafts, payment_methods
from dashboard.stripe_sandbox.resources.common import one_of
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/invoices/{invoice}/finalize")
def finalize(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
    if invoice["status"] != "draft":
        raise refused(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", "status_transition_invalid"
        )
    return invoice_life.finalize(ctx, invoice, params.get("auto_advance"))


@operation("POST /v1/invoices/{invoice}/pay")
def pay(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
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
        invoice_drafts.check_method(invoice, method)
    return collection.pay_now(ctx, invoice, method, off_session=params.get("off_session", True))


@operation("POST /v1/invoices/{invoice}/send")
def send(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
    if invoice["status"] == "draft":
        invoice_life.finalize(ctx, invoice, None)
    if invoice["status"] in ("void", "uncollectible"):
        raise refused(f"You cannot send an invoice that is {invoice['status']}.", "status_transition_invalid")
    if invoice["collection_method"] != "send_invoice":
        raise refused("You can only manually send an invoice if its collection method is 'send_invoice'.")
    return invoice_life.send(ctx, invoice)


@operation("POST /v1/invoices/{invoice}/void")
def void(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
    if invoice["status"] not in ("open", "uncollectible"):
        raise wrong_state("You can only void open or uncollectible invoices", invoice)
    if invoice["amount_paid"]:
        raise refused("You cannot void an invoice that has been partially paid.", "status_transition_invalid")
    return invoice_life.void(ctx, invoice)


@operation("POST /v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
    if invoice["status"] != "open":
        raise wrong_state("You can only mark open invoices as uncollectible", invoice)
    return invoice_life.mark_uncollectible(ctx, invoice, "user_forgiven")


@operation("POST /v1/invoices/{invoice}/attach_payment")
def attach_payment(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    invoice = ctx.need("invoice", id, "invoice", 404)
    _check_payable(invoice)
    if "payment_record" in params:
        raise not_found("payment record", params["payment_record"], "payment_record")
    if "payment_intent" not in params:
        raise missing_parameter("payment_intent")
    intent = ctx.need("payment_intent", params["payment_intent"], "payment_intent")
    return collection.attach(ctx, invoice, intent)


def _check_payable(invoice: dict[str, Any]) -> None:
    if invoice["status"] == "paid":
        raise refused("Invoice is already paid", "invoice_already_paid")
    if invoice["status"] == "void":
        raise wrong_state("You can only pay open or uncollectible invoices", invoice)


def wrong_state(what: str, invoice: dict[str, Any]) -> ApiError:
    """The refusal of a move that the invoice's state does not allow."""
    return refused(f"{what}. This invoice is {invoice['status']}.", "status_transition_invalid")
