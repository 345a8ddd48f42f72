"""A billing profile as the texts of a form, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.billing.views import BillingProfile, CollectionMethod, Workflow
from dashboard.customers.views import Address
from dashboard.kit.errors import InvalidInput, MeterdeskError
from dashboard.ui.billing_profiles.waits import (
    USUAL_COLLECTION,
    USUAL_DRAFT,
    USUAL_DUE,
    Wait,
    text_from_wait,
    wait_from_text,
)

METHODS = {
    CollectionMethod.CHARGE_AUTOMATICALLY.value: "Auto Collection",
    CollectionMethod.SEND_INVOICE.value: "Send Invoice",
}
TAX_OFF, TAX_ON, TAX_ENFORCED = "off", "on", "enforced"
TAXES = {TAX_OFF: "No tax", TAX_ON: "Stripe Tax", TAX_ENFORCED: "Stripe Tax, enforced"}


@dataclass(frozen=True, slots=True)
class ProfileFields:
    """What the form shows at first. Waiting times stand in two fields each."""

    id: str = ""
    name: str = ""
    description: str = ""
    app_id: str = ""
    method: str = CollectionMethod.CHARGE_AUTOMATICALLY.value
    collection: Wait = USUAL_COLLECTION
    draft: Wait = USUAL_DRAFT
    due: Wait = USUAL_DUE
    approval: str = "auto"
    progressive: bool = True
    proration: str = "bill_actual_period"
    alignment: str = "subscription"
    anchor_interval: str = "P1M"
    anchor: str = ""
    tax: str = TAX_OFF
    tax_behavior: str = ""
    supplier_name: str = ""
    supplier_country: str = ""
    supplier_tax_id: str = ""
    supplier_line1: str = ""
    supplier_line2: str = ""
    supplier_city: str = ""
    supplier_state: str = ""
    supplier_postal_code: str = ""
    currency: str = ""
    labels: str = ""


def fields_of(profile: BillingProfile) -> ProfileFields:
    """The form of an existing profile."""
    workflow, supplier = profile.workflow, profile.supplier
    address = supplier.address or Address()
    return ProfileFields(
        id=profile.id,
        name=profile.name,
        description=profile.description or "",
        app_id=profile.app_id,
        method=workflow.collection_method.value,
        collection=wait_from_text(workflow.collection_interval),
        draft=wait_from_text(workflow.draft_period),
        due=wait_from_text(workflow.due_after),
        approval="auto" if workflow.auto_advance else "manual",
        progressive=workflow.progressive_billing,
        proration=workflow.subscription_end_proration_mode,
        alignment=workflow.collection_alignment,
        anchor_interval=workflow.collection_anchor_interval or "P1M",
        anchor=f"{workflow.collection_anchor:%Y-%m-%d}" if workflow.collection_anchor else "",
        tax=tax_choice(workflow),
        tax_behavior=workflow.default_tax.behavior.value if workflow.default_tax.behavior else "",
        supplier_name=supplier.name,
        supplier_country=supplier.country,
        supplier_tax_id=supplier.tax_id or "",
        supplier_line1=address.line1 or "",
        supplier_line2=address.line2 or "",
        supplier_city=address.city or "",
        supplier_state=address.state or "",
        supplier_postal_code=address.postal_code or "",
        currency=profile.default_currency or "",
        labels="\n".join(f"{name}={value}" for name, value in profile.metadata.items()),
    )


def tax_choice(workflow: Workflow) -> str:
    """Which of the three cards a workflow stands for."""
    if not workflow.tax_enabled:
        return TAX_OFF
    return TAX_ENFORCED if workflow.tax_enforced else TAX_ON


def tax_in_words(workflow: Workflow) -> str:
    """“Stripe Tax, enforced”."""
    return TAXES[tax_choice(workflow)]


def text_of(form: Mapping[str, Any], name: str) -> str:
    """A text field, trimmed; empty when it was not sent."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def is_ticked(form: Mapping[str, Any], name: str) -> bool:
    """Whether a checkbox or switch was on."""
    return form.get(name) in (True, "on", "true")


def wait_of(form: Mapping[str, Any], name: str) -> str:
    """The ISO 8601 text of a waiting time's two fields. Raises BadDuration for the field `name`."""
    return text_from_wait(text_of(form, f"{name}_amount"), text_of(form, f"{name}_unit"), field=name)


def labels_of(form: Mapping[str, Any]) -> dict[str, str]:
    """`name=value` lines as a dictionary. Raises InvalidInput for a line without an equals sign."""
    labels: dict[str, str] = {}
    for line in text_of(form, "labels").splitlines():
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InvalidInput("Write one label per line, as name=value.", field="labels")
        labels[name.strip()] = value.strip()
    return labels


class Problems:
    """Collects the refusals of single fields, so that a form says everything at once."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def take(self, read: Any, *arguments: Any, otherwise: Any = None) -> Any:
        """What `read(*arguments)` answers; notes a refusal and answers `otherwise`."""
        try:
            return read(*arguments)
        except MeterdeskError as error:
            self.fields.update(error.fields or {"form": error.for_people()})
            return otherwise

    def check(self) -> None:
        """Raises InvalidInput with everything that was noted."""
        if self.fields:
            raise InvalidInput("Some fields need another look.", fields=self.fields)
