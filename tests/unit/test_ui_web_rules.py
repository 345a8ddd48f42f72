"""Whose forms we take, and where we may lead people."""

import pytest

from dashboard.kit.web import cookie_value, is_own_form, local_path


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"host": "desk.example", "origin": "https://desk.example"}, True),
        ({"host": "127.0.0.1:8000", "origin": "https://desk.example"}, True),
        ({"host": "desk.example", "origin": "https://evil.example"}, False),
        ({"host": "desk.example", "origin": "null"}, False),
        ({"host": "desk.example", "origin": "https://desk.example.evil"}, False),
        ({"host": "desk.example:8443", "origin": "https://desk.example:9000"}, False),
        ({"host": "desk.example", "sec-fetch-site": "cross-site"}, False),
        ({"host": "desk.example", "sec-fetch-site": "same-origin"}, True),
        ({"host": "desk.example"}, True),
        ({"origin": ""}, False),
    ],
)
def test_only_forms_of_our_own_pages_and_of_programs_are_taken(headers: dict[str, str], own: bool) -> None:
    assert is_own_form(headers, "https://desk.example") is own


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/a\nb", "/\t/evil.example"]
)
def test_a_link_back_never_leads_elsewhere(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_a_link_back_keeps_path_and_query() -> None:
    assert local_path("/invoices?tab=open&page=2") == "/invoices?tab=open&page=2"


def test_a_cookie_is_found_among_others() -> None:
    assert cookie_value("a=b; meterdesk_session=x-1=; c=d") == "x-1="
    assert cookie_value("other_meterdesk_session=x") is None
    assert cookie_value("meterdesk_session=") is None
