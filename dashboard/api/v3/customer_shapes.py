"""v3's customer: as it is sent, and as it is answered."""

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
from dashboard.api.v3.base import Labels, V3Model, labels_of
from dashboard.customers.views import Address, Customer

FIELDS = {"subject_keys": "usage_attribution.subject_keys", "metadata": "labels"}


class V3Address(V3Model):
    country: CountryCode | None = None
    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    line1: str | None = None
    line2: str | None = None
    phone_number: str | None = None


class UsageAttribution(V3Model):
    subject_keys: list[Annotated[str, StringConstraints(min_length=1)]]


class CustomerBody(V3Model):
    """`UpsertCustomerRequest`: everything but the key, which cannot change."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    usage_attribution: UsageAttribution | None = None
    primary_email: str | None = None
    currency: CurrencyCode | None = None
    billing_address: V3Address | None = None


class NewCustomerBody(CustomerBody):
    """`CreateCustomerRequest`."""

    key: CustomerKey


def customer_from_v3(body: CustomerBody, key: str | None) -> dict[str, Any]:
    """What `CreateCustomer` and `UpdateCustomer` take."""
    return {
        "name": body.name,
        "key": key,
        "description": body.description,
        "metadata": body.labels or {},
        "subject_keys": body.usage_attribution.subject_keys if body.usage_attribution else (),
        "primary_email": body.primary_email,
        "currency": body.currency,
        "billing_address": body.billing_address.model_dump() if body.billing_address else None,
    }


def customer_to_v3(customer: Customer) -> dict[str, Any]:
    """v3's `BillingCustomer`. Its key is required there: a customer without one shows their id."""
    address = customer.billing_address
    return without_none(
        [
            ("id", customer.id),
            ("key", customer.key or customer.id),
            ("name", customer.name),
            ("description", customer.description),
            ("labels", labels_of(customer.metadata)),
            ("usage_attribution", {"subject_keys": list(customer.subject_keys)}),
            ("primary_email", customer.primary_email),
            ("currency", customer.currency),
            ("billing_address", address_to_v3(address) if address else None),
            ("created_at", in_utc(customer.created_at)),
            ("updated_at", in_utc(customer.updated_at)),
            ("deleted_at", optional_time(customer.deleted_at)),
        ]
    )


def address_to_v3(address: Address) -> dict[str, Any]:
    """v3's `Address`."""
    return without_none(
        [
            ("country", address.country),
            ("postal_code", address.postal_code),
            ("state", address.state),
            ("city", address.city),
            ("line1", address.line1),
            ("line2", address.line2),
            ("phone_number", address.phone_number),
        ]
    )
