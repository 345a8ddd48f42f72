"""A rate card as the fields of a form, and back; and which field each complaint belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.catalog.plan_json import rate_card_to_json
from dashboard.catalog.plan_views import RateCard, RateCardType

FLAT_FEE, USAGE_BASED = RateCardType.FLAT_FEE.value, RateCardType.USAGE_BASED.value
MODELS: dict[str, tuple[str, ...]] = {
    FLAT_FEE: ("flat", "free"),
    USAGE_BASED: ("unit", "graduated", "volume", "package", "dynamic", "flat", "free"),
}
MODEL_WORDS = {
    "unit": "Per unit",
    "graduated": "Graduated: each unit by its own tier",
    "volume": "Volume: all units by the tier reached",
    "package": "Per package",
    "dynamic": "Dynamic: the metered cost, multiplied",
    "flat": "Flat amount",
    "free": "Free",
}
TIERED = ("graduated", "volume")
ONCE = "once"
"""What the form posts for a charge without a cadence."""
_RENAMED = {
    "price": "form",
    "type": "form",
    "commitments.minimum_amount": "minimum_amount",
    "commitments.maximum_amount": "maximum_amount",
    "discounts.percentage": "percentage",
    "discounts.usage_quantity": "usage_quantity",
    "unit_conversion": "conversion_factor",
    "unit_conversion.factor": "conversion_factor",
    "unit_conversion.operation": "conversion_operation",
    "unit_conversion.rounding": "conversion_rounding",
    "tax.behavior": "tax_behavior",
    "tax.tax_code_id": "tax_code_id",
    "entitlement": "form",
}


@dataclass(frozen=True, slots=True)
class TierRow:
    """One tier as typed. `id` names its three fields, and stays when others are removed."""

    id: str
    up_to: str = ""
    unit: str = ""
    flat: str = ""


@dataclass(frozen=True, slots=True)
class CardForm:
    """The form as it opens: everything is text."""

    kind: str = FLAT_FEE
    model: str = "flat"
    name: str = ""
    key: str = ""
    description: str = ""
    feature_key: str = ""
    billing_cadence: str = "P1M"
    payment_term: str = "in_advance"
    amount: str = ""
    quantity_per_package: str = ""
    multiplier: str = ""
    tiers: list[TierRow] = field(default_factory=list)
    minimum_amount: str = ""
    maximum_amount: str = ""
    percentage: str = ""
    usage_quantity: str = ""
    conversion_operation: str = ""
    conversion_factor: str = ""
    conversion_rounding: str = "none"
    tax_code_id: str = ""
    tax_behavior: str = ""


NEW_TIERS = (TierRow("1"), TierRow("2"))


def form_of(card: RateCard) -> CardForm:
    """The form of a rate card that is there."""
    document = rate_card_to_json(card)
    price = document["price"] or {}
    commitments, discounts = price.get("commitments") or {}, document["discounts"]
    conversion = document["unit_conversion"] or {}
    return CardForm(
        kind=document["type"],
        model=price.get("mode") or price.get("type") or "free",
        name=card.name,
        key=card.key,
        description=card.description or "",
        feature_key=card.feature_key or "",
        billing_cadence=card.billing_cadence or ONCE,
        payment_term=price.get("payment_term", "in_advance"),
        amount=price.get("amount", ""),
        quantity_per_package=price.get("quantity_per_package", ""),
        multiplier=price.get("multiplier", ""),
        tiers=[_tier_row(number, tier) for number, tier in enumerate(price.get("tiers", ()), 1)],
        minimum_amount=commitments.get("minimum_amount", ""),
        maximum_amount=commitments.get("maximum_amount", ""),
        percentage=discounts.get("percentage", ""),
        usage_quantity=discounts.get("usage_quantity", ""),
        conversion_operation=conversion.get("operation", ""),
        conversion_factor=conversion.get("factor", ""),
        conversion_rounding=conversion.get("rounding", "none"),
        tax_code_id=card.tax.tax_code_id or "",
        tax_behavior=card.tax.behavior or "",
    )


def document_of(
    form: Mapping[str, Any], kind: str, model: str, tier_ids: Sequence[str], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The rate card that a form describes, as `RateCardInput` takes it.

    `before` is the card's document as it was: what the form does not show (entitlement, metadata, a Stripe code of its
    own, the precision of the conversion) stays. A card with a feature has the feature's key.
    """
    before = before or {}
    feature_key, cadence = _text(form, "feature_key"), _text(form, "billing_cadence")
    tax = {"behavior": _text(form, "tax_behavior"), "tax_code_id": _text(form, "tax_code_id")}
    kept_tax = before.get("tax") or {}
    if tax["tax_code_id"] == kept_tax.get("tax_code_id"):
        tax["stripe_code"] = kept_tax.get("stripe_code")
    return {
        "key": feature_key or _text(form, "key") or "",
        "name": _text(form, "name") or "",
        "type": kind,
        "description": _text(form, "description"),
        "feature_key": feature_key,
        "billing_cadence": None if cadence == ONCE else cadence,
        "price": _price(form, model, tier_ids),
        "discounts": _amounts(form, "percentage", *(() if model in ("flat", "free") else ("usage_quantity",))),
        "unit_conversion": _conversion(form, model, before.get("unit_conversion") or {}),
        "tax": tax,
        "entitlement": before.get("entitlement"),
        "metadata": before.get("metadata") or {},
    }


