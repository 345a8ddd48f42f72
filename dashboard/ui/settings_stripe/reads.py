"""Which billing profiles use an account."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.profiles import all_billing_profiles
from dashboard.ui.billing_profiles.fields import METHODS, tax_in_words
from dashboard.ui.billing_profiles.profiles import PATH


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
