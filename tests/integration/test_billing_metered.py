"""Metered lines: from events to an invoice, whole or in pieces, late usage included."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from dashboard.billing.invoice_inputs import (
    AddCharges,
    ChargeInput,
    CreatePendingLines,
    InvoicePendingLines,
    PendingLineInput,
)
from dashboard.billing.jobs import collect
from dashboard.billing.late_usage import LOOK_BACK
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.queries import due_for_collection, pending_of_customer
from dashboard.billing.service import add_charges, create_pending_lines, invoice_pending_lines
from dashboard.billing.usage_needed import UsageNotInvoiced
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.catalog.plan_tables import FeatureRow
from dashboard.customers.views import Customer
from dashboard.kit.database import Database
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.service import create_meter
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import Aggregation, UsageEvent
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast

# Nothing here depends on which database it is; the files beside run on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)


class Metering:
    """A house whose event store is real, with a meter of API calls and a feature of that name."""

    def __init__(self, house: House, store: SqlEventStore) -> None:
        self.house = house
        self.store = store
        self._events = 0

    async def use(self, subject: str, calls: int, at: datetime) -> None:
        self._events += 1
        data = json.dumps({"calls": calls})
        await self.store.ingest([UsageEvent(f"e{self._events}", "app", "call", subject, at, data, at)])

    async def wait_for_usage(self, customer: Customer, **price: Any) -> None:
        line = PendingLineInput(
            name="API calls",
            price={"type": "unit", "amount": "0.10", **price},
            feature_key="api_calls",
            period_from=START,
            period_to=END,
            invoice_at=END,
        )
        async with self.house.database.transaction(ANN) as work:
            await create_pending_lines(work, CreatePendingLines(customer_id=customer.id, lines=(line,)))

    async def invoice(self, customer: Customer, **wanted: Any) -> Invoice:
        async with self.house.database.transaction(ANN) as work:
            (draft,) = await invoice_pending_lines(work, InvoicePendingLines(customer_id=customer.id, **wanted))
        return await self.house.advance(draft.id)


@pytest.fixture
async def metering(house: House, tmp_path: Path) -> AsyncIterator[Metering]:
    events = Database(f"sqlite:///{tmp_path}/events.db")
    store = SqlEventStore(events)
    await store.prepare()
    house.desk.event_store = store
    await create_meter(
        house.database,
        store,
        ANN,
        CreateMeter(key="calls", event_type="call", aggregation=Aggregation.SUM, value_property="$.calls"),
    )
    async with house.database.transaction(ANN) as work:
        await create_feature(work, CreateFeature(key="api_calls", name="API calls", meter="calls"))
    yield Metering(house, store)
    await store.close()
    await events.close()


async def test_usage_under_key_and_subjects_is_billed_when_its_period_is_over(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT0S")
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 100, START + timedelta(days=1))
    await metering.use("acme", 20, START + timedelta(days=2))
    await metering.use("globex-api", 999, START + timedelta(days=2))
    await metering.use("acme-api", 999, END)

    house.clock.move_to(END)
    invoice = await metering.invoice(cast.acme)
    assert invoice.status is InvoiceStatus.PAID
    (line,) = invoice.lines
    assert (line.metered_quantity, line.quantity, line.totals.total) == (120, 120, Decimal("12.00"))
    assert line.details[0].explanation[-1] == "120 × $0.10 = $12.00."
    assert invoice.quantities_fixed_at == END


async def test_usage_is_needed_until_its_line_is_invoiced_and_late_usage_had_its_time(metering: Metering) -> None:
    house = metering.house
    needed = UsageNotInvoiced(house.database)
    assert await needed.needed_from() is None
    cast = await bring_cast(house.database, collection_interval="PT1H")
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 100, START + timedelta(days=1))
    assert await needed.needed_from() == START
    house.clock.move_to(END)
    draft = await metering.invoice(cast.acme)
    assert draft.status is InvoiceStatus.DRAFT_WAITING_FOR_COLLECTION
    assert await needed.needed_from() == START
    house.clock.move_to(END + timedelta(hours=1))
    assert (await house.advance(draft.id)).status is InvoiceStatus.PAID
    house.clock.move_to(END + LOOK_BACK)
    assert await needed.needed_from() == START
    house.clock.move_to(END + LOOK_BACK + timedelta(seconds=1))
    assert await needed.needed_from() is None


async def test_late_usage_is_waited_for(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT1H")
    await metering.wait_for_usage(cast.acme)
    house.clock.move_to(END)
    waiting = await metering.invoice(cast.acme)
    assert waiting.status is InvoiceStatus.DRAFT_WAITING_FOR_COLLECTION
    assert waiting.collection_at == END + timedelta(hours=1)
    assert InvoiceAction.SNAPSHOT_QUANTITIES in waiting.actions
    await metering.use("acme-api", 50, END - timedelta(minutes=1))
    house.clock.move_to(END + timedelta(hours=1))
    assert (await house.advance(waiting.id)).totals.total == Decimal("5.00")


async def test_somebody_in_a_hurry_does_not_wait(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database)
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 50, START)
    house.clock.move_to(END)
    waiting = await metering.invoice(cast.acme)
    paid = await house.act(waiting.id, InvoiceAction.SNAPSHOT_QUANTITIES)
    assert (paid.status, paid.totals.total) == (InvoiceStatus.PAID, Decimal("5.00"))


async def test_pieces_of_a_period_add_up_with_late_usage_and_tiers(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT0S")
    tiers = [{"up_to_amount": "100", "unit_amount": "1"}, {"up_to_amount": None, "unit_amount": "0.5"}]
    await metering.wait_for_usage(cast.acme, type="tiered", mode="graduated", tiers=tiers, amount=None)
    await metering.use("acme-api", 80, START + timedelta(days=3))

    middle = datetime(2026, 1, 16, tzinfo=UTC)
    house.clock.move_to(middle)
    first = await metering.invoice(cast.acme)
    assert (first.totals.total, first.lines[0].period_to) == (Decimal(80), middle)
    async with house.database.read() as session:
        (rest,) = await pending_of_customer(session, cast.acme.id, middle)
    assert rest.lines[0].period_from == middle

    # Ten calls arrive late for the part that is billed already, sixty come in the second half.
    await metering.use("acme-api", 10, middle - timedelta(days=1))
    await metering.use("acme-api", 60, middle + timedelta(days=1))
    house.clock.move_to(END)
    second = await metering.invoice(cast.acme)
    (line,) = second.lines
    assert (line.metered_before, line.metered_quantity) == (80, 70)
    assert first.totals.total + second.totals.total == Decimal("125.0"), "150 calls: 100 at 1, 50 at 0.5"


async def test_a_deleted_piece_is_not_billed_again(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT0S", auto_advance=False)
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 100, START + timedelta(days=3))
    house.clock.move_to(datetime(2026, 1, 16, tzinfo=UTC))
    first = await metering.invoice(cast.acme)
    assert first.totals.total == Decimal(10)
    await house.act(first.id, InvoiceAction.DELETE)
    await metering.use("acme-api", 50, datetime(2026, 1, 20, tzinfo=UTC))
    house.clock.move_to(END)
    assert (await metering.invoice(cast.acme)).totals.total == Decimal(5)


async def test_a_part_is_not_billed_where_the_profile_says_so(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, progressive_billing=False)
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 100, START)
    with pytest.raises(NothingToInvoice):
        await metering.invoice(cast.acme)
    assert (await metering.invoice(cast.acme, progressive_billing=True)).lines[0].period_to == house.clock.now()


async def test_no_usage_is_an_invoice_of_nothing(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT0S")
    await metering.wait_for_usage(cast.acme)
    house.clock.move_to(END)
    invoice = await metering.invoice(cast.acme)
    assert (invoice.status, invoice.totals.total) == (InvoiceStatus.PAID, Decimal(0))


async def test_a_line_nobody_can_measure_holds_its_invoice_with_the_reason(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database)
    await metering.wait_for_usage(cast.acme)
    house.clock.move_to(END)
    waiting = await metering.invoice(cast.acme)
    async with house.database.transaction(ANN) as work:
        held_meter = await work.session.scalar(select(col(FeatureRow.meter_id)))
        await work.session.execute(update(FeatureRow).values(meter_id=None))
    held = await house.act(waiting.id, InvoiceAction.SNAPSHOT_QUANTITIES)
    assert held.status is InvoiceStatus.DRAFT_INVALID
    assert held.issues[0].message.startswith("API calls:")
    assert held.issues[0].path == f"/lines/{held.lines[0].id}"

    assert (await house.act(held.id, InvoiceAction.RETRY)).status is InvoiceStatus.DRAFT_INVALID, "still unknown"
    await metering.use("acme-api", 10, START)
    async with house.database.transaction(ANN) as work:
        await work.session.execute(update(FeatureRow).values(meter_id=held_meter))
    paid = await house.act(held.id, InvoiceAction.RETRY)
    assert (paid.status, paid.totals.total, paid.issues) == (InvoiceStatus.PAID, Decimal(1), ())


async def test_a_line_nobody_can_measure_holds_back_itself_only(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database)
    await metering.wait_for_usage(cast.acme)
    async with house.database.transaction(ANN) as work:
        charge = ChargeInput(name="Setup", unit_price=Decimal(5))
        await add_charges(work, AddCharges(customer_id=cast.acme.id, charges=(charge,)))
        await work.session.execute(update(FeatureRow).values(meter_id=None))
    house.clock.move_to(END)
    paid = await metering.invoice(cast.acme)
    assert [line.name for line in paid.lines] == ["Setup"]
    async with house.database.read() as session:
        (rest,) = await pending_of_customer(session, cast.acme.id, END)
    assert [issue.code for issue in rest.issues] == ["invoice_line_feature_has_no_meters"]


async def test_a_line_that_blocks_only_itself_says_so_when_nothing_else_is_due(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database)
    await metering.wait_for_usage(cast.acme)
    async with house.database.transaction(ANN) as work:
        await work.session.execute(update(FeatureRow).values(meter_id=None))
    house.clock.move_to(END)
    await collect(house.desk, cast.acme.id)
    async with house.database.read() as session:
        (rest,) = await pending_of_customer(session, cast.acme.id, END)
        assert await due_for_collection(session, END + timedelta(minutes=59)) == []
        assert await due_for_collection(session, END + timedelta(hours=1)) == [cast.acme.id]
    assert [issue.code for issue in rest.issues] == ["invoice_line_feature_has_no_meters"]


async def test_a_store_that_does_not_answer_is_asked_again(metering: Metering) -> None:
    house = metering.house
    cast = await bring_cast(house.database, collection_interval="PT0S")
    await metering.wait_for_usage(cast.acme)
    await metering.use("acme-api", 10, START)
    house.clock.move_to(END)
    real = house.desk.event_store

    class Away:
        async def measure(self, *_: object) -> None:
            raise ConnectionError("the event store is away")

    house.desk.event_store = Away()  # pyright: ignore[reportAttributeAccessIssue]
    held = await metering.invoice(cast.acme)
    assert (held.status, held.sync_attempts) == (InvoiceStatus.DRAFT_COLLECTING, 1)
    house.desk.event_store = real
    assert held.next_attempt_at is not None
    house.clock.move_to(held.next_attempt_at)
    assert (await house.advance(held.id)).totals.total == Decimal(1)
