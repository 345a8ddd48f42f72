"""v1's billing workflow, supplier and tax configuration: read into our inputs, written from our views."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dashboard.api.shapes import StripeTaxCode, Time, UlidAnyCase, time_text, without_none
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.customer_shapes import V1Address, address_to_v1
from dashboard.billing.views import CollectionMethod, Supplier, TaxBehavior, TaxConfig, Workflow
from dashboard.kit.errors import InvalidInput

FIELDS = {
    "app_id": "apps",
    "make_default": "default",
    "supplier.country": "supplier.addresses.0.country",
    "supplier.address": "supplier.addresses.0",
    "supplier.tax_id": "supplier.taxId.code",
    "workflow.collection_alignment": "workflow.collection.alignment",
    "workflow.collection_anchor": "workflow.collection.alignment.recurringPeriod.anchor",
    "workflow.collection_anchor_interval": "workflow.collection.alignment.recurringPeriod.interval",
    "workflow.collection_interval": "workflow.collection.interval",
    "workflow.draft_period": "workflow.invoicing.draftPeriod",
    "workflow.due_after": "workflow.invoicing.dueAfter",
    "workflow.tax_enforced": "workflow.tax.enforced",
    "workflow.default_tax.tax_code_id": "workflow.invoicing.defaultTaxConfig.taxCodeId",
    "workflow.default_tax": "workflow.invoicing.defaultTaxConfig",
}
_WORDED_INTERVALS = {"DAY": "P1D", "WEEK": "P1W", "MONTH": "P1M", "YEAR": "P1Y"}

Flag = Annotated[bool, Field(strict=True)]


class RecurringPeriod(V1Model):
    interval: str
    anchor: Time


class Alignment(V1Model):
    type: Literal["subscription", "anchored"] = "subscription"
    recurring_period: RecurringPeriod | None = None


class Collection(V1Model):
    alignment: Alignment | None = None
    interval: str | None = None


class StripeTax(V1Model):
    code: StripeTaxCode


class TaxConfigBody(V1Model):
    behavior: TaxBehavior | None = None
    stripe: StripeTax | None = None
    tax_code_id: UlidAnyCase | None = None


class Invoicing(V1Model):
    auto_advance: Flag | None = None
    draft_period: str | None = None
    due_after: str | None = None
    progressive_billing: Flag | None = None
    subscription_end_proration_mode: Literal["bill_full_period", "bill_actual_period"] | None = None
    default_tax_config: TaxConfigBody | None = None


class Payment(V1Model):
    collection_method: CollectionMethod | None = None


class Tax(V1Model):
    enabled: Flag | None = None
    enforced: Flag | None = None


class WorkflowBody(V1Model):
    collection: Collection | None = None
    invoicing: Invoicing | None = None
    payment: Payment | None = None
    tax: Tax | None = None


class TaxIdentity(V1Model):
    code: str | None = None


class Party(V1Model):
    """`BillingParty`. An issuer's `key` has no place here and is not kept."""

    name: str | None = None
    tax_id: TaxIdentity | None = None
    addresses: Annotated[list[V1Address], Field(max_length=1)] | None = None


def workflow_from_v1(body: WorkflowBody) -> dict[str, Any]:
    """What `WorkflowInput` takes; what is not said stays at its default."""
    collection, invoicing = body.collection or Collection(), body.invoicing or Invoicing()
    alignment = collection.alignment or Alignment()
    period = alignment.recurring_period if alignment.type == "anchored" else None
    tax, config = body.tax or Tax(), invoicing.default_tax_config
    return without_none(
        [
            ("collection_alignment", alignment.type),
            ("collection_anchor", period.anchor if period else None),
            ("collection_anchor_interval", _interval(period.interval) if period else None),
            ("collection_interval", collection.interval),
            ("auto_advance", invoicing.auto_advance),
            ("draft_period", invoicing.draft_period),
            ("due_after", invoicing.due_after),
            ("progressive_billing", invoicing.progressive_billing),
            ("subscription_end_proration_mode", invoicing.subscription_end_proration_mode),
            ("collection_method", body.payment.collection_method if body.payment else None),
            ("tax_enabled", tax.enabled),
            ("tax_enforced", tax.enforced),
            ("default_tax", tax_config_from_v1(config) if config else None),
        ]
    )


def tax_config_from_v1(config: TaxConfigBody) -> dict[str, Any]:
    """What `TaxConfigInput` takes."""
    return {
        "behavior": config.behavior,
        "tax_code_id": config.tax_code_id,
        "stripe_code": config.stripe.code if config.stripe else None,
    }


def supplier_from_v1(party: Party) -> dict[str, Any]:
    """What `SupplierInput` takes. Raises InvalidInput without a name, or without an address that has a country."""
    if not party.name:
        raise InvalidInput("The supplier needs a name: it stands on every invoice.", field="supplier.name")
    address = party.addresses[0].model_dump() if party.addresses else {}
    if not address.get("country"):
        raise InvalidInput("The supplier needs an address with its country.", field="supplier.country")
    return {
        "name": party.name,
        "country": address["country"],
        "address": address,
        "tax_id": party.tax_id.code if party.tax_id else None,
    }


def workflow_to_v1(workflow: Workflow) -> dict[str, Any]:
    """v1's `BillingWorkflow`."""
    tax = tax_config_to_v1(workflow.default_tax)
    return {
        "collection": {"alignment": _alignment_to_v1(workflow), "interval": workflow.collection_interval},
        "invoicing": without_none(
            [
                ("autoAdvance", workflow.auto_advance),
                ("draftPeriod", workflow.draft_period),
                ("dueAfter", workflow.due_after),
                ("progressiveBilling", workflow.progressive_billing),
                ("subscriptionEndProrationMode", workflow.subscription_end_proration_mode),
                ("defaultTaxConfig", tax or None),
            ]
        ),
        "payment": {"collectionMethod": workflow.collection_method.value},
        "tax": {"enabled": workflow.tax_enabled, "enforced": workflow.tax_enforced},
    }


def tax_config_to_v1(tax: TaxConfig) -> dict[str, Any]:
    """v1's `TaxConfig`, empty when nothing is set."""
    return without_none(
        [
            ("behavior", tax.behavior.value if tax.behavior else None),
            ("stripe", {"code": tax.stripe_code} if tax.stripe_code else None),
            ("taxCodeId", tax.tax_code_id),
        ]
    )


def supplier_to_v1(supplier: Supplier) -> dict[str, Any]:
    """v1's `BillingParty`. The supplier's country stands in its address."""
    address = address_to_v1(supplier.address) if supplier.address else {}
    return without_none(
        [
            ("name", supplier.name),
            ("taxId", {"code": supplier.tax_id} if supplier.tax_id else None),
            ("addresses", [{"country": supplier.country} | address]),
        ]
    )


def _alignment_to_v1(workflow: Workflow) -> dict[str, Any]:
    if workflow.collection_alignment == "subscription" or workflow.collection_anchor is None:
        return {"type": "subscription"}
    return {
        "type": "anchored",
        "recurringPeriod": {
            "interval": workflow.collection_anchor_interval,
            "anchor": time_text(workflow.collection_anchor),
        },
    }


def _interval(text: str) -> str:
    return _WORDED_INTERVALS.get(text, text)
