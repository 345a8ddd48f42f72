"""Prices as plain JSON, the way they are stored and copied onto invoices: decimals as text, nothing that is not set."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from dashboard.catalog.price_rules import BadPrice
from dashboard.catalog.prices import (
    Commitments,
    ConversionOperation,
    ConversionRounding,
    Discounts,
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    PaymentTerm,
    Price,
    PriceType,
    Tier,
    TieredPrice,
    TierMode,
    UnitConversion,
    UnitPrice,
    commitments_of,
)
from dashboard.kit.money import amount_text, parse_amount

Json = dict[str, Any]
Choice = TypeVar("Choice", bound=StrEnum)


def price_to_json(price: Price) -> Json:
    """The price as JSON; `price_from_json` gives it back."""
    document: Json = {"type": price.type.value, **_own_fields(price)}
    return _with_set(document, commitments=_commitments_to_json(commitments_of(price)) or None)


def price_from_json(document: Mapping[str, Any]) -> Price:
    """The price a document describes. Raises BadPrice or BadAmount for a shape or a figure it cannot read; whether the
    price makes sense is told by `price_problems`."""
    kind = _choice(PriceType, document, "type")
    _refuse_unknown(document, _FIELDS[kind])
    return _READERS[kind](document)


def discounts_to_json(discounts: Discounts) -> Json:
    """The discounts as JSON; `discounts_from_json` gives them back."""
    return _amounts_to_json(percentage=discounts.percentage, usage_quantity=discounts.usage_quantity)


def discounts_from_json(document: Mapping[str, Any] | None) -> Discounts:
    """The discounts a document describes; none for an empty one. Raises BadPrice or BadAmount."""
    found = _refuse_unknown(document or {}, {"percentage", "usage_quantity"}, "discounts.")
    return Discounts(
        percentage=_optional_amount(found, "percentage", "discounts."),
        usage_quantity=_optional_amount(found, "usage_quantity", "discounts."),
    )


def conversion_to_json(conversion: UnitConversion) -> Json:
    """The unit conversion as JSON; `conversion_from_json` gives it back."""
    return {
        "operation": conversion.operation.value,
        "factor": amount_text(conversion.factor),
        "rounding": conversion.rounding.value,
        "precision": conversion.precision,
    }


def conversion_from_json(document: Mapping[str, Any] | None) -> UnitConversion | None:
    """The unit conversion a document describes; None for none. Raises BadPrice or BadAmount."""
    if not document:
        return None
    _refuse_unknown(document, {"operation", "factor", "rounding", "precision"}, "unit_conversion.")
    precision = document.get("precision") or 0
    if isinstance(precision, bool) or not isinstance(precision, int):
        raise BadPrice("The precision is a whole number of decimals.", field="unit_conversion.precision")
    return UnitConversion(
        operation=_choice(ConversionOperation, document, "operation", "unit_conversion."),
        factor=_amount(document, "factor", "unit_conversion."),
        rounding=_choice(ConversionRounding, document, "rounding", "unit_conversion.", ConversionRounding.NONE),
        precision=precision,
    )


def _own_fields(price: Price) -> Json:
    match price:
        case FlatPrice():
            return {"amount": amount_text(price.amount), "payment_term": price.payment_term.value}
        case UnitPrice():
            return {"amount": amount_text(price.amount)}
        case PackagePrice():
            return _amounts_to_json(amount=price.amount, quantity_per_package=price.quantity_per_package)
        case DynamicPrice():
            return {"multiplier": amount_text(price.multiplier)}
        case TieredPrice():
            return {"mode": price.mode.value, "tiers": [_tier_to_json(tier) for tier in price.tiers]}


def _tier_to_json(tier: Tier) -> Json:
    limit = None if tier.up_to_amount is None else amount_text(tier.up_to_amount)
    return {"up_to_amount": limit, **_amounts_to_json(unit_amount=tier.unit_amount, flat_amount=tier.flat_amount)}


def _commitments_to_json(commitments: Commitments) -> Json:
    return _amounts_to_json(minimum_amount=commitments.minimum_amount, maximum_amount=commitments.maximum_amount)


def _flat(document: Mapping[str, Any]) -> FlatPrice:
    term = _choice(PaymentTerm, document, "payment_term", default=PaymentTerm.IN_ADVANCE)
    return FlatPrice(_amount(document, "amount"), term)


def _unit(document: Mapping[str, Any]) -> UnitPrice:
    return UnitPrice(_amount(document, "amount"), _commitments(document))


def _tiered(document: Mapping[str, Any]) -> TieredPrice:
    tiers = document.get("tiers") or []
    if not isinstance(tiers, list | tuple) or not all(isinstance(tier, Mapping) for tier in tiers):
        raise BadPrice("The tiers are a list.", field="tiers")
    return TieredPrice(
        mode=_choice(TierMode, document, "mode"),
        tiers=tuple(_tier(tier, f"tiers.{index}.") for index, tier in enumerate(tiers)),
        commitments=_commitments(document),
    )


def _tier(document: Mapping[str, Any], place: str) -> Tier:
    _refuse_unknown(document, {"up_to_amount", "unit_amount", "flat_amount"}, place)
    return Tier(
        up_to_amount=_optional_amount(document, "up_to_amount", place),
        unit_amount=_optional_amount(document, "unit_amount", place),
        flat_amount=_optional_amount(document, "flat_amount", place),
    )


def _package(document: Mapping[str, Any]) -> PackagePrice:
    return PackagePrice(_amount(document, "amount"), _amount(document, "quantity_per_package"), _commitments(document))


def _dynamic(document: Mapping[str, Any]) -> DynamicPrice:
    multiplier = _optional_amount(document, "multiplier")
    return DynamicPrice(Decimal(1) if multiplier is None else multiplier, _commitments(document))


def _commitments(document: Mapping[str, Any]) -> Commitments:
    found = _refuse_unknown(document.get("commitments") or {}, {"minimum_amount", "maximum_amount"}, "commitments.")
    return Commitments(
        minimum_amount=_optional_amount(found, "minimum_amount", "commitments."),
        maximum_amount=_optional_amount(found, "maximum_amount", "commitments."),
    )


_READERS: dict[PriceType, Callable[[Mapping[str, Any]], Price]] = {
    PriceType.FLAT: _flat,
    PriceType.UNIT: _unit,
    PriceType.TIERED: _tiered,
    PriceType.PACKAGE: _package,
    PriceType.DYNAMIC: _dynamic,
}
_FIELDS = {
    PriceType.FLAT: {"type", "amount", "payment_term"},
    PriceType.UNIT: {"type", "amount", "commitments"},
    PriceType.TIERED: {"type", "mode", "tiers", "commitments"},
    PriceType.PACKAGE: {"type", "amount", "quantity_per_package", "commitments"},
    PriceType.DYNAMIC: {"type", "multiplier", "commitments"},
}


def _refuse_unknown(document: Mapping[str, Any], known: set[str], place: str = "") -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise BadPrice("A set of fields was expected here.", field=place.rstrip("."))
    for name, value in document.items():
        if name not in known and not _says_nothing(value):
            raise BadPrice(f"{place}{name} does not belong to this price.", field=f"{place}{name}")
    return document


def _says_nothing(value: object) -> bool:
    return value is None or value in ({}, [])


def _choice(
    options: type[Choice], document: Mapping[str, Any], name: str, place: str = "", default: Choice | None = None
) -> Choice:
    value = document.get(name)
    if value is None and default is not None:
        return default
    try:
        return options(value)
    except ValueError:
        known = ", ".join(option.value for option in options)
        raise BadPrice(f"{place}{name} is one of: {known}.", field=f"{place}{name}") from None


def _amount(document: Mapping[str, Any], name: str, place: str = "") -> Decimal:
    amount = _optional_amount(document, name, place)
    if amount is None:
        raise BadPrice(f"{place}{name} is missing.", field=f"{place}{name}")
    return amount


def _optional_amount(document: Mapping[str, Any], name: str, place: str = "") -> Decimal | None:
    value = document.get(name)
    return None if value is None else parse_amount(value, field=f"{place}{name}")


def _amounts_to_json(**amounts: Decimal | None) -> Json:
    return {name: amount_text(amount) for name, amount in amounts.items() if amount is not None}


def _with_set(document: Json, **values: Any) -> Json:
    return document | {name: value for name, value in values.items() if value is not None}
