"""Invoice rows as views, and the one place where an invoice's status changes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.documents import external_from_json, supplier_from_json, tax_from_json, workflow_from_json
from dashboard.billing.errors import InvoiceNotFound
from dashboard.billing.invoice_actions import available_actions
from dashboard.billing.issues import CRITICAL, replace_issues
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow, IssueRow, TransitionRow
from dashboard.billing.views import (
    CollectionMethod,
    DetailLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Issue,
    Totals,
    Transition,
    Workflow,
)
from dashboard.kit.database import Actor, Work
from dashboard.kit.ids import new_id

S = InvoiceStatus
Issues = tuple[Issue, ...]

MANY_ATTEMPTS = 3
"""After so many failures in a row somebody should know."""

_WANTS_SOMEBODY = frozenset(
    {
        S.DRAFT_INVALID,
        S.DRAFT_SYNC_FAILED,
        S.DRAFT_MANUAL_APPROVAL_NEEDED,
        S.ISSUING_FAILED,
        S.DELETE_FAILED,
        S.PAYMENT_FAILED,
        S.PAYMENT_ACTION_REQUIRED,
        S.OVERDUE,
    }
)
_OWN_SENTENCE = {
    S.DRAFT_MANUAL_APPROVAL_NEEDED: "Waits for somebody's approval.",
    S.PAYMENT_FAILED: "The payment failed.",
    S.PAYMENT_ACTION_REQUIRED: "The customer has to confirm the payment.",
    S.OVERDUE: "It is past its due date.",
}


# Asked several times for every step of every invoice: put together once, they are also compiled and looked up once.
_LOCKED_INVOICE = (
    select(InvoiceRow)
    .where(col(InvoiceRow.id) == bindparam("invoice_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_ISSUES = (
    select(IssueRow)
    .where(col(IssueRow.invoice_id) == bindparam("invoice_id"))
    .order_by(col(IssueRow.created_at), col(IssueRow.id))
)
_LIVE_LINES = (
    select(InvoiceLineRow)
    .where(col(InvoiceLineRow.invoice_id) == bindparam("invoice_id"), col(InvoiceLineRow.deleted_at).is_(None))
    .order_by(col(InvoiceLineRow.created_at), col(InvoiceLineRow.id))
)
_A_LIVE_LINE = _LIVE_LINES.with_only_columns(col(InvoiceLineRow.id)).order_by(None).limit(1)
_DETAILS = (
    select(DetailLineRow)
    .where(col(DetailLineRow.line_id).in_(bindparam("line_ids", expanding=True)))
    .order_by(col(DetailLineRow.line_id), col(DetailLineRow.position))
)


class SyncState:
    """What stands between us and the provider."""

    NONE = "none"
    PENDING = "pending"
    SYNCED = "synced"
    RETRYING = "retrying"
    UNAUTHORIZED = "unauthorized"
    FAILED = "failed"


def tab_of(status: InvoiceStatus) -> str:
    """The list tab an invoice stands under: draft, open, overdue, paid, uncollectible, voided; gathering, deleted."""
    if status in (S.GATHERING, S.OVERDUE, S.PAID, S.UNCOLLECTIBLE, S.VOIDED, S.DELETED):
        return status.value
    return "open" if status is S.ISSUED or status.value.startswith("payment_processing") else "draft"


async def locked_invoice(session: AsyncSession, invoice_id: str) -> InvoiceRow:
    """The row, kept from others until the transaction ends. Raises InvoiceNotFound."""
    row = await session.scalar(_LOCKED_INVOICE, {"invoice_id": invoice_id.upper()})
    if row is None:
        raise InvoiceNotFound(f"There is no invoice {invoice_id!r}.")
    return row


def change_status(
    work: Work,
    row: InvoiceRow,
    to: InvoiceStatus,
    trigger: str,
    *,
    actor: Actor | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """Moves an invoice and writes down the step: from, to, trigger, who, error (code and message)."""
    note_step(work, row, row.status, to.value, trigger, actor=actor, error=error)
    if row.status != to.value:
        row.status_since = work.now
    row.status = to.value
    row.tab = tab_of(to)
    touch(work, row)


def note_step(
    work: Work,
    row: InvoiceRow,
    from_status: str | None,
    to_status: str,
    trigger: str,
    *,
    actor: Actor | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """A line in the invoice's timeline."""
    who = actor or work.actor
    work.session.add(
        TransitionRow(
            invoice_id=row.id,
            at=work.now,
            from_status=from_status,
            to_status=to_status,
            trigger=trigger,
            actor_kind=who.kind,
            actor_id=who.id,
            actor_label=who.label,
            error_code=error[0] if error else None,
            error_message=error[1] if error else None,
        )
    )


