"""Phases and rate cards as plain JSON, the way they are stored in plans and copied into subscriptions."""

from collections.abc import Mapping
from typing import Any

from dashboard.catalog.plan_views import Phase, RateCard, RateCardTax, RateCardType
from dashboard.catalog.price_json import (
    conversion_from_json,
    conversion_to_json,
    discounts_from_json,
    discounts_to_json,
    price_from_json,
    price_to_json,
)

Json = dict[str, Any]


def phase_to_json(phase: Phase) -> Json:
    """The phase as JSON; `phase_from_json` gives it back."""
    return {
        "key": phase.key,
        "name": phase.name,
        "description": phase.description,
        "duration": phase.duration,
        "metadata": phase.metadata,
        "rate_cards": [rate_card_to_json(card) for card in phase.rate_cards],
    }


def phase_from_json(document: Mapping[str, Any]) -> Phase:
    """The phase a stored document describes."""
    return Phase(
        key=document["key"],
        name=document["name"],
        description=document.get("description"),
        duration=document.get("duration"),
        metadata=dict(document.get("metadata") or {}),
        rate_cards=tuple(rate_card_from_json(card) for card in document["rate_cards"]),
    )


def rate_card_to_json(card: RateCard) -> Json:
    """The rate card as JSON; `rate_card_from_json` gives it back."""
    return {
        "key": card.key,
        "name": card.name,
        "type": card.type.value,
        "description": card.description,
        "feature_key": card.feature_key,
        "billing_cadence": card.billing_cadence,
        "price": None if card.price is None else price_to_json(card.price),
        "discounts": discounts_to_json(card.discounts),
        "unit_conversion": None if card.unit_conversion is None else conversion_to_json(card.unit_conversion),
        "tax": {
            "behavior": card.tax.behavior,
            "tax_code_id": card.tax.tax_code_id,
            "stripe_code": card.tax.stripe_code,
        },
        "entitlement": card.entitlement,
        "metadata": card.metadata,
    }


def rate_card_from_json(document: Mapping[str, Any]) -> RateCard:
    """The rate card a stored document describes. Raises BadPrice or BadAmount for a price it cannot read."""
    price = document.get("price")
    return RateCard(
        key=document["key"],
        name=document["name"],
        type=RateCardType(document["type"]),
        description=document.get("description"),
        feature_key=document.get("feature_key"),
        billing_cadence=document.get("billing_cadence"),
        price=None if price is None else price_from_json(price),
        discounts=discounts_from_json(document.get("discounts")),
        unit_conversion=conversion_from_json(document.get("unit_conversion")),
        tax=RateCardTax(**(document.get("tax") or {})),
        entitlement=document.get("entitlement"),
        metadata=dict(document.get("metadata") or {}),
    )
