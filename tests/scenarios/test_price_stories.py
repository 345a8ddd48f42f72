"""Commitments, discounts, payment terms and currencies on real invoices."""

from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.invoice_inputs import CreatePendingLines, PendingLineInput, SimulatedLine, SimulateInvoice
from dashboard.billing.service import create_pending_lines, set_customer_override
from dashboard.billing.simulation import simulate_invoice
from dashboard.billing.views import InvoiceAction, InvoiceStatus
from tests.billing_house import house as house
from tests.cast import ANN, make_customer
from tests.scenarios.story import ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story

pytestmark = ON_SQLITE

TIERS = [{"up_to_amount": "100", "unit_amount": "1", "flat_amount": "5"}, {"up_to_amount": None, "unit_amount": "0.5"}]


def unit(amount: str, **commitments: str) -> dict[str, Any]:
    return {"type": "unit", "amount": amount, "commitments": commitments}


async def test_a_minimum_spend_is_reached_by_what_is_really_paid(story: Story):
    tokens = usage(unit("1", minimum_amount="50"), discounts={"percentage": "10"})
    await story.plan("team", tokens)
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(40, day(1, 5))
    await story.use(100, day(2, 5))
    await story.until(day(4))
    january, february, march = await story.invoices(acme)
    # 40 less 10 % are 36; 14 more make 50.
    assert [detail.totals.total for detail in january.lines[0].details] == [36, 14]
    # 100 less 10 % are above the minimum; a month without usage costs the minimum.
    assert (february.totals.total, march.totals.total) == (90, 50)


async def test_a_maximum_spend_caps_what_is_really_paid_also_over_parts_of_a_period(story: Story):
    tokens = usage(unit("1", maximum_amount="100"), discounts={"percentage": "10"})
    await story.plan("team", tokens)
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(80, day(1, 5))
    await story.at(day(1, 10))
    # 80 less 10 %
    assert (await story.bill(acme)).totals.total == 72
    await story.use(70, day(1, 15))
    await story.until(day(2))
    # 150 less 10 % are 135, capped at 100: 28 are left. Counted before the discount it would be 20.
    assert (await story.latest(acme)).totals.total == 28
    await story.use(500, day(2, 5))
    await story.until(day(3))
    assert (await story.latest(acme)).totals.total == 100


async def test_free_units_are_used_up_once_in_a_period_and_come_again_in_the_next(story: Story):
    await story.plan("team", usage("0.01", discounts={"usage_quantity": "1000"}))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(800, day(1, 5))
    await story.at(day(1, 10))
    assert (await story.bill(acme)).totals.total == 0
    await story.use(700, day(1, 15))
    await story.use(1_100, day(2, 5))
    await story.until(day(3))
    _, january, february = await story.invoices(acme)
    # 1,500 less 1,000 free ones; 1,100 less 1,000.
    assert (january.totals.total, february.totals.total) == (5, 1)
    assert (january.lines[0].metered_quantity, january.lines[0].quantity) == (700, 500)


async def test_a_percentage_is_taken_off_fee_and_usage_each(story: Story):
    await story.plan(
        "team", fee("29.99", discounts={"percentage": "15"}), usage("0.0333", discounts={"percentage": "15"})
    )
    await story.subscribe(story.cast.acme, "team")
    await story.use(100, day(1, 5))
    await story.until(day(2))
    # 29.99 less 4.50 (4.4985); 3.33 less 0.50 (0.4995).
    assert lines_of(await story.latest(story.cast.acme)) == {"Base fee": Decimal("25.49"), "Tokens": Decimal("2.83")}


async def test_a_fee_in_arrears_comes_when_its_month_is_over_and_for_a_part_of_it_only_in_part(story: Story):
    await story.plan("team", fee("31", payment_term="in_arrears"), fee("62", key="support", name="Support"))
    acme = story.cast.acme
    subscription = await story.subscribe(acme, "team")
    await story.until(day(2))
    assert [lines_of(one) for one in await story.invoices(acme)] == [
        {"Support": Decimal(62)},
        {"Base fee": Decimal(31), "Support": Decimal(62)},
    ]
    await story.until(day(2, 15))
    await story.cancel(subscription)
    await story.until(day(2, 16))
    # 14 of February's 28 days: half of what is due afterwards, and half of what was paid in advance comes back.
    assert lines_of(await story.latest(acme)) == {"Base fee": Decimal("15.50"), "Support (unused part)": Decimal(-31)}


async def test_a_setup_fee_is_charged_once(story: Story):
    await story.plan("team", fee("99", key="setup", name="Setup", billing_cadence=None), fee("30"))
    await story.subscribe(story.cast.acme, "team")
    await story.until(day(4))
    assert await story.billed(story.cast.acme) == 99 + 4 * 30


