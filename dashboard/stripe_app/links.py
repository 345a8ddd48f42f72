"""Rows of customer links: reading, writing, showing. Nothing here talks to Stripe."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.invoicing_app import PaymentMethod
from dashboard.customers.queries import customers_by_id
from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit
from dashboard.stripe_app.apps import dashboard_url
from dashboard.stripe_app.errors import StripeCustomerTaken
from dashboard.stripe_app.tables import StripeAppRow, StripeCustomerLinkRow
from dashboard.stripe_app.views import StripeLink
from dashboard.stripe_app.wire import payment_method_document, payment_method_from, payment_method_of

_LINK = select(StripeCustomerLinkRow).where(
    col(StripeCustomerLinkRow.app_id) == bindparam("app_id"),
    col(StripeCustomerLinkRow.customer_id) == bindparam("customer_id"),
)


async def link_row_of(session: AsyncSession, app_id: str, customer_id: str) -> StripeCustomerLinkRow | None:
    """The link of one of our customers in one app."""
    return await session.scalar(_LINK, {"app_id": app_id, "customer_id": customer_id})


async def link_row_by_stripe_id(
    session: AsyncSession, app_id: str, stripe_customer_id: str
) -> StripeCustomerLinkRow | None:
    """The link that has this Stripe customer in one app."""
    return await session.scalar(
        select(StripeCustomerLinkRow).where(
            col(StripeCustomerLinkRow.app_id) == app_id,
            col(StripeCustomerLinkRow.stripe_customer_id) == stripe_customer_id,
        )
    )


async def get_links(session: AsyncSession, customer_id: str) -> tuple[StripeLink, ...]:
    """Every link of one of our customers, one per app, oldest first."""
    customers = await customers_by_id(session, [customer_id])
    return (await links_of_customers(session, customers.values())).get(customer_id, ())


async def links_of_customers(session: AsyncSession, customers: Iterable[Customer]) -> dict[str, tuple[StripeLink, ...]]:
    """Like `get_links` for a page of customers, by their ids, in one question; who has no link is left out."""
    currencies = {customer.id: customer.currency for customer in customers}
    rows = await session.execute(
        select(StripeCustomerLinkRow, StripeAppRow)
        .join(StripeAppRow, col(StripeAppRow.id) == col(StripeCustomerLinkRow.app_id))
        .where(col(StripeCustomerLinkRow.customer_id).in_(currencies), col(StripeAppRow.deleted_at).is_(None))
        .order_by(col(StripeCustomerLinkRow.id))
    )
    found: dict[str, tuple[StripeLink, ...]] = {}
    for link, app in rows:
        view = link_view(link, app, currencies[link.customer_id])
        found[link.customer_id] = (*found.get(link.customer_id, ()), view)
    return found


async def count_links(session: AsyncSession) -> int:
    """How many of our customers are linked to a Stripe customer."""
    statement = select(func.count(func.distinct(col(StripeCustomerLinkRow.customer_id))))
    return await session.scalar(statement) or 0


async def get_link(session: AsyncSession, app_id: str, customer_id: str) -> StripeLink | None:
    """The link of one of our customers in one app, None when there is none."""
    return next((link for link in await get_links(session, customer_id) if link.app_id == app_id), None)


async def upsert_link(
    work: Work, app_id: str, customer_id: str, seen: dict[str, Any], *, labels: dict[str, str] | None = None
) -> StripeCustomerLinkRow:
    """Writes that our customer is the Stripe customer `seen` (as the gateway answered it).

    Changing to another Stripe customer forgets the stored payment method, which cannot belong to it. Raises
    StripeCustomerTaken when another of our customers has it.
    """
    await lock_until_commit(work.session, f"stripe links of {app_id}")
    other = await link_row_by_stripe_id(work.session, app_id, seen["id"])
    if other is not None and other.customer_id != customer_id and not await _was_a_deleted_ones(work, other):
        raise StripeCustomerTaken(f"{seen['id']} already belongs to another customer here.", field="stripe_customer_id")
    row = await link_row_of(work.session, app_id, customer_id)
    if row is None:
        row = StripeCustomerLinkRow(
            id=new_id(),
            app_id=app_id,
            customer_id=customer_id,
            stripe_customer_id=seen["id"],
            checked_at=work.now,
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(row)
    elif row.stripe_customer_id != seen["id"]:
        row.stripe_customer_id = seen["id"]
        set_payment_method(row, None, None)
    note_customer(row, seen, work.now)
    if labels is not None:
        row.labels = labels
    work.changed(f"customers/{customer_id}", "customers")
    return row


async def _was_a_deleted_ones(work: Work, link: StripeCustomerLinkRow) -> bool:
    """Frees a Stripe customer whose customer here was deleted."""
    holder = (await customers_by_id(work.session, [link.customer_id])).get(link.customer_id)
    if holder is not None and not holder.is_deleted:
        return False
    await work.session.delete(link)
    await work.session.flush()
    return True


def note_customer(row: StripeCustomerLinkRow, seen: dict[str, Any], now: datetime) -> None:
    """Takes over what Stripe says of its customer: name, email, currency, tax, its own default payment method."""
    row.checked_at = row.updated_at = now
    if seen.get("deleted"):
        row.stripe_deleted_at = row.stripe_deleted_at or now
        row.stripe_payment_method = None
        set_payment_method(row, None, None)
        return
    row.stripe_deleted_at = None
    row.stripe_name = seen.get("name")
    row.stripe_email = seen.get("email")
    row.stripe_currency = seen.get("currency")
    row.stripe_tax_status = (seen.get("tax") or {}).get("automatic_tax")
    method = (seen.get("invoice_settings") or {}).get("default_payment_method")
    row.stripe_payment_method = payment_method_document(payment_method_of(method)) if isinstance(method, dict) else None


def set_payment_method(row: StripeCustomerLinkRow, method: PaymentMethod | None, at: datetime | None) -> None:
    """Makes `method` ours for this customer; `at` is when the customer chose it."""
    row.payment_method_id = method.id if method else None
    row.payment_method = payment_method_document(method) if method else None
    row.payment_method_set_at = at


def effective_payment_method(row: StripeCustomerLinkRow) -> tuple[PaymentMethod | None, str]:
    """How this customer pays, and whose choice that is: `ours`, else `stripe`, else `none`."""
    if row.payment_method_id is not None:
        return payment_method_from(row.payment_method), "ours"
    if row.stripe_payment_method is not None:
        return payment_method_from(row.stripe_payment_method), "stripe"
    return None, "none"


def link_view(row: StripeCustomerLinkRow, app: StripeAppRow, our_currency: str | None) -> StripeLink:
    """The row for others' eyes; `our_currency` is what we bill this customer in."""
    method, source = effective_payment_method(row)
    return StripeLink(
        app_id=row.app_id,
        customer_id=row.customer_id,
        stripe_customer_id=row.stripe_customer_id,
        default_payment_method_id=row.payment_method_id,
        payment_method=method,
        payment_method_source=source,
        stripe_name=row.stripe_name,
        stripe_email=row.stripe_email,
        stripe_currency=row.stripe_currency,
        tax_status=row.stripe_tax_status,
        stripe_deleted_at=row.stripe_deleted_at,
        labels=dict(row.labels),
        dashboard_url=dashboard_url(app, f"customers/{row.stripe_customer_id}"),
        notices=_notices(row, our_currency),
        checked_at=row.checked_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def currency_clash(row: StripeCustomerLinkRow, our_currency: str | None) -> str | None:
    """A sentence when Stripe bills this customer in another currency than we do."""
    theirs = (row.stripe_currency or "").upper()
    if not theirs or our_currency is None or theirs == our_currency.upper():
        return None
    return (
        f"Stripe bills this customer in {theirs}, here {our_currency.upper()} is set. Stripe refuses another currency "
        "while anything in the first one is open."
    )


def _notices(row: StripeCustomerLinkRow, our_currency: str | None) -> tuple[str, ...]:
    if row.stripe_deleted_at is not None:
        return ("This customer was deleted in Stripe. Unlink it, then link or create another.",)
    clash = currency_clash(row, our_currency)
    return (clash,) if clash else ()
