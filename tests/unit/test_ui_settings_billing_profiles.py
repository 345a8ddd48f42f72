"""Billing profiles on screen: waiting times as people type them, the dates they lead to, the form and back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.billing.inputs import CreateBillingProfile
from dashboard.billing.views import (
    BillingProfile,
    CollectionMethod,
    Supplier,
    TaxBehavior,
    TaxConfig,
    Workflow,
)
from dashboard.customers.views import Address
from dashboard.kit.durations import BadDuration
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.ui.billing_profiles.fields import fields_of
from dashboard.ui.billing_profiles.preview import example_period_end, preview
from dashboard.ui.billing_profiles.profiles import wanted_from_form
from dashboard.ui.billing_profiles.waits import Wait, text_from_wait, wait_from_text, wait_in_words
from dashboard.ui.settings_stripe.setup_state import free_name

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wait", "words"),
    [
        ("PT1H", Wait("1", "hours"), "1 hour"),
        ("P30D", Wait("30", "days"), "30 days"),
        ("P0D", Wait("0", "days"), "no wait"),
        ("P2W", Wait("2", "weeks"), "2 weeks"),
        ("P1Y", Wait("12", "months"), "12 months"),
        ("P1DT12H", Wait("P1DT12H", "iso"), "P1DT12H"),
    ],
)
def test_a_waiting_time_is_shown_as_a_number_and_a_unit_and_comes_back_as_it_was(
    text: str, wait: Wait, words: str
) -> None:
    assert wait_from_text(text) == wait
    assert wait_in_words(text) == words
    again = text_from_wait(wait.amount, wait.unit, field="due")
    assert wait_from_text(again) == wait


@pytest.mark.parametrize(
    ("amount", "unit"),
    [
        ("-1", "days"),
        ("1.5", "hours"),
        ("", "days"),
        ("10000", "days"),
        ("1", "years"),
        ("soon", "iso"),
        ("-P1D", "iso"),
    ],
)
def test_a_waiting_time_that_cannot_be_read_is_refused_at_its_field(amount: str, unit: str) -> None:
    with pytest.raises(BadDuration) as refusal:
        text_from_wait(amount, unit, field="collection")
    assert "collection" in refusal.value.fields


def test_the_preview_tells_each_date_from_the_end_of_a_period_to_the_due_date() -> None:
    workflow = _workflow(CollectionMethod.SEND_INVOICE, "P1D", "PT12H", "P30D")
    steps = preview(workflow, datetime(2026, 1, 31, tzinfo=UTC))
    assert [(step.title, step.when) for step in steps] == [
        ("The period ends", "Sat 31 Jan 2026, 00:00 UTC"),
        ("Late usage counts until", "Sun 1 Feb 2026, 00:00 UTC"),
        ("Invoice approved", "Sun 1 Feb 2026, 12:00 UTC"),
        ("Stripe emails the invoice", "Sun 1 Feb 2026, 12:00 UTC"),
        ("Payment due", "Tue 3 Mar 2026, 12:00 UTC"),
    ]
    assert "own hour before finalising does not apply" in steps[3].why


def test_the_preview_of_manual_approval_promises_no_date_that_nobody_knows() -> None:
    workflow = _workflow(CollectionMethod.SEND_INVOICE, "PT1H", "P0D", "P14D", auto_advance=False)
    steps = preview(workflow, datetime(2026, 1, 31, tzinfo=UTC))
    assert [step.when for step in steps[2:]] == [
        "When somebody approves it",
        "Right after the approval",
        "14 days after sending",
    ]


def test_the_preview_of_auto_collection_says_that_stripe_charges() -> None:
    workflow = _workflow(CollectionMethod.CHARGE_AUTOMATICALLY, "PT1H", "P0D", "P30D")
    titles = [step.title for step in preview(workflow, example_period_end(AT))]
    assert titles[3:] == ["Stripe charges the customer", "Paid"]


def test_the_example_period_ends_with_the_month_also_in_december() -> None:
    assert example_period_end(AT) == datetime(2026, 2, 1, tzinfo=UTC)
    assert example_period_end(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_wizards_short_form_leaves_everything_it_does_not_ask_to_the_rooms_defaults() -> None:
    wanted = wanted_from_form({**SHORT_FORM, "tax": "on", "tax_code": "txcd_10103001"})
    request = parse_input(CreateBillingProfile, wanted)
    assert request.workflow.to_workflow() == Workflow(
        collection_method=CollectionMethod.SEND_INVOICE,
        tax_enabled=True,
        tax_enforced=False,
        default_tax=TaxConfig(stripe_code="txcd_10103001"),
    )
    assert (request.supplier.name, request.supplier.country, request.default_currency) == ("Acme", "DE", "EUR")
    assert request.make_default is None


@pytest.mark.parametrize(
    ("choice", "enabled", "enforced"), [("off", False, False), ("on", True, False), ("enforced", True, True)]
)
def test_the_three_tax_cards_stand_for_enabled_and_enforced(choice: str, enabled: bool, enforced: bool) -> None:
    workflow = wanted_from_form({**SHORT_FORM, "tax": choice})["workflow"]
    assert (workflow["tax_enabled"], workflow["tax_enforced"]) == (enabled, enforced)


def test_an_edited_profile_that_was_not_touched_stays_as_it_was() -> None:
    profile = BillingProfile(
        id="01HPROFILE",
        name="Enterprise",
        description="By mail",
        is_default=False,
        app_id="01HAPP",
        workflow=Workflow(
            collection_method=CollectionMethod.SEND_INVOICE,
            collection_alignment="anchored",
            collection_anchor=datetime(2026, 1, 1, tzinfo=UTC),
            collection_anchor_interval="P3M",
            collection_interval="P2D",
            draft_period="PT6H",
            due_after="P14D",
            auto_advance=False,
            progressive_billing=False,
            subscription_end_proration_mode="bill_full_period",
            tax_enabled=True,
            tax_enforced=True,
            default_tax=TaxConfig(TaxBehavior.INCLUSIVE, None, "txcd_10103001"),
        ),
        supplier=Supplier("Acme", "DE", Address(country="DE", line1="Main Street 1", city="Berlin"), "DE123456789"),
        default_currency="EUR",
        metadata={"team": "emea"},
        created_at=AT,
        updated_at=AT,
    )
    request = parse_input(CreateBillingProfile, wanted_from_form(_as_posted(profile)))
    assert request.workflow.to_workflow() == profile.workflow
    assert request.supplier.to_supplier() == profile.supplier
    assert (request.name, request.description, request.metadata) == ("Enterprise", "By mail", {"team": "emea"})


def test_a_form_says_everything_that_is_wrong_at_once() -> None:
    form = {**SHORT_FORM, "supplier_country": "", "due_amount": "soon", "due_unit": "days", "labels": "no equals sign"}
    with pytest.raises(InvalidInput) as refusal:
        wanted_from_form(form)
    assert set(refusal.value.fields) == {"supplier_country", "due", "labels"}


def test_the_wizard_offers_a_profile_name_that_is_not_taken() -> None:
    assert free_name("Acme", "send_invoice", set()) == "Acme: Send Invoice"
    taken = {"Acme: Auto Collection", "Acme: Auto Collection 2"}
    assert free_name("Acme", "charge_automatically", taken) == "Acme: Auto Collection 3"


SHORT_FORM: dict[str, Any] = {
    "app_id": "01HAPP",
    "method": "send_invoice",
    "name": "Acme: Send Invoice",
    "tax": "off",
    "supplier_name": "Acme",
    "supplier_country": "DE",
    "currency": "EUR",
}


def _workflow(
    method: CollectionMethod, collection: str, draft: str, due: str, *, auto_advance: bool = True
) -> Workflow:
    return Workflow(
        collection_method=method,
        collection_interval=collection,
        draft_period=draft,
        due_after=due,
        auto_advance=auto_advance,
    )


def _as_posted(profile: BillingProfile) -> dict[str, Any]:
    """What a browser posts for the form of `profile` when nothing was changed."""
    shown = fields_of(profile)
    waits = {
        f"{name}_{part}": getattr(getattr(shown, name), part)
        for name in ("collection", "draft", "due")
        for part in ("amount", "unit")
    }
    texts = {
        name: getattr(shown, name)
        for name in type(shown).__slots__
        if isinstance(getattr(shown, name), str) and name != "id"
    }
    ticked = {"progressive": "on"} if shown.progressive else {}
    return {**texts, **waits, **ticked, "tax_code": profile.workflow.default_tax.stripe_code or ""}
