from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.kit.money import amount_text
from dashboard.usage.extraction import extract
from dashboard.usage.json_path import MISSING, BadJsonPath, compile_path
from dashboard.usage.meter_rules import BadMeter, MeterRule, meter_problems, refuse_bad_meter


def meter(aggregation: str = "SUM", value_property: str | None = "$.value", **group_by: str) -> MeterRule:
    return MeterRule("m", aggregation, "request", value_property, group_by)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=12))
def test_a_number_arrives_digit_for_digit_as_a_number_and_as_text(number):
    text = amount_text(number)
    assert extract(meter(), f'{{"value": {text}}}').value == number
    assert extract(meter(), f'{{"value": "{text}"}}').value == number


@pytest.mark.parametrize("written", ["1e3", '"1e3"', "1000.0", '"+1000"', '"1000."', "1000"])
def test_numbers_may_be_written_in_any_json_way(written):
    assert extract(meter(), f'{{"value": {written}}}').value == 1000


@pytest.mark.parametrize(
    "written",
    ["null", "true", "[]", "{}", '""', '" 1 "', '"1,5"', '"0x10"', '"NaN"', "NaN", "Infinity", '"Inf"', "1e999",
     "1e-99", '"1e999999999"', "1" * 39, f'"{"1" * 200}"'],
)  # fmt: skip
def test_anything_else_does_not_count_and_says_so(written):
    found = extract(meter(), f'{{"value": {written}}}')
    assert found.value is None
    assert found.problem


@pytest.mark.parametrize("data", [None, "", "null", "{}", '{"other": 1}', "3", '"text"', "[1]"])
def test_an_event_without_a_value_counts_for_count_only(data):
    assert extract(meter(), data).problem
    assert extract(meter("COUNT", None), data).value == 1


@pytest.mark.parametrize("data", ["{", "{'value': 1}", '{"value": 1} {}', "[" * 100_000])
def test_broken_data_never_counts_not_even_for_count(data):
    assert extract(meter(), data).problem
    assert extract(meter("COUNT", None), data).problem


@pytest.mark.parametrize(
    ("written", "text"),
    [('"a"', "a"), ("1.50", "1.5"), ("true", "true"), ('{"b": 1, "a": [2.5]}', '{"a":["2.5"],"b":"1"}'), ('"é"', "é")],
)
def test_unique_count_and_groups_take_the_text_of_anything(written, text):
    found = extract(meter("UNIQUE_COUNT", group="$.value"), f'{{"value": {written}}}')
    assert found.value_string == text
    assert found.group_by == {"group": text}


def test_a_missing_group_is_empty_text():
    rule = meter(model="$.request.model", region="$.region")
    assert extract(rule, '{"value": 1, "region": null}').group_by == {"model": "", "region": ""}
    assert extract(rule, '{"value": 1, "region": "eu"').group_by == {"model": "", "region": ""}


DATA = {"a": {"b": [10, {"c": 20}]}, "x.y": 1, "with-dash": 2, "list": [1, 2, 3]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", DATA),
        ("$.a.b[0]", 10),
        ("$.a.b[-1].c", 20),
        ("$['a']['b'][1][\"c\"]", 20),
        ("$['x.y']", 1),
        ("$.with-dash", 2),
        ("$.a.nothing", MISSING),
        ("$.a.b[7]", MISSING),
        ("$.a[0]", MISSING),
        ("$.list.a", MISSING),
        ("$.list[*]", 1),
        ("$..c", 20),
    ],
)
def test_a_path_finds_what_it_says_or_nothing(path, found):
    assert compile_path(path)(DATA) == found


@pytest.mark.parametrize("path", ["", "a", "$.", "$[", "$.a[", "$.a..", "$.a b c", "$[?", "$" + ".a" * 400])
def test_a_path_that_cannot_be_followed_is_refused(path):
    with pytest.raises(BadJsonPath):
        compile_path(path)


def problem_fields(rule: MeterRule) -> list[str]:
    return [problem.field for problem in meter_problems(rule)]


def test_everything_that_is_wrong_with_a_meter_is_listed_on_its_field():
    assert problem_fields(MeterRule("", "MEDIAN", "", None)) == ["key", "event_type", "aggregation", "value_property"]
    assert problem_fields(meter("COUNT")) == ["value_property"]
    assert problem_fields(meter("COUNT", None)) == []
    assert problem_fields(meter("LATEST", "$.value[")) == ["value_property"]
    assert problem_fields(meter(same="$.value", twice="$.a", again="$.a")) == ["group_by.same", "group_by.again"]
    assert problem_fields(MeterRule("m", "SUM", "e", "$.v", {"1st": "$.a", "b-c": "nowhere"})) == [
        "group_by.1st",
        "group_by.b-c",
        "group_by.b-c",
    ]


def test_a_bad_meter_is_refused_with_every_field():
    with pytest.raises(BadMeter) as refused:
        refuse_bad_meter(meter("COUNT", "$.v", x="nowhere"))
    assert set(refused.value.fields) == {"value_property", "group_by.x"}
    refuse_bad_meter(meter())


def test_a_value_may_be_very_long_and_stays_exact():
    assert extract(meter(), '{"value": 0.1000000000000000055511151231257827}').value == Decimal(
        "0.1000000000000000055511151231257827"
    )
