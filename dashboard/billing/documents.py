"""Views as stored JSON and back: workflow, supplier, tax, the provider's answer."""

from typing import Any, TypeVar

import msgspec

from dashboard.billing.views import ExternalInvoice, Supplier, TaxConfig, Workflow
from dashboard.customers.views import Customer

Json = dict[str, Any]
View = TypeVar("View")


def to_json(view: object) -> Json:
    """A frozen view as plain JSON, equal to what the database gives back of it: decimals and times as text."""
    return msgspec.json.decode(msgspec.json.encode(view))


def workflow_from_json(document: Json) -> Workflow:
    return msgspec.convert(document, Workflow)


def supplier_from_json(document: Json) -> Supplier:
    return msgspec.convert(document, Supplier)


def tax_from_json(document: Json) -> TaxConfig:
    return msgspec.convert(document, TaxConfig)


def external_from_json(document: Json) -> ExternalInvoice:
    return msgspec.convert(document, ExternalInvoice)


def customer_snapshot(customer: Customer) -> Json:
    """What an invoice keeps of its customer."""
    document = to_json(customer)
    return {
        name: document[name]
        for name in ("id", "key", "name", "primary_email", "billing_address", "subject_keys", "currency")
    }
