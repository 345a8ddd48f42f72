"""Letters about customers, their payment methods and checkout pages."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.kit.errors import Gone, NotFound
from dashboard.stripe_app.checkout import settle_session
from dashboard.stripe_app.errors import StripeObjectMissing
from dashboard.stripe_app.house import customer_may_be_ready, our_customer
from dashboard.stripe_app.letters import Letter, Outcome, applied, ignored
from dashboard.stripe_app.links import link_row_by_stripe_id, link_row_of, set_payment_method, upsert_link
from dashboard.stripe_app.stripe_customers import METADATA_APP, METADATA_CUSTOMER, refresh_row
from dashboard.stripe_app.tables import StripeCheckoutSessionRow, StripeCustomerLinkRow
from dashboard.stripe_app.wire import id_of, must_moment, payment_method_of

Json = dict[str, Any]


async def setup_intent_succeeded(letter: Letter) -> Outcome:
    """The customer left a payment method: it becomes theirs here and in Stripe."""
    return await _take_setup_intent(letter, letter.carried["id"])


async def setup_intent_troubled(letter: Letter) -> Outcome:
    """A try to leave a payment method did not succeed; the open page stays open, with the reason noted."""
    setup_intent_id = letter.carried["id"]
    problem = (letter.carried.get("last_setup_error") or {}).get("message")
    if letter.type == "setup_intent.requires_action":
        problem = "The customer has to confirm the payment method with their bank."
    row = await _session_row(letter, col(StripeCheckoutSessionRow.setup_intent_id) == setup_intent_id)
    if row is None:
        return ignored("This setup intent belongs to no checkout page of ours.")

    async def effect(work: Work) -> None:
        kept = await work.session.get_one(StripeCheckoutSessionRow, row.id)
        if kept.status == "open":
            kept.problem = problem
        work.changed(f"customers/{row.customer_id}")

    return applied(problem, effect=effect, customer_id=row.customer_id)


async def checkout_completed(letter: Letter) -> Outcome:
    """A checkout page was filled in. Whether this or the setup intent's letter comes first makes no difference."""
    row = await _session_row(letter, col(StripeCheckoutSessionRow.session_id) == letter.carried["id"])
    if row is None:
        return ignored("This checkout page is not one of ours.")
    setup_intent_id = id_of(letter.carried.get("setup_intent"))
    outcome = await _take_setup_intent(letter, setup_intent_id) if setup_intent_id else applied()

    async def effect(work: Work) -> None:
        if outcome.effect is not None:
            await outcome.effect(work)
        kept = await work.session.get_one(StripeCheckoutSessionRow, row.id)
        settle_session(kept, "complete", work.now)
        work.changed(f"customers/{row.customer_id}")

    return Outcome(outcome.state, outcome.reason, effect, row.customer_id)


async def checkout_expired(letter: Letter) -> Outcome:
    """Nobody filled in a checkout page in time."""
    row = await _session_row(letter, col(StripeCheckoutSessionRow.session_id) == letter.carried["id"])
    if row is None:
        return ignored("This checkout page is not one of ours.")

    async def effect(work: Work) -> None:
        kept = await work.session.get_one(StripeCheckoutSessionRow, row.id)
        settle_session(kept, "expired", work.now)
        work.changed(f"customers/{row.customer_id}")

    return applied(effect=effect, customer_id=row.customer_id)


async def customer_changed(letter: Letter) -> Outcome:
    """Somebody changed or deleted a linked customer in Stripe."""
    return await _refresh(letter, letter.carried["id"])


async def payment_method_changed(letter: Letter) -> Outcome:
    """A payment method came, went or was renewed by the card's bank."""
    previous = (letter.row.payload["data"].get("previous_attributes") or {}).get("customer")
    owner = id_of(letter.carried.get("customer")) or id_of(previous)
    if owner is None:
        async with letter.desk.database.read() as session:
            link = await session.scalar(
                select(StripeCustomerLinkRow).where(
                    col(StripeCustomerLinkRow.app_id) == letter.app.id,
                    col(StripeCustomerLinkRow.payment_method_id) == letter.carried["id"],
                )
            )
        if link is None:
            return ignored("This payment method belongs to no customer of ours.")
        owner = link.stripe_customer_id
    return await _refresh(letter, owner)