async def test_yen_are_whole(story: Story):
    async with story.house.database.transaction(ANN) as work:
        nihon = await make_customer(work, name="Nihon KK", key="nihon", currency="JPY")
    await story.plan("team", fee("1000"), usage("0.3"), currency="JPY")
    subscription = await story.subscribe(nihon, "team")
    await story.use(105, day(1, 5), "nihon")
    await story.until(day(1, 11))
    await story.cancel(subscription)
    await story.until(day(1, 12))
    # 1000 × 10 ÷ 31 = 322.58 → 323; 105 × 0.3 = 31.5 → 32.
    assert lines_of(await story.latest(nihon)) == {"Base fee (unused part)": Decimal(-677), "Tokens": Decimal(32)}


async def test_kuwaiti_dinars_have_three_decimals(story: Story):
    async with story.house.database.transaction(ANN) as work:
        kuwait = await make_customer(work, name="Kuwait Co", key="kuwait", currency="KWD")
    await story.plan("team", fee("10"), usage("0.0015"), currency="KWD")
    subscription = await story.subscribe(kuwait, "team")
    await story.use(333, day(1, 5), "kuwait")
    await story.until(day(1, 11))
    await story.cancel(subscription)
    await story.until(day(1, 12))
    # 10 × 10 ÷ 31 = 3.2258 → 3.226, so 6.774 come back; 333 × 0.0015 = 0.4995 → 0.500.
    assert lines_of(await story.latest(kuwait)) == {
        "Base fee (unused part)": Decimal("-6.774"),
        "Tokens": Decimal("0.500"),
    }


async def test_a_customer_with_two_currencies_gets_an_invoice_in_each(story: Story):
    async with story.house.database.transaction(ANN) as work:
        hooli = await make_customer(work, name="Hooli", key="hooli")
        charge = {"name": "Audit", "price": {"type": "flat", "amount": "250"}, "invoice_at": day(2)}
        line = PendingLineInput(period_from=day(1), period_to=day(2), **charge)
        await create_pending_lines(work, CreatePendingLines(customer_id=hooli.id, currency="EUR", lines=(line,)))
    await story.plan("team", fee("30"), usage("0.01"))
    await story.subscribe(hooli, "team")
    await story.use(500, day(1, 5), "hooli")
    await story.until(day(2))
    found = {(one.currency, one.totals.total) for one in await story.invoices(hooli)}
    assert found == {("USD", 30), ("USD", 35), ("EUR", 250)}


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        # 5 + 100 × 1 + 50 × 0.5
        ({"type": "tiered", "mode": "graduated", "tiers": TIERS}, "150", "130"),
        # The second tier prices all of them, its flat part is none: 150 × 0.5.
        ({"type": "tiered", "mode": "volume", "tiers": TIERS}, "150", "75"),
        ({"type": "package", "amount": "7", "quantity_per_package": "40"}, "150", "28"),
        ({"type": "dynamic", "multiplier": "1.2"}, "150", "180"),
        (unit("0.333", minimum_amount="60"), "150", "60"),
    ],
)
async def test_what_is_simulated_is_what_is_invoiced(story: Story, price: dict, quantity: str, total: str):
    await story.plan("team", usage(price))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(quantity, day(1, 5))
    line = SimulatedLine(
        name="Tokens",
        price=price,
        feature_key="tokens",
        period_from=day(1),
        period_to=day(2),
        invoice_at=day(2),
        quantity=Decimal(quantity),
    )
    async with story.house.database.read() as session:
        wanted = SimulateInvoice(customer_id=acme.id, lines=(line,))
        simulated = await simulate_invoice(session, wanted, story.house.clock.now())
    await story.until(day(2))
    invoiced = await story.latest(acme)
    assert simulated.totals == invoiced.totals
    assert invoiced.totals.total == Decimal(total)

    def said(one: Any) -> list[Any]:
        return [(part.component, part.quantity, part.totals, part.explanation) for part in one.lines[0].details]

    assert said(simulated) == said(invoiced)


async def test_a_draft_that_waits_for_approval_is_sent_only_then_and_counts_what_it_counted(story: Story):
    async with story.house.database.transaction(ANN) as work:
        await set_customer_override(work, story.cast.acme.id, SetCustomerOverride(auto_advance=False))
    await story.plan("team", usage("0.01"))
    acme = story.cast.acme
    await story.subscribe(acme, "team")
    await story.use(500, day(1, 5))
    await story.until(day(2, 20))
    draft = await story.latest(acme)
    assert (draft.status, draft.totals.total) == (InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED, 5)
    await story.use(100, day(1, 6))
    paid = await story.house.act(draft.id, InvoiceAction.APPROVE)
    assert (paid.status, paid.totals.total) == (InvoiceStatus.PAID, 5)
    await story.until(day(3))
    assert lines_of(await story.latest(acme))["Tokens (late usage)"] == 1
