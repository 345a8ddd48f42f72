"""What one may ask of the Stripe room, validated once for screens and API alike."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from dashboard.kit.inputs import Input

RESERVED_METADATA_PREFIX = "meterdesk_"

Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(min_length=1, max_length=1200)]
StripeCustomerId = Annotated[str, Field(pattern=r"^cus_[A-Za-z0-9_]{1,250}$")]
PaymentMethodId = Annotated[str, Field(pattern=r"^(pm|card|src|ba)_[A-Za-z0-9_]{1,250}$")]


def _fits_stripe(metadata: dict[str, str]) -> dict[str, str]:
    """Stripe's limits: 50 keys of 40 characters without brackets, values of 500."""
    if len(metadata) > 40:
        raise ValueError("At most 40 entries (Stripe takes 50, some are ours)")
    for key, value in metadata.items():
        if not key or len(key) > 40 or "[" in key or "]" in key:
            raise ValueError(f"The key {key[:50]!r} needs 1 to 40 characters and no brackets")
        if len(value) > 500:
            raise ValueError(f"The value of {key!r} is longer than 500 characters")
    return metadata


Metadata = Annotated[dict[str, str], AfterValidator(_fits_stripe)]


class InstallStripeApp(Input):
    """Install the account that `api_key` opens. `confirmed_account_id` guards against a key swapped after the check."""

    api_key: SecretStr
    name: Name = "Stripe"
    description: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    confirmed_account_id: str | None = None


class UpdateStripeApp(Input):
    """Replace name, description and metadata; `api_key` only when given (omitted = kept)."""

    name: Name
    description: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    api_key: SecretStr | None = None


class LinkStripeCustomer(Input):
    """Say which Stripe customer one of ours is. Without `default_payment_method_id` the stored one stays
    (`keep_payment_method`) or is cleared."""

    customer_id: str
    app_id: str | None = None
    stripe_customer_id: StripeCustomerId
    default_payment_method_id: PaymentMethodId | None = None
    keep_payment_method: bool = False
    labels: Metadata | None = None


class UpdateStripeCustomer(Input):
    """Change what Stripe knows of the linked customer; None leaves a field alone."""

    customer_id: str
    app_id: str | None = None
    email: Annotated[str, Field(min_length=3, max_length=512, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    name: Name | None = None
    send_address: bool = False


Position = Literal["auto", "hidden"]
AutoOrNever = Literal["auto", "never"]


class TaxIdCollection(Input):
    enabled: bool = False
    required: Literal["if_supported", "never"] | None = None


class CustomerUpdate(Input):
    address: AutoOrNever | None = None
    name: AutoOrNever | None = None
    shipping: AutoOrNever | None = None


class ConsentCollection(Input):
    payment_method_reuse_agreement: Position | None = None
    promotions: Literal["auto", "none"] | None = None
    terms_of_service: Literal["none", "required"] | None = None


class CustomText(Input):
    """Messages on the checkout page, 1200 characters each."""

    after_submit: Text | None = None
    shipping_address: Text | None = None
    submit: Text | None = None
    terms_of_service_acceptance: Text | None = None


class CreateCheckoutSession(Input):
    """A page that collects a payment method. `metadata` reaches the setup intent and comes back to you."""

    customer_id: str
    app_id: str | None = None
    stripe_customer_id: StripeCustomerId | None = None
    ui_mode: Literal["hosted", "embedded"] = "hosted"
    success_url: str | None = None
    cancel_url: str | None = None
    return_url: str | None = None
    redirect_on_completion: Literal["always", "if_required", "never"] | None = None
    currency: str | None = None
    billing_address_collection: Literal["auto", "required"] | None = None
    tax_id_collection: TaxIdCollection | None = None
    customer_update: CustomerUpdate | None = None
    consent_collection: ConsentCollection | None = None
    custom_text: CustomText | None = None
    client_reference_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    expires_at: datetime | None = None
    locale: str | None = None
    payment_method_types: tuple[str, ...] | None = None
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("metadata")
    @classmethod
    def _not_ours(cls, metadata: dict[str, str]) -> dict[str, str]:
        taken = sorted(key for key in metadata if key.startswith(RESERVED_METADATA_PREFIX))
        if taken:
            raise ValueError(f"Keys that begin with {RESERVED_METADATA_PREFIX} are ours: {', '.join(taken)}")
        return metadata

    @field_validator("success_url", "cancel_url", "return_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("Give a full address that begins with https:// or http://")
        return value

    @model_validator(mode="after")
    def _addresses_fit_the_mode(self) -> "CreateCheckoutSession":
        # Stripe refuses these combinations: https://docs.stripe.com/api/checkout/sessions/create
        if self.ui_mode == "hosted":
            if self.success_url is None:
                raise ValueError("success_url says where the customer goes afterwards; a hosted page needs it")
            if self.return_url is not None or self.redirect_on_completion is not None:
                raise ValueError("return_url and redirect_on_completion belong to the embedded form only")
        else:
            if self.success_url is not None or self.cancel_url is not None:
                raise ValueError(
                    "success_url and cancel_url belong to the hosted page; the embedded form has return_url"
                )
            if self.return_url is None and self.redirect_on_completion != "never":
                raise ValueError("return_url is needed, unless redirect_on_completion is never")
        return self


class CreatePortalSession(Input):
    """A door to Stripe's customer portal; None takes the app's own configuration and Stripe's guess of the language."""

    customer_id: str
    app_id: str | None = None
    configuration_id: Annotated[str, Field(pattern=r"^bpc_\w+$")] | None = None
    locale: Annotated[str, Field(min_length=2, max_length=20)] | None = None
    return_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    flow: Literal["payment_method_update"] | None = None


class EventFilter(Input):
    """Which letters of the inbox to show; empty fields do not filter."""

    app_id: str | None = None
    state: tuple[str, ...] = ()
    type: str | None = None
    object_id: str | None = None
    customer_id: str | None = None
    invoice_id: str | None = None
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None
