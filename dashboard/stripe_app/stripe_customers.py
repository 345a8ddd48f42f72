"""Customers at Stripe: looked at, made once, kept in step with what we hold of them."""

from contextlib import suppress
from typing import Any

from dashboard.billing.invoicing_app import PaymentMethod
from dashboard.customers.views import Address, Customer
from dashboard.kit.database import STRIPE, Actor, Work
from dashboard.stripe_app.calls import Intent, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import (
    DifferentStripeCustomer,
    PaymentMethodUnusable,
    StripeCustomerUnusable,
    StripeInvalidRequest,
    StripeObjectMissing,
)
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.house import customer_may_be_ready
from dashboard.stripe_app.links import link_row_of, note_customer, set_payment_method, upsert_link
from dashboard.stripe_app.tables import StripeCustomerLinkRow
from dashboard.stripe_app.wire import id_of, payment_method_of

METADATA_APP = "meterdesk_app_id"
METADATA_CUSTOMER = "meterdesk_customer_id"


async def ensure_stripe_customer(
    desk: StripeDesk, actor: Actor, app_id: str, customer: Customer, stripe_customer_id: str | None
) -> StripeCustomerLinkRow:
    """The link of `customer`: the present one, one to `stripe_customer_id`, or to a Stripe customer made now, once.

    Raises DifferentStripeCustomer when another one is linked, and what linking raises.
    """
    async with desk.database.read() as session:
        row = await link_row_of(session, app_id, customer.id)
    if row is not None:
        if stripe_customer_id not in (None, row.stripe_customer_id):
            raise DifferentStripeCustomer(
                f"This customer is linked to {row.stripe_customer_id}.", field="stripe_customer_id"
            )
        if row.stripe_deleted_at is not None:
            raise StripeCustomerUnusable(
                "The linked customer was deleted in Stripe.", remedy="Unlink it, then link or create another."
            )
        return row
    if stripe_customer_id is not None:
        app = await desk.app_row(app_id)
        async with desk.stripe(app_id, priority=PEOPLE) as gateway:
            seen = await usable_customer(gateway, stripe_customer_id, app.livemode)
        async with desk.database.transaction(actor) as work:
            await upsert_link(work, app_id, customer.id, seen)
    else:
        await _make_customer(desk, app_id, customer)
    async with desk.database.read() as session:
        made = await link_row_of(session, app_id, customer.id)
    assert made is not None
    return made


async def usable_customer(gateway: Gateway, stripe_customer_id: str, livemode: bool) -> dict[str, Any]:
    """The Stripe customer, seen to exist, not deleted, in the app's mode. Raises StripeCustomerUnusable."""
    try:
        seen = await gateway.customer(stripe_customer_id)
    except StripeObjectMissing as refusal:
        raise StripeCustomerUnusable(refusal.message, field="stripe_customer_id",
                                     remedy=StripeObjectMissing.remedy) from None  # fmt: skip
    if seen.get("deleted"):
        raise StripeCustomerUnusable(
            f"{stripe_customer_id} was deleted in Stripe.",
            field="stripe_customer_id",
            remedy="Choose another customer, or let a new one be made.",
        )
    if seen["livemode"] != livemode:
        raise StripeCustomerUnusable(
            f"{stripe_customer_id} is in the other mode (test or live) than this app.", field="stripe_customer_id"
        )
    return seen


async def refresh_row(desk: StripeDesk, gateway: Gateway, row: StripeCustomerLinkRow) -> None:
    """Brings a link in step with Stripe: the customer's data, and whether our payment method is still theirs."""
    try:
        seen = await gateway.customer(row.stripe_customer_id)
    except StripeObjectMissing:
        seen = {"id": row.stripe_customer_id, "deleted": True}
    method = await _still_theirs(gateway, row)
    async with desk.database.transaction(STRIPE) as work:
        kept = await work.session.get(StripeCustomerLinkRow, row.id)
        if kept is None:
            return
        note_customer(kept, seen, work.now)
        if kept.payment_method_id is not None and kept.payment_method_id == row.payment_method_id:
            set_payment_method(kept, method, kept.payment_method_set_at if method else None)
        await customer_may_be_ready(work, kept.customer_id)
        work.changed(f"customers/{kept.customer_id}", "customers")


def stripe_address(address: Address | None) -> dict[str, str] | None:
    """Our address in Stripe's words, without its empty parts; None when nothing is left."""
    if address is None:
        return None
    parts = {
        "country": address.country,
        "postal_code": address.postal_code,
        "state": address.state,
        "city": address.city,
        "line1": address.line1,
        "line2": address.line2,
    }
    return {name: value for name, value in parts.items() if value} or None


async def own_payment_method(gateway: Gateway, payment_method_id: str, stripe_customer_id: str) -> dict[str, Any]:
    """The payment method at Stripe, seen to be attached to this very customer. Raises PaymentMethodUnusable."""
    try:
        seen = await gateway.payment_method(payment_method_id)
    except StripeObjectMissing as refusal:
        raise PaymentMethodUnusable(refusal.message, field="default_payment_method_id") from None
    if id_of(seen.get("customer")) != stripe_customer_id:
        raise PaymentMethodUnusable(
            f"{payment_method_id} is not attached to {stripe_customer_id}.", field="default_payment_method_id"
        )
    return seen


async def _make_customer(desk: StripeDesk, app_id: str, customer: Customer) -> None:
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:

        async def look() -> dict[str, Any] | None:
            return await _find_made(gateway, app_id, customer)

        async def call(key: str) -> dict[str, Any]:
            return await gateway.create_customer(
                {
                    "name": customer.name,
                    "email": customer.primary_email,
                    "address": stripe_address(customer.billing_address),
                    "phone": customer.billing_address.phone_number if customer.billing_address else None,
                    "metadata": {METADATA_APP: app_id, METADATA_CUSTOMER: customer.id},
                    "expand": ["tax"],
                },
                key,
            )

        async def record(work: Work, made: dict[str, Any]) -> None:
            await upsert_link(work, app_id, customer.id, made)
            await customer_may_be_ready(work, customer.id)
            work.audit("stripe_customer.created", "customer", customer.id, stripe_customer_id=made["id"])

        # The customer's own time tells an unlinked and re-made one from the first.
        await once(desk.database, Intent(app_id, customer.id, "customer-create"), look=look, call=call, record=record)


async def _find_made(gateway: Gateway, app_id: str, customer: Customer) -> dict[str, Any] | None:
    seen = await gateway.customers_by_email(customer.primary_email, 100) if customer.primary_email else []
    seen += await gateway.newest_customers()
    # Accounts in India have no search; the newest hundred and the idempotency key have to do there.
    with suppress(StripeInvalidRequest):
        seen += await gateway.search_customers(f"metadata['{METADATA_CUSTOMER}']:'{customer.id}'")
    for answer in seen:
        metadata = answer.get("metadata") or {}
        if metadata.get(METADATA_CUSTOMER) == customer.id and metadata.get(METADATA_APP) == app_id:
            return await gateway.customer(answer["id"])
    return None


async def _still_theirs(gateway: Gateway, row: StripeCustomerLinkRow) -> PaymentMethod | None:
    if row.payment_method_id is None:
        return None
    try:
        return payment_method_of(await own_payment_method(gateway, row.payment_method_id, row.stripe_customer_id))
    except PaymentMethodUnusable:
        return None
