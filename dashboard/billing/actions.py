"""What people do with an invoice: approve, retry, pay, send, void, give up, mark as paid, delete, credit."""

from decimal import Decimal

from dashboard.billing.advance import advance_invoice, carry_on, lock_name
from dashboard.billing.desk import BillingDesk
from dashboard.billing.errors import ActionFailed, CreditTooLarge, InvoiceBusy, InvoiceNotFound
from dashboard.billing.invoice_actions import PROVIDER_ACTIONS, WORKING, available_actions, facts_of
from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.invoice_rows import (
    SyncState,
    change_status,
    issue_rows,
    locked_invoice,
    note_step,
    read_invoice,
    touch,
)
from dashboard.billing.invoicing import make_drafts, set_collected_at
from dashboard.billing.invoicing_app import Trouble
from dashboard.billing.issues import CRITICAL, WARNING
from dashboard.billing.provider_actions import ActionArguments, perform_requested, request
from dashboard.billing.state_machine import TRIGGER_OF_ACTION, ActionNotAvailable, Trigger, move
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus
from dashboard.kit.database import Actor, Work
from dashboard.kit.limiter import somebody_waits

A = InvoiceAction
S = InvoiceStatus

LOCK_WAIT_SECONDS = 15.0

_PAYING_AGAIN = (S.PAYMENT_FAILED, S.PAYMENT_ACTION_REQUIRED, S.OVERDUE)


async def perform_action(
    desk: BillingDesk,
    actor: Actor,
    invoice_id: str,
    action: InvoiceAction,
    *,
    amount: Decimal | None = None,
    reason: str = "",
    refund: bool = False,
) -> Invoice:
    """Does what somebody asks of an invoice, at the provider too, and answers how it stands afterwards.

    What the provider could not be reached for is tried again by itself (`sync_state` and `next_attempt_at` tell).
    `amount` (major units), `reason` and `refund` belong to CREDIT. INVOICE, of a gathering one, answers the draft made.

    Raises InvoiceNotFound, ActionNotAvailable, CannotAdvance, CreditTooLarge, InvoiceBusy; ActionFailed when the
    provider refused. Must not be called inside a transaction.
    """
    invoice_id = invoice_id.upper()
    with somebody_waits():
        target = await _perform(desk, actor, invoice_id, action, ActionArguments(amount, reason, refund))
    async with desk.database.read() as session:
        row = await session.get_one(InvoiceRow, target)
        return await read_invoice(session, row, desk.database.clock.now())


async def _perform(
    desk: BillingDesk, actor: Actor, invoice_id: str, action: InvoiceAction, arguments: ActionArguments
) -> str:
    """Answers which invoice it led to."""
    async with desk.locks.holding(lock_name(invoice_id), wait_seconds=LOCK_WAIT_SECONDS) as ours:
        if not ours:
            raise InvoiceBusy("Another step of this invoice is being made right now.")
        target, at_provider = await _begin(desk, actor, invoice_id, action, arguments)
        error = await perform_requested(desk, target) if at_provider else None
        if error is None and target == invoice_id:
            await carry_on(desk, target)
        elif error is not None and error.trouble is not Trouble.TRANSIENT:
            raise ActionFailed(error.message, remedy=error.remedy or None, details={"provider_code": error.code})
    if target != invoice_id:
        await advance_invoice(desk, target, wait_seconds=LOCK_WAIT_SECONDS)
    return target


async def push_on(desk: BillingDesk, actor: Actor, invoice_id: str) -> Invoice:
    """One click on an invoice that is stuck: what failed is tried again, or it is carried on from where it is.

    Never charges anybody: a declined payment is PAY, asked for by name. Raises what `perform_action` raises.
    """
    async with desk.database.read() as session:
        row = await session.get(InvoiceRow, invoice_id)
        if row is None:
            raise InvoiceNotFound(f"There is no invoice {invoice_id!r}.")
        actions = (await read_invoice(session, row, desk.database.clock.now())).actions
        is_payment = S(row.status) in _PAYING_AGAIN and row.requested_action is None
    action = next((one for one in (A.RETRY, A.ADVANCE) if one in actions), A.ADVANCE)
    if action is A.RETRY and is_payment:
        raise ActionNotAvailable("Its payment failed; nothing else is waiting.", remedy="Open it to charge again.")
    return await perform_action(desk, actor, invoice_id, action)


