"""What one may ask for of billing profiles and customer overrides, validated once for screens and API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from dashboard.billing.views import CollectionMethod, Supplier, TaxBehavior, TaxConfig, Workflow
from dashboard.catalog.inputs import StripeTaxCode
from dashboard.customers.inputs import (
    AddressInput,
    EmptyIsNone,
    Metadata,
    Name,
    OptionalCountry,
    OptionalCurrency,
    OptionalName,
    OptionalText,
)
from dashboard.kit.durations import BadDuration, Duration
from dashboard.kit.inputs import Input

TAX_ID_LENGTH_MAX = 32


def _waiting_time(text: str) -> str:
    try:
        duration = Duration.parse(text)
    except BadDuration as error:
        raise ValueError(error.for_people()) from None
    if duration.is_negative:
        raise ValueError("A waiting time cannot be negative.")
    return text


def _repeating_time(text: str) -> str:
    if not Duration.parse(_waiting_time(text)).is_positive:
        raise ValueError("Something cannot repeat every nothing.")
    return text


def _with_zone(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("A time needs its zone.")
    return at


WaitingTime = Annotated[str, AfterValidator(_waiting_time)]
RepeatingTime = Annotated[str, AfterValidator(_repeating_time)]
Moment = Annotated[datetime, AfterValidator(_with_zone)]


class TaxConfigInput(Input):
    """How something is taxed: by one of our tax codes or by Stripe's own code; our code wins."""

    behavior: TaxBehavior | None = None
    tax_code_id: Annotated[str | None, EmptyIsNone] = None
    stripe_code: StripeTaxCode = None

    def to_tax_config(self) -> TaxConfig:
        return TaxConfig(self.behavior, self.tax_code_id, self.stripe_code)


class WorkflowInput(Input):
    """How invoices are collected, approved, paid and taxed. Waiting times are ISO 8601 (`PT1H`, `P30D`)."""

    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    collection_alignment: Literal["subscription", "anchored"] = "subscription"
    collection_anchor: Moment | None = None
    collection_anchor_interval: RepeatingTime | None = None
    collection_interval: WaitingTime = "PT1H"
    draft_period: WaitingTime = "P0D"
    due_after: WaitingTime = "P30D"
    auto_advance: bool = True
    progressive_billing: bool = True
    subscription_end_proration_mode: Literal["bill_actual_period", "bill_full_period"] = "bill_actual_period"
    tax_enabled: bool = True
    tax_enforced: bool = False
    default_tax: TaxConfigInput = TaxConfigInput()

    @model_validator(mode="after")
    def _fits_together(self) -> "WorkflowInput":
        if self.tax_enforced and not self.tax_enabled:
            raise ValueError("Tax can only be enforced when it is on.")
        anchored = self.collection_alignment == "anchored"
        if anchored and (self.collection_anchor is None or self.collection_anchor_interval is None):
            raise ValueError("Collecting on fixed dates needs a first date and an interval.")
        return self

    def to_workflow(self) -> Workflow:
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "default_tax"}
        return Workflow(**fields, default_tax=self.default_tax.to_tax_config())


class SupplierInput(Input):
    """Who invoices come from."""

    name: Name
    country: OptionalCountry
    address: AddressInput | None = None
    tax_id: Annotated[Annotated[str, Field(max_length=TAX_ID_LENGTH_MAX)] | None, EmptyIsNone] = None

    @model_validator(mode="after")
    def _has_a_country(self) -> "SupplierInput":
        if self.country is None:
            raise ValueError("The supplier's country is missing.")
        return self

    def to_supplier(self) -> Supplier:
        address = self.address.to_address() if self.address else None
        return Supplier(self.name, self.country or "", address, self.tax_id)


class CreateBillingProfile(Input):
    """A billing profile to be. `make_default` None: only if there is no default yet."""

    name: Name
    app_id: Annotated[str, StringConstraints(min_length=1)]
    supplier: SupplierInput
    workflow: WorkflowInput = WorkflowInput()
    description: OptionalText = None
    default_currency: OptionalCurrency = None
    make_default: bool | None = None
    metadata: Metadata = {}


class UpdateBillingProfile(Input):
    """What a billing profile is from now on, as a whole; invoices made before keep what they were made with.

    `app_id` None keeps the app; `make_default` None keeps the default as it is.
    """

    name: Name
    supplier: SupplierInput
    workflow: WorkflowInput
    app_id: OptionalName = None
    description: OptionalText = None
    default_currency: OptionalCurrency = None
    make_default: bool | None = None
    metadata: Metadata = {}


class SetCustomerOverride(Input):
    """What is different for one customer, as a whole. `billing_profile_id` pins the profile; fields left out follow it.

    Whether tax is on and enforced is the profile's alone.
    """

    billing_profile_id: OptionalName = None
    collection_method: CollectionMethod | None = None
    collection_alignment: Literal["subscription", "anchored"] | None = None
    collection_anchor: Moment | None = None
    collection_anchor_interval: RepeatingTime | None = None
    collection_interval: WaitingTime | None = None
    draft_period: WaitingTime | None = None
    due_after: WaitingTime | None = None
    auto_advance: bool | None = None
    progressive_billing: bool | None = None
    subscription_end_proration_mode: Literal["bill_actual_period", "bill_full_period"] | None = None
    default_tax: TaxConfigInput | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "SetCustomerOverride":
        anchored = self.collection_alignment == "anchored"
        if anchored and (self.collection_anchor is None or self.collection_anchor_interval is None):
            raise ValueError("Collecting on fixed dates needs a first date and an interval.")
        return self

    def workflow_fields(self) -> dict[str, Any]:
        """The workflow fields that are set, as JSON."""
        fields = self.model_dump(mode="json", exclude_none=True, exclude={"billing_profile_id"})
        return fields
