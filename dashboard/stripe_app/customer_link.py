"""Our customer and Stripe's: found, linked, made, changed, unlinked."""

from typing import Any

from dashboard.billing.invoicing_app import PaymentMethod
from dashboard.customers.views import Customer
from dashboard.kit.database import Actor
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import NoStripeCustomer, StripeInvalidRequest, StripeObjectMissing
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.house import customer_may_be_ready, our_customer, resolve_app_id
from dashboard.stripe_app.inputs import LinkStripeCustomer, UpdateStripeCustomer
from dashboard.stripe_app.links import get_link, link_row_by_stripe_id, link_row_of, set_payment_method, upsert_link
from dashboard.stripe_app.stripe_customers import (
    ensure_stripe_customer,
    own_payment_method,
    refresh_row,
    stripe_address,
    usable_customer,
)
from dashboard.stripe_app.tables import StripeCustomerLinkRow
from dashboard.stripe_app.views import StripeCustomerHit, StripeLink
from dashboard.stripe_app.wire import must_moment, payment_method_of


async def search_stripe_customers(desk: StripeDesk, app_id: str, text: str) -> tuple[StripeCustomerHit, ...]:
    """Up to 20 customers of the account whose id, email or name fits `text`. Just-made ones may be missing by name:
    Stripe's search lags a minute."""
    wanted = text.strip()
    if not wanted:
        return ()
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        found = await _find_customers(gateway, wanted)
    hits: dict[str, StripeCustomerHit] = {}
    async with desk.database.read() as session:
        for answer in found:
            link = await link_row_by_stripe_id(session, app_id, answer["id"])
            hits[answer["id"]] = StripeCustomerHit(
                stripe_customer_id=answer["id"],
                name=answer.get("name"),
                email=answer.get("email"),
                currency=(answer.get("currency") or "").upper() or None,
                created_at=must_moment(answer["created"]),
                linked_customer_id=link.customer_id if link else None,
            )
    return tuple(hits.values())[:20]


async def link_stripe_customer(desk: StripeDesk, actor: Actor, request: LinkStripeCustomer) -> StripeLink:
    """Links our customer to an existing Stripe customer after looking at it there.

    Raises StripeCustomerUnusable (unknown, deleted, other mode), StripeCustomerTaken, PaymentMethodUnusable (unknown or
    another customer's), and what `resolve_app_id` and Stripe refuse. Then nothing has changed.
    """
    customer = await _our_customer(desk, request.customer_id)
    app_id = await _resolve(desk, request.customer_id, request.app_id)
    row = await desk.app_row(app_id)
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        seen = await usable_customer(gateway, request.stripe_customer_id, row.livemode)
        method = None
        if request.default_payment_method_id is not None:
            method = await own_payment_method(gateway, request.default_payment_method_id, seen["id"])
    async with desk.database.transaction(actor) as work:
        link = await upsert_link(work, app_id, customer.id, seen, labels=request.labels)
        if method is not None:
            # By Stripe's clock, as everything else a choice is compared with.
            set_payment_method(link, payment_method_of(method), must_moment(method["created"]))
        elif not request.keep_payment_method:
            set_payment_method(link, None, None)
        await customer_may_be_ready(work, customer.id)
        work.audit("stripe_customer.linked", "customer", customer.id, stripe_customer_id=seen["id"], app_id=app_id)
    return await _view(desk, app_id, customer.id)


async def unlink_stripe_customer(desk: StripeDesk, actor: Actor, customer_id: str, app_id: str | None = None) -> None:
    """Forgets the link; the Stripe customer stays in Stripe. Unlinking twice is fine."""
    app = await _resolve(desk, customer_id, app_id)
    async with desk.database.transaction(actor) as work:
        row = await link_row_of(work.session, app, customer_id)
        if row is None:
            return
        await work.session.delete(row)
        work.audit("stripe_customer.unlinked", "customer", customer_id, stripe_customer_id=row.stripe_customer_id)
        work.changed(f"customers/{customer_id}", "customers")