async def _begin(
    desk: BillingDesk, actor: Actor, invoice_id: str, action: InvoiceAction, arguments: ActionArguments
) -> tuple[str, bool]:
    """Checks and writes down what is wanted; answers whose life goes on, and whether the provider has to be asked."""
    async with desk.database.transaction(actor) as work:
        row = await locked_invoice(work.session, invoice_id)
        invoice = await read_invoice(work.session, row, work.now)
        if action not in available_actions(invoice, work.now):
            _refuse(invoice, action)
        if action is A.INVOICE:
            wanted = InvoicePendingLines(customer_id=row.customer_id, currency=row.currency, before_its_date=True)
            return (await make_drafts(work, wanted))[0].id, False
        if action is A.RETRY and row.requested_action is not None:
            _try_now(work, row, actor)
            return row.id, True
        if action is A.RETRY and invoice.status in _PAYING_AGAIN:
            action = A.PAY
        if action in PROVIDER_ACTIONS:
            if action is A.CREDIT:
                _check_credit(invoice, arguments.amount)
            request(work, row, action, arguments)
            return row.id, True
        await _lifecycle(work, row, invoice, action)
        work.audit(f"invoice.{action.value}", "invoice", row.id, number=row.number, was=invoice.status.value)
        return row.id, False


async def _lifecycle(work: Work, row: InvoiceRow, invoice: Invoice, action: InvoiceAction) -> None:
    is_held = row.next_attempt_at is not None or row.sync_state == SyncState.UNAUTHORIZED
    if (action is A.RETRY and is_held) or (action is A.ADVANCE and invoice.status in WORKING):
        # The work of the state is done (again), never skipped.
        _try_now(work, row, work.actor)
        return
    if action is A.RETRY:
        await doubt_issues(work, row)
    trigger = TRIGGER_OF_ACTION[action]
    step = move(invoice.status, trigger, facts_of(invoice, work.now))
    change_status(work, row, step.to_status, trigger)
    if action is A.SNAPSHOT_QUANTITIES:
        # The waiting is over, so the time to look at the draft begins now.
        set_collected_at(row, work.now)
    release(row, work)


def release(row: InvoiceRow, work: Work) -> None:
    """Lets an invoice that was held go on; what it sent before has to be sent again where that differs."""
    row.sync_attempts = 0
    row.next_attempt_at = None
    if row.sync_state in (SyncState.RETRYING, SyncState.UNAUTHORIZED, SyncState.FAILED):
        row.sync_state = SyncState.PENDING
    row.wake_at = work.now


async def doubt_issues(work: Work, row: InvoiceRow) -> None:
    """A new attempt begins by doubting what was critical; what is still wrong comes back as critical."""
    for issue in await issue_rows(work.session, row.id):
        if issue.severity == CRITICAL:
            issue.severity = WARNING
    await work.session.flush()


def _try_now(work: Work, row: InvoiceRow, actor: Actor) -> None:
    release(row, work)
    note_step(work, row, row.status, row.status, Trigger.RETRY, actor=actor)
    touch(work, row)


def _check_credit(invoice: Invoice, amount: Decimal | None) -> None:
    if amount is None or amount <= 0:
        raise CreditTooLarge("A credit needs an amount above zero.", remedy="Give an amount.", field="amount")
    issued = invoice.external.total if invoice.external and invoice.external.total else invoice.totals.total
    if amount > issued:
        raise CreditTooLarge(f"The invoice was issued for {issued} {invoice.currency}.", field="amount")


def _refuse(invoice: Invoice, action: InvoiceAction) -> None:
    if invoice.status is S.GATHERING:
        raise ActionNotAvailable("These lines only wait to be invoiced.", remedy="Invoice them first.")
    trigger = TRIGGER_OF_ACTION.get(action)
    if trigger is Trigger.NEXT:
        move(invoice.status, trigger, facts_of(invoice, invoice.updated_at))
    raise ActionNotAvailable(
        f"“{action.value}” is not possible while an invoice is {invoice.status.value}.",
        details={"available": [one.value for one in invoice.actions]},
    )
