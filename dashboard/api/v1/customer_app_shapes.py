"""v1's app data of a customer: which Stripe customer they are, per installed app."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints

from dashboard.api.shapes import UlidAnyCase, without_none
from dashboard.api.v1.app_shapes import app_to_v1
from dashboard.api.v1.base import V1Model
from dashboard.stripe_app.views import StripeApp, StripeLink

FIELDS = {
    "default_payment_method_id": "stripeDefaultPaymentMethodId",
    "app_id": "id",
}

Text = Annotated[str, StringConstraints(max_length=256)]


class StripeDataBody(V1Model):
    """`StripeCustomerAppDataBase`."""

    stripe_customer_id: Text
    stripe_default_payment_method_id: Text | None = None


class AppDataItem(V1Model):
    """`CustomerAppDataCreateOrUpdateItem`. Some of OpenMeter's examples call the app's id `appId`."""

    type: Literal["stripe", "sandbox", "custom_invoicing"]
    id: Annotated[UlidAnyCase | None, Field(validation_alias=AliasChoices("id", "appId"))] = None
    stripe_customer_id: Text | None = None
    stripe_default_payment_method_id: Text | None = None
    metadata: dict[str, str] | None = None


def external_to_v1(metadata: dict[str, str]) -> dict[str, Any]:
    """v1's `CustomInvoicingCustomerAppData`. There is no such app, so the data names none."""
    return {"type": "custom_invoicing", "metadata": metadata}


def link_to_v1(link: StripeLink, app: StripeApp | None = None) -> dict[str, Any]:
    """v1's `StripeCustomerAppData`; with `app`, the whole app beside its id."""
    return without_none(
        [
            ("type", "stripe"),
            ("id", link.app_id),
            ("stripeCustomerId", link.stripe_customer_id),
            ("stripeDefaultPaymentMethodId", link.default_payment_method_id),
            ("app", app_to_v1(app) if app else None),
        ]
    )
