"""Rate one line: the order in which everything is applied.

Unit conversion → free units → price → percentage discount → maximum spend → minimum spend → credits. Every line,
discount and credit is rounded to the currency, half away from zero; totals are sums of rounded lines.
"""

from collections.abc import Sequence
from decimal import Decimal

from dashboard.billing.rating.adjustments import apply_credits, apply_maximum, apply_minimum, apply_percentage
from dashboard.billing.rating.lines import RatedLine, RateRequest, RatingResult, RatingTerms
from dashboard.billing.rating.pricing import price_lines
from dashboard.billing.rating.quantities import priced_quantity
from dashboard.catalog.prices import commitments_of
from dashboard.kit.money import exact_arithmetic


def rate_line(request: RateRequest) -> RatingResult:
    """The priced lines of one piece of a service period, each with its reasons.

    Raises NegativeQuantity, BadDiscount, VolumeSplitNotSupported, MissingOpenEndedTier, UnitConversionNotAllowed,
    CreditsNotConsumedFully or UnknownCurrency, and then nothing is rated.
    """
    asks_minimum = request.position.ends_period and not request.ignore_minimum_commitment
    with exact_arithmetic():
        priced = rate_before_commitments(request)
        lines = with_commitments(priced.lines, request.terms, request.previously_billed_amount, asks_minimum)
        if not request.ignore_credits:
            lines = apply_credits(lines, request.credits, request.terms.currency)
    return RatingResult(priced.currency, tuple(lines), priced.steps)


def rate_before_commitments(request: RateRequest) -> RatingResult:
    """Only the first half: priced and discounted, but neither capped nor lifted to a minimum, and without credits."""
    terms = request.terms
    with exact_arithmetic():
        quantity = priced_quantity(request)
        lines = price_lines(terms.price, quantity, request.position, terms.currency)
        lines = apply_percentage(lines, terms.discounts.percentage, terms.currency)
    return RatingResult(terms.currency, tuple(lines), quantity.steps)


def with_commitments(
    lines: Sequence[RatedLine], terms: RatingTerms, previously_billed: Decimal, asks_minimum: bool
) -> list[RatedLine]:
    """The second half: the maximum spend over all lines and, where the period ends, the minimum."""
    commitments = commitments_of(terms.price)
    capped = apply_maximum(lines, commitments.maximum_amount, previously_billed, terms.currency)
    if not asks_minimum:
        return capped
    return apply_minimum(capped, commitments.minimum_amount, previously_billed, terms.currency)
