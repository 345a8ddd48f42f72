"""However a period is cut into invoices and whenever its events arrive, the customer pays what rating it once costs.

The engine is the real one, with its database and event store; only the provider is a fake.
"""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.access.audit import AuditLog
from dashboard.billing.desk import BillingDesk
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.rating import RateRequest, RatingTerms, rate_line
from dashboard.catalog.price_json import discounts_from_json, price_from_json
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database
from dashboard.kit.errors import Conflict
from dashboard.kit.locks import Locks
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.queries import list_subscriptions
from dashboard.subscriptions.service import delete_subscription
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.subscriptions.views import Subscription
from dashboard.usage.event_store import EventStore
from dashboard.usage.views import UsageEvent
from tests.billing_house import House
from tests.cast import ANN
from tests.fakes import FakeInvoicingApp, NoUsage, RecordingOutbox
from tests.scenarios.story import NEW_YEAR, Story, day, fee, furnished, usage

Answer = TypeVar("Answer")

EXAMPLES = settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
PRICES: list[dict[str, Any]] = [
    {"type": "unit", "amount": "0.333"},
    {"type": "unit", "amount": "0.25", "commitments": {"minimum_amount": "40", "maximum_amount": "90"}},
    {
        "type": "tiered",
        "mode": "graduated",
        "tiers": [
            {"up_to_amount": "100", "unit_amount": "0.37", "flat_amount": "3"},
            {"up_to_amount": "250", "unit_amount": "0.11"},
            {"up_to_amount": None, "unit_amount": "0.05", "flat_amount": "1"},
        ],
    },
    {"type": "package", "amount": "1.99", "quantity_per_package": "60"},
]
DISCOUNTS: list[dict[str, str]] = [{}, {"percentage": "12.5"}, {"usage_quantity": "75"}]
DAYS = st.integers(0, 30)

# An event: how many tokens, on which day it was used, and how many days later it arrived.
EVENTS = st.lists(st.tuples(st.integers(0, 120), DAYS, st.integers(0, 45)), max_size=8)
INVOICE_DAYS = st.lists(st.integers(1, 30), max_size=4, unique=True).map(sorted)


