"""What the Stripe settings ask of other rooms: the account itself, and the billing profiles that use it."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.backend import running
from dashboard.billing.profiles import all_billing_profiles
from dashboard.stripe_app.apps import get_stripe_app
from dashboard.stripe_app.errors import StripeAppDeleted
from dashboard.stripe_app.views import StripeApp
from dashboard.ui.billing_profiles.fields import METHODS, tax_in_words
from dashboard.ui.billing_profiles.profiles import PATH
from dashboard.ui.views import day_text


@dataclass(frozen=True, slots=True)
class AppProfile:
    """A billing profile as the account's page lists it."""

    name: str = ""
    href: str = ""
    is_default: bool = False
    method: str = ""


async def profile_counts(session: AsyncSession) -> dict[str, int]:
    """App id → how many live profiles use it."""
    return Counter(profile.app_id for profile in await all_billing_profiles(session))


async def profiles_of_app(session: AsyncSession, app_id: str) -> list[AppProfile]:
    """The live profiles that use an app, the default first."""
    return [
        AppProfile(
            name=profile.name,
            href=f"{PATH}/{profile.id}",
            is_default=profile.is_default,
            method=f"{METHODS[profile.workflow.collection_method.value]}, {tax_in_words(profile.workflow)}",
        )
        for profile in await all_billing_profiles(session)
        if profile.app_id == app_id
    ]


async def newest_profile_of_app(app_id: str) -> str:
    """The id of the profile that was made last for an app, empty for none: where a wizard that was left goes on."""
    async with running().database.read() as session:
        mine = [profile for profile in await all_billing_profiles(session) if profile.app_id == app_id]
    return max(mine, key=lambda profile: profile.created_at).id if mine else ""


async def usable_app(session: AsyncSession, app_id: str) -> StripeApp:
    """An app that is still installed. Raises StripeAppNotFound, StripeAppDeleted."""
    app = await get_stripe_app(session, app_id)
    if app.deleted_at is not None:
        raise StripeAppDeleted(f"{app.account_name} was uninstalled on {day_text(app.deleted_at)}.")
    return app
