"""What a profile's waiting times lead to, told with dates, before anybody is billed by them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dateutil.relativedelta import relativedelta

from dashboard.billing.dates_preview import invoice_dates
from dashboard.billing.views import CollectionMethod, Workflow
from dashboard.ui.billing_profiles.waits import wait_in_words


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One date on the way from the end of a period to the money: what happens then, and why then."""

    title: str
    when: str
    why: str


def example_period_end(now: datetime) -> datetime:
    """The end of the current month in UTC: the next period that most subscriptions close."""
    start_of_day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start_of_day.replace(day=1) + relativedelta(months=1)


def preview(workflow: Workflow, period_end: datetime) -> list[PreviewStep]:
    """The dates of an invoice for a period that ends at `period_end`, by the billing room's own rules.

    Raises BadDuration or TimeOutOfRange.
    """
    dates = invoice_dates(workflow, period_end)
    # With manual approval the dates after it are unknown; what is known is when the draft is complete.
    automatic = invoice_dates(replace(workflow, auto_advance=True), period_end)
    ready = automatic.approved_at or dates.late_usage_until
    return [
        PreviewStep("The period ends", _written(period_end), "An example: the end of this month, midnight UTC."),
        PreviewStep(
            "Late usage counts until",
            _written(dates.late_usage_until),
            _after(workflow.collection_interval, "the period’s end") + " Invoices without usage do not wait.",
        ),
        _approval(workflow, ready),
        _sending(workflow, ready),
        _payment(workflow, dates.due_at),
    ]


def _approval(workflow: Workflow, at: datetime) -> PreviewStep:
    if workflow.auto_advance:
        return PreviewStep("Invoice approved", _written(at), _by_itself(workflow.draft_period))
    return PreviewStep(
        "Invoice approved", "When somebody approves it", f"It is ready to be looked at on {_written(at)}."
    )


def _sending(workflow: Workflow, at: datetime) -> PreviewStep:
    sends = workflow.collection_method is CollectionMethod.SEND_INVOICE
    return PreviewStep(
        "Stripe emails the invoice" if sends else "Stripe charges the customer",
        _written(at) if workflow.auto_advance else "Right after the approval",
        "Stripe’s own hour before finalising does not apply: Meterdesk finalises the invoice itself.",
    )


def _payment(workflow: Workflow, due: datetime | None) -> PreviewStep:
    if workflow.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY:
        return PreviewStep(
            "Paid", "As soon as the charge goes through", "Cards within seconds, bank debits within days."
        )
    if due is None:
        return PreviewStep("Payment due", f"{wait_in_words(workflow.due_after)} after sending", "Overdue from then on.")
    return PreviewStep("Payment due", _written(due), _after(workflow.due_after, "sending") + " Overdue from then on.")


def _after(duration: str, what: str) -> str:
    words = wait_in_words(duration)
    return f"At once at {what}." if words == "no wait" else f"{words[:1].upper()}{words[1:]} after {what}."


def _by_itself(draft_period: str) -> str:
    words = wait_in_words(draft_period)
    return "By itself, at once." if words == "no wait" else f"By itself, after {words} in which you can look at it."


def _written(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M} UTC"