@contextlib.asynccontextmanager
async def fresh_story(template: Path) -> AsyncIterator[Story]:
    """A story in a folder of its own, so that every example begins with nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "meterdesk.db"
        shutil.copy(template, file)
        clock = FixedClock(NEW_YEAR)
        database = Database(f"sqlite:///{file}", clock=clock, outbox=RecordingOutbox(), audit_writer=AuditLog())
        locks = Locks(database)
        app, outbox = FakeInvoicingApp(clock), RecordingOutbox()
        desk = BillingDesk(database, app, cast(EventStore, NoUsage()), locks)
        try:
            async with furnished(House(desk, database, app, outbox, clock), Path(folder)) as story:
                yield story
        finally:
            await locks.close()
            await database.close()


@pytest.fixture
def tell(_sqlite_with_tables: Path) -> Callable[[Callable[[Story], Awaitable[Answer]]], Answer]:
    """Runs one example in a story of its own."""

    def run(example: Callable[[Story], Awaitable[Answer]]) -> Answer:
        async def once() -> Answer:
            async with fresh_story(_sqlite_with_tables) as story:
                return await example(story)

        return asyncio.run(once())

    return run


@EXAMPLES
@given(st.sampled_from(PRICES), st.sampled_from(DISCOUNTS), EVENTS, INVOICE_DAYS)
def test_any_split_and_any_order_of_arrival_cost_what_the_whole_costs(
    tell, price: dict[str, Any], discounts: dict[str, str], events: list[tuple[int, int, int]], cuts: list[int]
):
    async def example(story: Story) -> None:
        acme = story.cast.acme
        await story.plan("team", usage(price, discounts=discounts))
        await story.subscribe(acme, "team")
        arriving = sorted(
            (NEW_YEAR + timedelta(days=used + late, hours=1), NEW_YEAR + timedelta(days=used), tokens)
            for tokens, used, late in events
        )
        cutting = [NEW_YEAR + timedelta(days=number) for number in cuts]
        for moment in sorted({at for at, *_ in arriving} | set(cutting)):
            await story.until(moment)
            for at, used, tokens in arriving:
                if at == moment:
                    await story.use(tokens, used)
            if moment in cutting:
                await story.bill(acme)
        await story.until(day(4, 2))

        total = sum(tokens for tokens, *_ in events)
        terms = RatingTerms("USD", price_from_json(price), discounts_from_json(discounts))
        once = rate_line(RateRequest(terms, Decimal(total))).totals.total
        # February and March had no usage of their own: each costs what nothing costs.
        nothing = rate_line(RateRequest(terms, Decimal(0))).totals.total
        assert await story.billed(acme) == once + 2 * nothing
        counted = [line.metered_quantity or Decimal(0) for one in await story.invoices(acme) for line in one.lines]
        assert sum(counted) == total, "every token stands on one invoice"

    tell(example)


@EXAMPLES
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 500), DAYS), max_size=12),
    st.lists(st.integers(0, 11), max_size=12),
)
def test_events_that_are_sent_again_never_change_a_sum(tell, sent: list[tuple[int, int, int]], again: list[int]):
    async def example(story: Story) -> None:
        acme = story.cast.acme
        await story.plan("team", usage("0.01"))
        await story.subscribe(acme, "team")
        first: dict[str, UsageEvent] = {}
        events = [_event(f"id-{number}", tokens, NEW_YEAR + timedelta(days=used)) for number, tokens, used in sent]
        for event in events:
            # The first of an id counts, whatever a later one says.
            first.setdefault(event.id, event)
            await story.store.ingest([event])
        await story.store.ingest([events[number] for number in again if number < len(events)])
        await story.until(day(2))
        await story.store.ingest(events)
        await story.until(day(3))
        total = sum(json.loads(event.data_json or "{}")["tokens"] for event in first.values())
        assert await story.billed(acme) == (Decimal(total) / 100)

    tell(example)


def _event(event_id: str, tokens: int, at: datetime) -> UsageEvent:
    return UsageEvent(event_id, "app", "prompt", "acme", at, json.dumps({"tokens": tokens}), at)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cancel", "go on", "change", "change now", "restore", "invoice", "invoice early"]),
        st.integers(0, 10),
    ),
    max_size=8,
)


@EXAMPLES
@given(STEPS)
def test_no_sequence_of_second_thoughts_bills_a_day_twice_or_leaves_one_out(tell, steps: list[tuple[str, int]]):
    async def example(story: Story) -> None:
        acme = story.cast.acme
        # One dollar a day on either plan: a day that is billed twice, or never, shows in the sum.
        for plan in ("team", "other"):
            await story.plan(plan, fee("7", billing_cadence="P1W"), billing_cadence="P1W")
        await story.subscribe(acme, "team")
        for step, days in steps:
            with contextlib.suppress(Conflict, NothingToInvoice):
                await _think_again(story, step)
            await story.until(story.house.clock.now() + timedelta(days=days))
        for one in await _subscriptions(story):
            if one.status is SubscriptionStatus.SCHEDULED:
                async with story.house.database.transaction(ANN) as work:
                    await delete_subscription(work, one.id)
            elif one.status is SubscriptionStatus.ACTIVE:
                await story.cancel(one)
        await story.until(story.house.clock.now() + timedelta(days=15))
        served = [(one.active_to or one.active_from) - one.active_from for one in await _subscriptions(story)]
        assert await story.billed(acme) == sum(served, timedelta()).days

    tell(example)


async def _think_again(story: Story, step: str) -> None:
    subscriptions = await _subscriptions(story)
    current = next((one for one in subscriptions if one.current_period is not None), None)
    if current is None:
        # It is over; what was begun too early may still be invoiced.
        return
    other = "team" if current.plan_key == "other" else "other"
    match step:
        case "cancel":
            await story.cancel(current, "next_billing_cycle")
        case "go on":
            await story.go_on(current)
        case "change":
            await story.change(current, other, "next_billing_cycle")
        case "change now":
            await story.change(current, other)
        case "restore":
            await story.restore(current)
        case _:
            await story.bill(story.cast.acme, before_its_date=step == "invoice early")


async def _subscriptions(story: Story) -> list[Subscription]:
    async with story.house.database.read() as session:
        page = await list_subscriptions(session, PageRequest(1, 100), now=story.house.clock.now())
    return list(page.items)
