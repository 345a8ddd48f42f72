import pytest

from dashboard.catalog.price_json import (
    conversion_from_json,
    discounts_from_json,
    price_from_json,
    price_to_json,
)
from dashboard.catalog.price_rules import (
    BadPrice,
    conversion_problems,
    discount_problems,
    price_problems,
    refuse_problems,
)
from dashboard.catalog.price_text import price_in_words
from dashboard.kit.money import BadAmount


def fields(document) -> list[str]:
    return [problem.field for problem in price_problems(price_from_json(document))]


def test_everything_that_is_wrong_with_a_price_is_listed_on_its_field():
    assert fields({"type": "unit", "amount": "-1", "commitments": {"minimum_amount": "5", "maximum_amount": "2"}}) == [
        "amount",
        "commitments.minimum_amount",
    ]
    assert fields({"type": "package", "amount": "1", "quantity_per_package": "0"}) == ["quantity_per_package"]
    assert fields({"type": "dynamic", "multiplier": "-0.1"}) == ["multiplier"]


@pytest.mark.parametrize(
    ("tiers", "places"),
    [
        ([], ["tiers"]),
        ([{"up_to_amount": "10", "unit_amount": "1"}], ["tiers"]),
        ([{"unit_amount": "1"}, {"unit_amount": "2"}], ["tiers.1.up_to_amount"]),
        ([{"up_to_amount": None}], ["tiers.0"]),
        (
            [
                {"up_to_amount": "10", "unit_amount": "1"},
                {"up_to_amount": "10.0", "flat_amount": "1"},
                {"unit_amount": "-2"},
            ],
            ["tiers.1.up_to_amount", "tiers.2.unit_amount"],
        ),
        (
            [{"up_to_amount": "-1", "unit_amount": "1"}, {"flat_amount": "-1"}],
            ["tiers.0.up_to_amount", "tiers.1.flat_amount"],
        ),
    ],
)
def test_tiers_need_limits_that_differ_one_open_end_and_a_price_each(tiers, places):
    assert fields({"type": "tiered", "mode": "graduated", "tiers": tiers}) == places


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "type"),
        ({"type": "free"}, "type"),
        ({"type": "unit"}, "amount"),
        ({"type": "flat", "amount": "1", "payment_term": "whenever"}, "payment_term"),
        ({"type": "flat", "amount": "1", "commitments": {"minimum_amount": "1"}}, "commitments"),
        ({"type": "tiered", "mode": "stairs", "tiers": []}, "mode"),
        ({"type": "tiered", "mode": "volume", "tiers": {}, "amount": "1"}, "amount"),
        ({"type": "tiered", "mode": "volume", "tiers": ["1"]}, "tiers"),
        ({"type": "tiered", "mode": "volume", "tiers": [{"price": "1"}]}, "tiers.0.price"),
    ],
)
def test_a_document_that_is_no_price_is_refused_on_the_field(document, place):
    with pytest.raises(BadPrice) as refused:
        price_from_json(document)
    assert place in refused.value.fields


@pytest.mark.parametrize("amount", [1.5, "1e3", "NaN", ""])
def test_amounts_are_never_floats(amount):
    with pytest.raises(BadAmount):
        price_from_json({"type": "unit", "amount": amount})


def test_a_price_is_written_without_what_is_not_set():
    document = {"type": "tiered", "mode": "volume", "tiers": [{"up_to_amount": None, "unit_amount": "0.5"}]}
    assert price_to_json(price_from_json({**document, "commitments": None})) == document
    flat = {"type": "flat", "amount": "1", "payment_term": "in_arrears"}
    assert price_to_json(price_from_json({**flat, "commitments": {}, "tiers": []})) == flat


def test_free_units_and_conversion_need_a_price_that_counts_units():
    flat, unit = price_from_json({"type": "flat", "amount": "1"}), price_from_json({"type": "unit", "amount": "1"})
    discounts = discounts_from_json({"percentage": "150", "usage_quantity": "3"})
    assert [one.code for one in discount_problems(discounts, flat)] == [
        "percentage_discount_invalid_value",
        "usage_discount_with_flat_price",
    ]
    conversion = conversion_from_json({"operation": "divide", "factor": "0", "rounding": "floor", "precision": 99})
    assert conversion is not None
    assert [one.field for one in conversion_problems(conversion, unit)] == [
        "unit_conversion.factor",
        "unit_conversion.precision",
    ]
    assert conversion_problems(conversion, None)[0].code == "unit_config_requires_usage_based_price"


def test_a_refusal_names_every_field_and_leads_with_the_first():
    with pytest.raises(BadPrice) as refused:
        refuse_problems(price_problems(price_from_json({"type": "tiered", "mode": "volume", "tiers": [{}, {}]})))
    assert set(refused.value.fields) == {"tiers.0", "tiers.1", "tiers.1.up_to_amount"}
    refuse_problems([])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "flat", "amount": "49"}, "$49.00 in advance"),
        ({"type": "flat", "amount": "49", "payment_term": "in_arrears"}, "$49.00 in arrears"),
        (
            {"type": "unit", "amount": "0.0005", "commitments": {"minimum_amount": "10", "maximum_amount": "99"}},
            "$0.0005 per unit, at least $10.00, at most $99.00",
        ),
        ({"type": "package", "amount": "5", "quantity_per_package": "1000"}, "$5.00 per package of 1,000"),
        ({"type": "dynamic", "multiplier": "1.2"}, "Metered cost × 1.2"),
        (
            {"type": "tiered", "mode": "graduated", "tiers": [
                {"up_to_amount": None, "unit_amount": "0.5"},
                {"up_to_amount": "10", "unit_amount": "1", "flat_amount": "5"},
            ]},
            "Units by tier: up to 10 $1.00 per unit + $5.00 flat; beyond $0.50 per unit",
        ),
    ],
)  # fmt: skip
def test_a_price_can_be_said_in_words(document, words):
    assert price_in_words(price_from_json(document), "USD") == words


def test_words_name_free_units_conversion_and_discount_too():
    conversion = conversion_from_json({"operation": "divide", "factor": "1000000", "rounding": "ceiling"})
    price = price_from_json({"type": "unit", "amount": "2"})
    discounts = discounts_from_json({"percentage": "10", "usage_quantity": "3"})
    assert (
        price_in_words(price, "EUR", discounts, conversion)
        == "€2.00 per unit of (metered ÷ 1,000,000, rounded up) after 3 free ones, 10 % off"
    )
    assert price_in_words(None, "EUR") == "Free"
