"""Bill by difference: rate everything since the start of the period, subtract what is booked, and bill the rest.

So late or corrected usage, a tier reached later and rounding settle themselves in the next run, and commitments count
what was really billed. Credits are set against lines after rating and never take part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from dashboard.billing.rating.lines import (
    Category,
    DiscountReason,
    LineDiscount,
    RatedLine,
    RateRequest,
    RatingResult,
    RatingTerms,
    add_totals,
    is_nothing,
    negated_totals,
)
from dashboard.billing.rating.rate import rate_before_commitments, with_commitments
from dashboard.billing.rating.steps import Step, StepKind
from dashboard.catalog.prices import PaymentTerm
from dashboard.kit.calendar import Period
from dashboard.kit.money import ZERO, exact_arithmetic, format_money, format_quantity

_CAP = DiscountReason.MAXIMUM_SPEND


class _Partner(NamedTuple):
    """Lines are the same thing when all of this is."""

    component: str
    category: Category
    payment_term: PaymentTerm
    per_unit_amount: Decimal


def rate_run(
    terms: RatingTerms,
    full_service_period: Period,
    service_period: Period,
    cumulative_quantity: Decimal,
    booked: Iterable[RatedLine],
    waived: Iterable[RatedLine] = (),
) -> RatingResult:
    """What a run has to bill: everything metered from the start of the full period to the end of the run, as known now,
    less what earlier runs booked. All lines carry the run's own period.

    `waived` are lines of invoices that were deleted: their usage is not billed again, and what they would have cost
    counts neither for the minimum nor for the maximum spend. The minimum is asked for only by the run that reaches the
    end of the full period.
    """
    rated = _rate_from_start(terms, cumulative_quantity, service_period.end >= full_service_period.end, waived)
    lines = [replace(line, service_period=service_period) for line in subtract(rated.lines, booked, terms.currency)]
    return RatingResult(terms.currency, tuple(lines), rated.steps)


def rate_run_by_periods(
    terms: RatingTerms,
    full_service_period: Period,
    cumulative_quantities: Sequence[tuple[Period, Decimal]],
    booked: Iterable[RatedLine],
) -> RatingResult:
    """Like `rate_run`, but a correction keeps the period it belongs to and is marked `corrects_earlier_run`.

    `cumulative_quantities` are the periods of all runs so far, the run's own last, each with everything metered from
    the start of the full period to its end, as known now. Booked lines carry the period they were booked for.
    """
    own_period = cumulative_quantities[-1][0]
    wanted: list[RatedLine] = []
    steps: tuple[Step, ...] = ()
    for period, quantity in cumulative_quantities:
        rated = _rate_from_start(terms, quantity, period.end >= full_service_period.end)
        steps = rated.steps
        # A line of an earlier period that no longer applies is taken back in that period, so it keeps its own.
        in_period = (replace(line, service_period=period) for line in rated.lines)
        wanted += subtract(in_period, wanted, terms.currency, "In earlier periods")
    booked = list(booked)
    periods = {line.service_period: None for line in (*wanted, *booked)}
    lines: list[RatedLine] = []
    for period in sorted(period for period in periods if period is not None):
        lines += [
            replace(line, corrects_earlier_run=period != own_period)
            for line in subtract(_of(period, _unmarked(wanted)), _of(period, booked), terms.currency)
        ]
    return RatingResult(terms.currency, tuple(lines), steps)


def rerate_difference(terms: RatingTerms, previous_quantity: Decimal, new_quantity: Decimal) -> RatingResult:
    """What a corrected quantity changes: the new one, less the old one rated without its minimum spend."""
    new = _rate_from_start(terms, new_quantity, True)
    previous = _rate_from_start(terms, previous_quantity, False)
    return RatingResult(terms.currency, tuple(subtract(new.lines, previous.lines, terms.currency)), new.steps)


def subtract(
    current: Iterable[RatedLine], booked: Iterable[RatedLine], currency: str, why: str = "Billed before"
) -> list[RatedLine]:
    """Line by line, quantity and every figure; booked lines without a partner are reversed, empty ones dropped.

    `why` begins the sentence that explains to people what was taken off.
    """
    with exact_arithmetic():
        wanted, before = _merged(current), _merged(without_credits(line) for line in booked)
        lines = [_remainder(line, before.pop(partner, None), currency, why) for partner, line in wanted.items()]
        lines += [_reversed(line, currency) for line in before.values()]
    return [line for line in lines if not is_nothing(line.totals)]


def without_credits(line: RatedLine) -> RatedLine:
    """The line as it was rated, before credit was set against it."""
    return replace(line, credits=(), totals=replace(line.totals, credits=ZERO))


def _rate_from_start(
    terms: RatingTerms, quantity: Decimal, reaches_end: bool, waived: Iterable[RatedLine] = ()
) -> RatingResult:
    with exact_arithmetic():
        priced = rate_before_commitments(RateRequest(terms, quantity))
        given_up = [_before_commitments(line) for line in waived if line.category is Category.REGULAR]
        lines = subtract(priced.lines, given_up, terms.currency, "Not charged") if given_up else priced.lines
        return replace(priced, lines=tuple(with_commitments(lines, terms, ZERO, reaches_end)))


def _before_commitments(line: RatedLine) -> RatedLine:
    """The line as it was before the maximum spend took something off."""
    capped = sum((discount.amount for discount in line.discounts if discount.reason is _CAP), ZERO)
    return replace(
        line,
        discounts=tuple(discount for discount in line.discounts if discount.reason is not _CAP),
        totals=replace(line.totals, discounts=line.totals.discounts - capped),
    )


def _merged(lines: Iterable[RatedLine]) -> dict[_Partner, RatedLine]:
    merged: dict[_Partner, RatedLine] = {}
    for line in lines:
        partner = _Partner(line.component, line.category, line.payment_term, line.per_unit_amount)
        known = merged.get(partner)
        merged[partner] = line if known is None else _combined(known, line, 1)
    return merged


def _combined(line: RatedLine, other: RatedLine, sign: int) -> RatedLine:
    figures = other.totals if sign > 0 else negated_totals(other.totals)
    return replace(
        line,
        quantity=line.quantity + sign * other.quantity,
        totals=add_totals(line.totals, figures),
        discounts=_summed_discounts(line.discounts, other.discounts, sign),
    )


def _summed_discounts(
    discounts: tuple[LineDiscount, ...], others: tuple[LineDiscount, ...], sign: int
) -> tuple[LineDiscount, ...]:
    amounts: dict[DiscountReason, Decimal] = {}
    for factor, group in ((1, discounts), (sign, others)):
        for discount in group:
            amounts[discount.reason] = amounts.get(discount.reason, ZERO) + factor * discount.amount
    return tuple(LineDiscount(reason, amount) for reason, amount in amounts.items() if amount)


def _remainder(line: RatedLine, booked: RatedLine | None, currency: str, why: str) -> RatedLine:
    if booked is None:
        return line
    step = Step(
        StepKind.ALREADY_BILLED,
        f"{why}: {format_quantity(booked.quantity)} for {format_money(booked.total, currency)}.",
        {"quantity": booked.quantity, "amount": booked.total},
    )
    left = _combined(line, booked, -1)
    return replace(left, steps=(*line.steps, step))


def _reversed(booked: RatedLine, currency: str) -> RatedLine:
    step = Step(
        StepKind.REVERSED,
        f"{format_money(booked.total, currency)} was billed before and no longer applies; it is taken back.",
        {"quantity": booked.quantity, "amount": booked.total},
    )
    return replace(
        booked,
        quantity=-booked.quantity,
        totals=negated_totals(booked.totals),
        discounts=tuple(LineDiscount(discount.reason, -discount.amount) for discount in booked.discounts),
        is_reversal=True,
        corrects_earlier_run=False,
        steps=(*booked.steps, step),
    )


def _of(period: Period, lines: Iterable[RatedLine]) -> list[RatedLine]:
    return [line for line in lines if line.service_period == period]


def _unmarked(lines: Iterable[RatedLine]) -> Iterable[RatedLine]:
    """Only what was booked can be reversed; a line that merely moved between tiers has not been."""
    return (replace(line, is_reversal=False) for line in lines)
