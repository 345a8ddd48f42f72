"""What a quantity would cost by a rate card, and why: “5,230 units cost $52.30, because …”."""

from dataclasses import dataclass, field
from decimal import Decimal

from dashboard.billing.rating import RateRequest, RatingTerms, component_name, explain, rate_line
from dashboard.billing.rating.steps import units
from dashboard.catalog.plan_views import RateCard
from dashboard.catalog.price_rules import conversion_problems, discount_problems, price_problems, refuse_problems
from dashboard.catalog.prices import FlatPrice
from dashboard.kit.money import format_money, parse_amount

DEFAULT_QUANTITY = "1000"


@dataclass(frozen=True, slots=True)
class PreviewLine:
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PricePreview:
    """The answer as a sentence, the lines of the invoice, and each step on the way."""

    sentence: str = ""
    lines: list[PreviewLine] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


def price_preview(card: RateCard, currency: str, quantity_text: str) -> PricePreview:
    """One whole period of the rate card with so much usage.

    Raises BadAmount for a quantity that is no number, BadPrice for a price that is not right yet, and what
    `rate_line` raises.
    """
    if card.price is None:
        return PricePreview("It is free: nothing is invoiced.")
    problems = [*price_problems(card.price), *discount_problems(card.discounts, card.price)]
    if card.unit_conversion is not None:
        problems += conversion_problems(card.unit_conversion, card.price)
    refuse_problems(problems)
    is_flat = isinstance(card.price, FlatPrice)
    quantity = Decimal(1) if is_flat else parse_amount(_plain(quantity_text), field="preview_quantity")
    result = rate_line(RateRequest(RatingTerms(currency, card.price, card.discounts, card.unit_conversion), quantity))
    total = format_money(result.totals.total, currency)
    reasons = [PreviewLine(component_name(line.component), explain(result, line).sentence) for line in result.lines]
    steps = [step.sentence for step in (() if is_flat else result.steps)]
    steps += [step.sentence for line in result.lines for step in line.steps]
    subject = "A period costs" if is_flat else f"{units(quantity)} cost{'s' if quantity == 1 else ''}"
    return PricePreview(f"{subject} {total}{', because' if reasons else '.'}", reasons, steps)


def _plain(text: str) -> str:
    """A quantity as people write it: `5,230` is 5230."""
    return text.strip().replace(",", "").replace(" ", "")