async def create_stripe_customer(
    desk: StripeDesk, actor: Actor, customer_id: str, app_id: str | None = None
) -> StripeLink:
    """Makes a Stripe customer from ours (name, email, address) and links it; a present link is answered as it is."""
    customer = await _our_customer(desk, customer_id)
    app = await _resolve(desk, customer_id, app_id)
    await ensure_stripe_customer(desk, actor, app, customer, None)
    return await _view(desk, app, customer_id)


async def refresh_link(desk: StripeDesk, app_id: str, customer_id: str) -> StripeLink:
    """Reads the linked customer and payment method in Stripe again. Raises NoStripeCustomer."""
    row = await _linked(desk, app_id, customer_id)
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        await refresh_row(desk, gateway, row)
    return await _view(desk, app_id, customer_id)


async def update_stripe_customer(desk: StripeDesk, actor: Actor, request: UpdateStripeCustomer) -> StripeLink:
    """Sets email, name or address in Stripe, where invoices and receipts take them from."""
    customer = await _our_customer(desk, request.customer_id)
    app_id = await _resolve(desk, customer.id, request.app_id)
    row = await _linked(desk, app_id, customer.id)
    address = stripe_address(customer.billing_address) if request.send_address else None
    params = {"email": request.email, "name": request.name, "address": address}
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        await gateway.update_customer(row.stripe_customer_id, params)
        await refresh_row(desk, gateway, row)
    async with desk.database.transaction(actor) as work:
        changed = [name for name, value in params.items() if value is not None]
        work.audit("stripe_customer.updated", "customer", customer.id, fields=changed)
    return await _view(desk, app_id, customer.id)


async def list_payment_methods(desk: StripeDesk, app_id: str, customer_id: str) -> tuple[PaymentMethod, ...]:
    """Every payment method attached to the linked Stripe customer."""
    row = await _linked(desk, app_id, customer_id)
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        found = await gateway.customer_payment_methods(row.stripe_customer_id)
        return tuple(payment_method_of(method) for method in found)


async def _find_customers(gateway: Gateway, wanted: str) -> list[dict[str, Any]]:
    if wanted.startswith("cus_"):
        try:
            seen = await gateway.customer(wanted)
        except StripeObjectMissing:
            return []
        return [] if seen.get("deleted") else [seen]
    quoted = wanted.replace("\\", "").replace("'", "\\'").replace('"', "")
    by_email = await gateway.customers_by_email(wanted) if "@" in wanted else []
    try:
        found = await gateway.search_customers(f"name~'{quoted}' OR email~'{quoted}'")
    except StripeInvalidRequest:
        # No search in this account, or too few letters for it: look through the newest instead.
        newest = await gateway.newest_customers()
        found = [c for c in newest if wanted.lower() in f"{c.get('name')} {c.get('email')}".lower()]
    return by_email + found


async def _our_customer(desk: StripeDesk, customer_id: str) -> Customer:
    async with desk.database.read() as session:
        return await our_customer(session, customer_id)


async def _resolve(desk: StripeDesk, customer_id: str, app_id: str | None) -> str:
    async with desk.database.read() as session:
        return await resolve_app_id(session, customer_id, app_id)


async def _linked(desk: StripeDesk, app_id: str, customer_id: str) -> StripeCustomerLinkRow:
    async with desk.database.read() as session:
        row = await link_row_of(session, app_id, customer_id)
    if row is None:
        raise NoStripeCustomer("This customer is not linked to a Stripe customer.")
    return row


async def _view(desk: StripeDesk, app_id: str, customer_id: str) -> StripeLink:
    async with desk.database.read() as session:
        link = await get_link(session, app_id, customer_id)
    if link is None:
        raise NoStripeCustomer("This customer is not linked to a Stripe customer.")
    return link
