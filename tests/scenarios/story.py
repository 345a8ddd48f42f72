"""What every story needs: a house with meters, plans in a line or two, a clock that moves while the worker works."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices
from dashboard.billing.jobs import advance, collect
from dashboard.billing.queries import due_for_advance, due_for_collection, pending_of_customer
from dashboard.billing.service import invoice_pending_lines
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import Invoice
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_inputs import CreateFeature, CreatePlan
from dashboard.catalog.plans import create_plan, publish_plan
from dashboard.customers.views import Customer
from dashboard.kit.database import Database
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions.inputs import ChangeSubscription, CreateSubscription, EditSubscription
from dashboard.subscriptions.service import (
    SubscriptionDesk,
    cancel_subscription,
    change_subscription,
    create_subscription,
    edit_subscription,
    restore_subscription,
    unschedule_cancelation,
)
from dashboard.subscriptions.tables import SubscriptionRow
from dashboard.subscriptions.views import Subscription
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.service import create_meter
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import UsageEvent
from tests.billing_house import House
from tests.cast import ANN, Cast, bring_cast

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For a story that says nothing new about the database."""


def day(month: int, day_of_month: int = 1, *, year: int = 2026, hour: int = 0) -> datetime:
    """A moment of 2026 in UTC, at midnight if nothing else is said."""
    return datetime(year, month, day_of_month, hour, tzinfo=UTC)


def fee(amount: str = "30", **changes: Any) -> dict[str, Any]:
    """A monthly base fee in advance."""
    price = {"type": "flat", "amount": amount, "payment_term": changes.pop("payment_term", "in_advance")}
    card = {"key": "base", "name": "Base fee", "type": "flat_fee", "billing_cadence": "P1M", "price": price}
    return card | changes


def usage(price: dict[str, Any] | str = "0.01", *, key: str = "tokens", **changes: Any) -> dict[str, Any]:
    """A monthly rate card for a feature, by default a unit price."""
    price = {"type": "unit", "amount": price} if isinstance(price, str) else price
    card = {"key": key, "name": key.capitalize(), "type": "usage_based", "feature_key": key, "billing_cadence": "P1M"}
    return card | {"price": price} | changes


@dataclass
class Readiness:
    """Says what it is told to say."""

    lacking: tuple[str, str] | None = None
    asked: list[str] = field(default_factory=list)

    async def __call__(self, customer_id: str) -> tuple[str, str] | None:
        self.asked.append(customer_id)
        return self.lacking


