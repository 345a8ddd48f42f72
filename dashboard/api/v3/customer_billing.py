"""v3: which profile bills a customer, and which Stripe customer they are there."""

from fastapi import APIRouter, Response

from dashboard.api.auth import Operator, Viewer
from dashboard.api.pinned_profiles import pin_profile
from dashboard.api.shapes import UlidUpperCase, reply, without_none
from dashboard.api.v3.customer_billing_shapes import (
    APP_DATA_FIELDS,
    FIELDS,
    AppDataBody,
    BillingDataBody,
    StripeData,
    app_data_to_v3,
    external_of,
)
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.overrides import customers_billing
from dashboard.billing.profiles import default_billing_profile, get_billing_profile
from dashboard.billing.views import BillingProfile
from dashboard.customers.inputs import SetExternalInvoicing
from dashboard.customers.queries import get_customer, live_customer
from dashboard.customers.service import set_external_invoicing
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.customer_link import link_stripe_customer
from dashboard.stripe_app.house import resolve_app_id
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.stripe_app.links import get_link
from dashboard.stripe_app.views import StripeLink

router = APIRouter(prefix="/customers/{customer_id}/billing", tags=["v3 customers"])


class StripeCustomerNeeded(InvalidInput):
    code = "stripe_customer_needed"
    remedy = "Send app_data.stripe.customer_id, or open a checkout session, which makes a Stripe customer."


@router.get("")
async def get_customer_billing(_: Viewer, customer_id: UlidUpperCase) -> Response:
    """The profile that bills a customer (their own, else the default one) and their Stripe customer there."""
    async with running().database.read() as session:
        customer = await get_customer(session, customer_id)
        billing = (await customers_billing(session, [customer.id])).get(customer.id)
        link = await get_link(session, billing.profile.app_id, customer.id) if billing else None
    profile = {"id": billing.profile.id} if billing else None
    app_data = app_data_to_v3(link, customer.external_invoicing)
    return reply(without_none([("billing_profile", profile), ("app_data", app_data)]))


@router.put("")
async def update_customer_billing(actor: Operator, customer_id: UlidUpperCase, body: BillingDataBody) -> Response:
    """Links the Stripe customer and pins the profile; without a profile the default one bills, and none is pinned."""
    backend = running()
    pinned = body.billing_profile.id if body.billing_profile else None
    with wire_names(FIELDS):
        async with backend.database.read() as session:
            customer = await live_customer(session, customer_id)
            profile = await _profile(pinned)
        external = parse_input(SetExternalInvoicing, {"metadata": external_of(body.app_data)})
        link = await _link(actor, customer.id, profile.app_id, body.app_data and body.app_data.stripe)
        async with backend.database.transaction(actor) as work:
            await pin_profile(work, customer.id, pinned)
            customer = await set_external_invoicing(work, customer.id, external)
    app_data = app_data_to_v3(link, customer.external_invoicing)
    return reply({"billing_profile": {"id": profile.id}, "app_data": app_data})


@router.put("/app-data")
async def update_customer_billing_app_data(actor: Operator, customer_id: UlidUpperCase, body: AppDataBody) -> Response:
    """Links the Stripe customer in the app that bills this customer."""
    with wire_names(APP_DATA_FIELDS):
        async with running().database.read() as session:
            customer = await live_customer(session, customer_id)
            app_id = await resolve_app_id(session, customer.id, None)
        external = parse_input(SetExternalInvoicing, {"metadata": external_of(body)})
        link = await _link(actor, customer.id, app_id, body.stripe)
        async with running().database.transaction(actor) as work:
            customer = await set_external_invoicing(work, customer.id, external)
    return reply(app_data_to_v3(link, customer.external_invoicing))


async def _profile(profile_id: str | None) -> BillingProfile:
    async with running().database.read() as session:
        if profile_id is not None:
            return await get_billing_profile(session, profile_id)
        default = await default_billing_profile(session)
    if default is None:
        raise NoBillingProfile("There is no billing profile yet, so nobody can be billed.")
    return default


async def _link(actor: Actor, customer_id: str, app_id: str, data: StripeData | None) -> StripeLink:
    if data is None or not data.customer_id:
        raise StripeCustomerNeeded("The profile bills through Stripe.", field="stripe_customer_id")
    wanted = {
        "customer_id": customer_id,
        "app_id": app_id,
        "stripe_customer_id": data.customer_id,
        "default_payment_method_id": data.default_payment_method_id,
        "labels": data.labels or {},
    }
    return await link_stripe_customer(running().stripe, actor, parse_input(LinkStripeCustomer, wanted))
