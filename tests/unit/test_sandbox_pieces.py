"""The sandbox's small parts: forms, schema, search language, tax places, tax ids, signatures, faults."""

import hashlib
import hmac
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dashboard.stripe_sandbox import cards, keys, tax_id_formats, tax_table
from dashboard.stripe_sandbox.context import changes
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.faults import Fault, Faults
from dashboard.stripe_sandbox.forms import parse_form
from dashboard.stripe_sandbox.schema import operations
from dashboard.stripe_sandbox.search import parse
from dashboard.stripe_sandbox.webhooks import signature_header

ROOM = Path(__file__).parents[2] / "dashboard" / "stripe_sandbox"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a[b][c]=1", {"a": {"b": {"c": "1"}}}),
        ("a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}),
        ("a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        ("a[][b]=1&a[][c]=2&a[][b]=3", {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}}),
        ("a=", {"a": ""}),
        ("a=%C3%BC+x", {"a": "ü x"}),
    ],
)
def test_brackets_become_nested_parameters(text: str, parsed: dict[str, Any]) -> None:
    assert parse_form(text) == parsed


@pytest.mark.parametrize("text", ["a[b=1", "a]=1", "a[b]c=1", "a=1&a[b]=2", "a[b]=1&a=2"])
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(ApiError):
        parse_form(text)


def test_parameters_are_typed_by_the_schema() -> None:
    read = operations()["POST /v1/invoices/{invoice}/add_lines"].read
    line = {"amount": "-5", "discountable": "false", "quantity_decimal": "0.5", "metadata": {"n": "7"}}
    assert read({"lines": {"0": line}}) == {
        "lines": [{"amount": -5, "discountable": False, "quantity_decimal": "0.5", "metadata": {"n": "7"}}]
    }
    assert operations()["POST /v1/coupons"].read({"percent_off": "12.5"}) == {"percent_off": Decimal("12.5")}


@pytest.mark.parametrize(
    ("operation", "raw", "param"),
    [
        ("POST /v1/customers", {"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]"),
        ("POST /v1/customers", {"metadata": {"k": "v" * 501}}, "metadata[k]"),
        ("POST /v1/customers", {"metadata": {f"k{n}": "v" for n in range(51)}}, "metadata"),
        ("POST /v1/invoices/{invoice}/add_lines", {"lines": {str(n): {"amount": "1"} for n in range(251)}}, "lines"),
        ("GET /v1/invoices", {"limit": "101"}, "limit"),
        ("GET /v1/invoices", {"expand": {"0": "data.a.b.c.d.e"}}, "expand"),
        ("POST /v1/invoices", {"statement_descriptor": "x" * 23}, "statement_descriptor"),
    ],
)
def test_limits_that_stripe_gives_in_words_hold(operation: str, raw: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refusal:
        operations()[operation].read(raw)
    assert refusal.value.body["param"] == param


def test_the_search_language_is_read() -> None:
    clauses, any_of = parse('email:"a@b.c" AND -metadata["k"]:"v" AND created>1700000000')
    assert not any_of
    assert clauses == [
        (False, "email", None, ":", "a@b.c"),
        (True, "metadata", "k", ":", "v"),
        (False, "created", None, ">", "1700000000"),
    ]
    assert parse('name:"a" OR name:"b"')[1]


@pytest.mark.parametrize("query", ["", "nonsense", 'a:"1" AND b:"2" OR c:"3"', 'a:"unclosed'])
def test_an_unreadable_search_is_refused(query: str) -> None:
    with pytest.raises(ApiError):
        parse(query)


@pytest.mark.parametrize(
    ("country", "state", "code", "percent", "reason"),
    [
        ("DE", None, "txcd_10103001", "19", "standard_rated"),
        ("FI", None, "txcd_10000000", "25.5", "standard_rated"),
        ("CA", "QC", "txcd_10000000", "14.975", "standard_rated"),
        ("US", "NY", "txcd_10103001", "4", "standard_rated"),
        ("US", "CA", "txcd_10103001", "0", "product_exempt"),
        ("US", "OR", "txcd_99999999", "0", "not_subject_to_tax"),
        ("DE", None, "txcd_00000000", "0", "product_exempt"),
        ("ZZ", None, "txcd_10000000", "0", "not_supported"),
    ],
)
def test_rates_follow_place_and_product(country: str, state: str | None, code: str, percent: str, reason: str) -> None:
    rate, _, why = tax_table.rate(country, state, code)
    assert (rate, why) == (Decimal(percent), reason)


@pytest.mark.parametrize(
    ("code", "state"), [("10001", "NY"), ("94105", "CA"), ("00000", None), ("1234", None), ("73301", "OK")]
)
def test_a_us_postal_code_names_its_state(code: str, state: str | None) -> None:
    assert tax_table.us_state_of(code) == state


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("eu_vat", "DE123456789", True),
        ("eu_vat", "123", False),
        ("gb_vat", "GB123456789", True),
        ("us_ein", "12-3456789", True),
    ],
)
def test_tax_ids_have_the_form_of_their_type(kind: str, value: str, fits: bool) -> None:
    assert tax_id_formats.fits(kind, value) is fits


def test_test_cards_are_known_by_name_and_number() -> None:
    assert cards.card_by_name("pm_card_visa_chargeDeclined") is cards.card_by_name("pm_card_chargeDeclined")
    found = cards.card_by_number("4000 0027 6000 3184")
    assert found
    assert found.behaviour == "3ds"
    assert cards.card_by_name("pm_card_unheard_of") is None


def test_a_signature_is_the_hmac_of_time_and_body() -> None:
    expected = hmac.new(b"whsec_a", b"7.{}", hashlib.sha256).hexdigest()
    header = signature_header(b"{}", ["whsec_a", "whsec_b"], 7)
    assert header.startswith(f"t=7,v1={expected},v1=")


def test_previous_attributes_hold_only_what_changed() -> None:
    before = {"a": 1, "b": {"x": 1, "y": 2}, "c": None, "_private": 1}
    after = {"a": 1, "b": {"x": 1, "y": 3}, "c": 5, "_private": 2}
    assert changes(before, after) == {"b": {"y": 2}, "c": None}


def test_a_fault_strikes_from_the_nth_matching_call_as_often_as_ordered() -> None:
    faults = Faults()
    faults.order(Fault("unavailable", "POST", "/v1/invoices/{id}/pay", nth=2, times=2))
    calls = ["/v1/invoices/in_1/pay"] * 5
    assert [bool(faults.strike("POST", path)) for path in calls] == [False, True, True, False, False]
    assert not faults.strike("POST", "/v1/invoices/in_1/void")


def test_an_account_name_always_opens_the_same_account() -> None:
    assert keys.account_id("demo") == keys.account_id("demo")
    assert keys.account_id("demo") != keys.account_id("Demo")


def test_the_sandbox_imports_nothing_of_the_product() -> None:
    for file in ROOM.rglob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(("from dashboard", "import dashboard")):
                assert line.split()[1].startswith("dashboard.stripe_sandbox"), f"{file.name}: {line}"