def touch(work: Work, row: InvoiceRow) -> None:
    """Tells everybody that an invoice changed."""
    row.version += 1
    row.updated_at = work.now
    work.changed("invoices", f"invoices/{row.id}", f"customers/{row.customer_id}")


async def set_issues(
    work: Work, row: InvoiceRow, component: str, found: Iterable[Issue], known: Issues | None = None
) -> Issues:
    """Replaces what one component says about an invoice; answers everything that is known now.

    `known` are the issues there are now; without them they are read.
    """
    if known is None:
        known = await issues_of(work.session, row.id)
    gone = [issue.id for issue in known if issue.component == component]
    new = [_issue_row(row.id, issue, work.now) for issue in replace_issues((), component, found)]
    if gone:
        await work.session.execute(delete(IssueRow).where(col(IssueRow.id).in_(gone)))
    if new:
        work.session.add_all(new)
        await work.session.flush()
    issues = replace_issues(known, component, [issue_of(one) for one in new])
    refresh_attention(row, issues)
    return issues


def refresh_attention(row: InvoiceRow, issues: Iterable[Issue]) -> None:
    """Works out whether somebody should look, and the one sentence that says why."""
    status = S(row.status)
    issues = tuple(issues)
    critical = next((issue.message for issue in issues if issue.severity == CRITICAL), None)
    trouble = next((issue.message for issue in issues if issue.component.startswith("app.")), None)
    failure = (row.external or {}).get("failure_message") if status in _WANTS_SOMEBODY else None
    held = row.sync_state in (SyncState.UNAUTHORIZED, SyncState.FAILED) or row.sync_attempts >= MANY_ATTEMPTS
    over = status.is_final and status is not S.DELETED
    is_issued_wrong = critical is not None and row.tab in ("open", "overdue")
    row.needs_attention = not over and (status in _WANTS_SOMEBODY or held or is_issued_wrong)
    waiting = trouble if row.next_attempt_at is not None or held else None
    row.problem = None if over else failure or critical or waiting or _OWN_SENTENCE.get(status)


async def issue_rows(session: AsyncSession, invoice_id: str) -> list[IssueRow]:
    """The issues of an invoice in the order they were found."""
    return list(await session.scalars(_ISSUES, {"invoice_id": invoice_id}))


async def issues_of(session: AsyncSession, invoice_id: str) -> Issues:
    """Like `issue_rows`, as others may hold them."""
    return tuple(issue_of(one) for one in await issue_rows(session, invoice_id))


async def live_lines(session: AsyncSession, invoice_id: str, *, kind: str | None = None) -> list[InvoiceLineRow]:
    """The lines of an invoice that were not deleted, in the order they were made; only those of a `kind`, if given."""
    statement = _LIVE_LINES if kind is None else _LIVE_LINES.where(col(InvoiceLineRow.kind) == kind)
    return list(await session.scalars(statement, {"invoice_id": invoice_id}))


async def has_live_line(session: AsyncSession, invoice_id: str) -> bool:
    """Whether an invoice has a line that was not deleted."""
    return await session.scalar(_A_LIVE_LINE, {"invoice_id": invoice_id}) is not None


async def lines_with_details(session: AsyncSession, invoice_id: str) -> tuple[InvoiceLine, ...]:
    """The live lines of an invoice with their priced components, as others may hold them."""
    found = await live_lines(session, invoice_id)
    details = await detail_rows(session, [line.id for line in found])
    return tuple(line_of(line, details[line.id]) for line in found)


async def detail_rows(session: AsyncSession, line_ids: Sequence[str]) -> dict[str, list[DetailLineRow]]:
    """Line id → its priced components in order."""
    if not line_ids:
        return {}
    found: dict[str, list[DetailLineRow]] = {line_id: [] for line_id in line_ids}
    for row in await session.scalars(_DETAILS, {"line_ids": line_ids}):
        found[row.line_id].append(row)
    return found


async def read_invoice(session: AsyncSession, row: InvoiceRow, now: datetime, *, with_lines: bool = True) -> Invoice:
    """The whole invoice as others may hold it, with the actions possible at `now`."""
    lines: tuple[InvoiceLine, ...] = ()
    transitions: tuple[Transition, ...] = ()
    if with_lines:
        lines = await lines_with_details(session, row.id)
        steps = select(TransitionRow).where(col(TransitionRow.invoice_id) == row.id)
        transitions = tuple(
            transition_of(step) for step in await session.scalars(steps.order_by(col(TransitionRow.number)))
        )
    invoice = invoice_of(row, await issues_of(session, row.id), lines, transitions)
    return replace(invoice, actions=tuple(available_actions(invoice, now)))


