"""People change their mind: upgrades, downgrades, cancelations, second thoughts, trials. Nobody pays a day twice."""

from decimal import Decimal

from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.service import set_customer_override
from dashboard.billing.views import InvoiceStatus
from tests.billing_house import house as house
from tests.cast import ANN
from tests.scenarios.story import NEW_YEAR, ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story


async def test_an_upgrade_in_mid_month_gives_back_the_unused_days_and_charges_the_new_plan_for_them(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    await story.plan("business", fee("310"), usage("0.005"))
    acme = story.cast.acme
    old = await story.subscribe(acme, "team")
    await story.until(day(1, 10))
    await story.use(600, day(1, 5))
    await story.until(day(1, 22))
    new = await story.change(old, "business")
    assert new.billing_anchor == NEW_YEAR, "the new plan keeps the day of the month"
    await story.use(1_000, day(1, 25))
    await story.until(day(2))

    first, change, february = await story.invoices(acme)
    assert lines_of(first) == {"Base fee": Decimal(30)}
    # 21 of 31 days: 30 × 21 ÷ 31 = 20.32 were due and 30.00 was paid; 310 × 10 ÷ 31 = 100.00; 600 × 0.01 = 6.00.
    assert lines_of(change) == {
        "Base fee (unused part)": Decimal("-9.68"),
        "Base fee": Decimal(100),
        "Tokens": Decimal("6.00"),
    }
    assert change.totals.total == Decimal("96.32")
    # The fee for February, and January's rest: 1,000 × 0.005 = 5.00.
    assert lines_of(february) == {"Base fee": Decimal(310), "Tokens": Decimal(5)}
    credit = next(line for line in change.lines if line.totals.before_tax < 0)
    assert credit.description == "$30.00 was billed in advance, $20.32 is due."
    assert (credit.period_from, credit.period_to) == (day(1, 22), day(2))


@ON_SQLITE
async def test_without_proration_an_upgrade_charges_both_plans_in_full(story: Story):
    await story.plan("team", fee("30"), pro_rating_enabled=False)
    await story.plan("business", fee("310"), pro_rating_enabled=False)
    old = await story.subscribe(story.cast.acme, "team")
    await story.until(day(1, 22))
    await story.change(old, "business")
    await story.until(day(1, 23))
    assert await story.billed(story.cast.acme) == 30 + 310


@ON_SQLITE
async def test_a_downgrade_with_the_next_cycle_changes_nothing_until_then(story: Story):
    await story.plan("business", fee("310"), usage("0.005"))
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    old = await story.subscribe(acme, "business")
    await story.until(day(1, 20))
    new = await story.change(old, "team", "next_billing_cycle")
    assert new.active_from == day(2)
    await story.use(1_000, day(1, 21))
    await story.use(1_000, day(2, 2))
    await story.until(day(3))
    january, february, march = await story.invoices(acme)
    assert lines_of(january) == {"Base fee": Decimal(310)}
    # January's usage at the old price, 1,000 × 0.005; February's fee at the new one.
    assert lines_of(february) == {"Base fee": Decimal(30), "Tokens": Decimal(5)}
    assert lines_of(march) == {"Base fee": Decimal(30), "Tokens": Decimal(10)}


@ON_SQLITE
async def test_a_change_that_is_taken_back_leaves_no_trace_on_the_invoices(story: Story):
    await story.plan("business", fee("310"))
    await story.plan("team", fee("30"))
    acme = story.cast.acme
    old = await story.subscribe(acme, "business")
    await story.until(day(1, 20))
    await story.change(old, "team", "next_billing_cycle")
    await story.restore(old)
    await story.until(day(3))
    assert [one.totals.total for one in await story.invoices(acme)] == [310, 310, 310]


@ON_SQLITE
async def test_a_fee_that_was_invoiced_before_its_date_is_given_back_when_the_change_is_taken_back(story: Story):
    await story.plan("business", fee("310"))
    await story.plan("team", fee("30"))
    acme = story.cast.acme
    old = await story.subscribe(acme, "business")
    await story.until(day(1, 20))
    await story.change(old, "team", "next_billing_cycle")
    early = await story.bill(acme, before_its_date=True, line_ids=await story.pending_ids(acme))
    # The change comes with two fees in sight, for February and for March.
    assert lines_of(early) == {"Base fee": Decimal(60)}
    await story.restore(old)
    await story.until(day(2, 2))
    assert await story.billed(acme) == 310 + 310, "January and February, once each"


async def test_who_cancels_at_once_gets_the_unused_days_back_and_pays_what_was_used(story: Story):
    await story.plan("team", fee("31"), usage("0.01"))
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    await story.until(day(1, 11))
    await story.use(500, day(1, 3))
    await story.cancel(subscription)
    await story.until(day(6))
    first, last = await story.invoices(acme)
    # 10 of 31 days are kept.
    assert lines_of(last) == {"Base fee (unused part)": Decimal(-21), "Tokens": Decimal(5)}
    assert (first.totals.total, last.totals.total) == (31, -16)
    assert last.status is InvoiceStatus.PAID
    assert await story.pending(acme) == {}


@ON_SQLITE
async def test_where_the_last_period_is_charged_in_full_nothing_is_given_back(story: Story):
    await story.plan("team", fee("31"), usage("0.01"))
    acme = story.cast.acme
    async with story.house.database.transaction(ANN) as work:
        full = SetCustomerOverride(subscription_end_proration_mode="bill_full_period")
        await set_customer_override(work, acme.id, full)
    subscription = await story.subscribe(acme, "team")
    await story.until(day(1, 11))
    await story.cancel(subscription)
    await story.until(day(3))
    assert await story.billed(acme) == 31


@ON_SQLITE
async def test_canceling_with_the_period_charges_it_whole_and_then_nothing(story: Story):
    await story.plan("team", fee("31"), usage("0.01"))
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    await story.until(day(1, 11))
    ended = await story.cancel(subscription, "next_billing_cycle")
    assert ended.active_to == day(2)
    await story.use(700, day(1, 31))
    await story.use(999, day(2, 1))
    await story.until(day(12, 31))
    first, last = await story.invoices(acme)
    assert (lines_of(first), lines_of(last)) == ({"Base fee": Decimal(31)}, {"Tokens": Decimal(7)})


@ON_SQLITE
async def test_a_year_of_second_thoughts_costs_what_a_quiet_year_costs(story: Story):
    await story.plan("team", fee("31"), usage("0.01"))
    acme, globex = story.cast.acme, story.cast.initech
    restless = await story.subscribe(acme, "team")
    await story.subscribe(globex, "team")
    for month in range(1, 13):
        await story.until(day(month, 15))
        await story.use(100 * month, day(month, 10), "acme")
        await story.use(100 * month, day(month, 10), "initech")
        await story.cancel(restless, "next_billing_cycle")
        await story.until(day(month, 20))
        await story.go_on(restless)
    await story.until(day(1, 1, year=2027))
    # 13 fees (the first of January 2027 included) and 100 + 200 + … + 1,200 = 7,800 tokens.
    assert await story.billed(acme) == await story.billed(globex) == 13 * 31 + 78


@ON_SQLITE
async def test_a_yearly_fee_is_given_back_for_the_months_that_never_come(story: Story):
    await story.plan("year", fee("365", billing_cadence="P1Y"), billing_cadence="P1Y")
    subscription = await story.subscribe(story.cast.acme, "year")
    await story.until(day(4, 11))
    await story.cancel(subscription)
    await story.until(day(4, 12))
    # January to March have 90 days, and ten of April: 100 days at a dollar.
    assert await story.billed(story.cast.acme) == 100


@ON_SQLITE
async def test_a_trial_is_free_and_the_first_paid_month_begins_where_it_ends(story: Story):
    free = {**fee(), "price": None}
    trial = {"key": "trial", "name": "Trial", "duration": "P14D", "rate_cards": [free, usage("0")]}
    paid = {"key": "paid", "name": "Paid", "rate_cards": [fee("31"), usage("0.01")]}
    await story.plan("team", phases=[trial, paid])
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(5_000, day(1, 14, hour=23))
    await story.use(200, day(1, 15))
    await story.until(day(2))
    begins, february = await story.invoices(acme)
    # 15 to 31 January are 17 of 31 days; the trial's tokens cost nothing.
    assert lines_of(begins) == {"Base fee": Decimal(17), "Tokens": Decimal(0)}
    assert lines_of(february) == {"Base fee": Decimal(31), "Tokens": Decimal(2)}


@ON_SQLITE
async def test_who_leaves_during_the_trial_pays_nothing(story: Story):
    trial = {"key": "trial", "name": "Trial", "duration": "P14D", "rate_cards": [{**fee(), "price": None}]}
    await story.plan("team", phases=[trial, {"key": "paid", "name": "Paid", "rate_cards": [fee("31")]}])
    subscription = await story.subscribe(story.cast.acme, "team")
    await story.until(day(1, 10))
    await story.cancel(subscription)
    await story.until(day(6))
    assert await story.invoices(story.cast.acme) == []
