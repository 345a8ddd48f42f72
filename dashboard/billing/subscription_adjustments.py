"""What a subscription's invoiced fees charged too much, or too little, now that a period was cut short.

A fee that was charged in advance is settled by difference: what is due for its period now, less what was billed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.billing.documents import tax_from_json, to_json
from dashboard.billing.inputs import TaxConfigInput
from dashboard.billing.invoice_inputs import PendingLineInput
from dashboard.billing.line_rating import FLAT_KIND, terms_of
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus
from dashboard.catalog.prices import FlatPrice
from dashboard.kit.money import ZERO, amount_text, format_money
from dashboard.subscriptions.views import SubscriptionLine

_MARK = "/adjustment["
_GIVEN_UP = ("deleted", "voided")


@dataclass(frozen=True, slots=True)
class AdjustmentLine:
    """A line for the difference; below zero it is a credit."""

    original: InvoiceLineRow
    reference: str
    amount: Decimal
    due: Decimal
    period_from: datetime

    def wanted(self, now: datetime) -> PendingLineInput:
        """The line as it is made, to be invoiced as soon as possible."""
        row = self.original
        tax = tax_from_json(row.tax)
        billed = format_money(self.due - self.amount, row.currency)
        return PendingLineInput(
            name=f"{row.name} (unused part)" if self.amount < 0 else f"{row.name} (rest)",
            description=f"{billed} was billed in advance, {format_money(self.due, row.currency)} is due.",
            price={"type": "flat", "amount": amount_text(self.amount), "payment_term": "in_advance"},
            discounts=dict(row.rate_discounts),
            period_from=self.period_from,
            period_to=row.period_to,
            invoice_at=now,
            tax=TaxConfigInput.model_validate(to_json(tax)),
            metadata=dict(row.metadata_),
        )


@dataclass(frozen=True, slots=True)
class AdjustmentDue:
    """`waiting` is a pending adjustment that no longer fits, `line` the one that does (None: nothing is owed)."""

    waiting: tuple[InvoiceLineRow, InvoiceRow] | None
    line: AdjustmentLine | None


def is_adjustment(reference: str) -> bool:
    """Whether a line of this name settles another one."""
    return _MARK in reference


def adjustments_due(
    known: Mapping[str, tuple[InvoiceLineRow, InvoiceRow]], targets: Mapping[str, SubscriptionLine], currency: str
) -> Iterator[AdjustmentDue]:
    """What to change so that billed and pending fees come to what is due. `known` and `targets` go by reference.

    A fee whose invoice was given up is not settled: nothing was charged for it. An adjustment that was invoiced counts,
    also when somebody took it off the draft or gave the invoice up.
    """
    for reference, (row, invoice) in known.items():
        if is_adjustment(reference) or row.kind != FLAT_KIND or invoice.status == InvoiceStatus.GATHERING.value:
            continue
        if row.deleted_at is not None or invoice.tab in _GIVEN_UP:
            continue
        made = [pair for name, pair in known.items() if name.startswith(reference + _MARK)]
        invoiced = [line for line, where in made if where.status != InvoiceStatus.GATHERING.value]
        waiting = next((pair for pair in made if pair[1].status == InvoiceStatus.GATHERING.value), None)
        target = targets.get(reference)
        due = ZERO if target is None else _fee(target)
        difference = due - sum((_amount(line) for line in invoiced), _amount(row))
        if difference == (ZERO if waiting is None else _amount(waiting[0])):
            continue
        period_from = row.period_from if target is None else min(target.service_period.end, row.period_to)
        name = f"{reference}{_MARK}{len(invoiced)}]"
        line = AdjustmentLine(row, name, difference, due, period_from) if difference else None
        yield AdjustmentDue(waiting, line)


def _fee(line: SubscriptionLine) -> Decimal:
    return line.price.amount if isinstance(line.price, FlatPrice) else ZERO


def _amount(line: InvoiceLineRow) -> Decimal:
    price = terms_of(line).price
    return price.amount if isinstance(price, FlatPrice) else ZERO
