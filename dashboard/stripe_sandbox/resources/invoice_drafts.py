"""A draft invoice: how it begins, and what its parameters do to it."""

from typing import Any

from dashboard.stripe_sandbox import invoice_life
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.resources import accounts, customers, discounts, payment_methods
from dashboard.stripe_sandbox.resources.common import one_of, set_fields, shipping

DAY = 86400
PLAIN = ("description", "footer", "metadata", "statement_descriptor", "custom_fields", "account_tax_ids")
PAYMENT_OPTIONS = (
    "acss_debit", "bancontact", "blik", "card", "customer_balance", "konbini", "payto", "pix", "sepa_debit", "upi",
    "us_bank_account",
)  # fmt: skip
AFTER_FINALIZE = frozenset(
    ("metadata", "auto_advance", "payment_settings", "default_payment_method", "default_source", "expand", "due_date",
     "days_until_due", "automatically_finalizes_at", "collection_method")
)  # fmt: skip


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


def apply(ctx: Context, invoice: dict[str, Any], params: dict[str, Any]) -> None:
    """Apply the parameters that create and update share. Raises for contradictions."""
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


def check_collection(invoice: dict[str, Any], customer: dict[str, Any]) -> None:
    """Raises when an invoice by mail lacks the customer's address or a due date."""
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


def check_late_edit(invoice: dict[str, Any], params: dict[str, Any]) -> None:
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


def check_method(invoice: dict[str, Any], method: dict[str, Any], param: str = "payment_method") -> None:
    """Raises when the payment method is not the customer's."""
    if method["customer"] != invoice["customer"]:
        raise invalid_parameter(
            param,
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
            "attached to the customer.",
            "resource_missing",
        )


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
    check_method(invoice, method, "default_payment_method")
    invoice["default_payment_method"] = method["id"]


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
