"""Our invoice in Stripe's words: a header and at most 250 lines, whose integers add up to ours. Pure.

How amounts become lines:
- Every detail line is one Stripe line. Without automatic tax its discount and its credits are lines of their own below
  it, negative ones; with automatic tax Stripe refuses negative lines, so they are taken off the line itself.
- Still negative with automatic tax: it is taken off the largest lines, those with the same tax treatment first. An
  invoice that is negative as a whole is a credit to the customer, which bears no tax: automatic tax is off for it.
- More than 250: the largest stay as they are, the rest is one line per tax treatment that says how many it stands for.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard.billing.views import (
    CollectionMethod,
    DetailLine,
    Invoice,
    InvoiceLine,
    Issue,
    Workflow,
)
from dashboard.kit.durations import Duration
from dashboard.kit.money import ZERO, format_quantity, format_unit_price, to_minor_lines
from dashboard.stripe_app.calls import content_hash

STRIPE_LINE_LIMIT = 250
DESCRIPTION_LIMIT = 500
PURCHASE_ORDER_PIECE = 30

METADATA_APP = "meterdesk_app_id"
METADATA_INVOICE = "meterdesk_invoice_id"
METADATA_CUSTOMER = "meterdesk_customer_id"
METADATA_LINE = "meterdesk_line_id"
METADATA_PRINT = "meterdesk_print"


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """What Stripe needs to tax a line: a product that carries the code, and whether tax is inside the price."""

    product_name: str
    tax_code: str | None
    behavior: str | None

    @property
    def product_key(self) -> str:
        """The same name and code are the same product."""
        return content_hash([self.product_name, self.tax_code])[:24]

    @property
    def group(self) -> tuple[str, str]:
        return self.tax_code or "", self.behavior or ""


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One Stripe line. `key` is our id for it; `minor` is Stripe's integer; `tax` only when tax is automatic."""

    key: str
    description: str
    minor: int
    period_from: datetime
    period_to: datetime
    tax: TaxTreatment | None
    stands_for: int = 1

    def print_of(self) -> str:
        """Equal for lines that Stripe would show and tax alike."""
        tax = (self.tax.product_key, self.tax.behavior) if self.tax else None
        return self.kind + content_hash([self.description, self.minor, *self._period(), tax])

    @property
    def kind(self) -> str:
        """`p` for a line with a price and product, `a` for a bare amount; Stripe turns neither into the other."""
        return "p" if self.tax else "a"

    def params(self, currency: str, product_ids: dict[str, str]) -> dict[str, Any]:
        """As `add_lines` and `update_lines` take it."""
        start, end = self._period()
        params: dict[str, Any] = {
            "description": self.description,
            "period": {"start": start, "end": end},
            "metadata": {METADATA_LINE: self.key, METADATA_PRINT: self.print_of()},
        }
        if self.tax is None:
            return params | {"amount": self.minor, "discountable": False}
        price = {
            "currency": currency.lower(),
            "product": product_ids[self.tax.product_key],
            "unit_amount": self.minor,
        }
        if self.tax.behavior:
            price["tax_behavior"] = self.tax.behavior
        return params | {"price_data": price, "quantity": 1, "discountable": False}

    def _period(self) -> tuple[int, int]:
        return int(self.period_from.timestamp()), int(self.period_to.timestamp())


@dataclass(frozen=True, slots=True)
class Draft:
    """What Stripe's draft should be."""

    header: dict[str, Any] = field(hash=False)
    lines: tuple[DraftLine, ...]
    currency: str
    automatic_tax: bool
    notes: tuple[Issue, ...]

    @property
    def minor_total(self) -> int:
        return sum(line.minor for line in self.lines)

    @property
    def revision(self) -> str:
        """Equal for drafts between which nothing needs to be sent."""
        return content_hash([self.header, self.lines_revision])

    @property
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
    lines = _without_negatives(lines) if taxable else [replace(line, tax=None) for line in lines]
    if workflow.tax_enabled and not taxable:
        notes.append(_CREDIT_IS_UNTAXED)
    automatic_tax = taxable and not tax_dropped
    lines = [line for line in lines if line.minor != 0] or lines[:STRIPE_LINE_LIMIT]
    if len(lines) > STRIPE_LINE_LIMIT:
        lines = _grouped(lines)
        notes.append(_grouped_note(lines))
    header = _header(invoice, workflow, party, automatic_tax)
    return Draft(header, tuple(lines), invoice.currency, automatic_tax, tuple(notes))


_CREDIT_IS_UNTAXED = Issue(
    "warning",
    "credit_is_untaxed",
    "The invoice is a credit to the customer as a whole, so Stripe computes no tax for it.",
    component="stripe",
)


def _grouped_note(lines: list[DraftLine]) -> Issue:
    hidden = sum(line.stands_for for line in lines if line.stands_for > 1)
    return Issue(
        "info",
        "lines_grouped",
        f"Stripe takes {STRIPE_LINE_LIMIT} lines, so the {hidden} smallest are one there. All are kept here.",
        component="stripe",
    )


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


# What Stripe cannot take


def _without_negatives(lines: list[DraftLine]) -> list[DraftLine]:
    """Takes negative amounts off positive lines: same tax treatment first, the largest first, never below zero."""
    minors = {line.key: line.minor for line in lines}
    by_key = {line.key: line for line in lines}
    for negative in [line for line in lines if line.minor < 0]:
        owed = -negative.minor
        minors[negative.key] = 0
        for line in sorted(lines, key=lambda other: _takes_first(negative, other)):
            taken = min(owed, max(0, minors[line.key]))
            minors[line.key] -= taken
            owed -= taken
    return [replace(by_key[key], minor=minor) for key, minor in minors.items()]


def _takes_first(negative: DraftLine, other: DraftLine) -> tuple[bool, int, str]:
    same = negative.tax is not None and other.tax is not None and negative.tax.group == other.tax.group
    return not same, -other.minor, other.key


def _grouped(lines: list[DraftLine]) -> list[DraftLine]:
    groups = {_group_of(line) for line in lines}
    room = STRIPE_LINE_LIMIT - len(groups)
    largest = {line.key for line in sorted(lines, key=lambda line: (-abs(line.minor), line.key))[: max(0, room)]}
    kept = [line for line in lines if line.key in largest]
    rest: dict[str, list[DraftLine]] = {}
    for line in lines:
        if line.key not in largest:
            rest.setdefault(_group_of(line), []).append(line)
    return kept + [_together(group, members) for group, members in sorted(rest.items())]


def _group_of(line: DraftLine) -> str:
    return "/".join(line.tax.group) if line.tax else ""


def _together(group: str, members: list[DraftLine]) -> DraftLine:
    first = members[0]
    if len(members) == 1:
        return first
    tax = replace(first.tax, product_name="Other items") if first.tax else None
    return DraftLine(
        key=f"rest.{group}",
        description=f"Other items ({len(members)} lines together)",
        minor=sum(line.minor for line in members),
        period_from=min(line.period_from for line in members),
        period_to=max(line.period_to for line in members),
        tax=tax,
        stands_for=len(members),
    )


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
