"""“Why this amount”: the steps of a rated line in the order they happened, and one sentence that sums them up."""

import re
from dataclasses import dataclass

from dashboard.billing.rating.lines import (
    FLAT,
    MINIMUM_SPEND,
    USAGE,
    VOLUME_FLAT,
    VOLUME_UNIT,
    Category,
    DiscountReason,
    LineDiscount,
    RatedLine,
    RatingResult,
)
from dashboard.billing.rating.steps import Step
from dashboard.kit.money import ZERO, format_money, format_quantity, format_unit_price

_TIER = re.compile(r"tier_(?P<number>\d+)_(?P<part>unit|flat)")
_NAMES = {
    USAGE: "Usage",
    FLAT: "Fixed fee",
    VOLUME_FLAT: "Volume, flat part",
    VOLUME_UNIT: "Volume",
    MINIMUM_SPEND: "Minimum spend",
}
_DISCOUNT_NAMES = {DiscountReason.PERCENTAGE: "discount", DiscountReason.MAXIMUM_SPEND: "above the maximum spend"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a line costs what it costs: `sentence` alone is enough for most, `steps` show the whole way."""

    sentence: str
    steps: tuple[Step, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(step.sentence for step in self.steps)


def explain(result: RatingResult, line: RatedLine) -> Explanation:
    """The explanation of one line of a rating."""
    shared = result.steps if line.component != FLAT else ()
    return Explanation(_sentence(line, result.currency), (*shared, *line.steps))


def component_name(component: str) -> str:
    """What a reader would call a component: `Usage`, `Tier 2, flat part`, `Minimum spend`."""
    tier = _TIER.fullmatch(component)
    if tier is None:
        return _NAMES.get(component, component)
    return f"Tier {tier['number']}" + (", flat part" if tier["part"] == "flat" else "")


def _sentence(line: RatedLine, currency: str) -> str:
    total = format_money(line.total, currency)
    if line.is_reversal:
        return f"Taken back: {total}."
    if line.category is Category.COMMITMENT:
        return f"Up to the minimum spend: {total}."
    product = (
        f"{format_quantity(line.quantity)} × {format_unit_price(line.per_unit_amount, currency)} = "
        f"{format_money(line.totals.amount, currency)}"
    )
    parts = [product, *(_less(discount, currency) for discount in line.discounts)]
    if line.totals.credits:
        parts.append(f"less {format_money(line.totals.credits, currency)} credit")
    return f"{', '.join(parts)}: {total}." if len(parts) > 1 else f"{product}."


def _less(discount: LineDiscount, currency: str) -> str:
    sign = "plus" if discount.amount < ZERO else "less"
    return f"{sign} {format_money(abs(discount.amount), currency)} {_DISCOUNT_NAMES[discount.reason]}"
