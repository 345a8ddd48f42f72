"""A subscription is edited in place: items come and go, phases move. What was billed is settled to the cent."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.queries import tax_code_uses
from dashboard.catalog.errors import TaxCodeInUse
from dashboard.catalog.inputs import CreateTaxCode
from dashboard.catalog.tax_codes import create_tax_code, delete_tax_code
from dashboard.kit.errors import MeterdeskError
from dashboard.subscriptions.errors import (
    BillingSetupInvalid,
    EditNotPossible,
    EditsScheduled,
    SubscriptionStateConflict,
    TimingNotPossible,
)
from dashboard.subscriptions.queries import get_subscription
from dashboard.subscriptions.views import Subscription
from tests.billing_house import house as house
from tests.cast import ANN
from tests.scenarios.story import ON_SQLITE, Story, day, fee, lines_of, usage
from tests.scenarios.story import story as story

UNSCHEDULE = {"op": "unschedule_edit"}


def add(card: dict[str, Any], phase: str = "default") -> dict[str, Any]:
    return {"op": "add_item", "phase_key": phase, "rate_card": card}


def remove(item: str, phase: str = "default") -> dict[str, Any]:
    return {"op": "remove_item", "phase_key": phase, "item_key": item}


def stretch(phase: str, by: str) -> dict[str, Any]:
    return {"op": "stretch_phase", "phase_key": phase, "extend_by": by}


def begin(phase: str, after: str | None, duration: str | None = None) -> dict[str, Any]:
    return {"op": "add_phase", "key": phase, "name": phase.capitalize(), "start_after": after, "duration": duration}


def remove_phase(phase: str, shift: str) -> dict[str, Any]:
    return {"op": "remove_phase", "phase_key": phase, "shift": shift}


def phase(key: str, card: dict[str, Any], duration: str | None = None) -> dict[str, Any]:
    return {"key": key, "name": key.capitalize(), "duration": duration, "rate_cards": [card]}


def calendar(subscription: Subscription) -> list[tuple[str, datetime, datetime | None]]:
    return [(one.key, one.active_from, one.active_to) for one in subscription.phases]


async def test_a_fee_that_is_raised_in_mid_month_is_prorated_to_the_day_on_both_sides(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.until(day(1, 22))
    edited = await story.edit(team, add(fee("310")))
    assert [(item.key, item.version) for item in edited.phases[0].items] == [("base", 0), ("tokens", 0), ("base", 1)]
    await story.until(day(2))
    first, change, february = await story.invoices(acme)
    assert lines_of(first) == {"Base fee": Decimal(30)}
    # 21 of 31 days: 30 × 21 ÷ 31 = 20.32 were due and 30.00 was paid; 310 × 10 ÷ 31 = 100.00.
    assert lines_of(change) == {"Base fee (unused part)": Decimal("-9.68"), "Base fee": Decimal(100)}
    assert lines_of(february) == {"Base fee": Decimal(310), "Tokens": Decimal(0)}


@ON_SQLITE
async def test_months_that_were_paid_for_a_year_ahead_are_settled_from_the_edit_on(story: Story):
    await story.plan("team", fee("30"), billing_cadence="P1Y")
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.until(day(7))
    await story.edit(team, add(fee("40")))
    await story.until(day(7, 2))
    year, change = await story.invoices(acme)
    assert year.totals.total == 12 * 30
    assert change.totals.total == 6 * (40 - 30)
    await story.edit(team, remove("base"), add(fee("10", key="small", name="Small")))
    await story.until(day(7, 3))
    # July: a day of 40 was used, 30 days of 10 follow.
    assert await story.billed(acme) == 6 * 30 + Decimal("1.29") + Decimal("9.68") + 5 * 10


@ON_SQLITE
async def test_usage_is_charged_at_the_price_that_was_in_effect_when_it_came(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.use(1_000, day(1, 5))
    await story.until(day(1, 11))
    await story.edit(team, add(usage("0.03")))
    await story.use(1_000, day(1, 12))
    await story.until(day(1, 21))
    await story.edit(team, remove("tokens"))
    await story.use(1_000, day(1, 22))
    await story.until(day(3))
    _, february, march = await story.invoices(acme)
    # 1,000 × 0.01 and 1,000 × 0.03; what came after the item was gone costs nothing.
    assert lines_of(february) == {"Base fee": Decimal(30), "Tokens": Decimal(40)}
    assert lines_of(march) == {"Base fee": Decimal(30)}


@ON_SQLITE
async def test_an_edit_with_the_next_cycle_changes_nothing_until_then_and_can_be_taken_back(story: Story):
    await story.plan("team", fee("30"))
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.until(day(1, 20))
    await story.edit(team, add(fee("40")), add(fee("5", key="support", name="Support")), timing="next_billing_cycle")
    assert "Support 01 Feb" in await story.pending(acme)
    with pytest.raises(EditsScheduled):
        await story.edit(team, add(fee("50")))
    # The name of a line that was taken back is free for the next edit, with or without a look in between.
    again = add(fee("7", key="support", name="Better support"))
    await story.edit(team, UNSCHEDULE, again, timing="next_billing_cycle")
    assert "Better support 01 Feb" in await story.pending(acme)
    await story.edit(team, UNSCHEDULE)
    assert await story.pending(acme) == {"Base fee 01 Feb": "subscription"}
    await story.edit(team, again, timing="next_billing_cycle")
    await story.until(day(2))
    january, february = await story.invoices(acme)
    assert lines_of(january) == {"Base fee": Decimal(30)}
    assert lines_of(february) == {"Base fee": Decimal(30), "Better support": Decimal(7)}


@ON_SQLITE
async def test_an_item_that_is_replaced_at_the_instant_it_began_leaves_no_trace(story: Story):
    await story.plan("team", fee("30"), usage("0.01"))
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    edited = await story.edit(team, add(fee("40")), remove("tokens"))
    assert [(item.key, item.version) for item in edited.phases[0].items] == [("base", 0)]
    await story.until(day(1, 2))
    (only,) = await story.invoices(acme)
    assert lines_of(only) == {"Base fee": Decimal(40)}


@ON_SQLITE
async def test_a_one_time_fee_that_is_added_is_charged_once_and_stays_charged(story: Story):
    await story.plan("team", fee("30"))
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.until(day(1, 10))
    await story.edit(team, add(fee("99", key="setup", name="Set-up", billing_cadence=None)))
    await story.until(day(1, 20))
    await story.edit(team, remove("setup"))
    await story.until(day(2, 2))
    assert await story.billed(acme) == 30 + 99 + 30


async def test_phases_move_when_one_before_them_is_stretched_and_keep_their_months(story: Story):
    phases = [phase("trial", fee("0"), "P1M"), phase("intro", fee("10"), "P1M"), phase("standard", fee("30"))]
    await story.plan("team", phases=phases)
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    await story.until(day(1, 10))
    edited = await story.edit(team, stretch("trial", "P1M"))
    assert calendar(edited) == [("trial", day(1), day(3)), ("intro", day(3), day(4)), ("standard", day(4), None)]
    edited = await story.edit(team, stretch("trial", "-P1M"), stretch("trial", "P1M"))
    assert calendar(edited) == [("trial", day(1), day(3)), ("intro", day(3), day(4)), ("standard", day(4), None)]
    await story.until(day(5))
    assert [lines_of(one) for one in await story.invoices(acme)] == [
        {"Base fee": Decimal(10)},
        {"Base fee": Decimal(30)},
        {"Base fee": Decimal(30)},
    ]


@ON_SQLITE
async def test_a_phase_that_is_removed_leaves_its_time_to_the_one_before_or_after(story: Story):
    phases = [phase("trial", fee("0"), "P1M"), phase("intro", fee("10"), "P2M"), phase("standard", fee("30"))]
    await story.plan("team", phases=phases)
    acme, globex = story.cast.acme, story.cast.globex
    team, other = await story.subscribe(acme, "team"), await story.subscribe(globex, "team")
    moved_up = await story.edit(team, remove_phase("intro", "next"))
    assert calendar(moved_up) == [("trial", day(1), day(2)), ("standard", day(2), None)]
    assert moved_up.phases[1].items[0].active_from == day(2)
    longer = await story.edit(other, remove_phase("intro", "prev"))
    assert calendar(longer) == [("trial", day(1), day(4)), ("standard", day(4), None)]
    runs_on = await story.edit(other, remove_phase("standard", "prev"))
    assert calendar(runs_on) == [("trial", day(1), None)]
    await story.until(day(2, 2))
    assert (await story.billed(acme), await story.billed(globex)) == (30, 0)


@ON_SQLITE
async def test_a_phase_that_is_added_cuts_the_one_it_falls_into_and_moves_those_that_follow(story: Story):
    await story.plan("team", phases=[phase("trial", fee("0"), "P3M"), phase("standard", fee("30"))])
    acme = story.cast.acme
    team = await story.subscribe(acme, "team")
    edited = await story.edit(team, begin("intro", "P1M", "P1M"), add(fee("10"), "intro"))
    assert calendar(edited) == [("trial", day(1), day(2)), ("intro", day(2), day(3)), ("standard", day(3), None)]
    edited = await story.edit(team, begin("finale", "P3M"), add(fee("50"), "finale"))
    assert calendar(edited)[2:] == [("standard", day(3), day(4)), ("finale", day(4), None)]
    await story.until(day(4, 2))
    assert [lines_of(one)["Base fee"] for one in await story.invoices(acme)] == [10, 30, 50]


REFUSED: list[tuple[str, type[MeterdeskError], list[dict[str, Any]]]] = [
    ("no such phase", EditNotPossible, [add(fee(), "nowhere")]),
    ("no such item", EditNotPossible, [remove("nothing")]),
    ("nothing left", EditNotPossible, [remove("base"), remove("fine")]),
    ("a feature that is not there", EditNotPossible, [add(usage(key="unheard_of"))]),
    ("a cadence that never meets the plan's", EditNotPossible, [add(fee(key="odd", billing_cadence="P11D"))]),
    (
        "a phase with nothing in it",
        EditNotPossible,
        [begin("x", "P1Y")],
    ),
    ("a phase in the past", EditNotPossible, [begin("x", None)]),
    (
        "a phase that is there",
        EditNotPossible,
        [begin("later", "P1Y")],
    ),
    ("how long?", EditNotPossible, [begin("x", "P1M")]),
    ("the last phase runs on", EditNotPossible, [stretch("later", "P1M")]),
    ("the present phase would be over", EditNotPossible, [stretch("default", "-P3M")]),
    ("the present phase has begun", EditNotPossible, [remove_phase("default", "next")]),
    ("nothing follows", EditNotPossible, [remove_phase("later", "next")]),
    ("beyond the calendar", MeterdeskError, [stretch("default", "P9000Y")]),
]


@ON_SQLITE
@pytest.mark.parametrize(("why", "refusal", "operations"), REFUSED, ids=[one[0] for one in REFUSED])
async def test_what_cannot_be_done_is_refused_and_nothing_of_the_edit_is(
    story: Story, why: str, refusal: type[MeterdeskError], operations: list[dict[str, Any]]
):
    await story.plan("team", phases=[phase("default", fee(), "P2M"), phase("later", fee())])
    team = await story.subscribe(story.cast.acme, "team")
    await story.until(day(1, 10))
    async with story.house.database.read() as session:
        before = await get_subscription(session, team.id, story.house.clock.now())
    with pytest.raises(refusal) as refused:
        await story.edit(team, add(fee("1", key="fine", name="Fine")), *operations)
    assert refused.value.message
    async with story.house.database.read() as session:
        assert await get_subscription(session, team.id, story.house.clock.now()) == before


@ON_SQLITE
async def test_a_refusal_names_the_operation_and_the_place_in_it(story: Story):
    await story.plan("team", fee())
    team = await story.subscribe(story.cast.acme, "team")
    with pytest.raises(EditNotPossible) as refused:
        await story.edit(team, UNSCHEDULE, add(usage(key="unheard_of")))
    assert list(refused.value.fields) == ["operations.1.rate_card.feature_key"]
    assert refused.value.details["codes"] == ["rate_card_feature_not_found"]
    with pytest.raises(EditNotPossible) as refused:
        await story.edit(team, UNSCHEDULE, remove("nothing"))
    assert list(refused.value.fields) == ["operations.1"]


@ON_SQLITE
async def test_an_edit_waits_neither_beyond_its_phase_nor_for_a_subscription_that_ends(story: Story):
    await story.plan("team", phases=[phase("trial", fee("0"), "P1M"), phase("standard", fee("30"))])
    team = await story.subscribe(story.cast.acme, "team")
    with pytest.raises(TimingNotPossible):
        await story.edit(team, add(fee("1", key="more"), "trial"), timing="next_billing_cycle")
    await story.cancel(team, "next_billing_cycle")
    with pytest.raises(SubscriptionStateConflict):
        await story.edit(team, add(fee("1", key="more"), "trial"))


@ON_SQLITE
async def test_what_costs_money_is_added_only_for_a_customer_who_can_be_billed(story: Story):
    await story.plan("team", fee("0"))
    team = await story.subscribe(story.cast.acme, "team")
    story.readiness.asked.clear()
    story.readiness.lacking = ("no card", "Add one.")
    with pytest.raises(BillingSetupInvalid):
        await story.edit(team, add(fee("5", key="support")))
    await story.edit(team, add(fee(key="gift", price=None)))
    assert len(story.readiness.asked) == 1


async def test_a_tax_code_that_an_edit_brought_in_stays_while_the_subscription_taxes_with_it(story: Story):
    await story.plan("team", fee())
    team = await story.subscribe(story.cast.acme, "team")
    async with story.house.database.transaction(ANN) as work:
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS"))
    await story.edit(team, add(fee("5", key="support", tax={"tax_code_id": code.id})))
    with pytest.raises(TaxCodeInUse):
        async with story.house.database.transaction(ANN) as work:
            await delete_tax_code(work, code.id, uses=[tax_code_uses])
