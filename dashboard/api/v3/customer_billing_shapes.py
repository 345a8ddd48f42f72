"""v3's billing data of a customer: their profile, and who they are in the app that bills them."""

from typing import Annotated, Any

from pydantic import StringConstraints

from dashboard.api.shapes import UlidUpperCase, without_none
from dashboard.api.v3.base import Labels, V3Model, labels_of
from dashboard.stripe_app.views import StripeLink

FIELDS = {
    "stripe_customer_id": "app_data.stripe.customer_id",
    "default_payment_method_id": "app_data.stripe.default_payment_method_id",
    "labels": "app_data.stripe.labels",
    "billing_profile_id": "billing_profile.id",
}
APP_DATA_FIELDS = {ours: theirs.removeprefix("app_data.") for ours, theirs in FIELDS.items()}

Text = Annotated[str, StringConstraints(max_length=256)]


class ProfileReference(V3Model):
    id: UlidUpperCase


class StripeData(V3Model):
    customer_id: Text | None = None
    default_payment_method_id: Text | None = None
    labels: Labels | None = None


class ExternalInvoicingData(V3Model):
    labels: Labels | None = None


class AppDataBody(V3Model):
    """`UpsertAppCustomerDataRequest`. Stripe's part is used, the external part is kept and given back."""

    stripe: StripeData | None = None
    external_invoicing: ExternalInvoicingData | None = None


class BillingDataBody(V3Model):
    """`UpsertCustomerBillingDataRequest`."""

    billing_profile: ProfileReference | None = None
    app_data: AppDataBody | None = None


def external_of(body: AppDataBody | None) -> dict[str, str] | None:
    """The external invoicing data of a request, None when it has none."""
    external = body.external_invoicing if body else None
    return None if external is None else external.labels or {}


def app_data_to_v3(link: StripeLink | None, external_invoicing: dict[str, str] | None) -> dict[str, Any]:
    """v3's `BillingAppCustomerData`."""
    stripe, external = None, None
    if link is not None:
        stripe = without_none(
            [
                ("customer_id", link.stripe_customer_id),
                ("default_payment_method_id", link.default_payment_method_id),
                ("labels", labels_of(link.labels) or None),
            ]
        )
    if external_invoicing is not None:
        external = {"labels": labels_of(external_invoicing)}
    return without_none([("stripe", stripe), ("external_invoicing", external)])
