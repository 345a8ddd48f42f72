"""Reading Stripe's JSON: moments, references, how somebody pays."""

from datetime import UTC, datetime
from typing import Any

from dashboard.billing.invoicing_app import PaymentMethod

Json = dict[str, Any]


def moment(seconds: int | None) -> datetime | None:
    """The UTC time of Stripe's seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def must_moment(seconds: int) -> datetime:
    """Like `moment`, for fields that Stripe always fills."""
    return datetime.fromtimestamp(seconds, UTC)


def id_of(reference: Any) -> str | None:
    """The id behind a field that may hold an id, the object spelled out, or nothing."""
    return reference.get("id") if isinstance(reference, dict) else reference


def payment_method_of(answer: Json) -> PaymentMethod:
    """Brand, last four and expiry of a card; bank name and last four of an account; else only the kind."""
    kind = answer["type"]
    detail = answer.get(kind) or {}
    return PaymentMethod(
        id=answer["id"],
        kind=kind,
        brand=detail.get("display_brand") or detail.get("brand") or detail.get("bank_name"),
        last4=detail.get("last4"),
        exp_month=detail.get("exp_month"),
        exp_year=detail.get("exp_year"),
    )


def payment_method_document(method: PaymentMethod) -> Json:
    """For the database."""
    return {
        "id": method.id,
        "kind": method.kind,
        "brand": method.brand,
        "last4": method.last4,
        "exp_month": method.exp_month,
        "exp_year": method.exp_year,
    }


def payment_method_from(document: Json | None) -> PaymentMethod | None:
    """From the database."""
    return PaymentMethod(**document) if document else None
