"""Plans, features and subscriptions on screen: rate cards as forms and back, complaints on fields, prices explained."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.catalog.plan_inputs import CreatePlan, RateCardInput
from dashboard.catalog.plan_json import rate_card_from_json, rate_card_to_json
from dashboard.catalog.plan_views import Plan, RateCard, RateCardType
from dashboard.catalog.price_rules import BadPrice
from dashboard.catalog.prices import (
    ConversionOperation,
    ConversionRounding,
    Discounts,
    FlatPrice,
    UnitConversion,
    UnitPrice,
)
from dashboard.catalog.status import PlanStatus
from dashboard.kit.calendar import Period
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.kit.money import BadAmount
from dashboard.subscriptions.proration import SubscriptionEndMode
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.subscriptions.views import Subscription, SubscriptionItem, SubscriptionPhase
from dashboard.ui.features.state import feature_from
from dashboard.ui.plans.card_form import CardForm, document_of, errors_of, field_of, form_of
from dashboard.ui.plans.editing import PlanMovedOn, card_at, document_of_plan, phase_at
from dashboard.ui.plans.price_preview import price_preview
from dashboard.ui.plans.words import cadence_in_words, cadence_options, duration_in_words
from dashboard.ui.subscriptions.falling_due import coming_lines, due_dates
from dashboard.ui.subscriptions.state import wanted_from
from dashboard.ui.subscriptions.words import moment_from

AT = datetime(2026, 1, 15, tzinfo=UTC)
NEXT = datetime(2026, 2, 15, tzinfo=UTC)
PRICES: list[dict[str, Any] | None] = [
    None,
    {"type": "flat", "amount": "49.5", "payment_term": "in_arrears"},
    {"type": "unit", "amount": "0.01", "commitments": {"minimum_amount": "10", "maximum_amount": "500"}},
    {
        "type": "tiered",
        "mode": "graduated",
        "tiers": [
            {"up_to_amount": "1000", "unit_amount": "0.02"},
            {"up_to_amount": None, "unit_amount": "0.01", "flat_amount": "5"},
        ],
    },
    {"type": "tiered", "mode": "volume", "tiers": [{"up_to_amount": None, "flat_amount": "7"}]},
    {"type": "package", "amount": "5", "quantity_per_package": "1000"},
    {"type": "dynamic", "multiplier": "1.2"},
]


def usage_card(price: dict[str, Any] | None, **changes: Any) -> RateCard:
    document = {
        "key": "tokens",
        "name": "Tokens",
        "type": "usage_based",
        "feature_key": "tokens",
        "billing_cadence": "P1M",
        "price": price,
        **changes,
    }
    return parse_input(RateCardInput, document).to_rate_card()


def typed(form: CardForm) -> dict[str, str]:
    """What the browser sends of a form that nobody touched."""
    own = {name: getattr(form, name) for name in CardForm.__dataclass_fields__ if name != "tiers"}
    tiers = {
        f"tier_{tier.id}_{part}": text
        for tier in form.tiers
        for part, text in (("up_to", tier.up_to), ("unit", tier.unit), ("flat", tier.flat))
    }
    return own | tiers


@pytest.mark.parametrize("price", PRICES)
def test_a_rate_card_comes_back_from_its_form_as_it_was(price: dict[str, Any] | None) -> None:
    card = usage_card(
        price,
        description="By the token",
        discounts={"percentage": "10"},
        tax={"behavior": "inclusive", "stripe_code": "txcd_10000000"},
        entitlement={"type": "boolean"},
        metadata={"team": "core"},
    )
    form = form_of(card)
    document = document_of(
        typed(form), form.kind, form.model, [tier.id for tier in form.tiers], rate_card_to_json(card)
    )
    assert parse_input(RateCardInput, document).to_rate_card() == card


def test_a_conversion_and_free_units_survive_the_form() -> None:
    conversion = {"operation": "divide", "factor": "1000", "rounding": "ceiling", "precision": 2}
    card = usage_card(PRICES[2], unit_conversion=conversion, discounts={"usage_quantity": "100"})
    form = form_of(card)
    again = rate_card_from_json(document_of(typed(form), form.kind, form.model, [], rate_card_to_json(card)))
    assert again == card
    assert again.unit_conversion == UnitConversion(
        ConversionOperation.DIVIDE, Decimal(1000), ConversionRounding.CEILING, 2
    )


def test_another_tax_code_leaves_the_old_stripe_code_behind() -> None:
    card = usage_card(PRICES[2], tax={"stripe_code": "txcd_10000000"})
    fields = typed(form_of(card)) | {"tax_code_id": "01JTAX"}
    document = document_of(fields, "usage_based", "unit", [], rate_card_to_json(card))
    assert document["tax"] == {"behavior": None, "tax_code_id": "01JTAX"}


def test_a_charge_without_a_cadence_is_made_once() -> None:
    card = RateCard("setup", "Setup", RateCardType.FLAT_FEE, price=FlatPrice(Decimal(99)))
    form = form_of(card)
    assert form.billing_cadence == "once"
    assert document_of(typed(form), form.kind, form.model, [])["billing_cadence"] is None


def test_a_rate_card_with_a_feature_has_the_features_key() -> None:
    document = document_of({"key": "mine", "feature_key": "tokens", "name": "T"}, "usage_based", "free", [])
    assert document["key"] == "tokens"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("price.amount", "amount"),
        ("price.tiers.1.unit_amount", "tier_7"),
        ("tiers.0.up_to_amount", "tier_4"),
        ("price.tiers", "tiers"),
        ("price.commitments.minimum_amount", "minimum_amount"),
        ("discounts.percentage", "percentage"),
        ("billing_cadence", "billing_cadence"),
        ("price", "form"),
    ],
)
def test_a_complaint_stands_on_the_field_it_is_about(path: str, name: str) -> None:
    assert field_of(path, ["4", "7"]) == name


def test_complaints_about_other_rate_cards_do_not_stand_on_this_one() -> None:
    fields = {"phases.0.rate_cards.1.price.amount": "No.", "phases.0.rate_cards.11.key": "Other."}
    assert errors_of(fields, "phases.0.rate_cards.1.", [], "Refused.") == {"amount": "No."}
    assert errors_of(fields, "phases.1.", [], "Refused.") == {"form": "Refused."}


def test_the_preview_says_what_a_quantity_costs_and_why() -> None:
    shown = price_preview(usage_card({"type": "unit", "amount": "0.01"}), "USD", "5,230")
    assert shown.sentence == "5,230 units cost $52.30, because"
    assert [line.sentence for line in shown.lines] == ["5,230 × $0.01 = $52.30."]
    assert shown.steps


def test_the_preview_of_tiers_names_each_tier() -> None:
    shown = price_preview(usage_card(PRICES[3]), "USD", "1500")
    # 1,000 at $0.02, 500 at $0.01, and the second tier's flat $5.
    assert shown.sentence == "1,500 units cost $30.00, because"
    assert {line.name for line in shown.lines} == {"Tier 1", "Tier 2", "Tier 2, flat part"}


def test_the_preview_of_a_flat_fee_takes_its_discount_off() -> None:
    card = RateCard("fee", "Fee", RateCardType.FLAT_FEE, price=FlatPrice(Decimal(50)), discounts=Discounts(Decimal(10)))
    assert price_preview(card, "EUR", "").sentence == "A period costs €45.00, because"


def test_a_free_rate_card_says_so() -> None:
    assert price_preview(usage_card(None), "USD", "5").sentence == "It is free: nothing is invoiced."


def test_the_preview_refuses_a_quantity_that_is_no_number() -> None:
    with pytest.raises(BadAmount) as refusal:
        price_preview(usage_card(PRICES[2]), "USD", "many")
    assert "preview_quantity" in refusal.value.fields


def test_the_preview_refuses_tiers_without_an_end_and_names_them() -> None:
    closed = {"type": "tiered", "mode": "volume", "tiers": [{"up_to_amount": "10", "unit_amount": "1"}]}
    with pytest.raises(BadPrice) as refusal:
        price_preview(usage_card(closed), "USD", "5")
    assert "tiers" in refusal.value.fields


def plan() -> Plan:
    return Plan(
        id="01J",
        key="team",
        version=1,
        name="Team",
        description=None,
        currency="USD",
        billing_cadence="P1M",
        pro_rating_enabled=True,
        settlement_mode="credit_then_invoice",
        effective_from=None,
        effective_to=None,
        status=PlanStatus.DRAFT,
        phases=(),
        issues=(),
        metadata={},
        created_at=AT,
        updated_at=AT,
    )


def test_an_edit_finds_its_place_only_while_it_is_still_the_same_one() -> None:
    document = document_of_plan(plan()) | {"phases": [{"key": "trial", "rate_cards": [{"key": "fee"}]}]}
    assert phase_at(document, "0", "trial") == 0
    assert card_at(document, "0.0", "fee") == (0, 0)
    for place, key in (("0.0", "other"), ("0.1", "fee"), ("1.0", "fee"), ("x.0", "fee"), ("0.", "fee")):
        with pytest.raises(PlanMovedOn):
            card_at(document, place, key)


def test_cadences_and_durations_read_as_words() -> None:
    assert (cadence_in_words("P3M"), cadence_in_words(None), cadence_in_words("P5D")) == (
        "every 3 months",
        "once",
        "every P5D",
    )
    assert (duration_in_words("P14D"), duration_in_words(None)) == ("14 days", "runs on")
    assert cadence_options({"P1M": "Every month"}, "P5D")[-1].value == "P5D"


def test_the_filters_of_a_feature_are_lines() -> None:
    wanted = feature_from({"key": "tokens", "name": "Tokens", "meter": "m", "filters": "model = gpt-4, o1\n\n"})
    assert wanted["filters"] == {"model": ["gpt-4", "o1"]}


def test_a_date_in_the_form_is_meant_in_utc() -> None:
    assert moment_from("2026-03-01T00:00", "timing") == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment_from("", "timing") is None
    with pytest.raises(InvalidInput) as refusal:
        moment_from("tomorrow", "timing")
    assert "timing" in refusal.value.fields


def test_a_subscription_needs_a_customer_and_starts_now_unless_told_otherwise() -> None:
    with pytest.raises(InvalidInput) as refusal:
        wanted_from({"plan": "01J"}, "")
    assert "customer_id" in refusal.value.fields
    assert wanted_from({"plan": "01J"}, "01C").timing == "immediate"


def subscription() -> Subscription:
    """A fee of $31 in advance and tokens at a cent, since a fortnight ago."""
    start = AT
    cards = [
        RateCard("fee", "Fee", RateCardType.FLAT_FEE, billing_cadence="P1M", price=FlatPrice(Decimal(31))),
        usage_card({"type": "unit", "amount": "0.01"}),
    ]
    items = tuple(SubscriptionItem(card.key, card.key, 0, card, start, None) for card in cards)
    return Subscription(
        id="01S",
        customer_id="01C",
        plan_id=None,
        plan_key=None,
        plan_version=None,
        name="Team",
        description=None,
        currency="USD",
        billing_cadence="P1M",
        billing_anchor=start,
        pro_rating_enabled=True,
        settlement_mode="credit_then_invoice",
        active_from=start,
        active_to=None,
        status=SubscriptionStatus.ACTIVE,
        phases=(SubscriptionPhase("01P", "default", "Default", None, start, None, items),),
        current_period=Period(start, NEXT),
        previous_id=None,
        next_id=None,
        metadata={},
        created_at=start,
        updated_at=start,
    )


def test_what_falls_due_is_told_by_day_with_usage_as_far_as_it_is_known() -> None:
    now = AT + timedelta(days=14)
    lines = coming_lines(subscription(), now, SubscriptionEndMode.BILL_ACTUAL_PERIOD)
    first = [line for line in lines if line.invoice_at == NEXT]
    used = {line.reference: Decimal(1200) for line in first if isinstance(line.price, UnitPrice)}
    days = due_dates(lines, used, "USD", now)
    assert days[0].day.relative == "15 Feb 2026"
    assert {line.name: line.amount for line in days[0].lines} == {"Fee": "$31.00", "Tokens": "$12.00"}
    assert days[0].total == "$43.00 so far"
    assert {line.amount for line in days[1].lines} == {"$31.00", "by usage"}
    assert days[1].total == "$31.00 + usage"


def test_a_plan_is_priced_in_money_only() -> None:
    with pytest.raises(InvalidInput, match="not a currency"):
        parse_input(CreatePlan, {"key": "gold", "name": "Gold", "currency": "XAU", "billing_cadence": "P1M"})
