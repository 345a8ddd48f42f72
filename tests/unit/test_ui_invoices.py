"""What the invoice pages say about an invoice."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard.billing.views import LATE_USAGE, InvoiceStatus, InvoiceSummary, Transition
from dashboard.ui.invoices.detail_state import steps_in_common
from dashboard.ui.invoices.words import LATE_USAGE_ALONE, beside_total, owed_on, why_of

S = InvoiceStatus


def summary(status: InvoiceStatus, total: str, paid: str | None, remaining: str | None) -> InvoiceSummary:
    return InvoiceSummary(
        id="01",
        number="INV-1",
        status=status,
        customer_id="02",
        customer_name="Acme Inc",
        currency="USD",
        total=Decimal(total),
        amount_paid=None if paid is None else Decimal(paid),
        amount_remaining=None if remaining is None else Decimal(remaining),
        collection_method=None,
        sync_state="synced",
        payment_status=None,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        issued_at=None,
        due_at=None,
        paid_at=None,
        next_attempt_at=None,
        problem=None,
    )


@pytest.mark.parametrize(
    ("invoice", "said"),
    [
        (summary(S.PAYMENT_PENDING, "100.00", "0.00", "100.00"), ""),
        (summary(S.PAYMENT_PENDING, "100.00", "0.00", "120.00"), "$120.00 open"),
        (summary(S.OVERDUE, "100.00", "60.00", "40.00"), "$40.00 open"),
        (summary(S.PAID, "100.00", "100.00", "0.00"), ""),
        (summary(S.PAID, "100.00", "120.00", "0.00"), "$120.00 paid"),
        (summary(S.DRAFT_SYNCING, "100.00", "0.00", "120.00"), ""),
        (summary(S.DRAFT_CREATED, "100.00", None, None), ""),
        (summary(S.VOIDED, "100.00", "0.00", "100.00"), ""),
    ],
)
def test_the_list_says_what_is_open_or_was_paid_where_that_is_not_our_total(invoice: InvoiceSummary, said: str) -> None:
    assert beside_total(invoice) == said


def test_only_an_issued_invoice_is_owed() -> None:
    assert owed_on(summary(S.OVERDUE, "100.00", "60.00", "40.00")) == Decimal("40.00")
    assert owed_on(summary(S.PAID, "100.00", "100.00", "0.00")) is None
    assert owed_on(summary(S.DRAFT_CREATED, "100.00", None, None)) is None


def test_what_all_parts_of_a_line_begin_with_is_said_once() -> None:
    first, second = ("5,230 units metered.", "1,000 × $0.02"), ("5,230 units metered.", "4,230 × $0.01")
    assert steps_in_common([first, second]) == ["5,230 units metered."]
    assert steps_in_common([first, ("7 units metered.",)]) == []
    assert steps_in_common([first]) == []
    assert steps_in_common([]) == []


def test_the_timeline_says_what_went_wrong_and_why_there_is_an_invoice_that_nobody_asked_for() -> None:
    def step(trigger: str, problem: str | None = None) -> Transition:
        return Transition(
            datetime(2026, 11, 1, tzinfo=UTC), None, "draft.created", trigger, "system", "", None, problem
        )

    assert why_of(step("invoice")) == ""
    assert why_of(step(LATE_USAGE)) == LATE_USAGE_ALONE
    assert why_of(step("failed", "The card was declined.")) == "The card was declined."
