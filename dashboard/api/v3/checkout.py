"""v3 sessions at Stripe of an existing customer: checkout, and the customer portal."""

from fastapi import APIRouter, Response

from dashboard.api.auth import Operator
from dashboard.api.shapes import UlidUpperCase, reply
from dashboard.api.v3.checkout_shapes import (
    FIELDS,
    PORTAL_FIELDS,
    CheckoutBody,
    PortalBody,
    checkout_from_v3,
    checkout_to_v3,
    portal_to_v3,
)
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers.queries import live_customer
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.checkout import create_checkout_session
from dashboard.stripe_app.inputs import CreateCheckoutSession, CreatePortalSession
from dashboard.stripe_app.portal import create_portal_session

router = APIRouter(prefix="/customers/{customer_id}/billing/stripe", tags=["v3 Stripe sessions"])


@router.post("/checkout-sessions", status_code=201)
async def create_customer_stripe_checkout_session(
    actor: Operator, customer_id: UlidUpperCase, body: CheckoutBody
) -> Response:
    """Opens a checkout page, and makes the Stripe customer where there is none."""
    backend = running()
    with wire_names(FIELDS):
        request = parse_input(CreateCheckoutSession, checkout_from_v3(body) | {"customer_id": customer_id})
        session = await create_checkout_session(backend.stripe, actor, request)
    return reply(checkout_to_v3(session), 201)


@router.post("/portal-sessions", status_code=201)
async def create_customer_stripe_portal_session(_: Operator, customer_id: UlidUpperCase, body: PortalBody) -> Response:
    """Opens Stripe's customer portal for the linked Stripe customer."""
    backend = running()
    async with backend.database.read() as read:
        customer = await live_customer(read, customer_id)
    wanted = body.stripe_options.model_dump(exclude_none=True) | {"customer_id": customer.id}
    with wire_names(PORTAL_FIELDS):
        session = await create_portal_session(backend.stripe, parse_input(CreatePortalSession, wanted))
    return reply(portal_to_v3(session), 201)
