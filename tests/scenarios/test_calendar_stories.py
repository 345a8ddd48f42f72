"""A year, leap days, the 31st, and nights on which the clocks change: every period is billed once and none is lost."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.billing_house import house as house
from tests.scenarios.story import ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story

BERLIN = ZoneInfo("Europe/Berlin")


async def test_a_year_of_months(story: Story):
    await story.plan("team", fee("30"), usage("0.01"), usage("0.10", key="images"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    for month in range(1, 13):
        await story.until(day(month, 15))
        await story.use(100 * month, day(month, 15), "acme-api")
        await story.draw(month, day(month, 15), "acme-batch")
    await story.until(day(1, 1, year=2027))
    invoices = await story.invoices(acme)
    # Thirteen fees, the last one for January 2027. After month m: 100 m tokens at 0.01 and m images at 0.10 = 1.10 m.
    assert [one.totals.total for one in invoices] == [30] + [30 + Decimal("1.10") * month for month in range(1, 13)]
    # 13 × 30 + 1.10 × 78
    assert await story.billed(acme) == Decimal("475.80")


@ON_SQLITE
async def test_a_year_on_a_yearly_plan(story: Story):
    await story.plan("year", fee("1200", billing_cadence="P1Y"), usage("0.01"), billing_cadence="P1Y")
    acme = story.cast.acme
    await story.subscribe(acme, "year")
    for month in range(1, 13):
        await story.until(day(month, 15))
        await story.use(100 * month, day(month, 15))
    await story.until(day(1, 1, year=2027))
    first, second = await story.invoices(acme)
    assert lines_of(first) == {"Base fee": Decimal(1200)}
    # Twelve months of usage, each on its own line: 1 + 2 + … + 12 = 78.
    assert lines_of(second) == {"Base fee": Decimal(1200), "Tokens": Decimal(78)}
    tokens = [line for line in second.lines if line.name == "Tokens"]
    assert [line.totals.total for line in tokens] == [Decimal(month) for month in range(1, 13)]


@ON_SQLITE
async def test_a_monthly_fee_of_a_yearly_plan_comes_twelvefold_in_advance(story: Story):
    await story.plan("year", fee("10"), billing_cadence="P1Y")
    await story.subscribe(story.cast.acme, "year")
    await story.until(day(12, 31))
    (only,) = await story.invoices(story.cast.acme)
    assert (len(only.lines), only.totals.total) == (12, 120)


@ON_SQLITE
async def test_a_subscription_from_31_january_bills_on_the_last_day_of_shorter_months(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    await story.until(day(1, 31))
    await story.subscribe(acme, "team")
    await story.use(100, day(2, 28) - timedelta(seconds=1))
    await story.use(200, day(2, 28))
    await story.use(400, day(3, 31))
    await story.until(day(5, 1))
    invoices = await story.invoices(acme)
    assert [one.created_at for one in invoices] == [day(1, 31), day(2, 28), day(3, 31), day(4, 30)]
    assert [lines_of(one).get("Tokens") for one in invoices] == [None, 1, 2, 4]
    assert [one.lines[0].totals.total for one in invoices] == [30, 30, 30, 30], "a short month is a whole one"


@ON_SQLITE
async def test_a_yearly_subscription_from_29_february_renews_on_the_28th_until_the_next_leap_year(story: Story):
    await story.plan("year", fee("366", billing_cadence="P1Y"), billing_cadence="P1Y")
    await story.until(day(2, 29, year=2028))
    await story.subscribe(story.cast.acme, "year")
    await story.until(day(3, 1, year=2032))
    renewals = [one.created_at for one in await story.invoices(story.cast.acme)]
    assert renewals == [
        day(2, 29, year=2028),
        day(2, 28, year=2029),
        day(2, 28, year=2030),
        day(2, 28, year=2031),
        day(2, 29, year=2032),
    ]
    assert await story.billed(story.cast.acme) == 5 * 366


@ON_SQLITE
async def test_a_month_with_a_leap_day_is_prorated_by_its_29_days(story: Story):
    await story.plan("team", fee("29"))
    await story.until(day(2, 10, year=2028))
    await story.subscribe(story.cast.acme, "team", billing_anchor=day(2, 1, year=2028))
    await story.until(day(2, 11, year=2028))
    # The 10th to the 29th are 20 of 29 days.
    assert await story.billed(story.cast.acme) == 20


@ON_SQLITE
async def test_a_customer_in_berlin_pays_every_hour_of_the_nights_on_which_the_clocks_change(story: Story):
    hourly = usage("1", billing_cadence="P1D")
    await story.plan("team", hourly)
    acme = story.cast.acme
    start = datetime(2026, 3, 28, tzinfo=BERLIN)
    await story.until(start)
    subscription = await story.subscribe(acme, "team", timing=start)
    assert subscription.billing_anchor == day(3, 27, hour=23)
    # On 29 March the day in Berlin has 23 hours, on 25 October it has 25; one token in each of them.
    for night in (datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)):
        hours = int((next_midnight(night).timestamp() - night.timestamp()) / 3600)
        for hour in range(hours):
            at = datetime.fromtimestamp(night.timestamp() + 3600 * hour, BERLIN)
            await story.until(at)
            await story.use(1, at)
    await story.until(day(11, 28))
    assert await story.billed(acme) == 23 + 25
    lines = [line for one in await story.invoices(acme) for line in one.lines if line.totals.total]
    # Days are counted from the anchor in UTC, so the summer's begin an hour later in Berlin.
    assert [(line.period_from, line.totals.total) for line in lines] == [
        (day(3, 28, hour=23), 23),
        (day(10, 23, hour=23), 1),
        (day(10, 24, hour=23), 24),
    ]


def next_midnight(night: datetime) -> datetime:
    """Of the same place, however many hours the day has."""
    return datetime(night.year, night.month, night.day + 1, tzinfo=night.tzinfo)
