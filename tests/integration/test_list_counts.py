"""The numbers on the tabs of a list: each is what the list under that tab holds."""

from datetime import timedelta

from dashboard.catalog.plan_inputs import CreatePlan, PublishPlan
from dashboard.catalog.plan_views import Plan
from dashboard.catalog.plans import archive_plan, count_plans, create_plan, delete_plan, list_plans, publish_plan
from dashboard.catalog.status import PlanStatus
from dashboard.kit.database import Work
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.queries import count_subscriptions, list_subscriptions
from dashboard.subscriptions.service import SubscriptionDesk, cancel_subscription, create_subscription
from dashboard.subscriptions.status import SubscriptionStatus
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast
from tests.integration.test_custom_subscription import FEE, nothing_is_missing

PAGE = PageRequest()


async def draft(work: Work, key: str) -> Plan:
    phases = [{"key": "default", "name": "Default", "rate_cards": [FEE]}]
    document = {"key": key, "name": "Agreed", "currency": "USD", "billing_cadence": "P1M", "phases": phases}
    return await create_plan(work, parse_input(CreatePlan, document))


async def test_plans_are_counted_by_status_as_the_list_finds_them(house: House) -> None:
    now = house.clock.now()
    async with house.database.transaction(ANN) as work:
        await draft(work, "team_draft")
        await publish_plan(work, (await draft(work, "team_active")).id)
        await publish_plan(work, (await draft(work, "solo_active")).id)
        await publish_plan(work, (await draft(work, "solo_later")).id, PublishPlan(effective_from=now + timedelta(1)))
        old = await publish_plan(work, (await draft(work, "solo_old")).id)
        await archive_plan(work, old.id)
        await delete_plan(work, (await draft(work, "gone")).id)
    async with house.database.read() as session:
        counted = await count_plans(session, now=now)
        for status in PlanStatus:
            found = await list_plans(session, PAGE, now=now, statuses=[status])
            assert counted.get(status, 0) == found.total_count, status
        assert sum(counted.values()) == (await list_plans(session, PAGE, now=now)).total_count == 5
        assert await count_plans(session, now=now, search="TEAM") == {PlanStatus.DRAFT: 1, PlanStatus.ACTIVE: 1}


async def test_subscriptions_are_counted_by_status_as_the_list_finds_them(house: House) -> None:
    cast = await bring_cast(house.database)
    now, desk = house.clock.now(), SubscriptionDesk(house.database, nothing_is_missing)
    async with house.database.transaction(ANN) as work:
        plan = await publish_plan(work, (await draft(work, "team")).id)

    async def subscribe(customer_id: str, **more: object) -> str:
        wanted = CreateSubscription.model_validate({"customer_id": customer_id, "plan": plan.id, **more})
        return (await create_subscription(desk, ANN, wanted)).id

    ended, ends_soon = await subscribe(cast.acme.id), await subscribe(cast.globex.id)
    await subscribe(cast.initech.id, timing=now + timedelta(days=1))
    async with house.database.transaction(ANN) as work:
        await cancel_subscription(work, ended)
        await cancel_subscription(work, ends_soon, "next_billing_cycle")
    await subscribe(cast.acme.id, name="Second try")
    async with house.database.read() as session:
        counted = await count_subscriptions(session, now=now)
        assert counted == dict.fromkeys(SubscriptionStatus, 1)
        for status in SubscriptionStatus:
            found = await list_subscriptions(session, PAGE, now=now, statuses=[status])
            assert counted[status] == found.total_count, status
        of_acme = await count_subscriptions(session, now=now, customer_ids=[cast.acme.id], search="second")
        assert of_acme == {SubscriptionStatus.ACTIVE: 1}
