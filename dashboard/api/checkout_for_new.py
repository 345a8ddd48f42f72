"""One call that makes a customer and their checkout page: both, or neither."""

from collections.abc import Mapping
from typing import Any

from dashboard.api.wire_names import wire_names
from dashboard.backend import Backend
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer, delete_customer
from dashboard.kit.database import Actor
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.ids import new_id
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.checkout import create_checkout_session
from dashboard.stripe_app.customer_link import search_stripe_customers, unlink_stripe_customer
from dashboard.stripe_app.errors import StripeCustomerTaken, StripeCustomerUnusable
from dashboard.stripe_app.house import resolve_app_id
from dashboard.stripe_app.inputs import CreateCheckoutSession
from dashboard.stripe_app.views import CheckoutSession


async def checkout_for_new_customer(
    backend: Backend,
    actor: Actor,
    customer: CreateCustomer,
    options: Mapping[str, Any],
    *,
    names: Mapping[str, str],
) -> CheckoutSession:
    """The page for a customer who is made now. What can be refused without Stripe is refused before anything is made;
    when Stripe refuses, the customer is taken back, so that the same call works once it is mended.

    `options` is `CreateCheckoutSession` without the customer, `names` what the caller calls the customer's fields.
    """
    parse_input(CreateCheckoutSession, {**options, "customer_id": new_id()})
    async with backend.database.read() as session:
        app_id = await resolve_app_id(session, new_id(), options.get("app_id"))
    await backend.stripe.app_row(app_id)
    await _check_stripe_customer(backend, app_id, options.get("stripe_customer_id"))
    with wire_names(names):
        async with backend.database.transaction(actor) as work:
            made = await create_customer(work, customer)
    request = parse_input(CreateCheckoutSession, {**options, "app_id": app_id, "customer_id": made.id})
    try:
        return await create_checkout_session(backend.stripe, actor, request)
    except MeterdeskError:
        await unlink_stripe_customer(backend.stripe, actor, made.id, app_id)
        async with backend.database.transaction(actor) as work:
            await delete_customer(work, made.id, guards=())
        raise


async def _check_stripe_customer(backend: Backend, app_id: str, stripe_customer_id: str | None) -> None:
    if stripe_customer_id is None:
        return
    found = await search_stripe_customers(backend.stripe, app_id, stripe_customer_id)
    if not found:
        raise StripeCustomerUnusable(
            f"There is no Stripe customer {stripe_customer_id} in this account.", field="stripe_customer_id"
        )
    if found[0].linked_customer_id is not None:
        raise StripeCustomerTaken(f"{stripe_customer_id} already belongs to another customer here.")
