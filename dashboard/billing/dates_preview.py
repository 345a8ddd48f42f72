"""The dates a workflow leads to, told before anybody is billed by it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.billing.collection_dates import PendingDate, draft_until, due_at, invoice_collection_at
from dashboard.billing.views import CollectionMethod, Workflow
from dashboard.kit.durations import Duration


@dataclass(frozen=True, slots=True)
class InvoiceDates:
    """From the end of a period to the money. What waits for a person, or for a bank, is None.

    Stripe's own hour between making and finalising an invoice is not in it: Meterdesk finalises invoices itself.
    """

    period_end: datetime
    late_usage_until: datetime
    approved_at: datetime | None
    sent_at: datetime | None
    due_at: datetime | None


def invoice_dates(workflow: Workflow, period_end: datetime) -> InvoiceDates:
    """The dates of an invoice over usage of a period that ends at `period_end`. Raises BadDuration, TimeOutOfRange."""
    metered = PendingDate(period_end, is_metered=True)
    counted = invoice_collection_at(Duration.parse(workflow.collection_interval), [metered]) or period_end
    approved = draft_until(workflow.auto_advance, Duration.parse(workflow.draft_period), period_end, counted)
    by_mail = workflow.collection_method is CollectionMethod.SEND_INVOICE
    due = due_at(workflow.auto_advance, Duration.parse(workflow.due_after), approved, approved) if by_mail else None
    return InvoiceDates(period_end, counted, approved, approved, due)
