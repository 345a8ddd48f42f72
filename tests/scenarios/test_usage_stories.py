"""Usage that comes late, is corrected, or is billed in parts: in the end everybody has paid for what they used."""

from datetime import datetime
from decimal import Decimal

import pytest

from dashboard.billing.errors import LineIsFixed
from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.invoice_inputs import CreatePendingLines, EditInvoice, EditLine, PendingLineInput
from dashboard.billing.queries import pending_of_customer
from dashboard.billing.service import (
    create_pending_lines,
    delete_pending_line,
    edit_invoice,
    set_customer_override,
    update_pending_line,
)
from dashboard.billing.settlement import settle_late_usage
from dashboard.billing.views import LATE_USAGE, InvoiceAction, InvoiceStatus
from dashboard.catalog.features import archive_feature, create_feature
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.customers.inputs import UpdateCustomer
from dashboard.customers.service import delete_customer, update_customer
from tests.billing_house import house as house
from tests.cast import ANN, make_customer
from tests.scenarios.story import ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story


def graduated(*tiers: tuple[str | None, str]) -> dict:
    """Each tier's limit and price per unit."""
    return _tiered("graduated", tiers)


def volume(*tiers: tuple[str | None, str]) -> dict:
    return _tiered("volume", tiers)


def _tiered(mode: str, tiers) -> dict:
    found = [{"up_to_amount": limit, "unit_amount": price} for limit, price in tiers]
    return {"type": "tiered", "mode": mode, "tiers": found}


