"""One broken thing holds back itself: not the other lines of its customer, and never the other customers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from dashboard.billing import jobs
from dashboard.billing.invoice_inputs import CreatePendingLines, InvoicePendingLines, PendingLineInput
from dashboard.billing.invoicing import invoice_pending_lines, make_drafts
from dashboard.billing.queries import due_for_collection, pending_of_customer
from dashboard.billing.service import create_pending_lines
from dashboard.billing.tables import InvoiceLineRow
from dashboard.billing.views import Invoice, InvoiceStatus
from dashboard.catalog.features import archive_feature
from dashboard.catalog.inputs import CreateTaxCode
from dashboard.catalog.plan_tables import FeatureRow
from dashboard.catalog.tables import TaxCodeRow
from dashboard.catalog.tax_codes import create_tax_code
from dashboard.customers.views import Customer
from dashboard.subscriptions.tables import SubscriptionRow
from tests.billing_house import house as house
from tests.cast import ANN
from tests.scenarios.story import ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story


@asynccontextmanager
async def tampering(story: Story, table: Any, **values: Any) -> AsyncIterator[Any]:
    """Somebody writes into the database behind our back: `yield`s the statement to narrow down and run."""
    async with story.house.database.transaction(ANN) as work:

        async def run(*where: Any) -> None:
            await work.session.execute(update(table).where(*where).values(**values))

        yield run


async def gathering(story: Story, customer: Customer) -> Invoice:
    async with story.house.database.read() as session:
        (found,) = await pending_of_customer(session, customer.id, story.house.clock.now())
    return found


async def test_a_missing_meter_holds_its_line_until_it_is_back_and_everything_else_is_billed(story: Story):
    await story.plan("team", fee("30"), usage("0.01"), usage("0.10", key="images"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(500, day(1, 5))
    await story.draw(7, day(1, 5))
    async with story.house.database.transaction(ANN) as work:
        meter_id = (await work.session.execute(_meter_of("images"))).scalar_one()
    async with tampering(story, FeatureRow, meter_id=None) as run:
        await run(col(FeatureRow.key) == "images")
    await story.until(day(2))
    assert lines_of(await story.latest(acme)) == {"Base fee": Decimal(30), "Tokens": Decimal(5)}
    issues = (await gathering(story, acme)).issues
    assert {(issue.code, issue.message) for issue in issues} == {
        ("invoice_line_feature_has_no_meters", "Images: The feature images has no meter.")
    }

    async with tampering(story, FeatureRow, meter_id=meter_id) as run:
        await run(col(FeatureRow.key) == "images")
    await story.until(day(2, 2))
    assert lines_of(await story.latest(acme)) == {"Images": Decimal("0.70")}
    assert (await gathering(story, acme)).issues == ()


def _meter_of(key: str) -> Any:
    return select(col(FeatureRow.meter_id)).where(col(FeatureRow.key) == key)


async def test_a_feature_that_was_archived_still_counts_for_who_has_it(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    async with story.house.database.transaction(ANN) as work:
        await archive_feature(work, "tokens")
    await story.use(500, day(1, 5))
    await story.use(900, day(2, 5))
    await story.until(day(3))
    assert [one.totals.total for one in await story.invoices(acme)] == [30, 35, 39]


@ON_SQLITE
async def test_a_price_nobody_can_read_holds_its_line_and_not_the_customer(story: Story):
    acme = story.cast.acme
    when: dict[str, Any] = {"period_from": day(1), "period_to": day(2), "invoice_at": day(2)}
    fine = PendingLineInput(name="Audit", price={"type": "flat", "amount": "250"}, **when)
    metered = PendingLineInput(name="Tokens", price={"type": "unit", "amount": "1"}, feature_key="tokens", **when)
    async with story.house.database.transaction(ANN) as work:
        await create_pending_lines(work, CreatePendingLines(customer_id=acme.id, lines=(fine, metered)))
    async with tampering(story, InvoiceLineRow, price={"type": "unit", "amount": "a lot"}) as run:
        await run(col(InvoiceLineRow.feature_key) == "tokens")
    await story.until(day(2))
    assert lines_of(await story.latest(acme)) == {"Audit": Decimal(250)}
    (issue,) = (await gathering(story, acme)).issues
    assert issue.message.startswith("Tokens: ")


@ON_SQLITE
async def test_a_rate_card_whose_tax_code_is_gone_holds_its_line_until_somebody_brings_it_back(story: Story):
    async with story.house.database.transaction(ANN) as work:
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
    await story.plan("team", fee("30"), fee("5", key="support", name="Support", tax={"tax_code_id": code.id}))
    acme = story.cast.acme
    async with tampering(story, TaxCodeRow, deleted_at=day(1)) as run:
        await run(col(TaxCodeRow.id) == code.id)
    await story.subscribe(acme, "team")
    assert (await gathering(story, acme)).issues[0].code == "tax_code_unknown"
    await story.until(day(1, 2))
    assert lines_of(await story.latest(acme)) == {"Base fee": Decimal(30)}
    async with tampering(story, TaxCodeRow, deleted_at=None) as run:
        await run(col(TaxCodeRow.id) == code.id)
    await story.until(day(1, 3))
    assert lines_of(await story.latest(acme)) == {"Support": Decimal(5)}


async def test_a_subscription_that_cannot_be_read_stops_nobody_else(story: Story):
    await story.plan("team", fee("30"))
    acme, initech = story.cast.acme, story.cast.initech
    broken = await story.subscribe(acme, "team")
    await story.subscribe(initech, "team")
    async with tampering(story, SubscriptionRow, phases=[{"key": "gone"}]) as run:
        await run(col(SubscriptionRow.id) == broken.id)
    await story.until(day(1, hour=1))
    assert await story.billed(initech) == 30


async def test_a_poisoned_customer_does_not_stop_the_others_and_is_tried_again(
    story: Story, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    await story.plan("team", fee("30"))
    acme, initech = story.cast.acme, story.cast.initech
    await story.subscribe(acme, "team")
    await story.subscribe(initech, "team")

    async def poisoned(work: Any, wanted: InvoicePendingLines, **more: Any) -> Any:
        if wanted.customer_id == acme.id:
            # Whatever was written before it goes wrong is taken back with it.
            await make_drafts(work, wanted, **more)
            raise ZeroDivisionError("a fault of ours")
        return await make_drafts(work, wanted, **more)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "make_drafts", poisoned)
        await story.work()
        assert (await story.billed(acme), await story.billed(initech)) == (0, 30)
        async with story.house.database.read() as session:
            assert await due_for_collection(session, story.house.clock.now()) == [], "it makes room for the others"
    assert "a fault of ours" in caplog.text
    await story.until(day(1, 2))
    assert (await story.billed(acme), await story.billed(initech)) == (30, 30)


@ON_SQLITE
async def test_a_customer_whose_draft_cannot_be_sent_waits_alone(story: Story):
    await story.plan("team", fee("30"))
    acme, initech = story.cast.acme, story.cast.initech
    await story.subscribe(acme, "team")
    await story.subscribe(initech, "team")

    def broken(operation: str, invoice_id: str) -> None:
        if operation == "sync_draft" and invoice_id == broken_for:
            raise ZeroDivisionError("a fault of ours")

    async with story.house.database.transaction(ANN) as work:
        (draft,) = await invoice_pending_lines(work, InvoicePendingLines(customer_id=acme.id))
    broken_for = draft.id
    story.house.app.before_call = broken
    await story.until(day(1, 1, hour=6))
    assert (await story.latest(initech)).status is InvoiceStatus.PAID
    held = await story.latest(acme)
    assert held.status is InvoiceStatus.DRAFT_SYNCING
    assert held.next_attempt_at is not None
    broken_for = ""
    await story.until(day(1, 2))
    assert (await story.latest(acme)).status is InvoiceStatus.PAID


@ON_SQLITE
async def test_each_customer_is_a_job_and_a_transaction_of_their_own_and_repeating_it_bills_nothing_twice(story: Story):
    await story.plan("team", fee("30"))
    people = [story.cast.acme, story.cast.initech]
    for customer in people:
        await story.subscribe(customer, "team")
    await jobs.sweep(story.house.desk)
    enqueued = [one["customer_id"] for one in story.house.outbox.of(jobs.COLLECT_JOB)]
    assert sorted(enqueued) == sorted(customer.id for customer in people)
    for customer in people:
        for _ in range(3):
            await jobs.collect(story.house.desk, customer.id)
        assert [one.totals.total for one in await story.invoices(customer)] == [30]
