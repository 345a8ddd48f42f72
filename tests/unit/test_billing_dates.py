from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard.billing.collection_dates import (
    BadCollectionAlignment,
    PendingDate,
    collection_cutoff,
    invoice_dates,
    quantities_are_final,
)
from dashboard.billing.numbering import customer_prefix, draft_number, gathering_number, issued_number
from dashboard.catalog.prices import FlatPrice, PaymentTerm, UnitPrice
from dashboard.kit.calendar import Duration, Period
from dashboard.subscriptions.periods import PhaseItem, PhaseSchedule, subscription_periods
from dashboard.subscriptions.proration import SubscriptionEndMode, flat_fee_proration

MONTH = Duration.parse("P1M")
FEE = FlatPrice(Decimal(30))
FEE_IN_ARREARS = FlatPrice(Decimal(30), PaymentTerm.IN_ARREARS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_all_dates_of_an_invoice_follow_from_its_lines():
    dates = invoice_dates(
        [
            PendingDate(at("2025-02-01"), is_metered=True),
            PendingDate(at("2025-02-05"), is_metered=True, is_deleted=True),
        ],
        collection_interval=Duration.parse("PT1H"),
        auto_advance=True,
        draft_period=Duration.parse("P1D"),
        due_after=Duration.parse("P30D"),
        created_at=at("2025-02-01"),
        issued_at=None,
    )
    assert dates.collection_at == at("2025-02-01T01:00:00")
    assert dates.draft_until == at("2025-02-02T01:00:00")
    assert dates.due_at == at("2025-03-04T01:00:00")


def test_quantities_fixed_before_the_wait_was_over_are_fixed_again():
    created, collected = at("2025-02-01"), at("2025-02-03")
    assert not quantities_are_final(None, collected, created)
    assert not quantities_are_final(created, collected, created)
    assert quantities_are_final(collected, collected, created)
    assert quantities_are_final(created, None, created)


def test_collecting_on_dates_needs_dates():
    with pytest.raises(BadCollectionAlignment):
        collection_cutoff("anchored", None, at("2025-02-01"))
    with pytest.raises(BadCollectionAlignment):
        collection_cutoff("whenever", None, at("2025-02-01"))


def test_monthly_lines_from_the_31st_end_on_the_last_of_each_month():
    schedule = PhaseSchedule(at("2025-01-31"), MONTH, at("2025-01-31"))
    lines = subscription_periods(schedule, [PhaseItem("fee", MONTH, FEE)], at("2025-03-31"))
    assert [line.service_period for line in lines] == [
        Period(at("2025-01-31"), at("2025-02-28")),
        Period(at("2025-02-28"), at("2025-03-31")),
        Period(at("2025-03-31"), at("2025-04-30")),
    ]
    assert [line.invoice_at for line in lines] == [at("2025-01-31"), at("2025-02-28"), at("2025-03-31")]


def test_a_change_mid_month_gives_each_version_its_own_part_of_the_period():
    schedule = PhaseSchedule(at("2025-01-01"), MONTH, at("2025-01-01"))
    upgrade = Duration.parse("P10D")
    items = [PhaseItem("fee", MONTH, FEE), PhaseItem("fee", MONTH, FEE, start_after=upgrade)]
    old, new = subscription_periods(schedule, items, at("2025-01-31"))
    assert (old.item_version, old.service_period) == (0, Period(at("2025-01-01"), at("2025-01-11")))
    assert (new.item_version, new.service_period) == (1, Period(at("2025-01-11"), at("2025-02-01")))
    assert old.full_service_period == new.full_service_period == Period(at("2025-01-01"), at("2025-02-01"))


def test_a_monthly_fee_in_a_yearly_plan_is_billed_twelve_times_at_once():
    schedule = PhaseSchedule(at("2024-02-29"), Duration.parse("P1Y"), at("2024-02-29"))
    lines = subscription_periods(schedule, [PhaseItem("fee", MONTH, FEE)], at("2024-02-29"))
    assert len(lines) == 12
    assert {line.invoice_at for line in lines} == {at("2024-02-29")}
    assert lines[-1].service_period.end == at("2025-02-28")


def test_a_one_time_fee_in_arrears_cannot_be_billed_before_its_end_is_known():
    item = PhaseItem("setup", None, FEE_IN_ARREARS)
    open_ended = PhaseSchedule(at("2025-01-01"), MONTH, at("2025-01-01"))
    assert subscription_periods(open_ended, [item], at("2025-01-01"))[0].invoice_at is None
    ended = PhaseSchedule(at("2025-01-01"), MONTH, at("2025-01-01"), phase_end=at("2025-03-15"))
    assert subscription_periods(ended, [item], at("2025-01-01"))[0].invoice_at == at("2025-03-15")


def test_what_is_free_or_never_lives_yields_no_line():
    schedule = PhaseSchedule(at("2025-01-01"), MONTH, at("2025-01-01"), subscription_end=at("2025-01-10"))
    items = [
        PhaseItem("free", MONTH, None),
        PhaseItem("late", MONTH, UnitPrice(Decimal(1)), start_after=Duration.parse("P20D")),
        PhaseItem("blink", MONTH, UnitPrice(Decimal(1)), end_after=Duration.parse("PT0.5S")),
    ]
    assert subscription_periods(schedule, items, at("2026-01-01")) == []


def test_a_period_the_subscription_ends_is_charged_by_the_day_or_in_full():
    january, cut = Period(at("2025-01-01"), at("2025-02-01")), Period(at("2025-01-01"), at("2025-01-11"))
    assert flat_fee_proration(Decimal(31), "USD", cut, january) == 10
    in_full = SubscriptionEndMode.BILL_FULL_PERIOD
    end = at("2025-01-11")
    assert (
        flat_fee_proration(Decimal(31), "USD", cut, january, subscription_end=end, subscription_end_mode=in_full) == 31
    )
    assert flat_fee_proration(Decimal(31), "USD", cut, january, enabled=False) == 31
    assert flat_fee_proration(Decimal(31), "USD", Period(january.start, january.start), january) is None


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("Acme", "ACME"), ("Acme Inc", "ACIN"), ("Al", "AL"), ("A B", "AB"), ("  Two   Spaces ", "TWSP"),
        ("Øresund Straße", "ORST"), ("北京 公司", "BEGO"), ("X & Y", "X&"), ("", "UNKN"), ("   ", "UNKN"),
    ],
)  # fmt: skip
def test_a_number_shows_whose_invoice_it_is(name, prefix):
    assert customer_prefix(name) == prefix


def test_numbers_tell_what_they_belong_to():
    assert gathering_number("Acme Inc", "usd", 7) == "GATHER-ACIN-USD-7"
    assert draft_number("Acme Inc", 7) == "DRAFT-ACIN-7"
    assert issued_number("Acme Inc", 7) == "INV-ACIN-7"
