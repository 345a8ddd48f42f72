"""Our invoice in Stripe's words: a header and at most 250 lines, whose integers add up to ours. Pure.

How amounts become lines:
- Every detail line is one Stripe line. Without automatic tax its discount and its credits are lines of their own below
  it, negative ones; with automatic tax Stripe refuses negative lines, so they are taken off the line itself.
- An invoice that is negative as a whole is a credit to the customer, which bears no tax: automatic tax is off for it.
- What else Stripe cannot take is made to fit by `draft_lines.py`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from dashboard.billing.views import (
    CollectionMethod,
    DetailLine,
    Invoice,
    InvoiceLine,
    Issue,
    Workflow,
)
from dashboard.kit.currencies import currency
from dashboard.kit.durations import Duration
from dashboard.kit.money import (
    ZERO,
    amount_text,
    format_money,
    format_quantity,
    format_unit_price,
    from_minor,
    to_minor_lines,
)
from dashboard.stripe_app.calls import content_hash
from dashboard.stripe_app.draft_lines import STRIPE_LINE_LIMIT, DraftLine, TaxTreatment, grouped, without_negatives

DESCRIPTION_LIMIT = 500
PURCHASE_ORDER_PIECE = 30

METADATA_APP = "meterdesk_app_id"
METADATA_INVOICE = "meterdesk_invoice_id"
METADATA_CUSTOMER = "meterdesk_customer_id"


@dataclass(frozen=True)
class Draft:
    """What Stripe's draft should be. Without slots, so that its prints are worked out once."""

    header: dict[str, Any] = field(hash=False)
    lines: tuple[DraftLine, ...]
    currency: str
    automatic_tax: bool
    notes: tuple[Issue, ...]

    @property
    def minor_total(self) -> int:
        return sum(line.minor for line in self.lines)

    @cached_property
    def revision(self) -> str:
        """Equal for drafts between which nothing needs to be sent."""
        return content_hash([self.header, self.lines_revision])

    @cached_property
    def lines_revision(self) -> str:
        """The same for the lines alone."""
        return content_hash([[line.key, line.print_of()] for line in self.lines])

    def products(self) -> dict[str, TaxTreatment]:
        return {line.tax.product_key: line.tax for line in self.lines if line.tax is not None}


@dataclass(frozen=True, slots=True)
class Party:
    """Who pays and how, as linked in Stripe; `default_tax_behavior` is used where neither line nor account says one."""

    app_id: str
    stripe_customer_id: str
    payment_method_id: str | None
    default_tax_behavior: str | None = "exclusive"


def draft_of(invoice: Invoice, party: Party, *, tax_dropped: bool = False) -> Draft:
    """The Stripe draft that equals `invoice`. `tax_dropped`: automatic tax stays off although the workflow wants it."""
    workflow = invoice.workflow or Workflow()
    notes: list[Issue] = []
    pieces = _pieces(invoice, party, taxed=workflow.tax_enabled)
    minors = to_minor_lines([piece.amount for piece in pieces], invoice.currency)
    lines = [_line(piece, minor) for piece, minor in zip(pieces, minors, strict=True)]
    # Lines stay as they are when tax is dropped at the last moment, so that only the header has to be sent again.
    taxable = workflow.tax_enabled and sum(minors) >= 0
    lines = without_negatives(lines) if taxable else [replace(line, tax=None) for line in lines]
    if workflow.tax_enabled and not taxable:
        notes.append(_CREDIT_IS_UNTAXED)
    automatic_tax = taxable and not tax_dropped
    lines = [line for line in lines if line.minor != 0] or lines[:STRIPE_LINE_LIMIT]
    if len(lines) > STRIPE_LINE_LIMIT:
        lines = grouped(lines)
        notes.append(_grouped_note(lines))
    notes += _rounding_notes(sum((piece.amount for piece in pieces), ZERO), sum(minors), invoice.currency)
    header = _header(invoice, workflow, party, automatic_tax)
    return Draft(header, tuple(lines), invoice.currency, automatic_tax, tuple(notes))


DRAFT_NOTES = frozenset({"credit_is_untaxed", "lines_grouped", "rounded_by_stripe"})
"""Codes of the notes a draft may carry; they go when it no longer does."""

_CREDIT_IS_UNTAXED = Issue(
    "warning",
    "credit_is_untaxed",
    "The invoice is a credit to the customer as a whole, so Stripe computes no tax for it.",
    component="stripe",
)


def _grouped_note(lines: list[DraftLine]) -> Issue:
    groups = [line for line in lines if line.stands_for > 1]
    hidden = sum(line.stands_for for line in groups)
    shown = "one line" if len(groups) == 1 else f"{len(groups)} lines, one per tax treatment,"
    return Issue(
        "info",
        "lines_grouped",
        f"Stripe takes {STRIPE_LINE_LIMIT} lines, so the {hidden} smallest are {shown} there. All are kept here.",
        component="stripe",
    )


