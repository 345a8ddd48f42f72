"""v3's prices, unit configurations, discounts and tax, to and from the documents of the catalog.

v3 has no package and no dynamic price: they are a unit price with a unit configuration (divided and rounded up, or
multiplied). Minimum and maximum stand beside the price, under `commitments`.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.shapes import DecimalText, UlidUpperCase, decimal_text, optional_decimal, without_none
from dashboard.api.v3.base import V3Model

Json = dict[str, Any]


class FreePrice(V3Model):
    type: Literal["free"]


class FlatPrice(V3Model):
    type: Literal["flat"]
    amount: DecimalText


class UnitPrice(V3Model):
    type: Literal["unit"]
    amount: DecimalText


class PriceTier(V3Model):
    up_to_amount: DecimalText | None = None
    flat_price: FlatPrice | None = None
    unit_price: UnitPrice | None = None


Tiers = Annotated[list[PriceTier], Field(min_length=1, max_length=1000)]


class GraduatedPrice(V3Model):
    type: Literal["graduated"]
    tiers: Tiers


class VolumePrice(V3Model):
    type: Literal["volume"]
    tiers: Tiers


Price = Annotated[FreePrice | FlatPrice | UnitPrice | GraduatedPrice | VolumePrice, Field(discriminator="type")]


class UnitConfig(V3Model):
    """`BillingUnitConfig`; what a unit is called on screen has no place here and is not kept."""

    operation: Literal["divide", "multiply"]
    conversion_factor: DecimalText
    rounding: Literal["ceiling", "floor", "half_up", "none"] = "none"
    precision: Annotated[int, Field(strict=True, ge=0, le=20)] = 0
    display_unit: Annotated[str, StringConstraints(max_length=256)] | None = None


class Commitments(V3Model):
    minimum_amount: DecimalText | None = None
    maximum_amount: DecimalText | None = None


class DiscountsBody(V3Model):
    percentage: Annotated[Decimal, Field(ge=0, le=100, max_digits=20)] | None = None
    usage: DecimalText | None = None


class CodeReference(V3Model):
    id: UlidUpperCase


class TaxBody(V3Model):
    """`BillingRateCardTaxConfig`."""

    behavior: Literal["inclusive", "exclusive"] | None = None
    code: CodeReference


def price_from_v3(price: Price, *, payment_term: str = "in_advance", commitments: Commitments | None = None) -> Json:
    """The catalog's price document; none for a free price is decided by the caller."""
    match price:
        case FlatPrice():
            return {"type": "flat", "amount": decimal_text(price.amount), "payment_term": payment_term}
        case UnitPrice():
            own: Json = {"type": "unit", "amount": decimal_text(price.amount)}
        case GraduatedPrice() | VolumePrice():
            own = {"type": "tiered", "mode": price.type, "tiers": [_tier_from_v3(tier) for tier in price.tiers]}
        case _:
            return {"type": "flat", "amount": "0", "payment_term": payment_term}
    limits = without_none(
        [
            ("minimum_amount", optional_decimal(commitments.minimum_amount) if commitments else None),
            ("maximum_amount", optional_decimal(commitments.maximum_amount) if commitments else None),
        ]
    )
    return own | ({"commitments": limits} if limits else {})


def price_to_v3(document: Json | None) -> Json:
    """v3's `BillingPrice`; free where there is none."""
    if document is None:
        return {"type": "free"}
    match document["type"]:
        case "flat" | "unit" as kind:
            return {"type": kind, "amount": document["amount"]}
        case "tiered":
            return {"type": document["mode"], "tiers": [_tier_to_v3(tier) for tier in document["tiers"]]}
        case "dynamic":
            return {"type": "unit", "amount": "1"}
        case _:
            return {"type": "unit", "amount": document["amount"]}


def unit_config_to_v3(price: Json | None, conversion: Json | None) -> Json | None:
    """v3's `BillingUnitConfig`: our unit conversion, or what a package or dynamic price means."""
    if conversion:
        return {
            "operation": conversion["operation"],
            "conversion_factor": conversion["factor"],
            "rounding": conversion.get("rounding", "none"),
            "precision": conversion.get("precision", 0),
        }
    if price and price["type"] == "package":
        return {"operation": "divide", "conversion_factor": price["quantity_per_package"], "rounding": "ceiling"}
    if price and price["type"] == "dynamic":
        return {"operation": "multiply", "conversion_factor": price["multiplier"]}
    return None


def unit_config_from_v3(config: UnitConfig | None) -> Json | None:
    """The catalog's document of a unit conversion."""
    if config is None:
        return None
    return {
        "operation": config.operation,
        "factor": decimal_text(config.conversion_factor),
        "rounding": config.rounding,
        "precision": config.precision,
    }


def commitments_to_v3(document: Json | None) -> Json | None:
    """v3's `BillingSpendCommitments`, None when there are none."""
    return (document or {}).get("commitments") or None


def discounts_from_v3(body: DiscountsBody | None) -> Json:
    """The catalog's document of discounts."""
    if body is None:
        return {}
    return without_none(
        [("percentage", optional_decimal(body.percentage)), ("usage_quantity", optional_decimal(body.usage))]
    )


def discounts_to_v3(document: Json) -> Json | None:
    """v3's `BillingRateCardDiscounts`, None when there are none."""
    percentage = document.get("percentage")
    found = without_none(
        [
            ("percentage", Decimal(percentage) if percentage is not None else None),
            ("usage", document.get("usage_quantity")),
        ]
    )
    return found or None


def tax_to_v3(behavior: str | None, tax_code_id: str | None) -> Json | None:
    """v3's `BillingRateCardTaxConfig`, which needs one of our tax codes."""
    if tax_code_id is None:
        return None
    return without_none([("behavior", behavior), ("code", {"id": tax_code_id})])


def _tier_from_v3(tier: PriceTier) -> Json:
    return without_none(
        [
            ("up_to_amount", optional_decimal(tier.up_to_amount)),
            ("unit_amount", optional_decimal(tier.unit_price.amount) if tier.unit_price else None),
            ("flat_amount", optional_decimal(tier.flat_price.amount) if tier.flat_price else None),
        ]
    )


def _tier_to_v3(tier: Json) -> Json:
    flat, unit = tier.get("flat_amount"), tier.get("unit_amount")
    return without_none(
        [
            ("up_to_amount", tier.get("up_to_amount")),
            ("flat_price", {"type": "flat", "amount": flat} if flat is not None else None),
            ("unit_price", {"type": "unit", "amount": unit} if unit is not None else None),
        ]
    )
