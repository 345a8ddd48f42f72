from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.kit.money import (
    BadAllocation,
    BadAmount,
    UnknownCurrency,
    allocate,
    amount_text,
    currency,
    exact_arithmetic,
    fits_stripe,
    format_money,
    format_quantity,
    format_unit_price,
    from_minor,
    known_currencies,
    minimum_charge,
    parse_amount,
    round_money,
    to_minor,
    to_minor_lines,
)

CODES = st.sampled_from(known_currencies())
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("amount", "code", "minor"),
    [
        ("12.34", "USD", 1234),
        ("12.34", "usd", 1234),
        ("1200", "JPY", 1200),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
        ("5", "MGA", 5),
        ("10.45", "HUF", 1045),
        ("10.45", "TWD", 1045),
        ("5.124", "KWD", 5120),
        ("5.125", "KWD", 5130),
        ("1.005", "BHD", 1010),
        ("-3.5", "EUR", -350),
    ],
)
def test_stripe_gets_the_integer_of_its_own_table_not_of_isos(amount, code, minor):
    assert to_minor(Decimal(amount), code) == minor


@pytest.mark.parametrize("code", ["BHD", "JOD", "KWD", "OMR", "TND"])
def test_three_decimal_amounts_always_end_in_zero_at_stripe(code):
    assert all(to_minor(Decimal(step) / 1000, code) % 10 == 0 for step in range(-30, 30))


@given(CODES, st.integers(min_value=-(10**12), max_value=10**12))
def test_what_stripe_says_comes_back_as_the_same_integer(code, steps):
    known = currency(code)
    minor = steps * int(known.stripe_step.scaleb(known.stripe_decimals))
    assert to_minor(from_minor(minor, code), code) == minor
    assert fits_stripe(from_minor(minor, code), code)


@given(CODES, st.lists(AMOUNTS, max_size=12))
def test_the_lines_of_an_invoice_add_up_to_its_total_in_stripes_integers(code, amounts):
    lines = [round_money(amount, code) for amount in amounts]
    minor = to_minor_lines(lines, code)
    assert sum(minor) == to_minor(sum(lines, Decimal(0)), code)
    known = currency(code)
    assert all(abs(from_minor(one, code) - line) < known.stripe_step for one, line in zip(minor, lines, strict=True))


@given(AMOUNTS, CODES)
def test_rounding_is_symmetric_around_zero_and_never_makes_a_negative_zero(amount, code):
    rounded = round_money(amount, code)
    assert rounded == -round_money(-amount, code)
    assert str(rounded).strip("0.") != "-"


@given(
    st.integers(min_value=0, max_value=10**7),
    st.integers(min_value=0, max_value=4),
    st.lists(st.decimals(min_value="0.001", max_value=1000, places=3), min_size=1, max_size=15),
)
def test_a_split_amount_adds_up_and_nobody_is_off_by_a_whole_unit(units, decimals, weights):
    step = Decimal(1).scaleb(-decimals)
    amount = units * step
    parts = dict(allocate(amount, list(enumerate(weights)), decimals))
    assert sum(parts.values()) == amount
    with exact_arithmetic():
        for index, weight in enumerate(weights):
            assert abs(parts.get(index, Decimal(0)) - amount * weight / sum(weights)) < step


def test_equal_remainders_go_to_the_first_in_the_list_or_to_the_first_key():
    weights = [("b", Decimal(1)), ("a", Decimal(1))]
    assert allocate(Decimal("0.01"), weights, 2) == [("b", Decimal("0.01"))]
    assert allocate(Decimal("0.01"), weights, 2, "key") == [("a", Decimal("0.01"))]


@pytest.mark.parametrize(
    ("amount", "weights"),
    [("0.001", [("a", 1)]), ("-1", [("a", 1)]), ("1", []), ("1", [("a", 0)]), ("1", [("a", -1), ("b", 2)])],
)
def test_a_split_that_makes_no_sense_is_refused(amount, weights):
    with pytest.raises(BadAllocation):
        allocate(Decimal(amount), [(key, Decimal(weight)) for key, weight in weights], 2)


@pytest.mark.parametrize(
    ("amount", "code", "text"),
    [
        ("1234.5", "USD", "$1,234.50"),
        ("-5", "EUR", "-€5.00"),
        ("1200", "JPY", "¥1,200"),
        ("12", "CHF", "CHF\N{NO-BREAK SPACE}12.00"),
        ("-0.004", "USD", "$0.00"),
        ("1.2345", "KWD", "KWD\N{NO-BREAK SPACE}1.235"),
    ],
)
def test_money_reads_the_way_people_write_it(amount, code, text):
    assert format_money(Decimal(amount), code) == text


def test_a_tiny_unit_price_keeps_its_digits_on_screen():
    assert format_unit_price(Decimal("0.00050"), "USD") == "$0.0005"
    assert format_unit_price(Decimal("1E+3"), "USD") == "$1,000.00"
    assert format_quantity(Decimal("1250.50")) == "1,250.5"
    assert format_quantity(Decimal("-1250")) == "-1,250"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=9))
def test_an_amount_survives_being_written_down(amount):
    assert parse_amount(amount_text(amount)) == amount
    assert "E" not in amount_text(amount)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "abc", "1e3", "NaN", "Infinity", "-", "1.", ".5", "1,000", "1 000", "+1", "0x10", "١٢", "--1",
        "1" * 19, "0." + "1" * 19, 1.5, True, None, [], Decimal("NaN"), Decimal("1E+30"),
    ],
)  # fmt: skip
def test_anything_that_is_not_a_plain_decimal_is_refused_with_a_remedy(text):
    with pytest.raises(BadAmount) as refused:
        parse_amount(text, field="price.amount")
    assert refused.value.what_to_do
    assert "price.amount" in refused.value.fields


@pytest.mark.parametrize("text", ["12.50", " 12.50 ", Decimal("12.5"), "0012.500000000000000000000000"])
def test_a_plain_decimal_is_taken_from_text_and_from_decimals(text):
    assert parse_amount(text) == Decimal("12.5")


def test_an_unknown_currency_is_refused_by_name():
    with pytest.raises(UnknownCurrency, match="XYZ"):
        currency("XYZ")


def test_stripes_smallest_charge_is_known_where_stripe_publishes_it():
    assert minimum_charge("GBP") == Decimal("0.30")
    assert minimum_charge("JPY") == Decimal(50)
    assert minimum_charge("KWD") is None
