"""Subscriptions told as stories: given a plan, usage and a date, then these lines and these totals."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.billing.invoice_list import InvoiceFilter, list_invoices
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.billing.views import InvoiceStatus
from dashboard.catalog.plan_inputs import CreatePlan
from dashboard.catalog.plans import create_plan, get_plan
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions.errors import AlreadySubscribed, BillingSetupInvalid, PlanNotActive
from dashboard.subscriptions.service import cancel_subscription, unschedule_cancelation
from tests.billing_house import house as house
from tests.cast import ANN
from tests.scenarios.story import NEW_YEAR, Story, fee, lines_of, usage
from tests.scenarios.story import story as story

BASE_FEE = fee()
TOKENS = usage()


async def test_a_monthly_plan_bills_its_fee_in_advance_and_its_usage_afterwards(story: Story):
    await story.plan("team", BASE_FEE, TOKENS)
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    first = await story.bill(acme)
    assert lines_of(first) == {"Base fee": Decimal(30)}
    assert first.status is InvoiceStatus.PAID

    await story.use(1_200, NEW_YEAR + timedelta(days=3))
    await story.use(300, NEW_YEAR + timedelta(days=30))
    await story.at(datetime(2026, 2, 1, tzinfo=UTC))
    second = await story.bill(acme)
    assert lines_of(second) == {"Base fee": Decimal(30), "Tokens": Decimal(15)}
    assert second.totals.total == 45


async def test_a_year_of_twelve_months_bills_twelve_fees_and_every_token_once(story: Story):
    await story.plan("team", BASE_FEE, TOKENS)
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.bill(acme)
    for month in range(1, 13):
        await story.use(100 * month, datetime(2026, month, 15, tzinfo=UTC))
        await story.at(datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC))
        await story.bill(acme)
    async with story.house.database.read() as session:
        found = await list_invoices(session, InvoiceFilter(customer_id=acme.id), limit=50)
    assert len(found.items) == 13
    assert sum(one.total for one in found.items) == 13 * 30 + Decimal("78.00")


async def test_a_subscription_from_the_31st_bills_on_the_last_day_of_shorter_months(story: Story):
    await story.plan("team", BASE_FEE)
    await story.at(datetime(2026, 1, 31, tzinfo=UTC))
    await story.subscribe(story.cast.acme, "team")
    await story.bill(story.cast.acme)
    days = []
    for moment in (
        datetime(2026, 2, 28, tzinfo=UTC),
        datetime(2026, 3, 31, tzinfo=UTC),
        datetime(2026, 4, 30, tzinfo=UTC),
    ):
        await story.at(moment)
        days.append((await story.bill(story.cast.acme)).period_from)
    assert days == [
        datetime(2026, 2, 28, tzinfo=UTC),
        datetime(2026, 3, 31, tzinfo=UTC),
        datetime(2026, 4, 30, tzinfo=UTC),
    ]


async def test_invoicing_now_leaves_next_months_fee_to_next_month(story: Story):
    await story.plan("team", BASE_FEE)
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    assert lines_of(await story.bill(acme, before_its_date=True)) == {"Base fee": Decimal(30)}
    with pytest.raises(NothingToInvoice):
        await story.bill(acme, before_its_date=True)
    await story.at(datetime(2026, 2, 1, tzinfo=UTC))
    assert lines_of(await story.bill(acme)) == {"Base fee": Decimal(30)}


async def test_making_lines_again_makes_none_twice(story: Story):
    await story.plan("team", BASE_FEE, TOKENS)
    await story.subscribe(story.cast.acme, "team")
    before = await story.pending(story.cast.acme)
    for _ in range(3):
        await story.at(story.house.clock.now() + timedelta(minutes=1))
    assert await story.pending(story.cast.acme) == before
    assert set(before.values()) == {"subscription"}


async def test_a_cancelation_takes_back_what_was_only_pending_and_can_be_taken_back_itself(story: Story):
    await story.plan("team", {**BASE_FEE, "price": {"type": "flat", "amount": "31", "payment_term": "in_arrears"}})
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    async with story.house.database.transaction(ANN) as work:
        canceled = await cancel_subscription(work, subscription.id, "next_billing_cycle")
    assert canceled.active_to == datetime(2026, 2, 1, tzinfo=UTC)
    async with story.house.database.transaction(ANN) as work:
        assert (await unschedule_cancelation(work, subscription.id)).active_to is None
    await story.at(NEW_YEAR + timedelta(days=10))
    async with story.house.database.transaction(ANN) as work:
        await cancel_subscription(work, subscription.id, "immediate")
    await sync_due_subscriptions(story.house.desk)
    assert lines_of(await story.bill(acme)) == {"Base fee": Decimal(10)}


async def test_a_customer_has_one_subscription_at_a_time(story: Story):
    await story.plan("team", BASE_FEE)
    await story.subscribe(story.cast.acme, "team")
    with pytest.raises(AlreadySubscribed):
        await story.subscribe(story.cast.acme, "team")


async def test_a_paid_plan_needs_a_customer_who_can_be_billed_and_says_what_is_missing(story: Story):
    await story.plan("team", BASE_FEE)
    story.readiness.lacking = ("Initech has no payment method.", "Send them a checkout link.")
    with pytest.raises(BillingSetupInvalid) as refusal:
        await story.subscribe(story.cast.initech, "team")
    assert "no payment method" in refusal.value.message
    assert refusal.value.what_to_do == "Send them a checkout link."
    assert await story.pending(story.cast.initech) == {}


async def test_a_free_plan_asks_nobody_about_money(story: Story):
    await story.plan("free", {**BASE_FEE, "price": None})
    await story.subscribe(story.cast.initech, "free")
    assert story.readiness.asked == []
    with pytest.raises(NothingToInvoice):
        await story.bill(story.cast.initech)


async def test_a_draft_of_a_plan_cannot_be_subscribed_to(story: Story):
    document = {"key": "soon", "name": "Soon", "currency": "USD", "billing_cadence": "P1M"}
    async with story.house.database.transaction(ANN) as work:
        plan = await create_plan(work, parse_input(CreatePlan, document))
    with pytest.raises(PlanNotActive):
        await story.subscribe(story.cast.acme, plan.id)


async def test_publishing_the_next_version_leaves_subscriptions_on_the_one_they_have(story: Story):
    first = await story.plan("team", BASE_FEE)
    subscription = await story.subscribe(story.cast.acme, "team")
    second = await story.plan("team", {**BASE_FEE, "price": {"type": "flat", "amount": "99"}})
    async with story.house.database.read() as session:
        old = await get_plan(session, first, now=story.house.clock.now())
    assert (old.status.value, second != first) == ("archived", True)
    assert subscription.plan_version == 1
    assert lines_of(await story.bill(story.cast.acme)) == {"Base fee": Decimal(30)}
