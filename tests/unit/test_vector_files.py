"""How the files of calculation vectors are found, and what happens to those nobody can check."""

import json

import pytest
from test_vectors import check, parameters, vectors_in

ROUND = {"id": "money-9 / ü [x]::y", "kind": "round", "input": {"decimals": 2, "amount": "1.005"}, "expect": {}}


def write(folder, name, *vectors, **more):
    folder.mkdir(parents=True, exist_ok=True)
    document = {"format": 1, "name": name, "vectors": list(vectors), **more}
    (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def test_every_vector_of_every_file_is_one_test_case_whatever_its_id_is(tmp_path, monkeypatch):
    write(tmp_path, "money", ROUND, {**ROUND, "id": None})
    write(tmp_path / "more", "anything", {**ROUND, "id": "", "note": "fields nobody knows"})
    (tmp_path / "transitions.json").write_text('{"format": 1, "states": []}')
    monkeypatch.setenv("VECTORS_DIR", str(tmp_path))
    assert len(parameters()) == 3


def test_the_folder_may_be_named_from_where_one_stands(tmp_path, monkeypatch):
    write(tmp_path / "kept", "money", ROUND)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VECTORS_DIR", "kept")
    assert [parameter.values for parameter in parameters()] == [(ROUND,)]


@pytest.mark.parametrize("vectors", [None, []])
def test_a_folder_without_vectors_is_an_error_not_a_pass(tmp_path, monkeypatch, vectors):
    if vectors is not None:
        write(tmp_path, "money")
    monkeypatch.setenv("VECTORS_DIR", str(tmp_path))
    with pytest.raises(pytest.UsageError, match="no vectors"):
        parameters()


def test_a_file_that_is_not_json_is_named(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(pytest.UsageError, match=r"broken\.json is not JSON"):
        vectors_in(tmp_path)


def test_a_kind_nobody_knows_fails_and_says_so():
    with pytest.raises(AssertionError, match="knows the kind 'tax'"):
        check({**ROUND, "kind": "tax"})


def test_a_wrong_result_fails():
    with pytest.raises(AssertionError):
        check({**ROUND, "expect": {"amount": "1"}})
    check({**ROUND, "expect": {"amount": "1.01"}})


def test_what_a_vector_leaves_out_is_nothing_empty_or_no():
    price = {"type": "flat", "amount": "10", "payment_term": "in_advance", "commitments": {}}
    line = {"component": "flat", "quantity": "1", "per_unit_amount": "10", "totals": {"amount": "10", "total": "10"}}
    given = {"currency": "USD", "price": price, "position": "whole", "discounts": {}}
    check({"kind": "single_line", "input": given, "expect": {"lines": [line], "totals": line["totals"]}})
    check({"kind": "single_line", "input": {**given, "position": "last"}, "expect": {}})
