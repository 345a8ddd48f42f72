"""Small texts of the settings screens."""

from datetime import UTC, datetime

import pytest

from dashboard.access.views import AuditRecord
from dashboard.kit.countries import country_name, known_countries
from dashboard.kit.database import STRIPE, Actor
from dashboard.ui.settings_stripe.views import lag_in_words, step_href
from dashboard.ui.tax_codes.picker_state import Picked, TaxCodePicker
from dashboard.ui.tax_codes.state import key_from_name
from dashboard.ui.team.audit_state import action_in_words, audit_view

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_an_audit_entry_is_told_in_words_with_a_way_to_what_was_changed() -> None:
    ada = Actor("person", "p1", "ada@example.com")
    entry = AuditRecord("a1", AT, ada, "customer.billing_override_set", "customer", "c1", {"after": {"profile": "b1"}})
    shown = audit_view(entry, AT)
    assert (shown.what, shown.who, shown.kind) == ("Customer billing override set", "ada@example.com", "Person")
    assert shown.subject_href == "/customers/c1"
    assert shown.details == 'after: {"profile": "b1"}'


def test_what_was_deleted_is_named_and_not_linked() -> None:
    entry = AuditRecord("a1", AT, STRIPE, "customer.deleted", "customer", "c1", {})
    assert audit_view(entry, AT).subject_href == ""


def test_an_audit_entry_calls_what_it_is_about_by_its_name_and_nothing_else() -> None:
    issued = AuditRecord("a1", AT, STRIPE, "invoice.issued", "invoice", "i1", {"number": "INV-7"})
    assert audit_view(issued, AT).subject == "INV-7"
    # Here the name is the line's, not the customer's.
    line = AuditRecord("a2", AT, STRIPE, "invoice.line_updated", "customer", "c1", {"name": "Workshop"})
    assert audit_view(line, AT).subject == "c1"


def test_actions_keep_the_spelling_of_api() -> None:
    assert action_in_words("api_key.revoked") == "API key revoked"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.2, "under a second"), (4.4, "4 s"), (180, "3 min"), (7200, "2 h")],
)
def test_a_lag_is_told_in_the_unit_one_would_say_it_in(seconds: float | None, words: str) -> None:
    assert lag_in_words(seconds) == words


def test_a_tax_codes_key_is_made_from_its_name() -> None:
    assert key_from_name("SaaS, business use!") == "saas_business_use"
    assert len(key_from_name("x y" * 60)) <= 64


def test_a_step_of_the_wizard_has_an_address_of_its_own() -> None:
    assert step_href("01HAPP", "profile", method="send_invoice") == (
        "/settings/stripe?app=01HAPP&step=profile&method=send_invoice"
    )


def test_every_country_of_iso_3166_has_a_name() -> None:
    codes = [country.code for country in known_countries()]
    assert len(codes) == len(set(codes)) == 249
    assert country_name("de") == "Germany"
    assert country_name("??") == "??"


def test_a_tax_code_picked_just_before_saving_is_the_one_that_is_saved() -> None:
    picker = TaxCodePicker()
    picker._begin("", {"stripe_code": Picked("txcd_1", "txcd_1", "Software"), "tax_code": Picked("x", "x", "Other")})
    assert picker._completed({"name": "Tokens", "stripe_code": ""}) == {"name": "Tokens", "stripe_code": "txcd_1"}
