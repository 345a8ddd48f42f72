"""A price in words, the way an operator would say it: `$0.01 per unit after 1,000 free ones, at least $10.00`."""

from decimal import Decimal

from dashboard.catalog.prices import (
    NO_DISCOUNTS,
    ConversionOperation,
    ConversionRounding,
    Discounts,
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    PaymentTerm,
    Price,
    Tier,
    TieredPrice,
    TierMode,
    UnitConversion,
    UnitPrice,
    commitments_of,
)
from dashboard.kit.money import amount_text, format_money, format_quantity, format_unit_price

_ROUNDING = {
    ConversionRounding.NONE: "",
    ConversionRounding.CEILING: ", rounded up",
    ConversionRounding.FLOOR: ", rounded down",
    ConversionRounding.HALF_UP: ", rounded",
}


def price_in_words(
    price: Price | None,
    currency: str,
    discounts: Discounts = NO_DISCOUNTS,
    unit_conversion: UnitConversion | None = None,
) -> str:
    """One line that says all of it; `Free` for no price."""
    if price is None:
        return "Free"
    words = _own_words(price, currency)
    if unit_conversion is not None:
        words += f" of {_conversion_in_words(unit_conversion)}"
    if discounts.usage_quantity:
        words += f" after {format_quantity(discounts.usage_quantity)} free ones"
    parts = [words, *_limits(price, currency)]
    if discounts.percentage:
        parts.append(f"{amount_text(discounts.percentage)} % off")
    return ", ".join(parts)


def _own_words(price: Price, currency: str) -> str:
    match price:
        case FlatPrice():
            when = "in advance" if price.payment_term is PaymentTerm.IN_ADVANCE else "in arrears"
            return f"{format_unit_price(price.amount, currency)} {when}"
        case UnitPrice():
            return f"{format_unit_price(price.amount, currency)} per unit"
        case PackagePrice():
            size = format_quantity(price.quantity_per_package)
            return f"{format_unit_price(price.amount, currency)} per package of {size}"
        case DynamicPrice():
            return f"Metered cost × {format_quantity(price.multiplier)}"
        case TieredPrice():
            how = "All units" if price.mode is TierMode.VOLUME else "Units"
            return f"{how} by tier: " + "; ".join(_tier_in_words(tier, currency) for tier in price.sorted_tiers)


def _tier_in_words(tier: Tier, currency: str) -> str:
    reach = "beyond" if tier.up_to_amount is None else f"up to {format_quantity(tier.up_to_amount)}"
    costs = [
        text
        for amount, text in (
            (tier.unit_amount, f"{_shown(tier.unit_amount, currency)} per unit"),
            (tier.flat_amount, f"{_shown(tier.flat_amount, currency)} flat"),
        )
        if amount is not None
    ]
    return f"{reach} {' + '.join(costs)}"


def _limits(price: Price, currency: str) -> list[str]:
    limits = commitments_of(price)
    found = []
    if limits.minimum_amount:
        found.append(f"at least {format_money(limits.minimum_amount, currency)}")
    if limits.maximum_amount is not None:
        found.append(f"at most {format_money(limits.maximum_amount, currency)}")
    return found


def _conversion_in_words(conversion: UnitConversion) -> str:
    sign = "×" if conversion.operation is ConversionOperation.MULTIPLY else "÷"
    return f"(metered {sign} {format_quantity(conversion.factor)}{_ROUNDING[conversion.rounding]})"


def _shown(amount: Decimal | None, currency: str) -> str:
    return "" if amount is None else format_unit_price(amount, currency)
