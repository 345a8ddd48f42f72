"""Carries an invoice through its life until it rests.

Every state is entered and committed before its work begins; the work itself (the event store, the invoicing app) runs
without a transaction; what came of it is written together with the next state. So whoever comes after a crash reads in
the status what was begun and does it again, and the app finds what it left. One at a time carries an invoice.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from dashboard.billing.desk import BillingDesk
from dashboard.billing.documents import to_json
from dashboard.billing.external import apply_external, set_payment_wake
from dashboard.billing.invoice_actions import facts_of
from dashboard.billing.invoice_rows import (
    SyncState,
    change_status,
    detail_rows,
    invoice_of,
    issue_of,
    issue_rows,
    live_lines,
    locked_invoice,
    note_step,
    pinned_workflow,
    read_invoice,
    refresh_attention,
    set_issues,
)
from dashboard.billing.invoicing import set_dates
from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.issues import CRITICAL, WARNING
from dashboard.billing.lines import add_up, rate_if_flat
from dashboard.billing.metering import QUANTITIES
from dashboard.billing.profiles import get_billing_profile
from dashboard.billing.provider_actions import perform_requested
from dashboard.billing.quantities import fix_quantities, measure
from dashboard.billing.state_machine import Facts, Trigger, next_state
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.troubles import clear_trouble, component_of, note_no_trouble, note_trouble
from dashboard.billing.views import CustomerBilling, ExternalInvoice, Invoice, InvoiceStatus, Issue
from dashboard.kit.database import SYSTEM, Work

S = InvoiceStatus

STEPS_MAX = 60
"""More than any life has; a loop in the lifecycle would show here."""

COLLECT, VALIDATE, SYNC, ISSUE, DELETE, LOOK = "collect", "validate", "sync", "issue", "delete", "look"

UNTAXED = "app.untaxed"

Value = TypeVar("Value")

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
    for _ in range(STEPS_MAX):
        step = await _next_step(desk, invoice_id)
        if isinstance(step, InvoiceStatus):
            return step
        await step(desk, invoice_id)
    async with desk.database.read() as session:
        return S((await session.get_one(InvoiceRow, invoice_id)).status)


Step = Callable[[BillingDesk, str], Awaitable[object]]


async def _next_step(desk: BillingDesk, invoice_id: str) -> Step | InvoiceStatus:
    """Enters states as far as that needs nothing from outside; answers the work to do then, or where it rests."""
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        issues = [issue_of(one) for one in await issue_rows(work.session, row.id)]
        while not _is_held(row, work):
            status = S(row.status)
            if row.requested_action is not None:
                return perform_requested
            if status in _WORK:
                return _WORK[status]
            if status is S.DRAFT_CREATED:
                await _calculate(work, row)
            to = next_state(status, Trigger.NEXT, await _facts(work, row, issues))
            if to is None:
                return _rest(work, row) or status
            change_status(work, row, to, Trigger.NEXT)
            if to in (S.DRAFT_SYNCING, S.ISSUING, S.DELETING) and row.sync_state != SyncState.SYNCED:
                row.sync_state = SyncState.PENDING
            row.wake_at = work.now
        return S(row.status)


def _is_held(row: InvoiceRow, work: Work) -> bool:
    waits = row.next_attempt_at is not None and row.next_attempt_at > work.now
    return waits or row.sync_state == SyncState.UNAUTHORIZED or row.status == S.GATHERING.value


def _rest(work: Work, row: InvoiceRow) -> Step | None:
    status = S(row.status)
    is_due = row.wake_at is not None and row.wake_at <= work.now
    if status.value.startswith("payment_processing") and is_due and row.due_at and row.due_at <= work.now:
        return _look_whether_overdue
    row.wake_at = {
        S.DRAFT_WAITING_FOR_COLLECTION: row.collection_at,
        S.DRAFT_WAITING_AUTO_APPROVAL: row.draft_until,
    }.get(status)
    set_payment_wake(row, work.now)
    if row.external is not None and row.tab in ("open", "overdue") and row.sync_state == SyncState.PENDING:
        row.sync_state = SyncState.SYNCED
    return None


async def _facts(work: Work, row: InvoiceRow, issues: Sequence[Issue]) -> Facts:
    invoice = invoice_of(row, tuple(issues), (), (), work.now)
    has_line = bool(await live_lines(work.session, row.id)) if row.status == S.DRAFT_READY.value else True
    return replace(facts_of(invoice, work.now), has_live_line=has_line)


async def _calculate(work: Work, row: InvoiceRow) -> None:
    lines = await live_lines(work.session, row.id)
    details = await detail_rows(work.session, [line.id for line in lines])
    for line in lines:
        await rate_if_flat(work.session, line, details[line.id])
    add_up(row, lines)
    set_dates(row, lines)


# The work of each state


async def _collect(desk: BillingDesk, invoice_id: str) -> None:
    await _fix_quantities(desk, invoice_id, S.DRAFT_COLLECTING)


async def _fix_quantities(desk: BillingDesk, invoice_id: str, status: InvoiceStatus) -> None:
    try:
        measured = await measure(desk, invoice_id)
        async with desk.database.transaction(SYSTEM) as work:
            row = await locked_invoice(work.session, invoice_id)
            if row.status != status.value:
                return
            issues = await fix_quantities(work, row, measured)
            await clear_trouble(work, row, COLLECT)
            known = await set_issues(work, row, QUANTITIES, issues)
            if issues or status is S.DRAFT_COLLECTING:
                _leave(work, row, issues, known)
    except InvoicingAppError as error:
        await _note_failure(desk, invoice_id, status, COLLECT, error)
    except Exception as error:
        await _note_failure(desk, invoice_id, status, COLLECT, _unexpected(COLLECT, invoice_id, error))


async def _validate(desk: BillingDesk, invoice_id: str) -> None:
    invoice = await _read(desk, invoice_id)
    if any(issue.component == QUANTITIES for issue in invoice.issues):
        # It comes back from a line that could not be priced; what is wrong with it is not doubted, it is tried again.
        await _fix_quantities(desk, invoice_id, S.DRAFT_VALIDATING)
        return
    issues = await _ask(desk, invoice, VALIDATE, lambda one: _readiness(desk, one))
    if issues is None:
        return
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        if row.status == S.DRAFT_VALIDATING.value:
            note_no_trouble(row)
            known = await set_issues(work, row, component_of(VALIDATE), issues.value)
            _leave(work, row, known, known)


async def _readiness(desk: BillingDesk, invoice: Invoice) -> tuple[Issue, ...]:
    async with desk.database.read() as session:
        profile = await get_billing_profile(session, invoice.billing_profile_id or "")
    # What counts is how this invoice was made, not how the profile is today.
    billing = CustomerBilling(invoice.customer_id, profile, False, invoice.workflow or profile.workflow, {})
    return await desk.app.readiness(invoice.app_id or "", billing)


async def _sync(desk: BillingDesk, invoice_id: str) -> None:
    invoice = await _read(desk, invoice_id)
    if not invoice.lines and invoice.external is None:
        # Nothing to charge: the provider need not know of it, it is deleted once approved.
        await _note_synced(desk, invoice_id, None)
        return
    answer = await _ask(desk, invoice, SYNC, desk.app.sync_draft)
    if answer is not None:
        await _note_synced(desk, invoice_id, answer.value)


async def _note_synced(desk: BillingDesk, invoice_id: str, answer: ExternalInvoice | None) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        if answer is not None:
            await apply_external(work, row, answer, SYNC)
        if row.status != S.DRAFT_SYNCING.value:
            return
        row.sync_state = SyncState.SYNCED
        issues = await clear_trouble(work, row, SYNC)
        to = next_state(S.DRAFT_SYNCING, Trigger.NEXT, await _facts(work, row, issues))
        if to is not None:
            change_status(work, row, to, Trigger.NEXT)


async def _issue(desk: BillingDesk, invoice_id: str) -> None:
    invoice = await _read(desk, invoice_id)
    if invoice.sync_state != SyncState.SYNCED:
        # The draft changed since it was sent: tax was given up, or something was mended.
        answer = await _ask(desk, invoice, ISSUE, desk.app.sync_draft)
        if answer is not None:
            await _note_synced_again(desk, invoice_id, answer.value)
        return
    answer = await _ask(desk, invoice, ISSUE, desk.app.issue)
    if answer is None:
        return
    if answer.value.status == "draft":
        not_yet = InvoicingAppError(Trouble.TRANSIENT, "not_issued_yet", "The provider has not issued it yet.")
        await _note_failure(desk, invoice_id, S.ISSUING, ISSUE, not_yet)
        return
    await _note_issued(desk, invoice_id, answer.value)


async def _note_synced_again(desk: BillingDesk, invoice_id: str, external: ExternalInvoice) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        row.sync_state = SyncState.SYNCED
        await apply_external(work, row, external, SYNC)


async def _note_issued(desk: BillingDesk, invoice_id: str, external: ExternalInvoice) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        if row.status == S.ISSUING.value:
            await clear_trouble(work, row, ISSUE)
            change_status(work, row, S.ISSUED, Trigger.NEXT)
        await apply_external(work, row, external, Trigger.NEXT)
        work.audit("invoice.issued", "invoice", row.id, number=row.number, total=str(row.total))


async def _delete(desk: BillingDesk, invoice_id: str) -> None:
    if await _ask(desk, await _read(desk, invoice_id), DELETE, desk.app.delete_draft) is None:
        return
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        if row.status == S.DELETING.value:
            row.deleted_at = work.now
            row.sync_state = SyncState.NONE
            await clear_trouble(work, row, DELETE)
            change_status(work, row, S.DELETED, Trigger.NEXT)
            row.wake_at = None
            work.audit("invoice.deleted", "invoice", row.id, number=row.number)


async def _look_whether_overdue(desk: BillingDesk, invoice_id: str) -> None:
    """Before an invoice is called overdue the provider is asked: the money may have come a moment ago."""
    answer = await _ask(desk, await _read(desk, invoice_id), LOOK, desk.app.read)
    if answer is None:
        return
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        await clear_trouble(work, row, LOOK)
        row.sync_state = SyncState.SYNCED
        row.wake_at = None
        if answer.value is not None:
            await apply_external(work, row, answer.value, "due_date")


_WORK: dict[InvoiceStatus, Step] = {
    S.DRAFT_COLLECTING: _collect,
    S.DRAFT_VALIDATING: _validate,
    S.DRAFT_SYNCING: _sync,
    S.ISSUING: _issue,
    S.DELETING: _delete,
}


# Asking the app


@dataclass(frozen=True, slots=True)
class _Answer(Generic[Value]):
    """The app did it, and this is what it said."""

    value: Value


async def _ask(
    desk: BillingDesk, invoice: Invoice, operation: str, call: Callable[[Invoice], Awaitable[Value]]
) -> _Answer[Value] | None:
    """What the app answers; None when it failed, which is written down then."""
    try:
        return _Answer(await call(invoice))
    except InvoicingAppError as error:
        await _note_failure(desk, invoice.id, invoice.status, operation, error)
    except Exception as error:
        await _note_failure(desk, invoice.id, invoice.status, operation, _unexpected(operation, invoice.id, error))
    return None


async def _note_failure(
    desk: BillingDesk, invoice_id: str, status: InvoiceStatus, operation: str, error: InvoicingAppError
) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        row = await locked_invoice(work.session, invoice_id)
        if row.status != status.value:
            # News from the provider was faster: whatever failed here is settled.
            return
        workflow = pinned_workflow(row)
        if error.trouble is Trouble.TAX and workflow.tax_enabled and not workflow.tax_enforced:
            await _give_up_tax(work, row, error)
        else:
            await note_trouble(work, row, error, operation)


async def _give_up_tax(work: Work, row: InvoiceRow, error: InvoicingAppError) -> None:
    """Tax is not enforced, so the invoice goes out without; the choice stands on it for everybody to see."""
    row.workflow = to_json(replace(pinned_workflow(row), tax_enabled=False))
    row.sync_state = SyncState.PENDING
    row.revision += 1
    note = Issue(
        WARNING,
        "issued_without_tax",
        f"Tax could not be computed, so this invoice carries none: {error.message}",
        error.remedy or "To hold such invoices instead, enforce tax in the billing profile.",
    )
    await set_issues(work, row, UNTAXED, [note])
    note_step(work, row, row.status, row.status, "tax_given_up", error=(error.code, error.message))


def _unexpected(operation: str, invoice_id: str, error: Exception) -> InvoicingAppError:
    """A fault of ours must not stop other invoices; it is tried again and seen as stuck."""
    _log.error("%s of invoice %s failed", operation, invoice_id, exc_info=error)
    return InvoicingAppError(Trouble.TRANSIENT, "unexpected", f"Something unexpected happened: {error!r}")


def _leave(work: Work, row: InvoiceRow, issues: Iterable[Issue], known: Iterable[Issue]) -> None:
    """On to the next state, or to where a person has to mend what is critical among `issues`; `known` are all."""
    critical = next((issue for issue in issues if issue.severity == CRITICAL), None)
    trigger = Trigger.FAILED if critical else Trigger.NEXT
    to = next_state(S(row.status), trigger, Facts(work.now))
    if to is not None:
        change_status(work, row, to, trigger, error=(critical.code, critical.message) if critical else None)
        row.wake_at = None if critical else work.now
    refresh_attention(row, known)


async def _read(desk: BillingDesk, invoice_id: str) -> Invoice:
    async with desk.database.read() as session:
        row = await session.get_one(InvoiceRow, invoice_id)
        return await read_invoice(session, row, desk.database.clock.now())
