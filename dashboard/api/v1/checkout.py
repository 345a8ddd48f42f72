"""v1 sessions at Stripe: a checkout page where a customer leaves a payment method, and the customer portal."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from dashboard.api.auth import Operator
from dashboard.api.checkout_for_new import checkout_for_new_customer
from dashboard.api.shapes import IdOrKey, reply
from dashboard.api.v1.checkout_shapes import (
    FIELDS,
    CheckoutBody,
    PortalBody,
    checkout_from_v1,
    checkout_to_v1,
    portal_to_v1,
)
from dashboard.api.v1.customer_shapes import CustomerBody, customer_from_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.queries import live_customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.checkout import create_checkout_session
from dashboard.stripe_app.inputs import CreateCheckoutSession, CreatePortalSession
from dashboard.stripe_app.portal import create_portal_session

router = APIRouter(prefix="/api/v1", tags=["Stripe sessions"])

_NEW_CUSTOMER = {
    name: f"customer.{wire}"
    for name, wire in {
        "name": "name",
        "key": "key",
        "description": "description",
        "primary_email": "primaryEmail",
        "subject_keys": "usageAttribution.subjectKeys",
        "billing_address": "billingAddress",
        "currency": "currency",
        "metadata": "metadata",
    }.items()
}


@router.post("/stripe/checkout/sessions", status_code=201)
async def create_stripe_checkout_session(actor: Operator, body: CheckoutBody) -> Response:
    """Makes or finds the customer, makes their Stripe customer where there is none, and opens a checkout page."""
    backend = running()
    wanted = checkout_from_v1(body.options) | {"app_id": body.app_id, "stripe_customer_id": body.stripe_customer_id}
    if "name" in body.customer:
        customer = _new_customer(body.customer)
        with wire_names(FIELDS):
            session = await checkout_for_new_customer(backend, actor, customer, wanted, names=_NEW_CUSTOMER)
    else:
        async with backend.database.read() as read:
            found = await live_customer(read, _id_or_key(body.customer))
        with wire_names(FIELDS):
            request = parse_input(CreateCheckoutSession, wanted | {"customer_id": found.id})
            session = await create_checkout_session(backend.stripe, actor, request)
    return reply(checkout_to_v1(session), 201)


@router.post("/customers/{customer_id_or_key}/stripe/portal", status_code=201)
async def create_customer_stripe_portal_session(_: Operator, customer_id_or_key: IdOrKey, body: PortalBody) -> Response:
    """Opens Stripe's customer portal for the linked Stripe customer."""
    backend = running()
    async with backend.database.read() as read:
        customer = await live_customer(read, customer_id_or_key)
    wanted = body.model_dump(exclude_none=True) | {"customer_id": customer.id}
    session = await create_portal_session(backend.stripe, parse_input(CreatePortalSession, wanted))
    return reply(portal_to_v1(session), 201)


def _new_customer(document: dict[str, Any]) -> CreateCustomer:
    try:
        body = CustomerBody.model_validate(document)
    except ValidationError as error:
        items = [{**item, "loc": ("body", "customer", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(items) from None
    with wire_names(_NEW_CUSTOMER):
        return parse_input(CreateCustomer, customer_from_v1(body))


def _id_or_key(document: dict[str, Any]) -> str:
    for name in ("id", "key"):
        if isinstance(document.get(name), str) and document[name]:
            return document[name]
    raise InvalidInput("The customer has a name (to be made), an id or a key (to be found).", field="customer")
