"""What changes a priced line: percentage discount, maximum spend, minimum spend, credits, in this order."""

from collections.abc import Sequence
from decimal import Decimal

from dashboard.billing.rating.errors import BadDiscount, CreditsNotConsumedFully
from dashboard.billing.rating.lines import (
    MINIMUM_SPEND,
    Category,
    DiscountReason,
    RatedLine,
    priced_line,
    with_credit,
    with_discount,
)
from dashboard.billing.rating.steps import Step, StepKind
from dashboard.kit.money import ZERO, amount_text, exact_arithmetic, format_money, round_money


def apply_percentage(lines: Sequence[RatedLine], percentage: Decimal | None, currency: str) -> list[RatedLine]:
    """Every line less so many percent of its total, rounded per line. Raises BadDiscount outside 0 to 100."""
    if percentage is not None and not 0 <= percentage <= 100:
        raise BadDiscount(f"A discount of {amount_text(percentage)} % makes no sense.")
    if not percentage:
        return list(lines)
    return [_less_percentage(line, percentage, currency) for line in lines]


def max_spend_overage(total: Decimal, maximum: Decimal, billed_before: Decimal, currency: str) -> Decimal:
    """How much of a line's total lies above the (rounded) maximum, given what was billed before it."""
    with exact_arithmetic():
        over = round_money(billed_before, currency) + total - round_money(maximum, currency)
        return max(ZERO, min(over, total))


def apply_maximum(
    lines: Sequence[RatedLine], maximum: Decimal | None, previously_billed: Decimal, currency: str
) -> list[RatedLine]:
    """Walk the lines in order with a running sum; what goes above the maximum becomes a discount of that line."""
    if maximum is None:
        return list(lines)
    result: list[RatedLine] = []
    billed = previously_billed
    for line in lines:
        over = max_spend_overage(line.total, maximum, billed, currency)
        capped = with_discount(line, DiscountReason.MAXIMUM_SPEND, over, _maximum_step(over, maximum, billed, currency))
        billed += capped.total
        result.append(capped)
    return result


def apply_minimum(
    lines: Sequence[RatedLine], minimum: Decimal | None, previously_billed: Decimal, currency: str
) -> list[RatedLine]:
    """The lines, and one more for what is missing to the minimum spend, if anything is."""
    billed = previously_billed + sum((line.total for line in lines), ZERO)
    missing = ZERO if minimum is None else round_money(minimum - billed, currency)
    if minimum is None or missing <= 0:
        return list(lines)
    step = Step(
        StepKind.MINIMUM,
        f"The minimum spend is {format_money(minimum, currency)} and {format_money(billed, currency)} was reached: "
        f"{format_money(missing, currency)} is added.",
        {"minimum_amount": minimum, "billed": billed, "amount": missing},
    )
    charge = priced_line(MINIMUM_SPEND, Decimal(1), missing, currency, category=Category.COMMITMENT, steps=(step,))
    return [*lines, charge]


def apply_credits(lines: Sequence[RatedLine], credits: Sequence[Decimal], currency: str) -> list[RatedLine]:
    """Use up the credits in order over the lines in order, at most each line's open total.

    Raises CreditsNotConsumedFully when the lines are worth less than the credits.
    """
    result = list(lines)
    for credit in credits:
        left = round_money(credit, currency)
        for index, line in enumerate(result):
            used = min(left, line.total)
            if used > 0:
                result[index] = with_credit(line, used, _credit_step(used, currency))
                left -= used
        if left > 0:
            raise CreditsNotConsumedFully(f"{format_money(left, currency)} of credit is left over.")
    return result


def _less_percentage(line: RatedLine, percentage: Decimal, currency: str) -> RatedLine:
    amount = round_money(line.total * percentage / 100, currency)
    step = Step(
        StepKind.DISCOUNT,
        f"{amount_text(percentage)} % discount: {format_money(amount, currency)} less.",
        {"percentage": percentage, "amount": amount},
    )
    return with_discount(line, DiscountReason.PERCENTAGE, amount, step)


def _maximum_step(over: Decimal, maximum: Decimal, billed: Decimal, currency: str) -> Step:
    return Step(
        StepKind.MAXIMUM,
        f"The maximum spend is {format_money(maximum, currency)} and {format_money(billed, currency)} came before: "
        f"{format_money(over, currency)} less.",
        {"maximum_amount": maximum, "billed_before": billed, "amount": over},
    )


def _credit_step(amount: Decimal, currency: str) -> Step:
    return Step(StepKind.CREDIT, f"Credit used: {format_money(amount, currency)} less.", {"amount": amount})
