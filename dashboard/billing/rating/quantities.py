"""From the metered quantity to the one that is priced: unit conversion, then free units."""

from dataclasses import dataclass
from decimal import Decimal

from dashboard.billing.rating.errors import BadDiscount, NegativeQuantity, UnitConversionNotAllowed
from dashboard.billing.rating.lines import RateRequest
from dashboard.billing.rating.steps import Step, StepKind, units
from dashboard.catalog.price_rules import unit_conversion_allowed
from dashboard.catalog.prices import ConversionOperation, ConversionRounding, FlatPrice, UnitConversion
from dashboard.kit.money import (
    ZERO,
    amount_text,
    exact_arithmetic,
    format_quantity,
    round_amount,
    round_ceiling,
    round_floor,
)

QUOTIENT_DECIMALS = 16
"""A quotient that is not rounded by the conversion itself is cut here, so that a third stays a storable number."""


@dataclass(frozen=True, slots=True)
class ConvertedQuantity:
    """`exact` is what an entitlement would count, `billed` what the price counts."""

    exact: Decimal
    billed: Decimal


@dataclass(frozen=True, slots=True)
class DiscountedQuantity:
    """Quantities after free units were taken off, and how many were free in this piece and before it."""

    quantity: Decimal
    pre_line_quantity: Decimal
    discounted_now: Decimal
    discounted_before: Decimal


@dataclass(frozen=True, slots=True)
class PricedQuantity:
    """What the price is asked to price, and how it came about."""

    quantity: Decimal
    pre_line_quantity: Decimal
    steps: tuple[Step, ...]

    @property
    def end(self) -> Decimal:
        """Everything up to the end of this piece."""
        return self.pre_line_quantity + self.quantity


def convert(conversion: UnitConversion, quantity: Decimal) -> ConvertedQuantity:
    """A metered quantity in billed units."""
    with exact_arithmetic():
        if conversion.operation is ConversionOperation.MULTIPLY:
            exact = quantity * conversion.factor
        else:
            exact = quantity / conversion.factor
        cut = exact if _decimals(exact) <= QUOTIENT_DECIMALS else round_amount(exact, QUOTIENT_DECIMALS)
        return ConvertedQuantity(exact=cut, billed=_rounded(conversion, exact, cut))


def discount_usage(free: Decimal, quantity: Decimal, pre_line_quantity: Decimal) -> DiscountedQuantity:
    """Free units are first used up by what came before, the rest by this piece. Raises BadDiscount below zero."""
    if free < 0:
        raise BadDiscount("There cannot be fewer than zero free units.")
    with exact_arithmetic():
        before = min(free, pre_line_quantity)
        now = min(free - before, quantity)
        return DiscountedQuantity(quantity - now, pre_line_quantity - before, now, before)


def priced_quantity(request: RateRequest) -> PricedQuantity:
    """The quantities of a request in billed units and without the free ones. Raises NegativeQuantity, BadDiscount,
    UnitConversionNotAllowed."""
    if isinstance(request.terms.price, FlatPrice):
        return PricedQuantity(Decimal(1), ZERO, ())
    if request.quantity < 0 or request.pre_line_quantity < 0:
        raise NegativeQuantity(
            f"{format_quantity(min(request.quantity, request.pre_line_quantity))} units were metered."
        )
    steps = [_metered(request)]
    quantity, before = _converted(request, steps)
    quantity, before = _without_free_units(request, quantity, before, steps)
    return PricedQuantity(quantity, before, tuple(steps))


def _metered(request: RateRequest) -> Step:
    sentence = f"{units(request.quantity)} metered."
    if request.pre_line_quantity:
        sentence = f"{sentence[:-1]}, after {units(request.pre_line_quantity)} earlier in the period."
    return Step(
        StepKind.METERED, sentence, {"quantity": request.quantity, "pre_line_quantity": request.pre_line_quantity}
    )


def _converted(request: RateRequest, steps: list[Step]) -> tuple[Decimal, Decimal]:
    conversion = request.terms.unit_conversion
    if conversion is None:
        return request.quantity, request.pre_line_quantity
    if not unit_conversion_allowed(request.terms.price.type):
        raise UnitConversionNotAllowed(f"A {request.terms.price.type} price cannot convert units.")
    now, before = convert(conversion, request.quantity), convert(conversion, request.pre_line_quantity)
    steps.append(_conversion_step(conversion, request.quantity, now))
    return now.billed, before.billed


def _conversion_step(conversion: UnitConversion, metered: Decimal, result: ConvertedQuantity) -> Step:
    sign = "×" if conversion.operation is ConversionOperation.MULTIPLY else "÷"
    sentence = (
        f"{format_quantity(metered)} {sign} {format_quantity(conversion.factor)} = {format_quantity(result.exact)}"
    )
    if result.billed != result.exact:
        how = {
            ConversionRounding.CEILING: "rounded up",
            ConversionRounding.FLOOR: "rounded down",
            ConversionRounding.HALF_UP: "rounded",
        }[conversion.rounding]
        sentence += f", {how} to {format_quantity(result.billed)}"
    return Step(
        StepKind.CONVERTED,
        f"{sentence} billed units.",
        {"metered": metered, "factor": conversion.factor, "exact": result.exact, "billed": result.billed},
    )


def _without_free_units(
    request: RateRequest, quantity: Decimal, before: Decimal, steps: list[Step]
) -> tuple[Decimal, Decimal]:
    free = request.terms.discounts.usage_quantity
    if not free:
        return quantity, before
    after = discount_usage(free, quantity, before)
    sentence = f"{units(after.discounted_now)} of {format_quantity(free)} free ones used here"
    if after.discounted_before:
        sentence += f", {format_quantity(after.discounted_before)} before"
    steps.append(
        Step(
            StepKind.FREE_UNITS,
            f"{sentence}: {units(after.quantity)} left to price.",
            {
                "free": free,
                "free_now": after.discounted_now,
                "free_before": after.discounted_before,
                "quantity": after.quantity,
            },
        )
    )
    return after.quantity, after.pre_line_quantity


def _rounded(conversion: UnitConversion, exact: Decimal, cut: Decimal) -> Decimal:
    match conversion.rounding:
        case ConversionRounding.NONE:
            return cut
        case ConversionRounding.CEILING:
            return round_ceiling(exact, conversion.precision)
        case ConversionRounding.FLOOR:
            return round_floor(exact, conversion.precision)
        case ConversionRounding.HALF_UP:
            return round_amount(exact, conversion.precision)


def _decimals(number: Decimal) -> int:
    return len(amount_text(number).partition(".")[2])
