"""What makes a price wrong. Everything that is wrong is listed, each on its field, so that a draft can show it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.catalog.prices import (
    Commitments,
    Discounts,
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    Price,
    PriceType,
    Tier,
    TieredPrice,
    UnitConversion,
    UnitPrice,
    commitments_of,
)
from dashboard.kit.durations import Duration
from dashboard.kit.errors import InvalidInput

LARGEST_CONVERSION_PRECISION = 18


class BadPrice(InvalidInput):
    code = "bad_price"
    remedy = "Change the fields that are named."


@dataclass(frozen=True, slots=True)
class PriceProblem:
    """One thing that is wrong: `field` is dotted (`tiers.1.unit_amount`), `message` a sentence for people."""

    code: str
    field: str
    message: str


def price_problems(price: Price) -> list[PriceProblem]:
    """Everything that is wrong with a price; an empty list means it can be billed."""
    return [*_own_problems(price), *_commitment_problems(commitments_of(price))]


def discount_problems(discounts: Discounts, price: Price | None) -> list[PriceProblem]:
    """Everything that is wrong with the discounts of this price."""
    return list(_discount_problems(discounts, price))


def conversion_problems(conversion: UnitConversion, price: Price | None) -> list[PriceProblem]:
    """Everything that is wrong with the unit conversion of this price."""
    return list(_conversion_problems(conversion, price))


def refuse_problems(problems: Sequence[PriceProblem]) -> None:
    """Raises BadPrice that names every field, unless there is nothing to name."""
    if problems:
        fields = {problem.field: problem.message for problem in reversed(problems)}
        raise BadPrice(problems[0].message, fields=fields, details={"codes": [problem.code for problem in problems]})


def usage_discount_allowed(price_type: PriceType | None, quantity: Decimal) -> bool:
    """Free units need a price that counts units, and cannot be fewer than none."""
    return price_type is not None and price_type is not PriceType.FLAT and quantity >= 0


def unit_conversion_allowed(price_type: PriceType | None) -> bool:
    """Only prices per unit take a conversion: unit and tiered."""
    return price_type in (PriceType.UNIT, PriceType.TIERED)


def cadence_aligned(plan_cadence: Duration, rate_card_cadence: Duration) -> bool:
    """Whether one is a whole multiple of the other, so that their periods keep meeting."""
    return plan_cadence.is_divisible_by(rate_card_cadence) or rate_card_cadence.is_divisible_by(plan_cadence)


def _own_problems(price: Price) -> Iterator[PriceProblem]:
    match price:
        case FlatPrice() | UnitPrice():
            yield from _below_zero("amount", price.amount, "The amount")
        case PackagePrice():
            yield from _below_zero("amount", price.amount, "The amount")
            if price.quantity_per_package <= 0:
                yield PriceProblem(
                    "field_must_be_positive", "quantity_per_package", "A package has to hold more than zero units."
                )
        case DynamicPrice():
            yield from _below_zero("multiplier", price.multiplier, "The multiplier")
        case TieredPrice():
            yield from _tier_problems(price.tiers)


def _tier_problems(tiers: Sequence[Tier]) -> Iterator[PriceProblem]:
    if not tiers:
        yield PriceProblem("invoice_line_no_tiers", "tiers", "Add at least one tier.")
        return
    open_ended = [index for index, tier in enumerate(tiers) if tier.up_to_amount is None]
    if not open_ended:
        yield PriceProblem("invoice_line_missing_open_ended_tier", "tiers", "One tier has to be open-ended.")
    for index in open_ended[1:]:
        yield PriceProblem("tier_open_ended_twice", f"tiers.{index}.up_to_amount", "Only one tier can be open-ended.")
    seen: set[Decimal] = set()
    for index, tier in enumerate(tiers):
        yield from _one_tier_problems(f"tiers.{index}", tier, seen)


def _one_tier_problems(field: str, tier: Tier, seen: set[Decimal]) -> Iterator[PriceProblem]:
    if tier.up_to_amount is not None:
        yield from _below_zero(f"{field}.up_to_amount", tier.up_to_amount, "The limit")
        if tier.up_to_amount in seen:
            yield PriceProblem("tier_limit_twice", f"{field}.up_to_amount", "Two tiers end at the same quantity.")
        seen.add(tier.up_to_amount)
    if tier.unit_amount is None and tier.flat_amount is None:
        yield PriceProblem("tier_without_price", field, "A tier needs a price per unit, a flat price, or both.")
    yield from _below_zero(f"{field}.unit_amount", tier.unit_amount, "The price per unit")
    yield from _below_zero(f"{field}.flat_amount", tier.flat_amount, "The flat price")


def _commitment_problems(commitments: Commitments) -> Iterator[PriceProblem]:
    minimum, maximum = commitments.minimum_amount, commitments.maximum_amount
    yield from _below_zero("commitments.minimum_amount", minimum, "The minimum spend")
    yield from _below_zero("commitments.maximum_amount", maximum, "The maximum spend")
    if minimum is not None and maximum is not None and minimum > maximum:
        yield PriceProblem(
            "commitments_minimum_above_maximum",
            "commitments.minimum_amount",
            "The minimum spend is larger than the maximum spend.",
        )


def _discount_problems(discounts: Discounts, price: Price | None) -> Iterator[PriceProblem]:
    if discounts.percentage is not None and not 0 <= discounts.percentage <= 100:
        yield PriceProblem(
            "percentage_discount_invalid_value", "discounts.percentage", "A discount lies between 0 and 100 %."
        )
    if discounts.usage_quantity is None:
        return
    if discounts.usage_quantity < 0:
        yield PriceProblem(
            "usage_discount_negative_quantity",
            "discounts.usage_quantity",
            "There cannot be fewer than zero free units.",
        )
    elif not usage_discount_allowed(price.type if price else None, discounts.usage_quantity):
        yield PriceProblem(
            "usage_discount_with_flat_price", "discounts.usage_quantity", "Free units need a price that counts units."
        )


def _conversion_problems(conversion: UnitConversion, price: Price | None) -> Iterator[PriceProblem]:
    if not unit_conversion_allowed(price.type if price else None):
        yield PriceProblem(
            "unit_config_requires_usage_based_price",
            "unit_conversion",
            "Only a price per unit or by tiers can convert units.",
        )
    if conversion.factor <= 0:
        yield PriceProblem("field_must_be_positive", "unit_conversion.factor", "The factor has to be above zero.")
    if not 0 <= conversion.precision <= LARGEST_CONVERSION_PRECISION:
        yield PriceProblem(
            "unit_conversion_precision_invalid",
            "unit_conversion.precision",
            f"Round to between 0 and {LARGEST_CONVERSION_PRECISION} decimals.",
        )


def _below_zero(field: str, value: Decimal | None, name: str) -> Iterator[PriceProblem]:
    if value is not None and value < 0:
        yield PriceProblem("field_must_be_positive_or_zero", field, f"{name} cannot be below zero.")
