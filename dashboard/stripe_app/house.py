"""What this room asks of the rooms below: our customers, who bills them, and where news of an invoice goes."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.external import record_external
from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.overrides import customers_billing
from dashboard.billing.profiles import all_billing_profiles
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
    profiles = await all_billing_profiles(session)
    return tuple(f"the billing profile “{one.name}”" for one in profiles if one.app_id == app_id)


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