async def test_usage_that_arrives_after_its_invoice_is_settled_on_the_next_one_and_shown_as_such(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(1_200, day(1, 20))
    await story.until(day(2, 3))
    await story.use(300, day(1, 30))
    await story.use(500, day(2, 10))
    await story.until(day(4))
    _, february, march, april = await story.invoices(acme)
    assert lines_of(february) == {"Base fee": Decimal(30), "Tokens": Decimal(12)}
    # February's 500 tokens, and the 300 of January that were late.
    assert lines_of(march) == {"Base fee": Decimal(30), "Tokens": Decimal(5), "Tokens (late usage)": Decimal(3)}
    assert lines_of(april) == {"Base fee": Decimal(30), "Tokens": Decimal(0)}, "settled once"

    late = next(line for line in march.lines if line.is_late_usage)
    assert (late.period_from, late.period_to) == (day(1), day(2))
    assert late.description == "Usage of 01 Jan 2026 to 31 Jan 2026 that arrived after it was invoiced."
    assert (late.metered_before, late.metered_quantity) == (1_200, 300)
    assert "Billed before: 1,200 for $12.00." in late.details[0].explanation
    assert (march.period_from, march.period_to) == (day(2), day(4)), "the invoice is about its own months"


@ON_SQLITE
@pytest.mark.parametrize(
    ("price", "february", "late"),
    [
        # 900 × 0.02 = 18.00; of the late 300, 100 fill the first tier: 100 × 0.02 + 200 × 0.01 = 4.00.
        (graduated(("1000", "0.02"), (None, "0.01")), "18.00", "4.00"),
        # 900 × 0.02 = 18.00; all 1,200 cost 0.01 now: 12.00, so 6.00 go back.
        (volume(("1000", "0.02"), (None, "0.01")), "18.00", "-6.00"),
        # Packages of 500: two for 900 and three for 1,200.
        ({"type": "package", "amount": "7", "quantity_per_package": "500"}, "14", "7"),
        # 9.00 lifted to the minimum of 20; 12.00 are lifted too.
        ({"type": "unit", "amount": "0.01", "commitments": {"minimum_amount": "20"}}, "20", "0"),
        # 9.00, and 12.00 are capped at 10.
        ({"type": "unit", "amount": "0.01", "commitments": {"maximum_amount": "10"}}, "9", "1"),
    ],
)
async def test_late_usage_costs_what_it_would_have_cost_in_time(story: Story, price: dict, february: str, late: str):
    await story.plan("team", usage(price))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(900, day(1, 20))
    await story.until(day(2, 3))
    await story.use(300, day(1, 30))
    await story.until(day(3))
    first, second = await story.invoices(acme)
    assert first.totals.total == Decimal(february)
    assert lines_of(second)["Tokens (late usage)"] == Decimal(late)


@ON_SQLITE
async def test_usage_that_is_corrected_after_its_invoice_is_given_back_on_the_next_one(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(1_200, day(1, 20))
    await story.until(day(2, 5))
    await story.use(-200, day(1, 20))
    await story.until(day(3))
    march = await story.latest(acme)
    assert lines_of(march)["Tokens (corrected usage)"] == Decimal(-2)
    assert march.totals.total == 28


@ON_SQLITE
async def test_late_usage_of_a_plan_that_ended_is_settled_under_the_new_one(story: Story):
    await story.plan("team", usage("0.01"))
    await story.plan("business", usage("0.005"))
    acme = story.cast.acme
    old = await story.subscribe(acme, "team")
    await story.use(100, day(1, 5))
    await story.until(day(1, 22))
    await story.change(old, "business")
    await story.until(day(1, 23))
    await story.use(400, day(1, 6))
    await story.use(1_000, day(1, 24))
    await story.until(day(2))
    first, second = await story.invoices(acme)
    assert lines_of(first) == {"Tokens": Decimal(1)}
    # At the price of the day on which it was used: 400 × 0.01.
    assert lines_of(second) == {"Tokens": Decimal(5), "Tokens (late usage)": Decimal(4)}


@ON_SQLITE
async def test_usage_is_settled_for_a_hundred_days_and_then_no_more_by_itself(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.until(day(4, 20))
    await story.use(100, day(1, 5))
    await story.until(day(5, 2))
    assert lines_of(await story.latest(acme))["Tokens (late usage)"] == 1, "89 days after the end of January"
    await story.until(day(5, 20))
    await story.use(100, day(1, 5))
    await story.until(day(6, 2))
    assert "Tokens (late usage)" not in lines_of(await story.latest(acme))


@ON_SQLITE
async def test_late_usage_that_was_taken_off_a_draft_does_not_come_back(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.until(day(2, 5))
    await story.use(500, day(1, 20))
    async with story.house.database.transaction(ANN) as work:
        await set_customer_override(work, acme.id, SetCustomerOverride(auto_advance=False))
    await story.until(day(3, 2))
    draft = await story.latest(acme)
    assert draft.status is InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED
    assert lines_of(draft)["Tokens (late usage)"] == 5
    kept = tuple(
        EditLine(
            id=line.id,
            name=line.name,
            price=line.price,
            feature_key=line.feature_key,
            period_from=line.period_from,
            period_to=line.period_to,
            invoice_at=line.invoice_at,
        )
        for line in draft.lines
        if not line.is_late_usage
    )
    async with story.house.database.transaction(ANN) as work:
        await edit_invoice(work, draft.id, EditInvoice(lines=kept))
    edited = await story.house.advance(draft.id)
    assert lines_of(edited) == {"Base fee": Decimal(30), "Tokens": Decimal(0)}
    await story.house.act(draft.id, InvoiceAction.APPROVE)
    await story.until(day(4, 2))
    assert "Tokens (late usage)" not in lines_of(await story.latest(acme))


@ON_SQLITE
async def test_a_feature_that_counts_something_else_now_does_not_change_old_invoices(story: Story):
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(1_000, day(1, 20))
    await story.draw(3, day(1, 20))
    await story.until(day(2, 2))
    async with story.house.database.transaction(ANN) as work:
        await archive_feature(work, "tokens")
        await create_feature(work, CreateFeature(key="tokens", name="Tokens", meter="images"))
    await story.until(day(3, 2))
    assert lines_of(await story.latest(acme)) == {"Tokens": Decimal(0)}


async def test_parts_of_a_period_with_tiers_and_late_usage_add_up_to_the_whole(story: Story):
    await story.plan("team", usage(graduated(("100", "1"), ("200", "0.50"), (None, "0.25"))))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.at(day(1, 10))
    await story.use(80, day(1, 5))
    # 80 × 1
    assert (await story.bill(acme)).totals.total == 80
    await story.at(day(1, 20))
    await story.use(60, day(1, 15))
    await story.use(30, day(1, 6))
    # 170 so far, 30 of them late: 100 × 1 + 70 × 0.50 = 135
    assert (await story.bill(acme)).totals.total == 55
    await story.use(80, day(1, 25))
    await story.until(day(2))
    # 250: 100 × 1 + 100 × 0.50 + 50 × 0.25 = 162.50
    assert await story.billed(acme) == Decimal("162.50")
    await story.use(50, day(1, 7))
    await story.until(day(3))
    # 300: 12.50 more, although the period was billed in parts
    assert await story.billed(acme) == Decimal("175.00")


@ON_SQLITE
async def test_who_cancels_after_a_part_was_billed_pays_for_the_rest_only(story: Story):
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    await story.at(day(1, 10))
    await story.use(1_000, day(1, 5))
    assert (await story.bill(acme)).totals.total == 10
    await story.at(day(1, 20))
    await story.use(500, day(1, 15))
    await story.cancel(subscription)
    await story.until(day(3))
    assert [one.totals.total for one in await story.invoices(acme)] == [10, 5]


@ON_SQLITE
async def test_a_minimum_is_charged_once_when_the_period_is_cut_right_after_a_part_was_billed(story: Story):
    await story.plan("team", usage({"type": "unit", "amount": "0.01", "commitments": {"minimum_amount": "25"}}))
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    await story.at(day(1, 10))
    await story.use(1_000, day(1, 5))
    assert (await story.bill(acme)).totals.total == 10
    await story.cancel(subscription)
    await story.until(day(3))
    assert await story.billed(acme) == 25


@ON_SQLITE
async def test_what_a_part_was_billed_for_cannot_be_changed_in_the_rest(story: Story):
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.at(day(1, 10))
    await story.use(1_000, day(1, 5))
    await story.bill(acme)
    async with story.house.database.read() as session:
        (gathering,) = await pending_of_customer(session, acme.id, day(1, 10))
    rest = gathering.lines[0]
    price = {"type": "unit", "amount": "0.02"}
    same = {"name": "Renamed", "feature_key": "tokens", "invoice_at": rest.invoice_at}
    dearer = PendingLineInput(price=price, period_from=rest.period_from, period_to=rest.period_to, **same)
    with pytest.raises(LineIsFixed):
        async with story.house.database.transaction(ANN) as work:
            await update_pending_line(work, rest.id, dearer)
    renamed = PendingLineInput(price=rest.price, period_from=rest.period_from, period_to=rest.period_to, **same)
    async with story.house.database.transaction(ANN) as work:
        await update_pending_line(work, rest.id, renamed)
    await story.until(day(2))
    assert lines_of(await story.latest(acme)) == {"Renamed": Decimal(0)}
    assert await story.billed(acme) == 10


@ON_SQLITE
async def test_a_customer_who_is_made_after_their_events_pays_for_all_of_them(story: Story):
    await story.use(700, day(1, 5), "hooli-prod")
    await story.at(day(1, 10))
    async with story.house.database.transaction(ANN) as work:
        hooli = await make_customer(work, name="Hooli", currency="USD", subject_keys=("hooli-prod",))
    await story.plan("team", usage("0.01"))
    await story.subscribe(hooli, "team", timing=day(1, 10), billing_anchor=day(1, 1))
    await story.use(300, day(1, 20), "hooli-prod")
    await story.until(day(2))
    # The subscription began on the 10th; what was used before nobody had agreed to pay.
    assert lines_of(await story.latest(hooli)) == {"Tokens": Decimal(3)}


@ON_SQLITE
async def test_a_subject_that_is_attached_after_the_invoice_is_settled_on_the_next_one(story: Story):
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(1_000, day(1, 5), "acme-api")
    await story.use(400, day(1, 6), "acme-mobile")
    await story.until(day(2, 2))
    assert lines_of(await story.latest(acme)) == {"Tokens": Decimal(10)}
    async with story.house.database.transaction(ANN) as work:
        wanted = UpdateCustomer(
            name=acme.name,
            currency="USD",
            primary_email=acme.primary_email,
            subject_keys=("acme-api", "acme-batch", "acme-mobile"),
        )
        await update_customer(work, acme.id, wanted)
    await story.use(50, day(2, 6), "acme-mobile")
    await story.until(day(3, 2))
    assert lines_of(await story.latest(acme)) == {"Tokens": Decimal("0.50"), "Tokens (late usage)": Decimal(4)}


@ON_SQLITE
async def test_late_usage_is_waited_for_as_long_as_the_profile_says(story: Story):
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    async with story.house.database.transaction(ANN) as work:
        await set_customer_override(work, acme.id, SetCustomerOverride(collection_interval="P2D"))
    await story.subscribe(acme, "team")
    await story.use(1_000, day(1, 5))
    await story.until(day(2, 2))
    waiting = await story.latest(acme)
    assert (waiting.status, waiting.collection_at) == (InvoiceStatus.DRAFT_WAITING_FOR_COLLECTION, day(2, 3))
    await story.use(200, day(1, 31))
    await story.until(day(2, 4))
    assert lines_of(await story.latest(acme)) == {"Tokens": Decimal(12)}


async def last_month(story: Story, *rate_cards: dict) -> None:
    """Acme subscribed in January, used 900 tokens, canceled, and was invoiced for the last time."""
    await story.plan("team", *rate_cards)
    subscription = await story.subscribe(story.cast.acme, "team")
    await story.use(900, day(1, 20))
    await story.cancel(subscription, "next_billing_cycle")
    await story.until(day(2, 3))


async def test_late_usage_gets_an_invoice_of_its_own_when_no_other_follows_and_at_most_every_five_weeks(story: Story):
    await last_month(story, fee("30"), usage("0.01"))
    acme, desk = story.cast.acme, story.house.desk
    await story.use(300, day(1, 30))
    await story.until(day(3, 6))
    assert await settle_late_usage(desk) == 0, "a monthly invoice could still come"
    await story.until(day(3, 10))
    assert await settle_late_usage(desk) == 1
    await story.work()
    own = await story.latest(acme)
    assert (own.status, lines_of(own)) == (InvoiceStatus.PAID, {"Tokens (late usage)": Decimal(3)})
    assert (own.period_from, own.period_to) == (day(1), day(2))
    assert own.transitions[0].trigger == LATE_USAGE
    assert await settle_late_usage(desk) == 0

    await story.use(100, day(1, 31))
    await story.until(day(4, 13))
    assert await settle_late_usage(desk) == 0, "it has had an invoice five weeks ago"
    await story.until(day(4, 15))
    assert await settle_late_usage(desk) == 1
    await story.work()
    assert await story.billed(acme) == 30 + 13


@ON_SQLITE
async def test_late_usage_that_costs_nothing_gets_no_invoice(story: Story):
    await last_month(story, usage(graduated(("1000", "0"), (None, "0.01"))))
    await story.use(100, day(1, 30))
    await story.until(day(3, 20))
    invoices = len(await story.invoices(story.cast.acme))
    assert await settle_late_usage(story.house.desk) == 0
    assert len(await story.invoices(story.cast.acme)) == invoices
    await story.use(50, day(1, 30))
    assert await settle_late_usage(story.house.desk) == 1
    await story.work()
    assert lines_of(await story.latest(story.cast.acme)) == {"Tokens (late usage)": Decimal("0.50")}


@ON_SQLITE
async def test_a_correction_is_given_back_though_no_invoice_follows(story: Story):
    await last_month(story, usage("0.01"))
    await story.use(-200, day(1, 20))
    await story.until(day(3, 20))
    assert await settle_late_usage(story.house.desk) == 1
    await story.work()
    assert lines_of(await story.latest(story.cast.acme)) == {"Tokens (corrected usage)": Decimal(-2)}


@ON_SQLITE
async def test_late_usage_waits_for_an_invoice_that_comes_in_time_and_not_for_a_later_one(story: Story):
    await last_month(story, usage("0.01"))
    await story.use(300, day(1, 30))
    await story.until(day(3, 10))
    acme, database = story.cast.acme, story.house.database
    in_time = await _waiting_until(story, day(5, 1))
    assert await settle_late_usage(story.house.desk) == 0
    async with database.transaction(ANN) as work:
        await delete_pending_line(work, in_time)
    await _waiting_until(story, day(6, 1))
    assert await settle_late_usage(story.house.desk) == 1
    await story.work()
    assert lines_of(await story.latest(acme)) == {"Tokens (late usage)": Decimal(3)}


async def _waiting_until(story: Story, at: datetime) -> str:
    """A fee of Acme's that is invoiced then; its id."""
    line = PendingLineInput(
        name="Support", price={"type": "flat", "amount": "5"}, period_from=at, period_to=at, invoice_at=at
    )
    async with story.house.database.transaction(ANN) as work:
        wanted = CreatePendingLines(customer_id=story.cast.acme.id, lines=(line,))
        return (await create_pending_lines(work, wanted)).lines[0].id


@ON_SQLITE
async def test_a_customer_who_was_deleted_holds_up_nobody_whose_usage_came_late(story: Story):
    async with story.house.database.transaction(ANN) as work:
        hooli = await make_customer(work, name="Hooli", currency="USD", subject_keys=("hooli-prod",))
    await story.plan("solo", usage("0.01"))
    subscription = await story.subscribe(hooli, "solo")
    await story.cancel(subscription, "next_billing_cycle")
    await last_month(story, usage("0.01"))
    async with story.house.database.transaction(ANN) as work:
        await delete_customer(work, story.cast.acme.id, guards=())
    await story.use(300, day(1, 30), "acme")
    await story.use(500, day(1, 30), "hooli-prod")
    await story.until(day(3, 20))
    assert await settle_late_usage(story.house.desk) == 1
    await story.work()
    assert lines_of(await story.latest(hooli)) == {"Tokens (late usage)": Decimal(5)}
