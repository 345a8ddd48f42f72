"""The vocabulary of rating: what one asks for, and the priced lines that come back.

All amounts are in major units, rounded to the currency per line; quantities are exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from dashboard.billing.rating.steps import Step
from dashboard.billing.views import Totals
from dashboard.catalog.prices import NO_DISCOUNTS, Discounts, PaymentTerm, Price, UnitConversion
from dashboard.kit.calendar import Period
from dashboard.kit.money import ZERO, round_money


class Position(StrEnum):
    """Which piece of its full service period a line is: with progressive billing a period is invoiced in pieces."""

    WHOLE = "whole"
    FIRST = "first"
    MIDDLE = "middle"
    LAST = "last"

    @property
    def starts_period(self) -> bool:
        return self in (Position.WHOLE, Position.FIRST)

    @property
    def ends_period(self) -> bool:
        return self in (Position.WHOLE, Position.LAST)


class Category(StrEnum):
    REGULAR = "regular"
    COMMITMENT = "commitment"
    """The charge that lifts a period to its minimum spend."""


class DiscountReason(StrEnum):
    PERCENTAGE = "percentage"
    MAXIMUM_SPEND = "maximum_spend"


USAGE = "usage"
FLAT = "flat"
VOLUME_FLAT = "volume_flat"
VOLUME_UNIT = "volume_unit"
MINIMUM_SPEND = "minimum_spend"


@dataclass(frozen=True, slots=True)
class LineDiscount:
    reason: DiscountReason
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RatingTerms:
    """What was agreed for one rate card: everything that stays the same over its full service period."""

    currency: str
    price: Price
    discounts: Discounts = NO_DISCOUNTS
    unit_conversion: UnitConversion | None = None


@dataclass(frozen=True, slots=True)
class RateRequest:
    """One piece of a service period to price.

    `quantity` was metered in this piece, `pre_line_quantity` from the start of the full period up to it, and
    `previously_billed_amount` is what earlier pieces already cost; `credits` are amounts, used in order.
    """

    terms: RatingTerms
    quantity: Decimal
    position: Position = Position.WHOLE
    pre_line_quantity: Decimal = ZERO
    previously_billed_amount: Decimal = ZERO
    credits: tuple[Decimal, ...] = ()
    ignore_minimum_commitment: bool = False
    ignore_credits: bool = False


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One priced detail, with the reasons for its amount in `steps`.

    Lines that came about by a difference may be negative; their `totals` and `discounts` are differences too, and no
    longer follow from quantity times price. `service_period` is set where runs are billed.
    """

    component: str
    quantity: Decimal
    per_unit_amount: Decimal
    totals: Totals
    category: Category = Category.REGULAR
    payment_term: PaymentTerm = PaymentTerm.IN_ARREARS
    discounts: tuple[LineDiscount, ...] = ()
    credits: tuple[Decimal, ...] = ()
    service_period: Period | None = None
    is_reversal: bool = False
    corrects_earlier_run: bool = False
    steps: tuple[Step, ...] = field(default=(), compare=False)

    @property
    def total(self) -> Decimal:
        return self.totals.total


@dataclass(frozen=True, slots=True)
class RatingResult:
    """The priced lines of one request or run, their sum, and the steps that concern all of them (quantities)."""

    currency: str
    lines: tuple[RatedLine, ...]
    steps: tuple[Step, ...] = field(default=(), compare=False)

    @property
    def totals(self) -> Totals:
        return sum_totals(line.totals for line in self.lines)


def priced_line(
    component: str,
    quantity: Decimal,
    per_unit_amount: Decimal,
    currency: str,
    *,
    category: Category = Category.REGULAR,
    payment_term: PaymentTerm = PaymentTerm.IN_ARREARS,
    steps: tuple[Step, ...] = (),
) -> RatedLine:
    """A line of quantity × per-unit amount, rounded to the currency, before discounts and credits."""
    amount = round_money(quantity * per_unit_amount, currency)
    totals = Totals(charges=amount) if category is Category.COMMITMENT else Totals(amount=amount)
    return RatedLine(component, quantity, per_unit_amount, totals, category, payment_term, steps=steps)


def with_discount(line: RatedLine, reason: DiscountReason, amount: Decimal, step: Step) -> RatedLine:
    """The line with one more discount; unchanged when that discount is nothing."""
    if not amount:
        return line
    return replace(
        line,
        discounts=(*line.discounts, LineDiscount(reason, amount)),
        totals=replace(line.totals, discounts=line.totals.discounts + amount),
        steps=(*line.steps, step),
    )


def with_credit(line: RatedLine, amount: Decimal, step: Step) -> RatedLine:
    """The line with one more credit set against it."""
    return replace(
        line,
        credits=(*line.credits, amount),
        totals=replace(line.totals, credits=line.totals.credits + amount),
        steps=(*line.steps, step),
    )


def sum_totals(totals: Iterable[Totals]) -> Totals:
    """Field by field."""
    result = Totals()
    for one in totals:
        result = add_totals(result, one)
    return result


def add_totals(left: Totals, right: Totals) -> Totals:
    return Totals(
        amount=left.amount + right.amount,
        charges=left.charges + right.charges,
        discounts=left.discounts + right.discounts,
        credits=left.credits + right.credits,
        taxes_inclusive=left.taxes_inclusive + right.taxes_inclusive,
        taxes_exclusive=left.taxes_exclusive + right.taxes_exclusive,
    )


def negated_totals(totals: Totals) -> Totals:
    return Totals(
        amount=-totals.amount,
        charges=-totals.charges,
        discounts=-totals.discounts,
        credits=-totals.credits,
        taxes_inclusive=-totals.taxes_inclusive,
        taxes_exclusive=-totals.taxes_exclusive,
    )


def is_nothing(totals: Totals) -> bool:
    """Whether every figure is zero; a total of zero made of an amount and a discount is something."""
    return totals == Totals()