def field_of(path: str, tier_ids: Sequence[str]) -> str:
    """The form's field for a complaint's place below a rate card: `price.tiers.0.unit_amount` is `tier_7`.

    Prices that cannot be read are complained about without the `price.` in front.
    """
    path = path.removeprefix("price.")
    parts = path.split(".")
    if parts[0] == "tiers" and len(parts) > 1 and parts[1].isdecimal() and int(parts[1]) < len(tier_ids):
        return f"tier_{tier_ids[int(parts[1])]}"
    return _RENAMED.get(path, path)


def errors_of(fields: Mapping[str, str], place: str, tier_ids: Sequence[str], otherwise: str = "") -> dict[str, str]:
    """Complaints below `place` by the field of the form; `otherwise` stands over the form when there is none."""
    found: dict[str, str] = {}
    for path, sentence in fields.items():
        if path.startswith(place):
            found.setdefault(field_of(path.removeprefix(place), tier_ids), sentence)
    return found or ({"form": otherwise} if otherwise else {})


def _price(form: Mapping[str, Any], model: str, tier_ids: Sequence[str]) -> dict[str, Any] | None:
    if model == "free":
        return None
    if model == "flat":
        return {"type": "flat", "amount": _text(form, "amount"), "payment_term": _text(form, "payment_term")}
    limits = {"commitments": _amounts(form, "minimum_amount", "maximum_amount")}
    if model in TIERED:
        return {"type": "tiered", "mode": model, "tiers": [_tier(form, one) for one in tier_ids], **limits}
    own = {"unit": ("amount",), "package": ("amount", "quantity_per_package"), "dynamic": ("multiplier",)}[model]
    return {"type": model, **_amounts(form, *own), **limits}


def _tier(form: Mapping[str, Any], tier_id: str) -> dict[str, Any]:
    return {
        "up_to_amount": _text(form, f"tier_{tier_id}_up_to"),
        "unit_amount": _text(form, f"tier_{tier_id}_unit"),
        "flat_amount": _text(form, f"tier_{tier_id}_flat"),
    }


def _tier_row(number: int, tier: Mapping[str, Any]) -> TierRow:
    return TierRow(
        str(number), tier.get("up_to_amount") or "", tier.get("unit_amount") or "", tier.get("flat_amount") or ""
    )


def _conversion(form: Mapping[str, Any], model: str, before: Mapping[str, Any]) -> dict[str, Any] | None:
    operation = _text(form, "conversion_operation")
    if operation is None or model not in ("unit", *TIERED):
        return None
    return {
        "operation": operation,
        "factor": _text(form, "conversion_factor"),
        "rounding": _text(form, "conversion_rounding") or "none",
        "precision": before.get("precision", 0),
    }


def _amounts(form: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: text for name in names if (text := _text(form, name)) is not None}


def _text(form: Mapping[str, Any], name: str) -> str | None:
    return str(form.get(name) or "").strip() or None
