"""What Stripe says of an invoice, in our words. Pure."""

from decimal import Decimal
from typing import Any

from dashboard.billing.views import ExternalInvoice, Issue
from dashboard.kit.money import from_minor
from dashboard.stripe_app.wire import moment

Json = dict[str, Any]


def external_invoice(
    answer: Json,
    *,
    dashboard_url: str | None,
    line_ids: dict[str, str],
    notes: tuple[Issue, ...],
    foreign_lines: tuple[tuple[str, Decimal], ...],
    sent_at: int | None,
) -> ExternalInvoice:
    """Stripe's invoice as billing reads it: amounts in major units, times in UTC, why paying or finalising failed."""
    code = answer["currency"]

    def amount(name: str) -> Decimal | None:
        return None if answer.get(name) is None else from_minor(answer[name], code)

    transitions = answer.get("status_transitions") or {}
    failure_code, failure_message = _failure(answer)
    return ExternalInvoice(
        id=answer["id"],
        status=answer.get("status") or "draft",
        number=answer.get("number"),
        hosted_url=answer.get("hosted_invoice_url"),
        pdf_url=answer.get("invoice_pdf"),
        dashboard_url=dashboard_url,
        subtotal=amount("subtotal"),
        total=amount("total"),
        tax=from_minor(sum(tax["amount"] for tax in answer.get("total_taxes") or []), code),
        amount_due=amount("amount_due"),
        amount_paid=amount("amount_paid"),
        amount_remaining=amount("amount_remaining"),
        automatic_tax_status=(answer.get("automatic_tax") or {}).get("status"),
        due_at=moment(answer.get("due_date")),
        finalized_at=moment(transitions.get("finalized_at")),
        paid_at=moment(transitions.get("paid_at")),
        voided_at=moment(transitions.get("voided_at")),
        marked_uncollectible_at=moment(transitions.get("marked_uncollectible_at")),
        sent_at=moment(sent_at),
        attempt_count=answer.get("attempt_count") or 0,
        next_payment_attempt_at=moment(answer.get("next_payment_attempt")),
        balance_before=amount("starting_balance") if answer.get("ending_balance") is not None else None,
        balance_after=amount("ending_balance"),
        credited_before_payment=amount("pre_payment_credit_notes_amount"),
        credited_after_payment=amount("post_payment_credit_notes_amount"),
        payment_status=_payment_status(answer),
        failure_code=failure_code,
        failure_message=failure_message,
        line_ids=dict(line_ids),
        foreign_lines=foreign_lines,
        notes=notes,
    )


def _payment_intent(answer: Json) -> Json | None:
    """The payment intent of the default payment, when the answer spells it out."""
    payments = (answer.get("payments") or {}).get("data") or []
    for payment in sorted(payments, key=lambda one: not one.get("is_default")):
        intent = (payment.get("payment") or {}).get("payment_intent")
        if isinstance(intent, dict):
            return intent
    return None


_PAYMENT_STATUS = {
    "succeeded": "succeeded",
    "processing": "processing",
    "requires_action": "action_required",
    "requires_confirmation": "pending",
    "requires_capture": "processing",
    "canceled": "canceled",
}


def _payment_status(answer: Json) -> str | None:
    if answer.get("status") == "paid":
        return "succeeded"
    intent = _payment_intent(answer)
    if intent is None:
        return "failed" if answer.get("attempted") and answer.get("status") == "open" else None
    if intent["status"] == "requires_payment_method":
        return "failed" if intent.get("last_payment_error") or answer.get("attempted") else "pending"
    return _PAYMENT_STATUS.get(intent["status"], "pending")


def _failure(answer: Json) -> tuple[str | None, str | None]:
    if answer.get("status") in ("paid", "void"):
        return None, None
    error = answer.get("last_finalization_error")
    if not error or answer.get("status") != "draft":
        intent = _payment_intent(answer)
        error = intent.get("last_payment_error") if intent else None
    if not error:
        return None, None
    return error.get("decline_code") or error.get("code") or error.get("type"), error.get("message")
