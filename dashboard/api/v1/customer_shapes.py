"""v1's customer: as it is sent, and as it is answered."""

from typing import Annotated, Any

from pydantic import StringConstraints

from dashboard.api.shapes import (
    CountryCode,
    CurrencyCode,
    CustomerKey,
    Description,
    Name,
    in_utc,
    optional_time,
    without_none,
)
from dashboard.api.v1.base import V1Model
from dashboard.customers.views import Address, Customer

FIELDS = {"subject_keys": "usageAttribution.subjectKeys"}
"""Where our field is found in v1's body."""


class V1Address(V1Model):
    country: CountryCode | None = None
    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    line1: str | None = None
    line2: str | None = None
    phone_number: str | None = None


class UsageAttribution(V1Model):
    subject_keys: list[Annotated[str, StringConstraints(min_length=1)]]


class CustomerBody(V1Model):
    """`CustomerCreate` and `CustomerReplaceUpdate`, which are the same."""

    name: Name
    key: CustomerKey | None = None
    description: Description | None = None
    metadata: dict[str, str] | None = None
    usage_attribution: UsageAttribution | None = None
    primary_email: str | None = None
    currency: CurrencyCode | None = None
    billing_address: V1Address | None = None


def customer_from_v1(body: CustomerBody) -> dict[str, Any]:
    """What `CreateCustomer` and `UpdateCustomer` take."""
    return {
        "name": body.name,
        "key": body.key,
        "description": body.description,
        "metadata": body.metadata or {},
        "subject_keys": body.usage_attribution.subject_keys if body.usage_attribution else (),
        "primary_email": body.primary_email,
        "currency": body.currency,
        "billing_address": body.billing_address.model_dump() if body.billing_address else None,
    }


def customer_to_v1(customer: Customer) -> dict[str, Any]:
    """v1's `Customer`."""
    address = customer.billing_address
    return without_none(
        [
            ("id", customer.id),
            ("key", customer.key),
            ("name", customer.name),
            ("description", customer.description),
            ("metadata", customer.metadata),
            ("usageAttribution", {"subjectKeys": list(customer.subject_keys)}),
            ("primaryEmail", customer.primary_email),
            ("currency", customer.currency),
            ("billingAddress", address_to_v1(address) if address else None),
            ("createdAt", in_utc(customer.created_at)),
            ("updatedAt", in_utc(customer.updated_at)),
            ("deletedAt", optional_time(customer.deleted_at)),
        ]
    )


def address_to_v1(address: Address) -> dict[str, Any]:
    """v1's `Address`."""
    return without_none(
        [
            ("country", address.country),
            ("postalCode", address.postal_code),
            ("state", address.state),
            ("city", address.city),
            ("line1", address.line1),
            ("line2", address.line2),
            ("phoneNumber", address.phone_number),
        ]
    )
