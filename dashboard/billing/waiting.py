"""Letting invoices go on that waited for something outside: a replaced key, a customer who is ready now."""

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.actions import doubt_issues, release
from dashboard.billing.invoice_rows import change_status, issue_rows, locked_invoice, note_step, touch
from dashboard.billing.invoicing import ask_to_advance
from dashboard.billing.issues import CRITICAL
from dashboard.billing.state_machine import Trigger
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.troubles import component_of
from dashboard.billing.views import InvoiceStatus
from dashboard.kit.database import Work

_WAITS_FOR_KEY = col(InvoiceRow.sync_state) == literal_column("'unauthorized'")
"""Worded as the partial index is: the worker asks every minute, of however many invoices."""


async def waits_for_key(session: AsyncSession, app_id: str) -> bool:
    """Whether any invoice of this app is held because its key was refused."""
    statement = select(col(InvoiceRow.id)).where(col(InvoiceRow.app_id) == app_id, _WAITS_FOR_KEY)
    return await session.scalar(statement.limit(1)) is not None


async def resume_app(work: Work, app_id: str) -> int:
    """After an app's key was replaced: every invoice that waited for it goes on. Answers how many."""
    statement = select(col(InvoiceRow.id)).where(col(InvoiceRow.app_id) == app_id, _WAITS_FOR_KEY)
    ids = list(await work.session.scalars(statement.order_by(col(InvoiceRow.id))))
    for invoice_id in ids:
        row = await locked_invoice(work.session, invoice_id)
        release(row, work)
        note_step(work, row, row.status, row.status, "key_replaced")
        touch(work, row)
        await ask_to_advance(work, row)
    return len(ids)


async def recheck_customer(work: Work, customer_id: str) -> int:
    """After a customer was linked, got a payment method, or completed an address: drafts that were held because they
    were not ready are checked again. Answers how many."""
    statement = select(col(InvoiceRow.id)).where(
        col(InvoiceRow.customer_id) == customer_id, col(InvoiceRow.status) == InvoiceStatus.DRAFT_INVALID.value
    )
    ids = list(await work.session.scalars(statement.order_by(col(InvoiceRow.id))))
    held = [invoice_id for invoice_id in ids if await _is_held_by_readiness(work.session, invoice_id)]
    for invoice_id in held:
        row = await locked_invoice(work.session, invoice_id)
        await doubt_issues(work, row)
        change_status(work, row, InvoiceStatus.DRAFT_VALIDATING, Trigger.RETRY)
        await ask_to_advance(work, row)
    return len(held)


async def _is_held_by_readiness(session: AsyncSession, invoice_id: str) -> bool:
    issues = await issue_rows(session, invoice_id)
    return any(issue.severity == CRITICAL and issue.component == component_of("validate") for issue in issues)
