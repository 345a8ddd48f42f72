"""v1's prices and discounts, to and from the documents the catalog reads and writes (`catalog/price_json.py`)."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from dashboard.api.shapes import DecimalText, decimal_text, optional_decimal, without_none
from dashboard.api.v1.base import V1Model

Json = dict[str, Any]
PaymentTerm = Literal["in_advance", "in_arrears"]


class FlatPrice(V1Model):
    type: Literal["flat"]
    amount: DecimalText
    payment_term: PaymentTerm = "in_advance"


class _Committed(V1Model):
    minimum_amount: DecimalText | None = None
    maximum_amount: DecimalText | None = None


class UnitPrice(_Committed):
    type: Literal["unit"]
    amount: DecimalText


class TierPart(V1Model):
    """The `flatPrice` or `unitPrice` of a tier."""

    amount: DecimalText


class PriceTier(V1Model):
    up_to_amount: DecimalText | None = None
    flat_price: TierPart | None = None
    unit_price: TierPart | None = None


class TieredPrice(_Committed):
    type: Literal["tiered"]
    mode: Literal["volume", "graduated"]
    tiers: Annotated[list[PriceTier], Field(min_length=1, max_length=1000)]


class DynamicPrice(_Committed):
    type: Literal["dynamic"]
    multiplier: DecimalText = Decimal(1)


class PackagePrice(_Committed):
    type: Literal["package"]
    amount: DecimalText
    quantity_per_package: DecimalText


Price = Annotated[
    FlatPrice | UnitPrice | TieredPrice | DynamicPrice | PackagePrice,
    Field(discriminator="type"),
]


class PercentageDiscount(V1Model):
    percentage: Annotated[Decimal, Field(max_digits=20, allow_inf_nan=False)]


class UsageDiscount(V1Model):
    quantity: DecimalText


class DiscountsBody(V1Model):
    percentage: PercentageDiscount | None = None
    usage: UsageDiscount | None = None


def price_from_v1(price: Price) -> Json:
    """The catalog's price document."""
    match price:
        case FlatPrice():
            return {"type": "flat", "amount": decimal_text(price.amount), "payment_term": price.payment_term}
        case UnitPrice():
            own: Json = {"type": "unit", "amount": decimal_text(price.amount)}
        case TieredPrice():
            own = {"type": "tiered", "mode": price.mode, "tiers": [_tier_from_v1(tier) for tier in price.tiers]}
        case DynamicPrice():
            own = {"type": "dynamic", "multiplier": decimal_text(price.multiplier)}
        case PackagePrice():
            own = {
                "type": "package",
                "amount": decimal_text(price.amount),
                "quantity_per_package": decimal_text(price.quantity_per_package),
            }
    commitments = without_none(
        [
            ("minimum_amount", optional_decimal(price.minimum_amount)),
            ("maximum_amount", optional_decimal(price.maximum_amount)),
        ]
    )
    return own | ({"commitments": commitments} if commitments else {})


def price_to_v1(document: Json) -> Json:
    """v1's `RateCardUsageBasedPrice`."""
    commitments = document.get("commitments") or {}
    limits = without_none(
        [
            ("minimumAmount", commitments.get("minimum_amount")),
            ("maximumAmount", commitments.get("maximum_amount")),
        ]
    )
    match document["type"]:
        case "flat":
            term = document.get("payment_term", "in_advance")
            return {"type": "flat", "amount": document["amount"], "paymentTerm": term}
        case "unit":
            return {"type": "unit", "amount": document["amount"]} | limits
        case "tiered":
            tiers = [_tier_to_v1(tier) for tier in document["tiers"]]
            return {"type": "tiered", "mode": document["mode"], "tiers": tiers} | limits
        case "dynamic":
            return {"type": "dynamic", "multiplier": document["multiplier"]} | limits
        case _:
            return {
                "type": "package",
                "amount": document["amount"],
                "quantityPerPackage": document["quantity_per_package"],
            } | limits


def discounts_from_v1(body: DiscountsBody | None) -> Json:
    """The catalog's document of discounts."""
    if body is None:
        return {}
    return without_none(
        [
            ("percentage", decimal_text(body.percentage.percentage) if body.percentage else None),
            ("usage_quantity", decimal_text(body.usage.quantity) if body.usage else None),
        ]
    )


def discounts_to_v1(document: Json) -> Json | None:
    """v1's `BillingDiscounts` and `Discounts`; None when there are none."""
    percentage, usage = document.get("percentage"), document.get("usage_quantity")
    found = without_none(
        [
            ("percentage", {"percentage": Decimal(percentage)} if percentage is not None else None),
            ("usage", {"quantity": usage} if usage is not None else None),
        ]
    )
    return found or None


def _tier_from_v1(tier: PriceTier) -> Json:
    return without_none(
        [
            ("up_to_amount", optional_decimal(tier.up_to_amount)),
            ("unit_amount", optional_decimal(tier.unit_price.amount) if tier.unit_price else None),
            ("flat_amount", optional_decimal(tier.flat_price.amount) if tier.flat_price else None),
        ]
    )


def _tier_to_v1(tier: Json) -> Json:
    def part(kind: str, amount: str | None) -> Json | None:
        return None if amount is None else {"type": kind, "amount": amount}

    limit = tier.get("up_to_amount")
    return ({} if limit is None else {"upToAmount": limit}) | {
        "flatPrice": part("flat", tier.get("flat_amount")),
        "unitPrice": part("unit", tier.get("unit_amount")),
    }
