"""v1's rate cards, in plans and in subscriptions."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dashboard.api.entitlement_shapes import EntitlementV1, entitlement_from_v1, entitlement_to_v1
from dashboard.api.shapes import Description, Name, ResourceKey, without_none
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.price_shapes import (
    DiscountsBody,
    FlatPrice,
    Price,
    discounts_from_v1,
    discounts_to_v1,
    price_from_v1,
    price_to_v1,
)
from dashboard.api.v1.workflow_shapes import TaxConfigBody, tax_config_from_v1
from dashboard.catalog.plan_views import RateCard, RateCardTax, RateCardType
from dashboard.catalog.price_json import conversion_to_json, discounts_to_json, price_to_json
from dashboard.kit.money import parse_amount

Json = dict[str, Any]


class _Card(V1Model):
    key: ResourceKey
    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    feature_key: ResourceKey | None = None
    entitlement_template: EntitlementV1 | None = None
    tax_config: TaxConfigBody | None = None
    discounts: DiscountsBody | None = None


class FlatFeeCard(_Card):
    type: Literal["flat_fee"]
    billing_cadence: str | None = None
    price: FlatPrice | None


class UsageBasedCard(_Card):
    type: Literal["usage_based"]
    billing_cadence: str
    price: Price | None


RateCardBody = Annotated[FlatFeeCard | UsageBasedCard, Field(discriminator="type")]


def rate_card_from_v1(body: FlatFeeCard | UsageBasedCard) -> Json:
    """What `RateCardInput` takes."""
    return {
        "key": body.key,
        "name": body.name,
        "description": body.description,
        "metadata": body.metadata or {},
        "type": body.type,
        "feature_key": body.feature_key,
        "billing_cadence": body.billing_cadence,
        "price": price_from_v1(body.price) if body.price else None,
        "discounts": discounts_from_v1(body.discounts),
        "tax": tax_config_from_v1(body.tax_config) if body.tax_config else {},
        "entitlement": entitlement_from_v1(body.entitlement_template),
    }


def rate_card_to_v1(card: RateCard) -> Json:
    """v1's `RateCard`."""
    return without_none(
        [
            ("type", card.type.value),
            ("key", card.key),
            ("name", card.name),
            ("description", card.description),
            ("metadata", card.metadata),
            ("featureKey", card.feature_key),
            ("entitlementTemplate", entitlement_to_v1(card.entitlement)),
            ("taxConfig", tax_to_v1(card.tax)),
            ("discounts", discounts_to_v1(discounts_to_json(card.discounts))),
        ]
    ) | {"billingCadence": _cadence(card), "price": price_of_card(card)}


def price_of_card(card: RateCard) -> Json | None:
    """v1's price. It has no unit conversion: divided and rounded up is a package, multiplied is a dynamic price."""
    if card.price is None:
        return None
    price = price_to_v1(price_to_json(card.price))
    if card.unit_conversion is None or price["type"] != "unit":
        return price
    conversion = conversion_to_json(card.unit_conversion)
    limits = {name: price[name] for name in ("minimumAmount", "maximumAmount") if name in price}
    if (conversion["operation"], conversion["rounding"]) == ("divide", "ceiling"):
        return {"type": "package", "amount": price["amount"], "quantityPerPackage": conversion["factor"]} | limits
    if conversion["operation"] == "multiply" and parse_amount(price["amount"]) == 1:
        return {"type": "dynamic", "multiplier": conversion["factor"]} | limits
    return price


def tax_to_v1(tax: RateCardTax) -> Json | None:
    """v1's `TaxConfig`; None when nothing is set."""
    found = without_none(
        [
            ("behavior", tax.behavior),
            ("stripe", {"code": tax.stripe_code} if tax.stripe_code else None),
            ("taxCodeId", tax.tax_code_id),
        ]
    )
    return found or None


def _cadence(card: RateCard) -> str | None:
    # A usage-based card has to have one in v1; a draft of ours may still lack it.
    return card.billing_cadence or ("P1M" if card.type is RateCardType.USAGE_BASED else None)
