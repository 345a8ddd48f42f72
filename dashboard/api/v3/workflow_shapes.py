"""v3's billing workflow, supplier and tax configuration: read into our inputs, written from our views."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.shapes import Flag, StripeTaxCode, Time, UlidUpperCase, time_text, without_none
from dashboard.api.v3.base import V3Model
from dashboard.api.v3.customer_shapes import V3Address, address_to_v3
from dashboard.billing.views import CollectionMethod, Supplier, TaxBehavior, TaxConfig, Workflow
from dashboard.kit.errors import InvalidInput

FIELDS = {
    "app_id": "apps",
    "make_default": "default",
    "metadata": "labels",
    "supplier.country": "supplier.addresses.billing_address.country",
    "supplier.address": "supplier.addresses.billing_address",
    "supplier.tax_id": "supplier.tax_id.code",
    "workflow.collection_alignment": "workflow.collection.alignment",
    "workflow.collection_anchor": "workflow.collection.alignment.recurring_period.anchor",
    "workflow.collection_anchor_interval": "workflow.collection.alignment.recurring_period.interval",
    "workflow.collection_interval": "workflow.collection.interval",
    "workflow.draft_period": "workflow.invoicing.draft_period",
    "workflow.due_after": "workflow.payment.due_after",
    "workflow.tax_enforced": "workflow.tax.enforced",
    "workflow.default_tax": "workflow.tax.default_tax_config",
}


class RecurringPeriod(V3Model):
    anchor: Time
    interval: str


class SubscriptionAlignment(V3Model):
    type: Literal["subscription"]


class AnchoredAlignment(V3Model):
    type: Literal["anchored"]
    recurring_period: RecurringPeriod


class Collection(V3Model):
    alignment: Annotated[SubscriptionAlignment | AnchoredAlignment, Field(discriminator="type")] | None = None
    interval: str | None = None


class Invoicing(V3Model):
    auto_advance: Flag | None = None
    draft_period: str | None = None
    progressive_billing: Flag | None = None
    subscription_end_proration_mode: Literal["bill_full_period", "bill_actual_period"] | None = None


class ChargeAutomatically(V3Model):
    collection_method: Literal["charge_automatically"]


class SendInvoice(V3Model):
    collection_method: Literal["send_invoice"]
    due_after: str | None = None


Payment = Annotated[ChargeAutomatically | SendInvoice, Field(discriminator="collection_method")]


class StripeTax(V3Model):
    code: StripeTaxCode


class ExternalTax(V3Model):
    code: Annotated[str, StringConstraints(max_length=64)]


class Reference(V3Model):
    id: UlidUpperCase


class TaxConfigBody(V3Model):
    """`BillingTaxConfig`; what an external system calls the code has no place here and is not kept."""

    behavior: TaxBehavior | None = None
    stripe: StripeTax | None = None
    external_invoicing: ExternalTax | None = None
    tax_code_id: UlidUpperCase | None = None
    tax_code: Reference | None = None


class Tax(V3Model):
    enabled: Flag | None = None
    enforced: Flag | None = None
    default_tax_config: TaxConfigBody | None = None


class WorkflowBody(V3Model):
    collection: Collection | None = None
    invoicing: Invoicing | None = None
    payment: Payment | None = None
    tax: Tax | None = None


class TaxIdentity(V3Model):
    code: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None


class PartyAddresses(V3Model):
    billing_address: V3Address


class Party(V3Model):
    """`BillingParty`. An issuer's `key` has no place here and is not kept."""

    id: str | None = None
    key: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    name: str | None = None
    tax_id: TaxIdentity | None = None
    addresses: PartyAddresses | None = None


