"""Terms for one customer alone: a finished draft becomes their subscription, and stays a draft."""

from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.queries import pending_of_customer
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.catalog.plan_inputs import CreatePlan
from dashboard.catalog.plan_views import Plan
from dashboard.catalog.plans import create_plan, get_plan, publish_plan
from dashboard.catalog.status import PlanStatus
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.errors import PlanNotActive
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.queries import list_subscriptions
from dashboard.subscriptions.service import SubscriptionDesk, create_subscription
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast

FEE = {
    "type": "flat_fee",
    "key": "fee",
    "name": "Agreed fee",
    "billing_cadence": "P1M",
    "price": {"type": "flat", "amount": "77", "payment_term": "in_advance"},
}


async def nothing_is_missing(customer_id: str) -> None:
    """Everybody can be billed."""


async def make_draft(house: House, key: str, *rate_cards: dict[str, Any]) -> Plan:
    phases = [{"key": "default", "name": "Default", "rate_cards": rate_cards}]
    document = {"key": key, "name": "Agreed", "currency": "USD", "billing_cadence": "P1M", "phases": phases}
    async with house.database.transaction(ANN) as work:
        return await create_plan(work, parse_input(CreatePlan, document))


async def test_a_draft_becomes_the_terms_of_one_customer_and_stays_a_draft(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await make_draft(house, "agreed", FEE)
    desk = SubscriptionDesk(house.database, nothing_is_missing)
    wanted = CreateSubscription(customer_id=cast.acme.id, plan=draft.id, is_custom=True)
    made = await create_subscription(desk, ANN, wanted)
    assert (made.plan_id, made.plan_key, made.plan_version) == (None, None, None)
    assert made.name == "Agreed"
    await sync_due_subscriptions(house.desk)
    async with house.database.read() as session:
        assert (await get_plan(session, draft.id, now=house.clock.now())).status is PlanStatus.DRAFT
        (pending,) = await pending_of_customer(session, cast.acme.id, house.clock.now())
    lines = {(line.name, line.totals.total) for line in pending.lines}
    assert lines == {("Agreed fee", Decimal(77))}


async def test_a_published_version_or_an_unfinished_draft_is_nobodys_own_terms(house: House) -> None:
    cast = await bring_cast(house.database)
    desk = SubscriptionDesk(house.database, nothing_is_missing)
    unfinished = await make_draft(house, "unfinished")
    with pytest.raises(PlanNotActive, match="not ready yet"):
        await create_subscription(
            desk, ANN, CreateSubscription(customer_id=cast.acme.id, plan=unfinished.id, is_custom=True)
        )
    published = await make_draft(house, "agreed", FEE)
    async with house.database.transaction(ANN) as work:
        await publish_plan(work, published.id)
    with pytest.raises(PlanNotActive, match="come from a draft"):
        await create_subscription(
            desk, ANN, CreateSubscription(customer_id=cast.acme.id, plan=published.id, is_custom=True)
        )
    async with house.database.read() as session:
        found = await list_subscriptions(session, PageRequest(), now=house.clock.now())
    assert found.items == ()