def invoice_of(
    row: InvoiceRow,
    issues: Issues,
    lines: tuple[InvoiceLine, ...] = (),
    transitions: tuple[Transition, ...] = (),
) -> Invoice:
    """The invoice in a row with what was read of it; which actions are possible is left out."""
    return Invoice(
        id=row.id,
        number=row.number,
        status=S(row.status),
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        customer_key=row.customer_key,
        customer_snapshot=dict(row.customer_snapshot),
        currency=row.currency,
        billing_profile_id=row.billing_profile_id,
        app_id=row.app_id,
        workflow=workflow_from_json(row.workflow) if row.workflow else None,
        supplier=supplier_from_json(row.supplier) if row.supplier else None,
        description=row.description,
        footer=row.footer,
        purchase_order=row.purchase_order,
        statement_descriptor=row.statement_descriptor,
        metadata=dict(row.metadata_),
        totals=invoice_totals(row),
        period_from=row.period_from,
        period_to=row.period_to,
        collection_at=row.collection_at,
        draft_until=row.draft_until,
        issued_at=row.issued_at,
        due_at=row.due_at,
        sent_at=row.sent_at,
        paid_at=row.paid_at,
        voided_at=row.voided_at,
        deleted_at=row.deleted_at,
        quantities_fixed_at=row.quantities_fixed_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        external=external_from_json(row.external) if row.external else None,
        issues=issues,
        actions=(),
        sync_state=row.sync_state,
        sync_attempts=row.sync_attempts,
        next_attempt_at=row.next_attempt_at,
        requested_action=row.requested_action,
        request_id=(row.requested_arguments or {}).get("request_id"),
        revision=row.revision,
        lines=lines,
        transitions=transitions,
    )


def invoice_totals(row: InvoiceRow) -> Totals:
    return Totals(row.amount, row.charges, row.discounts, row.credits, row.taxes_inclusive, row.taxes_exclusive)


def set_totals(row: InvoiceRow, totals: Totals) -> None:
    row.amount, row.charges = totals.amount, totals.charges
    row.discounts, row.credits = totals.discounts, totals.credits
    row.taxes_inclusive, row.taxes_exclusive = totals.taxes_inclusive, totals.taxes_exclusive
    row.total = totals.total


def pinned_workflow(row: InvoiceRow) -> Workflow:
    """The workflow an invoice was made with."""
    return workflow_from_json(row.workflow) if row.workflow else Workflow()


def is_sent(row: InvoiceRow) -> bool:
    """Whether the customer gets it by mail and pays on their own, rather than being charged."""
    return row.collection_method == CollectionMethod.SEND_INVOICE.value


def line_of(row: InvoiceLineRow, details: Sequence[DetailLineRow]) -> InvoiceLine:
    return InvoiceLine(
        id=row.id,
        name=row.name,
        description=row.description,
        kind=row.kind,
        price=dict(row.price),
        quantity=row.quantity,
        period_from=row.period_from,
        period_to=row.period_to,
        invoice_at=row.invoice_at,
        tax=tax_from_json(row.tax),
        effective_tax=tax_from_json(row.effective_tax),
        feature_key=row.feature_key,
        subscription_id=row.subscription_id,
        managed_by=row.managed_by,
        totals=Totals(row.amount, row.charges, row.discounts, row.credits),
        details=tuple(_detail_of(detail) for detail in details),
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        discounts=dict(row.rate_discounts),
        unit_conversion=row.unit_conversion,
        metered_quantity=row.metered_quantity,
        metered_before=row.metered_before,
        subscription=row.subscription,
        is_late_usage=row.is_late_usage,
    )


def transition_of(row: TransitionRow) -> Transition:
    return Transition(
        at=row.at,
        from_status=row.from_status,
        to_status=row.to_status,
        trigger=row.trigger,
        actor_kind=row.actor_kind,
        actor_label=row.actor_label,
        error_code=row.error_code,
        error_message=row.error_message,
    )


def issue_of(row: IssueRow) -> Issue:
    return Issue(
        row.severity, row.code, row.message, row.remedy, row.component, row.path, id=row.id, created_at=row.created_at
    )


def _issue_row(invoice_id: str, issue: Issue, now: datetime) -> IssueRow:
    return IssueRow(
        id=new_id(),
        invoice_id=invoice_id,
        severity=issue.severity,
        code=issue.code,
        message=issue.message,
        remedy=issue.remedy,
        component=issue.component,
        path=issue.path,
        created_at=now,
    )


def _detail_of(row: DetailLineRow) -> DetailLine:
    parts: list[dict[str, Any]] = row.discount_parts
    return DetailLine(
        id=row.id,
        component=row.component,
        name=row.name,
        quantity=row.quantity,
        per_unit_amount=row.per_unit_amount,
        totals=Totals(row.amount, row.charges, row.discounts, row.credits),
        category=row.category,
        payment_term=row.payment_term,
        external_id=row.external_id,
        explanation=tuple(row.explanation),
        discounts=tuple((part["reason"], part["amount"]) for part in parts),
    )
