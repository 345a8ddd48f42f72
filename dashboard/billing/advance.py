"""Carries an invoice through its life until it rests.

Every state is entered and committed before its work begins; the work itself (the event store, the invoicing app) runs
without a transaction; what came of it is written together with the next state. So whoever comes after a crash reads in
the status what was begun and does it again, and the app finds what it left. One at a time carries an invoice.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from dashboard.billing.desk import BillingDesk
from dashboard.billing.documents import to_json
from dashboard.billing.external import apply_external, set_payment_wake
from dashboard.billing.invoice_actions import facts_of
from dashboard.billing.invoice_rows import (
    Issues,
    SyncState,
    change_status,
    has_live_line,
    invoice_of,
    issues_of,
    lines_with_details,
    locked_invoice,
    note_step,
    pinned_workflow,
    refresh_attention,
    set_issues,
)
from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.issues import CRITICAL, WARNING
from dashboard.billing.metering import QUANTITIES
from dashboard.billing.profiles import get_billing_profile
from dashboard.billing.provider_actions import perform_requested
from dashboard.billing.quantities import fix_quantities, measure
from dashboard.billing.state_machine import Facts, Trigger, next_state
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.troubles import clear_trouble, component_of, note_no_trouble, note_trouble
from dashboard.billing.views import CustomerBilling, ExternalInvoice, Invoice, InvoiceLine, InvoiceStatus, Issue
from dashboard.kit.database import SYSTEM, Work
from dashboard.kit.money import format_money

S = InvoiceStatus

STEPS_MAX = 60
"""More than any life has; a loop in the lifecycle would show here."""

COLLECT, VALIDATE, SYNC, ISSUE, DELETE, LOOK = "collect", "validate", "sync", "issue", "delete", "look"

UNTAXED = "app.untaxed"

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


async def advance_invoice(desk: BillingDesk, invoice_id: str, *, wait_seconds: float = 2.0) -> InvoiceStatus | None:
    """Carries an invoice on until it rests, and answers where. Safe to run twice, at once and after any crash.

    None when somebody else carries it for longer than `wait_seconds`. Raises InvoiceNotFound.
    """
    async with desk.locks.holding(lock_name(invoice_id), wait_seconds=wait_seconds) as ours:
        return await carry_on(desk, invoice_id) if ours else None


def lock_name(invoice_id: str) -> str:
    """The lock that whoever carries an invoice holds."""
    return f"invoice:{invoice_id}"


async def carry_on(desk: BillingDesk, invoice_id: str) -> InvoiceStatus:
    """`advance_invoice` for those who hold the lock."""
    todo = await _note(desk, invoice_id)
    for _ in range(STEPS_MAX):
        if isinstance(todo, InvoiceStatus):
            break
        todo = await todo.work(desk, todo.invoice)
    return todo if isinstance(todo, InvoiceStatus) else todo.invoice.status


@dataclass(frozen=True, slots=True)
class _Todo:
    """The work of the state that an invoice has entered, and how the invoice stood then."""

    work: "_Work"
    invoice: Invoice


_Next = _Todo | InvoiceStatus
"""What is to be done, or where the invoice rests."""

_Work = Callable[[BillingDesk, Invoice], Awaitable[_Next]]
_Effect = Callable[[Work, InvoiceRow, Issues], Awaitable[Issues]]
"""Writes something of a locked invoice whose issues are given, and answers its issues afterwards."""


async def _nothing(_work: Work, _row: InvoiceRow, issues: Issues) -> Issues:
    return issues


async def _note(desk: BillingDesk, invoice_id: str, effect: _Effect = _nothing, sent: Invoice | None = None) -> _Next:
    """One transaction: what came of a state's work is written, and the states that follow from it are entered.

    `sent` is the invoice as the app was asked to take it.
    """
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        issues = await effect(work, row, await issues_of(work.session, invoice_id))
        return await _go_on(work, row, issues, sent)


async def _go_on(work: Work, row: InvoiceRow, issues: Issues, sent: Invoice | None) -> _Next:
    """Enters states as far as that needs nothing from outside."""
    while not _is_held(row, work):
        status = S(row.status)
        if row.requested_action is not None:
            return _Todo(_perform, invoice_of(row, issues))
        if status in _WORK:
            return _Todo(_WORK[status], invoice_of(row, issues, await _lines(work, row, sent)))
        to = next_state(status, Trigger.NEXT, await _facts(work, row, issues))
        if to is None:
            refresh_attention(row, issues)
            return _rest(work, row, issues)
        change_status(work, row, to, Trigger.NEXT)
        if to in (S.DRAFT_SYNCING, S.ISSUING, S.DELETING) and row.sync_state != SyncState.SYNCED:
            row.sync_state = SyncState.PENDING
        row.wake_at = work.now
    return S(row.status)


async def _lines(work: Work, row: InvoiceRow, sent: Invoice | None) -> tuple[InvoiceLine, ...]:
    """The lines, where the app asks for them; those that it has been sent a moment ago are known."""
    if S(row.status) not in _LINES_ARE_ASKED_FOR:
        return ()
    if sent is not None and sent.lines and sent.revision == row.revision:
        return sent.lines
    return await lines_with_details(work.session, row.id)


def _is_held(row: InvoiceRow, work: Work) -> bool:
    waits = row.next_attempt_at is not None and row.next_attempt_at > work.now
    return waits or row.sync_state == SyncState.UNAUTHORIZED or row.status == S.GATHERING.value


def _rest(work: Work, row: InvoiceRow, issues: Issues) -> _Next:
    status = S(row.status)
    is_due = row.wake_at is not None and row.wake_at <= work.now
    if status.value.startswith("payment_processing") and is_due and row.due_at and row.due_at <= work.now:
        return _Todo(_look_whether_overdue, invoice_of(row, issues))
    row.wake_at = {
        S.DRAFT_WAITING_FOR_COLLECTION: row.collection_at,
        S.DRAFT_WAITING_AUTO_APPROVAL: row.draft_until,
    }.get(status)
    set_payment_wake(row, work.now)
    if row.external is not None and row.tab in ("open", "overdue") and row.sync_state == SyncState.PENDING:
        row.sync_state = SyncState.SYNCED
    return status


async def _facts(work: Work, row: InvoiceRow, issues: Issues) -> Facts:
    invoice = invoice_of(row, issues)
    has_line = await has_live_line(work.session, row.id) if row.status == S.DRAFT_READY.value else True
    return replace(facts_of(invoice, work.now), has_live_line=has_line)


# The work of each state


async def _collect(desk: BillingDesk, invoice: Invoice) -> _Next:
    async def fix(work: Work, row: InvoiceRow, issues: Issues) -> Issues:
        if row.status != invoice.status.value:
            return issues
        found = await fix_quantities(work, row, measured)
        issues = await clear_trouble(work, row, COLLECT, issues)
        issues = await set_issues(work, row, QUANTITIES, found, issues)
        if found or invoice.status is S.DRAFT_COLLECTING:
            _leave(work, row, found, issues)
        return issues

    try:
        measured = await measure(desk, invoice.customer_id, invoice.currency, invoice.id)
        return await _note(desk, invoice.id, fix)
    except InvoicingAppError as error:
        return await _note_failure(desk, invoice, COLLECT, error)
    except Exception as error:
        return await _note_failure(desk, invoice, COLLECT, _unexpected(COLLECT, invoice, error))


async def _validate(desk: BillingDesk, invoice: Invoice) -> _Next:
    if any(issue.component == QUANTITIES for issue in invoice.issues):
        # It comes back from a line that could not be priced; what is wrong with it is not doubted, it is tried again.
        return await _collect(desk, invoice)
    return await _ask(desk, invoice, VALIDATE, lambda one: _readiness(desk, one), _note_readiness)


async def _readiness(desk: BillingDesk, invoice: Invoice) -> tuple[Issue, ...]:
    async with desk.database.read() as session:
        profile = await get_billing_profile(session, invoice.billing_profile_id or "")
    # What counts is how this invoice was made, not how the profile is today.
    billing = CustomerBilling(invoice.customer_id, profile, False, invoice.workflow or profile.workflow, {})
    return await desk.app.readiness(invoice.app_id or "", billing)


async def _note_readiness(work: Work, row: InvoiceRow, issues: Issues, found: tuple[Issue, ...]) -> Issues:
    if row.status != S.DRAFT_VALIDATING.value:
        return issues
    note_no_trouble(row)
    issues = await set_issues(work, row, component_of(VALIDATE), found, issues)
    _leave(work, row, issues, issues)
    return issues


async def _sync(desk: BillingDesk, invoice: Invoice) -> _Next:
    if not invoice.lines and invoice.external is None:
        # Nothing to charge: the provider need not know of it, it is deleted once approved.
        return await _note(desk, invoice.id, _leave_synced)
    return await _ask(desk, invoice, SYNC, desk.app.sync_draft, _note_synced)


async def _note_synced(work: Work, row: InvoiceRow, issues: Issues, external: ExternalInvoice) -> Issues:
    return await _leave_synced(work, row, await apply_external(work, row, external, SYNC, known=issues))


async def _leave_synced(work: Work, row: InvoiceRow, issues: Issues) -> Issues:
    if row.status != S.DRAFT_SYNCING.value:
        return issues
    row.sync_state = SyncState.SYNCED
    issues = await clear_trouble(work, row, SYNC, issues)
    to = next_state(S.DRAFT_SYNCING, Trigger.NEXT, await _facts(work, row, issues))
    if to is not None:
        change_status(work, row, to, Trigger.NEXT)
    return issues


async def _issue(desk: BillingDesk, invoice: Invoice) -> _Next:
    if invoice.sync_state != SyncState.SYNCED:
        # The draft changed since it was sent: tax was given up, or something was mended.
        return await _ask(desk, invoice, ISSUE, desk.app.sync_draft, _note_synced_again)
    return await _ask(desk, invoice, ISSUE, desk.app.issue, _note_issued)


async def _note_synced_again(work: Work, row: InvoiceRow, issues: Issues, external: ExternalInvoice) -> Issues:
    row.sync_state = SyncState.SYNCED
    return await apply_external(work, row, external, SYNC, known=issues)


async def _note_issued(work: Work, row: InvoiceRow, issues: Issues, external: ExternalInvoice) -> Issues:
    if external.status == "draft":
        not_yet = InvoicingAppError(Trouble.TRANSIENT, "not_issued_yet", "The provider has not issued it yet.")
        return await _failed(work, row, issues, S.ISSUING, ISSUE, not_yet)
    if row.status == S.ISSUING.value:
        issues = await clear_trouble(work, row, ISSUE, issues)
        change_status(work, row, S.ISSUED, Trigger.NEXT)
    issues = await apply_external(work, row, external, Trigger.NEXT, known=issues)
    work.audit("invoice.issued", "invoice", row.id, number=row.number, total=format_money(row.total, row.currency))
    return issues


async def _delete(desk: BillingDesk, invoice: Invoice) -> _Next:
    return await _ask(desk, invoice, DELETE, desk.app.delete_draft, _note_deleted)


async def _note_deleted(work: Work, row: InvoiceRow, issues: Issues, _answer: None) -> Issues:
    if row.status != S.DELETING.value:
        return issues
    row.deleted_at = work.now
    row.sync_state = SyncState.NONE
    issues = await clear_trouble(work, row, DELETE, issues)
    change_status(work, row, S.DELETED, Trigger.NEXT)
    row.wake_at = None
    work.audit("invoice.deleted", "invoice", row.id, number=row.number)
    return issues


async def _look_whether_overdue(desk: BillingDesk, invoice: Invoice) -> _Next:
    """Before an invoice is called overdue the provider is asked: the money may have come a moment ago."""
    return await _ask(desk, invoice, LOOK, desk.app.read, _note_look)


async def _note_look(work: Work, row: InvoiceRow, issues: Issues, external: ExternalInvoice | None) -> Issues:
    issues = await clear_trouble(work, row, LOOK, issues)
    row.sync_state = SyncState.SYNCED
    row.wake_at = None
    return issues if external is None else await apply_external(work, row, external, "due_date", known=issues)


async def _perform(desk: BillingDesk, invoice: Invoice) -> _Next:
    await perform_requested(desk, invoice.id)
    return await _note(desk, invoice.id)


_WORK: dict[InvoiceStatus, _Work] = {
    S.DRAFT_COLLECTING: _collect,
    S.DRAFT_VALIDATING: _validate,
    S.DRAFT_SYNCING: _sync,
    S.ISSUING: _issue,
    S.DELETING: _delete,
}
_LINES_ARE_ASKED_FOR = frozenset({S.DRAFT_SYNCING, S.ISSUING})


# Asking the app


async def _ask(
    desk: BillingDesk,
    invoice: Invoice,
    operation: str,
    call: Callable[[Invoice], Awaitable[Answer]],
    note: Callable[[Work, InvoiceRow, Issues, Answer], Awaitable[Issues]],
) -> _Next:
    """Asks the app while no transaction is open, then writes down what it answered, or that it failed."""
    try:
        answer = await call(invoice)
    except InvoicingAppError as error:
        return await _note_failure(desk, invoice, operation, error)
    except Exception as error:
        return await _note_failure(desk, invoice, operation, _unexpected(operation, invoice, error))
    return await _note(desk, invoice.id, lambda work, row, issues: note(work, row, issues, answer), sent=invoice)


async def _note_failure(desk: BillingDesk, invoice: Invoice, operation: str, error: InvoicingAppError) -> _Next:
    return await _note(
        desk, invoice.id, lambda work, row, issues: _failed(work, row, issues, invoice.status, operation, error)
    )


async def _failed(
    work: Work, row: InvoiceRow, issues: Issues, status: InvoiceStatus, operation: str, error: InvoicingAppError
) -> Issues:
    if row.status != status.value:
        # News from the provider was faster: whatever failed here is settled.
        return issues
    workflow = pinned_workflow(row)
    if error.trouble is Trouble.TAX and workflow.tax_enabled and not workflow.tax_enforced:
        return await _give_up_tax(work, row, issues, error)
    return await note_trouble(work, row, error, operation, issues)


async def _give_up_tax(work: Work, row: InvoiceRow, issues: Issues, error: InvoicingAppError) -> Issues:
    """Tax is not enforced, so the invoice goes out without; the choice stands on it for everybody to see."""
    row.workflow = to_json(replace(pinned_workflow(row), tax_enabled=False))
    row.sync_state = SyncState.PENDING
    row.revision += 1
    note_step(work, row, row.status, row.status, "tax_given_up", error=(error.code, error.message))
    note = Issue(
        WARNING,
        "issued_without_tax",
        f"Tax could not be computed, so this invoice carries none: {error.message}",
        error.remedy or "To hold such invoices instead, enforce tax in the billing profile.",
    )
    return await set_issues(work, row, UNTAXED, [note], issues)


def _unexpected(operation: str, invoice: Invoice, error: Exception) -> InvoicingAppError:
    """A fault of ours must not stop other invoices; it is tried again and seen as stuck."""
    _log.error("%s of invoice %s failed", operation, invoice.id, exc_info=error)
    return InvoicingAppError(Trouble.TRANSIENT, "unexpected", f"Something unexpected happened: {error!r}")


def _leave(work: Work, row: InvoiceRow, found: Iterable[Issue], issues: Issues) -> None:
    """On to the next state, or to where a person has to mend what is critical among `found`; `issues` are all."""
    critical = next((issue for issue in found if issue.severity == CRITICAL), None)
    trigger = Trigger.FAILED if critical else Trigger.NEXT
    to = next_state(S(row.status), trigger, Facts(work.now))
    if to is not None:
        change_status(work, row, to, trigger, error=(critical.code, critical.message) if critical else None)
        row.wake_at = None if critical else work.now
    refresh_attention(row, issues)
