"""v3's checkout and portal sessions. OpenMeter's printed examples (`customer`, `options.successURL`, `returnURL`) are
taken as other spellings of the contract's form."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints, model_validator

from dashboard.api.shapes import CurrencyCode, Flag, Name, UnixSeconds, optional_time, time_text, without_none
from dashboard.api.v3.base import UrlText, V3Model
from dashboard.stripe_app.views import CheckoutSession, PortalSession

AutoOrNever = Literal["auto", "never"]


class Message(V3Model):
    message: Annotated[str, StringConstraints(max_length=1200)] | None = None


class CustomText(V3Model):
    after_submit: Message | None = None
    shipping_address: Message | None = None
    submit: Message | None = None
    terms_of_service_acceptance: Message | None = None


class CustomerUpdate(V3Model):
    address: AutoOrNever = "never"
    name: AutoOrNever = "never"
    shipping: AutoOrNever = "never"


class ReuseAgreement(V3Model):
    position: Literal["auto", "hidden"] | None = None


class ConsentCollection(V3Model):
    payment_method_reuse_agreement: ReuseAgreement | None = None
    promotions: Literal["auto", "none"] | None = None
    terms_of_service: Literal["none", "required"] | None = None


class TaxIdCollection(V3Model):
    enabled: Flag = False
    required: Literal["if_supported", "never"] = "never"


class CheckoutOptions(V3Model):
    billing_address_collection: Literal["auto", "required"] = "auto"
    cancel_url: Annotated[UrlText | None, Field(validation_alias=AliasChoices("cancel_url", "cancelURL"))] = None
    client_reference_id: UrlText | None = None
    customer_update: CustomerUpdate | None = None
    consent_collection: ConsentCollection | None = None
    currency: CurrencyCode | None = None
    custom_text: CustomText | None = None
    expires_at: UnixSeconds | None = None
    locale: UrlText | None = None
    metadata: dict[str, str] | None = None
    return_url: Annotated[UrlText | None, Field(validation_alias=AliasChoices("return_url", "returnURL"))] = None
    success_url: Annotated[UrlText | None, Field(validation_alias=AliasChoices("success_url", "successURL"))] = None
    ui_mode: Literal["embedded", "hosted"] = "hosted"
    payment_method_types: list[UrlText] | None = None
    redirect_on_completion: Literal["always", "if_required", "never"] | None = None
    tax_id_collection: TaxIdCollection | None = None
    # Printed by OpenMeter's documentation; there is no other mode.
    mode: Literal["setup"] | None = None


FIELDS = {name: f"stripe_options.{name}" for name in CheckoutOptions.model_fields} | {"input": "stripe_options"}


class PrintedUsageAttribution(V3Model):
    subject_keys: Annotated[list[str] | None, Field(validation_alias=AliasChoices("subject_keys", "subjectKeys"))] = (
        None
    )


class PrintedCustomer(V3Model):
    """The customer of the printed example. The address names the customer already; only the currency says something."""

    name: Name | None = None
    currency: CurrencyCode | None = None
    usage_attribution: Annotated[
        PrintedUsageAttribution | None, Field(validation_alias=AliasChoices("usage_attribution", "usageAttribution"))
    ] = None


class CheckoutBody(V3Model):
    """`BillingCustomerStripeCreateCheckoutSessionRequest`, or the form OpenMeter's documentation prints."""

    stripe_options: Annotated[CheckoutOptions, Field(validation_alias=AliasChoices("stripe_options", "options"))]
    customer: PrintedCustomer | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, document: Any) -> Any:
        if isinstance(document, dict) and "stripe_options" in document and "options" in document:
            raise ValueError("stripe_options and options are two spellings of one thing; send one")
        return document


class PortalOptions(V3Model):
    configuration_id: UrlText | None = None
    locale: UrlText | None = None
    return_url: Annotated[UrlText | None, Field(validation_alias=AliasChoices("return_url", "returnURL"))] = None


PORTAL_FIELDS = {name: f"stripe_options.{name}" for name in PortalOptions.model_fields}


class PortalBody(V3Model):
    """`BillingCustomerStripeCreateCustomerPortalSessionRequest`."""

    stripe_options: PortalOptions


def checkout_from_v3(body: CheckoutBody) -> dict[str, Any]:
    """What `CreateCheckoutSession` takes, but for whose session it is."""
    given = body.stripe_options.model_dump(exclude_none=True, exclude={"mode"})
    if "currency" not in given and body.customer and body.customer.currency:
        given["currency"] = body.customer.currency
    if consent := given.get("consent_collection"):
        agreement = consent.pop("payment_method_reuse_agreement", None) or {}
        if "position" in agreement:
            consent["payment_method_reuse_agreement"] = agreement["position"]
    if texts := given.get("custom_text"):
        given["custom_text"] = {name: text["message"] for name, text in texts.items() if text.get("message")}
    return given


def checkout_to_v3(session: CheckoutSession) -> dict[str, Any]:
    """v3's `BillingAppStripeCreateCheckoutSessionResult`."""
    return without_none(
        [
            ("customer_id", session.customer_id),
            ("stripe_customer_id", session.stripe_customer_id),
            ("session_id", session.session_id),
            ("setup_intent_id", session.setup_intent_id),
            ("client_secret", session.client_secret),
            ("client_reference_id", session.client_reference_id),
            ("customer_email", session.customer_email),
            ("currency", session.currency),
            ("created_at", time_text(session.created_at)),
            ("expires_at", optional_time(session.expires_at)),
            ("metadata", session.metadata),
            ("status", session.status),
            ("url", session.url),
            ("mode", session.mode),
            ("cancel_url", session.cancel_url),
            ("success_url", session.success_url),
            ("return_url", session.return_url),
        ]
    )


def portal_to_v3(session: PortalSession) -> dict[str, Any]:
    """v3's `BillingAppStripeCreateCustomerPortalSessionResult`."""
    return {
        "id": session.id,
        "stripe_customer_id": session.stripe_customer_id,
        "configuration_id": session.configuration_id,
        "livemode": session.livemode,
        "created_at": time_text(session.created_at),
        "return_url": session.return_url,
        "locale": session.locale,
        "url": session.url,
    }