async def _refresh(letter: Letter, stripe_customer_id: str) -> Outcome:
    async with letter.desk.database.read() as session:
        link = await link_row_by_stripe_id(session, letter.app.id, stripe_customer_id)
    if link is None:
        return ignored("This Stripe customer is not linked here.")
    await refresh_row(letter.desk, letter.gateway, link)
    return applied(customer_id=link.customer_id)


async def _take_setup_intent(letter: Letter, setup_intent_id: str) -> Outcome:
    try:
        intent = await letter.gateway.setup_intent(setup_intent_id)
    except StripeObjectMissing:
        return ignored("This setup intent no longer exists in Stripe.")
    metadata = intent.get("metadata") or {}
    if metadata.get(METADATA_APP) != letter.app.id or METADATA_CUSTOMER not in metadata:
        return ignored("This setup intent was not started by this app.")
    stripe_customer_id, method_id = id_of(intent.get("customer")), id_of(intent.get("payment_method"))
    if intent["status"] != "succeeded" or stripe_customer_id is None or method_id is None:
        return ignored(f"The setup intent is {intent['status']} and names no payment method.")
    customer = await _customer(letter, metadata[METADATA_CUSTOMER])
    if customer is None:
        return ignored("The customer this was for no longer exists here.")
    return await _adopt(letter, customer, stripe_customer_id, method_id)


async def _adopt(letter: Letter, customer: Customer, stripe_customer_id: str, method_id: str) -> Outcome:
    try:
        method = await letter.gateway.payment_method(method_id)
    except StripeObjectMissing:
        return ignored("This payment method no longer exists in Stripe.")
    if id_of(method.get("customer")) != stripe_customer_id:
        return ignored("This payment method is no longer attached to the customer.")
    async with letter.desk.database.read() as session:
        link = await link_row_of(session, letter.app.id, customer.id)
    # When the card was entered, not when its page was made or this letter came: the last choice wins in any order.
    chosen_at = must_moment(method["created"])
    if link is not None and _has_chosen_since(link, method_id, chosen_at):
        return ignored("The customer has chosen another payment method since.")
    default = {"invoice_settings": {"default_payment_method": method_id}}
    await letter.gateway.update_customer(stripe_customer_id, default, f"meterdesk-default-{letter.row.event_id}")
    seen = await letter.gateway.customer(stripe_customer_id)

    async def effect(work: Work) -> None:
        row = await upsert_link(work, letter.app.id, customer.id, seen)
        set_payment_method(row, payment_method_of(method), chosen_at)
        await customer_may_be_ready(work, customer.id)
        work.audit("payment_method.set", "customer", customer.id, payment_method_id=method_id)
        session_row = await work.session.scalar(
            select(StripeCheckoutSessionRow).where(
                col(StripeCheckoutSessionRow.app_id) == letter.app.id,
                col(StripeCheckoutSessionRow.customer_id) == customer.id,
                col(StripeCheckoutSessionRow.setup_intent_id) == letter.carried["id"],
            )
        )
        if session_row is not None:
            settle_session(session_row, "complete", work.now)

    return applied(effect=effect, customer_id=customer.id)


def _has_chosen_since(link: StripeCustomerLinkRow, method_id: str, chosen_at: datetime) -> bool:
    if link.payment_method_id == method_id or link.payment_method_set_at is None:
        return False
    return link.payment_method_set_at >= chosen_at


async def _customer(letter: Letter, customer_id: str) -> Customer | None:
    async with letter.desk.database.read() as session:
        try:
            return await our_customer(session, customer_id)
        except (NotFound, Gone):
            return None


async def _session_row(letter: Letter, condition: Any) -> StripeCheckoutSessionRow | None:
    async with letter.desk.database.read() as session:
        return await session.scalar(
            select(StripeCheckoutSessionRow).where(col(StripeCheckoutSessionRow.app_id) == letter.app.id, condition)
        )
