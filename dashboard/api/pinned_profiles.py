"""Pinning customers to billing profiles, and finding who is on which: both API generations ask for it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.overrides import find_customer_override, list_customer_overrides, set_customer_override
from dashboard.billing.profiles import default_billing_profile
from dashboard.billing.views import CustomerBilling
from dashboard.customers.queries import list_customers
from dashboard.kit.database import Work
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PAGE_SIZE_MAX, PageRequest


async def pin_profile(work: Work, customer_id: str, profile_id: str | None) -> CustomerBilling:
    """Pins a customer to a profile (None: to none); the workflow fields that are different for them stay.

    Raises CustomerNotFound, CustomerDeleted, BillingProfileNotFound, NoBillingProfile.
    """
    override = await find_customer_override(work.session, customer_id)
    fields = override.fields if override else {}
    wanted = parse_input(SetCustomerOverride, {**fields, "billing_profile_id": profile_id})
    return await set_customer_override(work, customer_id, wanted)


async def customers_on_profiles(
    session: AsyncSession,
    *,
    profile_ids: Sequence[str] = (),
    without_pinned: bool = False,
    only_overridden: bool = False,
    among: Sequence[str] = (),
) -> list[str] | None:
    """Ids of the customers that fit; None when everybody does.

    A customer is on a profile when pinned to it, or when it is the default one and they are pinned to none.
    """
    if not (profile_ids or without_pinned or only_overridden):
        return list(among) or None
    overrides = await _overrides(session)
    profiles = await profile_of_each_customer(session)
    chosen = list(among) or list(profiles)
    if only_overridden:
        chosen = [one for one in chosen if one in overrides]
    if without_pinned:
        chosen = [one for one in chosen if overrides.get(one) is None]
    if profile_ids:
        chosen = [one for one in chosen if profiles.get(one) in profile_ids]
    return chosen


async def profile_of_each_customer(session: AsyncSession) -> dict[str, str | None]:
    """Customer id → id of the profile that bills them, None where no profile does. Live customers only."""
    default = await default_billing_profile(session)
    overrides = await _overrides(session)
    fallback = default.id if default else None
    return {one: overrides.get(one) or fallback for one in await _everybody(session)}


async def _overrides(session: AsyncSession) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    number = 1
    while True:
        page = await list_customer_overrides(session, PageRequest(number, PAGE_SIZE_MAX))
        found |= {one.customer_id: one.billing_profile_id for one in page.items}
        if number >= page.page_count:
            return found
        number += 1


async def _everybody(session: AsyncSession) -> list[str]:
    found: list[str] = []
    number = 1
    while True:
        page = await list_customers(session, PageRequest(number, PAGE_SIZE_MAX), sort="id", descending=False)
        found += [customer.id for customer in page.items]
        if number >= page.page_count:
            return found
        number += 1