def workflow_from_v3(body: WorkflowBody) -> dict[str, Any]:
    """What `WorkflowInput` takes; what is not said stays at its default."""
    collection, invoicing, tax = body.collection or Collection(), body.invoicing or Invoicing(), body.tax or Tax()
    anchored = collection.alignment if isinstance(collection.alignment, AnchoredAlignment) else None
    return without_none(
        [
            ("collection_alignment", "anchored" if anchored else "subscription"),
            ("collection_anchor", anchored.recurring_period.anchor if anchored else None),
            ("collection_anchor_interval", anchored.recurring_period.interval if anchored else None),
            ("collection_interval", collection.interval),
            ("auto_advance", invoicing.auto_advance),
            ("draft_period", invoicing.draft_period),
            ("due_after", body.payment.due_after if isinstance(body.payment, SendInvoice) else None),
            ("progressive_billing", invoicing.progressive_billing),
            ("subscription_end_proration_mode", invoicing.subscription_end_proration_mode),
            ("collection_method", body.payment.collection_method if body.payment else None),
            ("tax_enabled", tax.enabled),
            ("tax_enforced", tax.enforced),
            ("default_tax", tax_config_from_v3(tax.default_tax_config) if tax.default_tax_config else None),
        ]
    )


def tax_config_from_v3(config: TaxConfigBody) -> dict[str, Any]:
    """What `TaxConfigInput` takes."""
    return {
        "behavior": config.behavior,
        "tax_code_id": config.tax_code.id if config.tax_code else config.tax_code_id,
        "stripe_code": config.stripe.code if config.stripe else None,
    }


def supplier_from_v3(party: Party) -> dict[str, Any]:
    """What `SupplierInput` takes. Raises InvalidInput without a name, or without an address that has a country."""
    if not party.name:
        raise InvalidInput("The supplier needs a name: it stands on every invoice.", field="supplier.name")
    address = party.addresses.billing_address.model_dump() if party.addresses else {}
    if not address.get("country"):
        raise InvalidInput("The supplier needs an address with its country.", field="supplier.country")
    return {
        "name": party.name,
        "country": address["country"],
        "address": address,
        "tax_id": party.tax_id.code if party.tax_id else None,
    }


def workflow_to_v3(workflow: Workflow) -> dict[str, Any]:
    """v3's `BillingWorkflow`."""
    tax = tax_config_to_v3(workflow.default_tax)
    return {
        "collection": {"alignment": _alignment_to_v3(workflow), "interval": workflow.collection_interval},
        "invoicing": {
            "auto_advance": workflow.auto_advance,
            "draft_period": workflow.draft_period,
            "progressive_billing": workflow.progressive_billing,
            "subscription_end_proration_mode": workflow.subscription_end_proration_mode,
        },
        "payment": payment_to_v3(workflow),
        "tax": {"enabled": workflow.tax_enabled, "enforced": workflow.tax_enforced}
        | ({"default_tax_config": tax} if tax else {}),
    }


def payment_to_v3(workflow: Workflow) -> dict[str, Any]:
    """v3's `BillingWorkflowPaymentSettings`: a due date only where an invoice is sent."""
    if workflow.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY:
        return {"collection_method": "charge_automatically"}
    return {"collection_method": "send_invoice", "due_after": workflow.due_after}


def tax_config_to_v3(tax: TaxConfig) -> dict[str, Any]:
    """v3's `BillingTaxConfig`, empty when nothing is set."""
    return without_none(
        [
            ("behavior", tax.behavior.value if tax.behavior else None),
            ("stripe", {"code": tax.stripe_code} if tax.stripe_code else None),
            ("tax_code_id", tax.tax_code_id),
            ("tax_code", {"id": tax.tax_code_id} if tax.tax_code_id else None),
        ]
    )


def supplier_to_v3(supplier: Supplier) -> dict[str, Any]:
    """v3's `BillingParty`. The supplier's country stands in its address."""
    address = address_to_v3(supplier.address) if supplier.address else {}
    return without_none(
        [
            ("name", supplier.name),
            ("tax_id", {"code": supplier.tax_id} if supplier.tax_id else None),
            ("addresses", {"billing_address": {"country": supplier.country} | address}),
        ]
    )


def _alignment_to_v3(workflow: Workflow) -> dict[str, Any]:
    if workflow.collection_alignment == "subscription" or workflow.collection_anchor is None:
        return {"type": "subscription"}
    return {
        "type": "anchored",
        "recurring_period": {
            "interval": workflow.collection_anchor_interval,
            "anchor": time_text(workflow.collection_anchor),
        },
    }
