"""Subscriptions told as stories: given a plan, usage and a date, then these lines and these totals."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.queries import pending_of_customer
from dashboard.billing.service import invoice_pending_lines
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.billing.views import Invoice, InvoiceStatus
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_inputs import CreateFeature, CreatePlan
from dashboard.catalog.plans import create_plan, get_plan, publish_plan
from dashboard.customers.views import Customer
from dashboard.kit.database import Database
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions.errors import AlreadySubscribed, BillingSetupInvalid, PlanNotActive
from dashboard.subscriptions.inputs import ChangeSubscription, CreateSubscription
from dashboard.subscriptions.service import (
    SubscriptionDesk,
    cancel_subscription,
    change_subscription,
    create_subscription,
    unschedule_cancelation,
)
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.service import create_meter
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import UsageEvent
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, Cast, bring_cast

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Readiness:
    """Says what it is told to say."""

    lacking: tuple[str, str] | None = None
    asked: list[str] = field(default_factory=list)

    async def __call__(self, customer_id: str) -> tuple[str, str] | None:
        self.asked.append(customer_id)
        return self.lacking


class Story:
    """A house with a meter of tokens, and a clock that is moved from month to month."""

    def __init__(self, house: House, cast: Cast, store: SqlEventStore) -> None:
        self.house = house
        self.cast = cast
        self.store = store
        self.readiness = Readiness()
        self.desk = SubscriptionDesk(house.database, self.readiness)
        self._events = 0

    async def plan(self, key: str, *rate_cards: dict, **changes: object) -> str:
        """A published plan with one endless phase."""
        document = {
            "key": key,
            "name": key.capitalize(),
            "currency": "USD",
            "billing_cadence": "P1M",
            "phases": [{"key": "default", "name": "Default", "rate_cards": rate_cards}],
            **changes,
        }
        async with self.house.database.transaction(ANN) as work:
            draft = await create_plan(work, parse_input(CreatePlan, document))
            return (await publish_plan(work, draft.id)).id

    async def subscribe(self, customer: Customer, plan: str, **changes: object):
        wanted = parse_input(CreateSubscription, {"customer_id": customer.id, "plan": plan, **changes})
        subscription = await create_subscription(self.desk, ANN, wanted)
        await sync_due_subscriptions(self.house.desk)
        return subscription

    async def use(self, tokens: int, at: datetime, subject: str = "acme") -> None:
        self._events += 1
        data = json.dumps({"tokens": tokens})
        await self.store.ingest([UsageEvent(f"e{self._events}", "app", "prompt", subject, at, data, at)])

    async def at(self, moment: datetime) -> None:
        """Moves the clock there, and lets happen what falls due."""
        self.house.clock.move_to(moment)
        await sync_due_subscriptions(self.house.desk)

    async def bill(self, customer: Customer) -> Invoice:
        """What the worker does on the day: collects, waits for late usage, and sends."""
        async with self.house.database.transaction(ANN) as work:
            wanted = InvoicePendingLines(customer_id=customer.id)
            (draft,) = await invoice_pending_lines(work, wanted)
        return await self.house.advance(draft.id)

    async def pending(self, customer: Customer) -> dict[str, str]:
        async with self.house.database.read() as session:
            found = await pending_of_customer(session, customer.id, self.house.clock.now())
        return {f"{line.name} {line.invoice_at:%d %b}": line.managed_by for one in found for line in one.lines}


@pytest.fixture
async def story(house: House, tmp_path: Path) -> AsyncIterator[Story]:
    house.clock.move_to(NEW_YEAR)
    events = Database(f"sqlite:///{tmp_path}/events.db", clock=house.clock)
    store = SqlEventStore(events)
    await store.prepare()
    house.desk.event_store = store
    cast = await bring_cast(house.database, collection_interval="PT0S")
    await create_meter(
        house.database,
        store,
        ANN,
        CreateMeter(key="tokens", event_type="prompt", aggregation=Aggregation.SUM, value_property="$.tokens"),
    )
    async with house.database.transaction(ANN) as work:
        await create_feature(work, CreateFeature(key="tokens", name="Tokens", meter="tokens"))
    yield Story(house, cast, store)
    await store.close()
    await events.close()


BASE_FEE = {
    "key": "base",
    "name": "Base fee",
    "type": "flat_fee",
    "billing_cadence": "P1M",
    "price": {"type": "flat", "amount": "30"},
}
TOKENS = {
    "key": "tokens",
    "name": "Tokens",
    "type": "usage_based",
    "feature_key": "tokens",
    "billing_cadence": "P1M",
    "price": {"type": "unit", "amount": "0.01"},
}


def lines_of(invoice: Invoice) -> dict[str, Decimal]:
    return {line.name: line.totals.before_tax for line in invoice.lines}


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


async def test_an_upgrade_in_mid_month_starts_the_new_plan_on_the_old_anchor_and_prorates_it(story: Story):
    await story.plan("team", BASE_FEE)
    await story.plan("business", {**BASE_FEE, "price": {"type": "flat", "amount": "310"}})
    acme = story.cast.acme
    old = await story.subscribe(acme, "team")
    await story.bill(acme)
    await story.at(NEW_YEAR + timedelta(days=21))
    ended, new = await change_subscription(
        story.desk, ANN, old.id, ChangeSubscription(plan="business", timing="immediate")
    )
    await sync_due_subscriptions(story.house.desk)
    assert ended.active_to == new.active_from == NEW_YEAR + timedelta(days=21)
    assert new.billing_anchor == NEW_YEAR
    # 10 of January's 31 days are left: 310 × 10 ÷ 31.
    assert lines_of(await story.bill(acme)) == {"Base fee": Decimal(100)}


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
