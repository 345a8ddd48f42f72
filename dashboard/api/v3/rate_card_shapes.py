"""v3's rate cards, in plans and in subscriptions. They name their feature by id; we keep its key."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.entitlement_shapes import EntitlementV3, entitlement_from_v3, entitlement_to_v3
from dashboard.api.shapes import Description, Name, ResourceKey, UlidUpperCase, without_none
from dashboard.api.v3.base import Labels, V3Model, labels_of
from dashboard.api.v3.price_shapes import (
    Commitments,
    DiscountsBody,
    FreePrice,
    Price,
    TaxBody,
    UnitConfig,
    commitments_to_v3,
    discounts_from_v3,
    discounts_to_v3,
    price_from_v3,
    price_to_v3,
    tax_to_v3,
    unit_config_from_v3,
    unit_config_to_v3,
)
from dashboard.catalog.features import get_feature
from dashboard.catalog.plan_views import Feature, RateCard
from dashboard.catalog.price_json import conversion_to_json, discounts_to_json, price_to_json
from dashboard.catalog.prices import payment_term_of

Json = dict[str, Any]


class FeatureReference(V3Model):
    id: UlidUpperCase


class RateCardBody(V3Model):
    """`BillingRateCard`. Its currency is the plan's."""

    key: ResourceKey
    name: Name
    description: Description | None = None
    labels: Labels | None = None
    feature: FeatureReference | None = None
    currency: str | None = None
    billing_cadence: str | None = None
    price: Price
    unit_config: UnitConfig | None = None
    payment_term: Literal["in_advance", "in_arrears"] = "in_arrears"
    commitments: Commitments | None = None
    discounts: DiscountsBody | None = None
    tax_config: TaxBody | None = None
    entitlement: EntitlementV3 | None = None


async def rate_card_from_v3(session: AsyncSession, body: RateCardBody) -> Json:
    """What `RateCardInput` takes. Raises FeatureNotFound."""
    feature = await get_feature(session, body.feature.id) if body.feature else None
    is_free = isinstance(body.price, FreePrice)
    by_usage = body.price.type in ("unit", "graduated", "volume") or (is_free and feature and body.billing_cadence)
    price = None
    if not is_free:
        price = price_from_v3(body.price, payment_term=body.payment_term, commitments=body.commitments)
    tax = body.tax_config
    return {
        "key": body.key,
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "type": "usage_based" if by_usage else "flat_fee",
        "feature_key": feature.key if feature else None,
        "billing_cadence": body.billing_cadence,
        "price": price,
        "unit_conversion": unit_config_from_v3(body.unit_config),
        "discounts": discounts_from_v3(body.discounts),
        "tax": {"behavior": tax.behavior, "tax_code_id": tax.code.id} if tax else {},
        "entitlement": entitlement_from_v3(body.entitlement),
    }


def rate_card_to_v3(card: RateCard, features: Mapping[str, Feature]) -> Json:
    """v3's `BillingRateCard`; `features` are those of the cards, by key."""
    price = price_to_json(card.price) if card.price else None
    conversion = conversion_to_json(card.unit_conversion) if card.unit_conversion else None
    feature = features.get(card.feature_key or "")
    return without_none(
        [
            ("key", card.key),
            ("name", card.name),
            ("description", card.description),
            ("labels", labels_of(card.metadata)),
            ("feature", {"id": feature.id} if feature else None),
            ("billing_cadence", card.billing_cadence),
            ("price", price_to_v3(price)),
            ("unit_config", unit_config_to_v3(price, conversion)),
            ("payment_term", payment_term_of(card.price).value if card.price else None),
            ("commitments", commitments_to_v3(price)),
            ("discounts", discounts_to_v3(discounts_to_json(card.discounts))),
            ("tax_config", tax_to_v3(card.tax.behavior, card.tax.tax_code_id)),
            ("entitlement", entitlement_to_v3(card.entitlement)),
        ]
    )
