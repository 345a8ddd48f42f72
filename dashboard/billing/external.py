"""What the invoicing app says of an invoice becomes ours: its number, dates, tax, amounts and how payment stands.

The provider is right about its own invoice. Whatever we thought, the status follows what it says, and the step is
written down; only paid and voided are never left again, because the provider never leaves them either.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.documents import to_json
from dashboard.billing.invoice_rows import (
    Issues,
    SyncState,
    change_status,
    invoice_totals,
    is_sent,
    issues_of,
    locked_invoice,
    refresh_attention,
    set_issues,
    set_totals,
    touch,
)
from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.numbering import issued_number
from dashboard.billing.sequences import ISSUED, next_number
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import ExternalInvoice, InvoiceAction, InvoiceStatus
from dashboard.kit.database import Actor, Work

S = InvoiceStatus

NOTES = "app.notes"

_FINAL_STATUS = {"paid": S.PAID, "void": S.VOIDED, "uncollectible": S.UNCOLLECTIBLE}
_PAYMENT_STATUS = {"failed": S.PAYMENT_FAILED, "action_required": S.PAYMENT_ACTION_REQUIRED}


async def record_external(work: Work, news: ExternalNews) -> InvoiceStatus | None:
    """Takes over how one of our invoices stands at the provider now. Answers its status here, None if it is not ours.

    Any status may jump to what the provider says; the step names the news' trigger.
    """
    row = await _row_of(work, news)
    if row is None:
        return None
    row = await locked_invoice(work.session, row.id)
    if row.app_id != news.app_id:
        return None
    await apply_external(work, row, news.external, news.trigger, read_at=news.read_at)
    return S(row.status)


async def apply_external(
    work: Work,
    row: InvoiceRow,
    external: ExternalInvoice,
    trigger: str,
    *,
    actor: Actor | None = None,
    read_at: datetime | None = None,
    known: Issues | None = None,
) -> Issues:
    """Writes what the provider says into a locked row, and moves the invoice to the status that follows.

    Answers the invoice's issues then; `known` as in `set_issues`.
    """
    current = S(row.status)
    if known is None:
        known = await issues_of(work.session, row.id)
    if _is_older_reading(row, current, external, read_at):
        return known
    before = (row.external, row.status)
    row.external_id = external.id
    row.external = to_json(external)
    row.external_at = read_at or work.now
    row.payment_status = external.payment_status
    row.amount_paid, row.amount_remaining = external.amount_paid, external.amount_remaining
    row.sent_at = external.sent_at or row.sent_at
    if external.status not in ("draft", "deleted"):
        await _take_over_issued(work, row, external)
    issues = await set_issues(work, row, NOTES, external.notes, known)
    target = target_status(row, external, work.now)
    if target is not None and target is not current:
        _set_dates(work, row, target, external)
        change_status(work, row, target, trigger, actor=actor, error=_error_of(target, external))
    set_payment_wake(row, work.now)
    refresh_attention(row, issues)
    if (row.external, row.status) != before:
        touch(work, row)
    return issues


def target_status(row: InvoiceRow, external: ExternalInvoice, now: datetime) -> InvoiceStatus | None:
    """The status that follows from what the provider says; None when it says nothing about ours."""
    current = S(row.status)
    if current in (S.PAID, S.VOIDED):
        return None
    if external.status in _FINAL_STATUS:
        return _FINAL_STATUS[external.status]
    if external.status == "deleted":
        return S.DELETED if current.is_draft or current in (S.DELETING, S.DELETE_FAILED) else None
    if external.status != "open" or current is S.UNCOLLECTIBLE:
        return None
    if is_overdue(row, external, now):
        return S.OVERDUE
    return _PAYMENT_STATUS.get(external.payment_status or "", S.PAYMENT_PENDING)


def is_overdue(row: InvoiceRow, external: ExternalInvoice, now: datetime) -> bool:
    """Whether its day has passed; an invoice that is charged has none."""
    due_at = external.due_at or row.due_at
    return is_sent(row) and due_at is not None and due_at <= now


def set_payment_wake(row: InvoiceRow, now: datetime) -> None:
    """An invoice that waits for its money is looked at again on its due day, or when what was asked of it is tried."""
    if not row.status.startswith("payment_processing") or row.requested_action is not None:
        return
    row.wake_at = row.due_at if is_sent(row) and row.due_at is not None and row.due_at > now else None


def _is_older_reading(
    row: InvoiceRow, current: InvoiceStatus, external: ExternalInvoice, read_at: datetime | None
) -> bool:
    is_final = external.status in ("paid", "void")
    if current in (S.PAID, S.VOIDED) and not is_final:
        return True
    return not is_final and read_at is not None and row.external_at is not None and read_at < row.external_at


async def _take_over_issued(work: Work, row: InvoiceRow, external: ExternalInvoice) -> None:
    if row.issued_at is None:
        row.issued_at = external.finalized_at or work.now
        number = external.number
        row.number = number or issued_number(row.customer_name, await next_number(work.session, ISSUED))
    if external.number:
        row.number = external.number
    row.due_at = external.due_at or row.due_at
    if row.requested_action is None:
        row.sync_state = SyncState.SYNCED
        row.sync_attempts = 0
        row.next_attempt_at = None
    if external.tax is None or external.total is None or external.subtotal is None:
        return
    # Tax inside the prices is part of the subtotal; what lies on top is the difference.
    on_top = external.total - external.subtotal
    inside = max(external.tax - on_top, external.tax * 0)
    set_totals(row, replace(invoice_totals(row), taxes_exclusive=on_top, taxes_inclusive=inside))


def _set_dates(work: Work, row: InvoiceRow, target: InvoiceStatus, external: ExternalInvoice) -> None:
    match target:
        case S.PAID:
            row.paid_at = external.paid_at or work.now
        case S.VOIDED:
            row.voided_at = external.voided_at or work.now
        case S.DELETED:
            row.deleted_at = work.now
        case _:
            return
    if row.requested_action != InvoiceAction.CREDIT.value:
        # Whatever was asked meanwhile, it is settled now.
        row.requested_action = row.requested_by = row.requested_arguments = row.requested_at = None
        row.wake_at = row.next_attempt_at = None


def _error_of(target: InvoiceStatus, external: ExternalInvoice) -> tuple[str, str] | None:
    if target not in (S.PAYMENT_FAILED, S.PAYMENT_ACTION_REQUIRED) or not external.failure_message:
        return None
    return external.failure_code or "payment_failed", external.failure_message


async def _row_of(work: Work, news: ExternalNews) -> InvoiceRow | None:
    if news.invoice_id is not None:
        return await work.session.get(InvoiceRow, news.invoice_id)
    statement = select(InvoiceRow).where(
        col(InvoiceRow.external_id) == news.external.id, col(InvoiceRow.app_id) == news.app_id
    )
    return await work.session.scalar(statement)
