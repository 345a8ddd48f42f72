"""v1's checkout and portal sessions: what may be asked, and what is answered."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints

from dashboard.api.shapes import CurrencyCode, Flag, UlidAnyCase, UnixSeconds, optional_time, time_text, without_none
from dashboard.api.v1.base import V1Model
from dashboard.stripe_app.views import CheckoutSession, PortalSession

FIELDS = {
    "success_url": "options.successURL",
    "cancel_url": "options.cancelURL",
    "return_url": "options.returnURL",
    "client_reference_id": "options.clientReferenceID",
    "currency": "options.currency",
    "ui_mode": "options.uiMode",
    "redirect_on_completion": "options.redirectOnCompletion",
    "billing_address_collection": "options.billingAddressCollection",
    "tax_id_collection": "options.taxIdCollection",
    "customer_update": "options.customerUpdate",
    "consent_collection": "options.consentCollection",
    "custom_text": "options.customText",
    "expires_at": "options.expiresAt",
    "locale": "options.locale",
    "payment_method_types": "options.paymentMethodTypes",
    "metadata": "options.metadata",
    "input": "options",
}

Text = Annotated[str, StringConstraints(max_length=2048)]
AutoOrNever = Literal["auto", "never"]


def _url(name: str, *aliases: str) -> Any:
    """A field of the contract's spelling that also takes the spellings of OpenMeter's printed examples."""
    return Field(validation_alias=AliasChoices(name, *aliases))


class Message(V1Model):
    message: Annotated[str, StringConstraints(max_length=1200)] | None = None


class CustomText(V1Model):
    after_submit: Message | None = None
    shipping_address: Message | None = None
    submit: Message | None = None
    terms_of_service_acceptance: Message | None = None


class CustomerUpdate(V1Model):
    address: AutoOrNever | None = None
    name: AutoOrNever | None = None
    shipping: AutoOrNever | None = None


class ReuseAgreement(V1Model):
    position: Literal["auto", "hidden"] | None = None


class ConsentCollection(V1Model):
    payment_method_reuse_agreement: ReuseAgreement | None = None
    promotions: Literal["auto", "none"] | None = None
    terms_of_service: Literal["none", "required"] | None = None


class TaxIdCollection(V1Model):
    enabled: Flag
    required: Literal["if_supported", "never"] | None = None


class CheckoutOptions(V1Model):
    billing_address_collection: Literal["auto", "required"] | None = None
    cancel_url: Annotated[Text | None, _url("cancelURL", "cancelUrl")] = None
    client_reference_id: Annotated[Text | None, _url("clientReferenceID", "clientReferenceId")] = None
    customer_update: CustomerUpdate | None = None
    consent_collection: ConsentCollection | None = None
    currency: CurrencyCode | None = None
    custom_text: CustomText | None = None
    expires_at: UnixSeconds | None = None
    locale: Text | None = None
    metadata: dict[str, str] | None = None
    return_url: Annotated[Text | None, _url("returnURL", "returnUrl")] = None
    success_url: Annotated[Text | None, _url("successURL", "successUrl")] = None
    ui_mode: Literal["embedded", "hosted"] | None = None
    payment_method_types: list[Text] | None = None
    redirect_on_completion: Literal["always", "if_required", "never"] | None = None
    tax_id_collection: TaxIdCollection | None = None


class CheckoutBody(V1Model):
    """`CreateStripeCheckoutSessionRequest`. With a `name` the customer is made, else found by `id`, else by `key`."""

    app_id: UlidAnyCase | None = None
    customer: dict[str, Any]
    stripe_customer_id: Text | None = None
    options: CheckoutOptions


class PortalBody(V1Model):
    """`CreateStripeCustomerPortalSessionParams`."""

    configuration_id: Text | None = None
    locale: Text | None = None
    return_url: Annotated[Text | None, _url("returnUrl", "returnURL")] = None


def checkout_from_v1(options: CheckoutOptions) -> dict[str, Any]:
    """What `CreateCheckoutSession` takes, but for whose session it is."""
    given = options.model_dump(exclude_none=True)
    if consent := given.get("consent_collection"):
        agreement = consent.pop("payment_method_reuse_agreement", None) or {}
        given["consent_collection"] = consent | (
            {"payment_method_reuse_agreement": agreement["position"]} if "position" in agreement else {}
        )
    if texts := given.get("custom_text"):
        given["custom_text"] = {name: text["message"] for name, text in texts.items() if text.get("message")}
    return given


def checkout_to_v1(session: CheckoutSession) -> dict[str, Any]:
    """v1's `CreateStripeCheckoutSessionResult`."""
    return without_none(
        [
            ("customerId", session.customer_id),
            ("stripeCustomerId", session.stripe_customer_id),
            ("sessionId", session.session_id),
            ("setupIntentId", session.setup_intent_id),
            ("clientSecret", session.client_secret),
            ("clientReferenceId", session.client_reference_id),
            ("customerEmail", session.customer_email),
            ("currency", session.currency),
            ("createdAt", time_text(session.created_at)),
            ("expiresAt", optional_time(session.expires_at)),
            ("metadata", session.metadata),
            ("status", session.status),
            ("url", session.url),
            ("mode", session.mode),
            ("cancelURL", session.cancel_url),
            ("successURL", session.success_url),
            ("returnURL", session.return_url),
        ]
    )


def portal_to_v1(session: PortalSession) -> dict[str, Any]:
    """v1's `StripeCustomerPortalSession`."""
    return {
        "id": session.id,
        "stripeCustomerId": session.stripe_customer_id,
        "configurationId": session.configuration_id,
        "livemode": session.livemode,
        "createdAt": time_text(session.created_at),
        "returnUrl": session.return_url,
        "locale": session.locale,
        "url": session.url,
    }