class Story:
    """A house that meters tokens (added up) and images (counted), and a clock that is moved through the year."""

    def __init__(self, house: House, cast: Cast, store: SqlEventStore) -> None:
        self.house = house
        self.cast = cast
        self.store = store
        self.readiness = Readiness()
        self.desk = SubscriptionDesk(house.database, self.readiness)
        self._events = 0

    async def plan(self, key: str, *rate_cards: dict[str, Any], **changes: Any) -> str:
        """A published plan, with one endless phase unless `phases` says otherwise."""
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

    async def subscribe(self, customer: Customer, plan: str, **changes: Any) -> Subscription:
        """Somebody subscribes, and the lines of it are made."""
        wanted = parse_input(CreateSubscription, {"customer_id": customer.id, "plan": plan, **changes})
        subscription = await create_subscription(self.desk, ANN, wanted)
        await sync_due_subscriptions(self.house.desk)
        return subscription

    async def change(self, subscription: Subscription, plan: str, timing: Any = "immediate") -> Subscription:
        """Somebody changes to another plan; answers the new subscription."""
        wanted = ChangeSubscription(plan=plan, timing=timing)
        _, new = await change_subscription(self.desk, ANN, subscription.id, wanted)
        await sync_due_subscriptions(self.house.desk)
        return new

    async def edit(
        self, subscription: Subscription, *operations: dict[str, Any], timing: str = "immediate"
    ) -> Subscription:
        """Somebody edits it in place."""
        wanted = parse_input(EditSubscription, {"operations": operations, "timing": timing})
        edited = await edit_subscription(self.desk, ANN, subscription.id, wanted)
        await sync_due_subscriptions(self.house.desk)
        return edited

    async def cancel(self, subscription: Subscription, timing: Any = "immediate") -> Subscription:
        async with self.house.database.transaction(ANN) as work:
            ended = await cancel_subscription(work, subscription.id, timing)
        await sync_due_subscriptions(self.house.desk)
        return ended

    async def go_on(self, subscription: Subscription) -> None:
        """Somebody takes a cancelation back."""
        async with self.house.database.transaction(ANN) as work:
            await unschedule_cancelation(work, subscription.id)
        await sync_due_subscriptions(self.house.desk)

    async def restore(self, subscription: Subscription) -> None:
        """Somebody takes a change of plan back."""
        async with self.house.database.transaction(ANN) as work:
            await restore_subscription(work, subscription.id)
        await sync_due_subscriptions(self.house.desk)

    async def use(self, tokens: int | str, at: datetime, subject: str = "acme") -> None:
        """An event of so many tokens, which arrives now."""
        await self._ingest("prompt", json.dumps({"tokens": tokens}), at, subject)

    async def draw(self, images: int, at: datetime, subject: str = "acme") -> None:
        """So many events of an image each."""
        for _ in range(images):
            await self._ingest("image", "{}", at, subject)

    async def _ingest(self, kind: str, data: str, at: datetime, subject: str) -> None:
        self._events += 1
        event = UsageEvent(f"e{self._events}", "app", kind, subject, at, data, self.house.clock.now())
        await self.store.ingest([event])

    async def at(self, moment: datetime) -> None:
        """Moves the clock there, and lets the lines of subscriptions be made."""
        self.house.clock.move_to(moment)
        await sync_due_subscriptions(self.house.desk)

    async def until(self, moment: datetime) -> None:
        """Moves the clock from one date to the next on which something falls due, and each time works it off."""
        await self.work()
        while (due := await self._next_date()) is not None and due <= moment:
            self.house.clock.move_to(due)
            await self.work()
        self.house.clock.move_to(moment)
        await self.work()

    async def work(self) -> None:
        """What the worker does every few seconds."""
        desk = self.house.desk
        await sync_due_subscriptions(desk)
        async with self.house.database.read() as session:
            customers = await due_for_collection(session, self.house.clock.now())
        for customer_id in customers:
            await collect(desk, customer_id)
        async with self.house.database.read() as session:
            invoices = await due_for_advance(session, self.house.clock.now())
        for invoice_id, _ in invoices:
            await advance(desk, invoice_id)

    async def _next_date(self) -> datetime | None:
        now = self.house.clock.now()
        async with self.house.database.read() as session:
            dates = [
                await session.scalar(select(func.min(col(column))).where(col(column) > now))
                for column in (SubscriptionRow.sync_at, InvoiceRow.wake_at)
            ]
        return min((date for date in dates if date is not None), default=None)

    async def bill(self, customer: Customer, **wanted: Any) -> Invoice:
        """Somebody invoices what can be invoiced now, parts of usage periods too."""
        async with self.house.database.transaction(ANN) as work:
            (draft,) = await invoice_pending_lines(work, InvoicePendingLines(customer_id=customer.id, **wanted))
        return await self.house.advance(draft.id)

    async def pending(self, customer: Customer) -> dict[str, str]:
        """Name and date of what waits → who manages it."""
        async with self.house.database.read() as session:
            found = await pending_of_customer(session, customer.id, self.house.clock.now())
        return {f"{line.name} {line.invoice_at:%d %b}": line.managed_by for one in found for line in one.lines}

    async def pending_ids(self, customer: Customer) -> tuple[str, ...]:
        """The lines that wait, by id."""
        async with self.house.database.read() as session:
            found = await pending_of_customer(session, customer.id, self.house.clock.now())
        return tuple(line.id for one in found for line in one.lines)

    async def invoices(self, customer: Customer, **wanted: Any) -> list[Invoice]:
        """Everything that was invoiced so far, oldest first, drafts included."""
        async with self.house.database.read() as session:
            page = await list_invoices(session, InvoiceFilter(customer_id=customer.id, **wanted), limit=1000)
        found = [await self.house.read(one.id) for one in page.items]
        return sorted(found, key=lambda one: (one.created_at, one.id))

    async def latest(self, customer: Customer) -> Invoice:
        return (await self.invoices(customer))[-1]

    async def billed(self, customer: Customer) -> Decimal:
        """The sum of all invoices."""
        return sum((one.totals.total for one in await self.invoices(customer)), Decimal(0))


@asynccontextmanager
async def furnished(house: House, folder: Path) -> AsyncIterator[Story]:
    """A story that begins at New Year with the whole cast, under a profile that does not wait for late usage."""
    house.clock.move_to(NEW_YEAR)
    events = Database(f"sqlite:///{folder}/events.db", clock=house.clock)
    store = SqlEventStore(events)
    await store.prepare()
    house.desk.event_store = store
    cast = await bring_cast(house.database, collection_interval="PT0S")
    for meter in (
        CreateMeter(key="tokens", event_type="prompt", aggregation=Aggregation.SUM, value_property="$.tokens"),
        CreateMeter(key="images", event_type="image", aggregation=Aggregation.COUNT),
    ):
        await create_meter(house.database, store, ANN, meter)
        async with house.database.transaction(ANN) as work:
            await create_feature(work, CreateFeature(key=meter.key, name=meter.key.capitalize(), meter=meter.key))
    try:
        yield Story(house, cast, store)
    finally:
        await store.close()
        await events.close()


@pytest.fixture
async def story(house: House, tmp_path: Path) -> AsyncIterator[Story]:
    """See `furnished`."""
    async with furnished(house, tmp_path) as told:
        yield told


def lines_of(invoice: Invoice) -> dict[str, Decimal]:
    """Line name → amount; of two lines with one name the sum."""
    found: dict[str, Decimal] = {}
    for line in invoice.lines:
        found[line.name] = found.get(line.name, Decimal(0)) + line.totals.before_tax
    return found
