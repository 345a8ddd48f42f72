"""What this room asks of the rooms below: our customers, who bills them, and where news of an invoice goes."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.overrides import customers_billing
from dashboard.billing.queries import uses_of_app
from dashboard.billing.service import recheck_customer, record_external, resume_app
from dashboard.billing.waiting import waits_for_key
from dashboard.customers.queries import live_customer
from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.stripe_app.errors import NoStripeProfile
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState


async def our_customer(session: AsyncSession, customer_id: str) -> Customer:
    """A customer that something may be done with. Raises CustomerNotFound, CustomerDeleted."""
    return await live_customer(session, customer_id)


async def users_of_app(session: AsyncSession, app_id: str) -> tuple[str, ...]:
    """Sentences naming the live billing profiles and unfinished invoices that use an app."""
    return await uses_of_app(session, app_id)


async def let_invoices_go_on(work: Work, app_id: str) -> None:
    """After a key was replaced: invoices that waited for it are taken up again."""
    await resume_app(work, app_id)


async def invoices_wait_for_key(session: AsyncSession, app_id: str) -> bool:
    """Whether any invoice is held because this app's key was refused."""
    return await waits_for_key(session, app_id)


async def customer_may_be_ready(work: Work, customer_id: str) -> None:
    """After a link, a payment method or an address changed: drafts that were held for it are checked again."""
    await recheck_customer(work, customer_id)


async def record_news(work: Work, news: ExternalNews) -> None:
    """Tells billing how one of its invoices stands in Stripe."""
    await record_external(work, news)


async def resolve_app_id(session: AsyncSession, customer_id: str, app_id: str | None) -> str:
    """The app named, else the one of the customer's billing profile, else the only one installed.

    Raises NoStripeProfile when none of these tells.
    """
    if app_id is not None:
        return app_id
    usable = (AppState.READY, AppState.UNAUTHORIZED)
    found = list(await session.scalars(select(col(StripeAppRow.id)).where(col(StripeAppRow.state).in_(usable))))
    billing = (await customers_billing(session, [customer_id])).get(customer_id)
    if billing is not None and billing.profile.app_id in found:
        return billing.profile.app_id
    if len(found) == 1:
        return found[0]
    raise NoStripeProfile("No Stripe app is installed." if not found else "Several Stripe accounts are installed.")
