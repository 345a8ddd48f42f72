"""When the work of a state fails: what is written down, and who goes on when."""

from datetime import timedelta

from dashboard.billing.invoice_rows import Issues, SyncState, change_status, note_step, set_issues, touch
from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.issues import CRITICAL, WARNING
from dashboard.billing.state_machine import Facts, Trigger, next_state
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import InvoiceStatus, Issue
from dashboard.kit.database import Work

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
DOUBLINGS_MAX = 16

_WAITS = "It is tried again by itself; nothing has to be done."


def component_of(operation: str) -> str:
    """Under which name the issues of an operation stand."""
    return f"app.{operation}"


def wait_after(attempts: int, retry_after_seconds: float | None = None) -> timedelta:
    """How long to wait after so many failures in a row: 5 s, doubling up to an hour, or longer if the provider says."""
    seconds = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(max(attempts - 1, 0), DOUBLINGS_MAX))
    return timedelta(seconds=max(seconds, retry_after_seconds or 0.0))


async def note_trouble(
    work: Work, row: InvoiceRow, error: InvoicingAppError, operation: str, known: Issues | None = None
) -> Issues:
    """Writes down a failure of the state's work. Transient ones are tried again, a revoked key waits for its
    replacement, everything else waits for a person.

    Answers the invoice's issues then; `known`, here and below, as in `set_issues`.
    """
    match error.trouble:
        case Trouble.TRANSIENT:
            return await hold_for_retry(work, row, error, operation, known)
        case Trouble.UNAUTHORIZED:
            return await hold_for_key(work, row, error, operation, known)
        case Trouble.NEEDS_PERSON | Trouble.TAX:
            return await hold_for_person(work, row, error, operation, known)


async def hold_for_retry(
    work: Work, row: InvoiceRow, error: InvoicingAppError, operation: str, known: Issues | None = None
) -> Issues:
    """Lets the same work be done again later."""
    row.sync_attempts += 1
    row.sync_state = SyncState.RETRYING
    row.next_attempt_at = row.wake_at = work.now + wait_after(row.sync_attempts, error.retry_after_seconds)
    return await _write_down(work, row, error, operation, WARNING, error.remedy or _WAITS, known)


async def hold_for_key(
    work: Work, row: InvoiceRow, error: InvoicingAppError, operation: str, known: Issues | None = None
) -> Issues:
    """Lets the same work wait until the app's key is replaced (`resume_app`)."""
    row.sync_attempts += 1
    row.sync_state = SyncState.UNAUTHORIZED
    row.next_attempt_at = row.wake_at = None
    remedy = error.remedy or "Replace the API key in the Stripe settings; the invoice then goes on by itself."
    return await _write_down(work, row, error, operation, WARNING, remedy, known)


async def hold_for_person(
    work: Work, row: InvoiceRow, error: InvoicingAppError, operation: str, known: Issues | None = None
) -> Issues:
    """Lets the invoice rest as failed, with what has to be mended."""
    row.sync_attempts += 1
    row.sync_state = SyncState.FAILED
    row.next_attempt_at = row.wake_at = None
    status = InvoiceStatus(row.status)
    failed = next_state(status, Trigger.FAILED, Facts(work.now))
    if failed is not None:
        change_status(work, row, failed, Trigger.FAILED, error=(error.code, error.message))
    else:
        note_step(work, row, row.status, row.status, f"{operation}_failed", error=(error.code, error.message))
    touch(work, row)
    return await set_issues(work, row, component_of(operation), [_issue(error, CRITICAL, error.remedy)], known)


async def clear_trouble(work: Work, row: InvoiceRow, operation: str, known: Issues | None = None) -> Issues:
    """The work was done: nothing is held any more. Answers the issues that are left."""
    note_no_trouble(row)
    return await set_issues(work, row, component_of(operation), (), known)


def note_no_trouble(row: InvoiceRow) -> None:
    """Nothing is held any more; what is said of the operation is for the caller to replace."""
    row.sync_attempts = 0
    row.next_attempt_at = None


async def _write_down(
    work: Work,
    row: InvoiceRow,
    error: InvoicingAppError,
    operation: str,
    severity: str,
    remedy: str,
    known: Issues | None,
) -> Issues:
    note_step(work, row, row.status, row.status, f"{operation}_failed", error=(error.code, error.message))
    touch(work, row)
    return await set_issues(work, row, component_of(operation), [_issue(error, severity, remedy)], known)


def _issue(error: InvoicingAppError, severity: str, remedy: str) -> Issue:
    return Issue(severity, error.code, error.message, remedy)
