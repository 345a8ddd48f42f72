"""What has served its time goes: settled letters, and the steps of invoices that Stripe will never change again.

Letters outlive Stripe's own thirty days, so that one that went cannot come in once more. What still waits or failed
stays, and so does every step that a later try would look at: of invoices that may still change, of customers and
products (they are made once for good), and of credits (they are counted).
"""

from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, delete, select
from sqlmodel import col

from dashboard.kit.database import SYSTEM, Database
from dashboard.stripe_app.calls import ANSWERED, REFUSED
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.invoice_rows import FINAL
from dashboard.stripe_app.tables import StripeCallRow, StripeEventRow, StripeInvoiceRow
from dashboard.stripe_app.views import EventState

BATCH = 500
"""So many rows per transaction: others who write wait for milliseconds, never for the whole clearing."""

_SETTLED = (EventState.APPLIED, EventState.IGNORED)
_OVER = (ANSWERED, REFUSED)
_STEPS_OF_A_DRAFT = ("create", "update", "lines-add", "lines-update", "lines-remove", "finalize")


async def forget_what_is_over(desk: StripeDesk) -> int:
    """Deletes letters and steps that were settled longer ago than `desk.letters_kept`; answers how many. Daily."""
    before = desk.database.clock.now() - desk.letters_kept
    return await _forget_letters(desk.database, before) + await _forget_steps(desk.database, before)


async def _forget_letters(database: Database, before: datetime) -> int:
    # A letter is never settled before Stripe wrote it, and by that time there is an index.
    created, settled = col(StripeEventRow.created_at), col(StripeEventRow.settled_at)
    is_over = (created < before) & (settled < before) & col(StripeEventRow.state).in_(_SETTLED)
    return await _forget(database, StripeEventRow, is_over, created)


async def _forget_steps(database: Database, before: datetime) -> int:
    updated = col(StripeCallRow.updated_at)
    final = select(col(StripeInvoiceRow.invoice_id)).where(col(StripeInvoiceRow.status).in_(FINAL))
    is_over = (updated < before) & col(StripeCallRow.state).in_(_OVER)
    is_over &= col(StripeCallRow.step).in_(_STEPS_OF_A_DRAFT) & col(StripeCallRow.subject).in_(final)
    return await _forget(database, StripeCallRow, is_over, updated)


async def _forget(
    database: Database,
    table: type[StripeEventRow | StripeCallRow],
    is_over: ColumnElement[bool],
    oldest_first: SQLColumnExpression[datetime],
) -> int:
    row_id, forgotten = col(table.id), 0
    while True:
        async with database.read() as session:
            ids = list(await session.scalars(select(row_id).where(is_over).order_by(oldest_first).limit(BATCH)))
        if not ids:
            return forgotten
        async with database.transaction(SYSTEM) as work:
            # Asked again: somebody may have put one back into the inbox meanwhile.
            gone = await work.session.scalars(delete(table).where(row_id.in_(ids), is_over).returning(row_id))
            forgotten += len(list(gone))
