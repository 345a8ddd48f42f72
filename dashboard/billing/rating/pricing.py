"""From a quantity to lines, one function per price model; discounts and commitments come afterwards."""

from decimal import ROUND_CEILING, Decimal

from dashboard.billing.rating.errors import VolumeSplitNotSupported
from dashboard.billing.rating.lines import FLAT, USAGE, VOLUME_FLAT, VOLUME_UNIT, Position, RatedLine, priced_line
from dashboard.billing.rating.quantities import PricedQuantity
from dashboard.billing.rating.steps import Step, StepKind, multiplied, rounded, units
from dashboard.billing.rating.tiers import NumberedTier, tier_pieces, volume_tier
from dashboard.catalog.prices import (
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    PaymentTerm,
    Price,
    TieredPrice,
    TierMode,
    UnitPrice,
)
from dashboard.kit.money import EXACT, ZERO, amount_text, format_quantity, format_unit_price, round_money


def price_lines(price: Price, quantity: PricedQuantity, position: Position, currency: str) -> list[RatedLine]:
    """The lines of one piece. Raises VolumeSplitNotSupported for a volume price that was billed in pieces before."""
    match price:
        case FlatPrice():
            return _flat(price, position, currency)
        case UnitPrice():
            return _unit(price, quantity, currency)
        case PackagePrice():
            return _package(price, quantity, position, currency)
        case DynamicPrice():
            return _dynamic(price, quantity, currency)
        case TieredPrice(mode=TierMode.VOLUME):
            return _volume(price, quantity, position, currency)
        case TieredPrice():
            return _graduated(price, quantity, position, currency)


def package_count(quantity: Decimal, quantity_per_package: Decimal) -> Decimal:
    """How many packages cover the quantity; a started one counts whole."""
    return (quantity / quantity_per_package).to_integral_value(ROUND_CEILING, EXACT)


def _flat(price: FlatPrice, position: Position, currency: str) -> list[RatedLine]:
    in_advance = price.payment_term is PaymentTerm.IN_ADVANCE
    if not (position.starts_period if in_advance else position.ends_period):
        return []
    return [_fixed_line(FLAT, price.amount, "fixed fee", currency, price.payment_term)]


def _unit(price: UnitPrice, quantity: PricedQuantity, currency: str) -> list[RatedLine]:
    if quantity.quantity <= 0:
        return []
    return [_per_unit_line(USAGE, quantity.quantity, price.amount, currency)]


def _package(price: PackagePrice, quantity: PricedQuantity, position: Position, currency: str) -> list[RatedLine]:
    size = price.quantity_per_package
    before = ZERO if position.starts_period else package_count(quantity.pre_line_quantity, size)
    packages = package_count(quantity.end, size) - before
    if not packages:
        return []
    sentence = f"{units(quantity.end)} in packages of {format_quantity(size)}: {amount_text(packages + before)} started"
    if before:
        sentence += f", {amount_text(before)} of them before"
    step = Step(
        StepKind.PACKAGES,
        f"{sentence}.",
        {"quantity": quantity.end, "quantity_per_package": size, "packages": packages, "packages_before": before},
    )
    return [_per_unit_line(USAGE, packages, price.amount, currency, step)]


def _dynamic(price: DynamicPrice, quantity: PricedQuantity, currency: str) -> list[RatedLine]:
    if quantity.quantity <= 0:
        return []
    exact = quantity.quantity * price.multiplier
    amount = round_money(exact, currency)
    cost, product = format_unit_price(quantity.quantity, currency), format_unit_price(exact, currency)
    step = Step(
        StepKind.MULTIPLIED,
        f"Metered cost {cost} × {format_quantity(price.multiplier)} = {product}.",
        {"quantity": quantity.quantity, "multiplier": price.multiplier, "amount": exact},
    )
    steps = (step,) if exact == amount else (step, rounded(exact, amount, currency))
    return [priced_line(USAGE, Decimal(1), amount, currency, steps=steps)]


def _volume(price: TieredPrice, quantity: PricedQuantity, position: Position, currency: str) -> list[RatedLine]:
    if quantity.pre_line_quantity:
        raise VolumeSplitNotSupported("A volume price cannot be billed in pieces: the last unit prices all of them.")
    if not position.ends_period:
        return []
    numbered = volume_tier(price, quantity.quantity)
    step = Step(
        StepKind.TIER,
        f"{units(quantity.quantity)}: {numbered.name} prices all of them.",
        {"tier": Decimal(numbered.number), "quantity": quantity.quantity},
    )
    lines: list[RatedLine] = []
    if numbered.tier.flat_amount is not None:
        lines.append(_tier_flat_line(VOLUME_FLAT, numbered, numbered.tier.flat_amount, currency, step))
    if numbered.tier.unit_amount is not None and quantity.quantity:
        lines.append(_per_unit_line(VOLUME_UNIT, quantity.quantity, numbered.tier.unit_amount, currency, step))
    return lines


def _graduated(price: TieredPrice, quantity: PricedQuantity, position: Position, currency: str) -> list[RatedLine]:
    lines: list[RatedLine] = []
    for piece in tier_pieces(price, quantity.pre_line_quantity, quantity.end, currency).pieces:
        numbered = piece.tier
        if numbered.tier.unit_amount is not None:
            step = Step(
                StepKind.TIER,
                f"{units(piece.quantity)} in {numbered.name}.",
                {"tier": Decimal(numbered.number), "quantity": piece.quantity},
            )
            component = f"tier_{numbered.number}_unit"
            lines.append(_per_unit_line(component, piece.quantity, numbered.tier.unit_amount, currency, step))
        # The first tier is entered by the period's first piece even without usage, so only that one pays its flat part.
        is_due = piece.at_tier_start and (numbered.number > 1 or position.starts_period)
        if numbered.tier.flat_amount is not None and is_due:
            component = f"tier_{numbered.number}_flat"
            lines.append(_tier_flat_line(component, numbered, numbered.tier.flat_amount, currency))
    return lines


def _per_unit_line(
    component: str, quantity: Decimal, per_unit_amount: Decimal, currency: str, *before: Step
) -> RatedLine:
    amount = round_money(quantity * per_unit_amount, currency)
    steps = (*before, *multiplied(quantity, per_unit_amount, amount, currency))
    return priced_line(component, quantity, per_unit_amount, currency, steps=steps)


def _tier_flat_line(component: str, numbered: NumberedTier, amount: Decimal, currency: str, *before: Step) -> RatedLine:
    what = f"flat part of {numbered.name}"
    return _fixed_line(component, amount, what, currency, PaymentTerm.IN_ARREARS, *before)


def _fixed_line(
    component: str, amount: Decimal, what: str, currency: str, payment_term: PaymentTerm, *before: Step
) -> RatedLine:
    charged = round_money(amount, currency)
    price = format_unit_price(amount, currency)
    steps = [*before, Step(StepKind.FIXED, f"{what[:1].upper()}{what[1:]}: {price}.", {"amount": amount})]
    if charged != amount:
        steps.append(rounded(amount, charged, currency))
    return priced_line(component, Decimal(1), amount, currency, payment_term=payment_term, steps=tuple(steps))