def _rounding_notes(ours: Decimal, minor: int, code: str) -> list[Issue]:
    """Stripe counts some currencies (KWD, MGA, …) more coarsely than they are written."""
    theirs = from_minor(minor, code)
    if theirs == ours:
        return []
    text = (
        f"Stripe counts {code} in steps of {amount_text(currency(code).stripe_step)}, so before tax the invoice is "
        f"{format_money(theirs, code)} there and {format_money(ours, code)} here."
    )
    return [Issue("info", "rounded_by_stripe", text, component="stripe")]


# From lines to pieces


@dataclass(frozen=True, slots=True)
class _Piece:
    key: str
    description: str
    amount: Decimal
    line: InvoiceLine
    tax: TaxTreatment | None


def _pieces(invoice: Invoice, party: Party, *, taxed: bool) -> list[_Piece]:
    pieces: list[_Piece] = []
    for line in invoice.lines:
        if line.deleted_at is None:
            tax = _treatment(line, party) if taxed else None
            for detail in line.details:
                pieces += _pieces_of(line, detail, invoice.currency, tax)
    return pieces


def _pieces_of(line: InvoiceLine, detail: DetailLine, currency: str, tax: TaxTreatment | None) -> list[_Piece]:
    text = _description(line, detail, currency)
    totals = detail.totals
    if tax is not None:
        return [_Piece(detail.id, text, totals.before_tax, line, tax)]
    pieces = [_Piece(detail.id, text, totals.amount + totals.charges, line, None)]
    if totals.discounts != ZERO:
        pieces.append(_Piece(f"{detail.id}.discount", f"{line.name}: discount", -totals.discounts, line, None))
    if totals.credits != ZERO:
        pieces.append(_Piece(f"{detail.id}.credit", f"{line.name}: credits applied", -totals.credits, line, None))
    return pieces


def _treatment(line: InvoiceLine, party: Party) -> TaxTreatment:
    config = line.effective_tax
    behavior = config.behavior.value if config.behavior else party.default_tax_behavior
    # Manual charges may be called anything; one product per tax code is enough for all of them.
    is_recurring = line.feature_key is not None or line.subscription_id is not None
    return TaxTreatment(line.name[:250] if is_recurring else "Charges", config.stripe_code, behavior)


def _description(line: InvoiceLine, detail: DetailLine, currency: str) -> str:
    name = line.name if detail.name == line.name else f"{line.name}: {detail.name}"
    if line.description and len(line.details) == 1:
        name = f"{name} ({line.description})"
    if detail.quantity != 1:
        price = format_unit_price(detail.per_unit_amount, currency)
        name = f"{name} ({format_quantity(detail.quantity)} × {price})"
    return name if len(name) <= DESCRIPTION_LIMIT else name[: DESCRIPTION_LIMIT - 1] + "…"


def _line(piece: _Piece, minor: int) -> DraftLine:
    return DraftLine(piece.key, piece.description, minor, piece.line.period_from, piece.line.period_to, piece.tax)


# The header


def _header(invoice: Invoice, workflow: Workflow, party: Party, automatic_tax: bool) -> dict[str, Any]:
    header: dict[str, Any] = {
        "customer": party.stripe_customer_id,
        "currency": invoice.currency.lower(),
        "collection_method": workflow.collection_method.value,
        "automatic_tax": {"enabled": automatic_tax},
        "description": invoice.description or "",
        "footer": invoice.footer or "",
        "statement_descriptor": invoice.statement_descriptor or "",
        "custom_fields": _custom_fields(invoice.purchase_order),
        "metadata": {
            METADATA_APP: party.app_id,
            METADATA_INVOICE: invoice.id,
            METADATA_CUSTOMER: invoice.customer_id,
        },
    }
    if workflow.collection_method is CollectionMethod.SEND_INVOICE:
        header["days_until_due"] = days_until_due(workflow, invoice.created_at)
    else:
        header["default_payment_method"] = party.payment_method_id or ""
    return header


def days_until_due(workflow: Workflow, start: datetime) -> int:
    """Whole days of the workflow's `due_after` counted from `start`, rounded up: PT36H is 2, P1M is 28 to 31."""
    span = Duration.parse(workflow.due_after).added_to(start) - start
    return max(0, -(-int(span.total_seconds()) // 86_400))


def _custom_fields(purchase_order: str | None) -> list[dict[str, str]]:
    # Stripe takes four fields of 30 characters each; longer numbers go on in the next field.
    text = (purchase_order or "").strip()
    pieces = [text[at : at + PURCHASE_ORDER_PIECE] for at in range(0, len(text), PURCHASE_ORDER_PIECE)][:4]
    names = ["PO number"] + [f"PO number ({number})" for number in range(2, 5)]
    return [{"name": name, "value": piece} for name, piece in zip(names, pieces, strict=False)]
