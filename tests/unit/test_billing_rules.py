"""Small rules of billing that need no database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.billing.columns import Money
from dashboard.billing.dates_preview import invoice_dates
from dashboard.billing.invoice_inputs import ChargeInput
from dashboard.billing.invoice_rows import tab_of
from dashboard.billing.line_rating import detail_name
from dashboard.billing.overrides import CustomerOverride, merged_billing
from dashboard.billing.tax import effective_tax
from dashboard.billing.troubles import LONGEST_WAIT_SECONDS, wait_after
from dashboard.billing.views import (
    BillingProfile,
    CollectionMethod,
    InvoiceStatus,
    Supplier,
    TaxBehavior,
    TaxConfig,
    Workflow,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("amount", ["0", "12.34", "-0.01", "99999999999.9999", "1E+3", "5.1200"])
def test_money_is_kept_to_the_last_digit(amount: str) -> None:
    column = Money()
    stored = column.process_bind_param(Decimal(amount), None)  # pyright: ignore[reportArgumentType]
    assert isinstance(stored, int)
    assert column.process_result_value(stored, None) == Decimal(amount)  # pyright: ignore[reportArgumentType]


def test_money_finer_than_any_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="decimals"):
        Money().process_bind_param(Decimal("0.00001"), None)  # pyright: ignore[reportArgumentType]


def test_every_status_stands_under_one_tab() -> None:
    tabs = {status: tab_of(status) for status in InvoiceStatus}
    assert set(tabs.values()) == {
        "gathering",
        "draft",
        "open",
        "overdue",
        "paid",
        "uncollectible",
        "voided",
        "deleted",
    }
    assert tabs[InvoiceStatus.ISSUING_FAILED] == "draft"
    assert tabs[InvoiceStatus.DELETE_FAILED] == "draft"
    assert tabs[InvoiceStatus.PAYMENT_ACTION_REQUIRED] == "open"


def test_waits_double_up_to_an_hour_and_heed_the_provider() -> None:
    assert [wait_after(attempts).total_seconds() for attempts in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert wait_after(1000).total_seconds() == LONGEST_WAIT_SECONDS
    assert wait_after(1, retry_after_seconds=30) == timedelta(seconds=30)


def test_the_dates_of_an_automatic_charge() -> None:
    dates = invoice_dates(Workflow(collection_interval="PT1H", draft_period="P2D"), FEBRUARY)
    assert dates.late_usage_until == FEBRUARY + timedelta(hours=1)
    assert dates.approved_at == dates.sent_at == FEBRUARY + timedelta(days=2, hours=1)
    assert dates.due_at is None


def test_the_dates_of_an_invoice_by_mail() -> None:
    workflow = Workflow(collection_method=CollectionMethod.SEND_INVOICE, collection_interval="PT0S", due_after="P1M")
    dates = invoice_dates(workflow, FEBRUARY)
    assert (dates.sent_at, dates.due_at) == (FEBRUARY, datetime(2026, 3, 1, tzinfo=UTC))


def test_dates_that_wait_for_a_person_are_not_made_up() -> None:
    dates = invoice_dates(Workflow(collection_method=CollectionMethod.SEND_INVOICE, auto_advance=False), FEBRUARY)
    assert (dates.approved_at, dates.sent_at, dates.due_at) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "period", "invoice_at"),
    [
        ({}, (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 16, tzinfo=UTC)), datetime(2026, 1, 16, tzinfo=UTC)),
        (
            {"period_from": datetime(2025, 12, 1, tzinfo=UTC), "period_to": datetime(2026, 1, 1, tzinfo=UTC)},
            (datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
            FEBRUARY,
        ),
        ({"invoice_at": NOON}, (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 16, tzinfo=UTC)), NOON),
        (
            {"period_to": datetime(2026, 1, 2, tzinfo=UTC)},
            (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
            FEBRUARY,
        ),
    ],
)
def test_a_charge_fills_in_its_dates(
    given: dict[str, datetime], period: tuple[datetime, datetime], invoice_at: datetime
) -> None:
    line = ChargeInput(name="Setup", unit_price=Decimal(1), **given).to_pending_line(NOON)  # pyright: ignore[reportArgumentType]
    assert ((line.period_from, line.period_to), line.invoice_at) == (period, invoice_at)


def test_tax_behaviour_and_code_are_decided_apart() -> None:
    line = TaxConfig(None, None, "txcd_10103001")
    profile = TaxConfig(TaxBehavior.INCLUSIVE, "OURS", "txcd_20030000")
    assert effective_tax(line, profile) == TaxConfig(TaxBehavior.INCLUSIVE, None, "txcd_10103001")
    assert effective_tax(TaxConfig(), profile) == profile
    assert effective_tax(TaxConfig(), TaxConfig()) == TaxConfig()


def test_an_override_says_only_what_is_different() -> None:
    profile = BillingProfile(
        id="P",
        name="P",
        description=None,
        is_default=True,
        app_id="app",
        workflow=Workflow(due_after="P30D", draft_period="P1D"),
        supplier=Supplier("Us", "DE"),
        default_currency=None,
        metadata={},
        created_at=NOON,
        updated_at=NOON,
    )
    override = CustomerOverride("C", None, {"due_after": "P7D"}, NOON, NOON)
    billing = merged_billing("C", profile, override)
    assert (billing.workflow.due_after, billing.workflow.draft_period) == ("P7D", "P1D")
    assert (billing.sources["due_after"], billing.sources["draft_period"]) == ("override", "profile")
    assert not billing.is_pinned


@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("flat", "API"),
        ("usage", "API"),
        ("tier_2_unit", "tier 2"),
        ("tier_1_flat", "tier 1 flat fee"),
        ("minimum_spend", "minimum spend"),
        ("volume_unit", "usage"),
    ],
)
def test_priced_components_have_names_for_people(component: str, name: str) -> None:
    assert detail_name(component, "API") == name
