"""From when on usage is still needed: before that, nothing will be measured again for an invoice."""

from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from dashboard.billing.late_usage import LOOK_BACK
from dashboard.billing.line_rating import USAGE_KIND
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus
from dashboard.kit.database import Database
from dashboard.subscriptions.queries import yielding_lines

_SETTLED = tuple(
    status.value
    for status in (
        InvoiceStatus.ISSUED,
        InvoiceStatus.PAYMENT_PENDING,
        InvoiceStatus.PAYMENT_FAILED,
        InvoiceStatus.PAYMENT_ACTION_REQUIRED,
        InvoiceStatus.PAID,
        InvoiceStatus.OVERDUE,
        InvoiceStatus.UNCOLLECTIBLE,
        InvoiceStatus.VOIDED,
        InvoiceStatus.DELETED,
    )
)


class UsageNotInvoiced:
    """Fulfils `usage.archive.UsageNeeded`: what is gathering, in a draft or being issued, what a subscription that
    still yields lines has not turned into lines yet, and what was invoiced so lately that late usage is still settled.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def needed_from(self) -> datetime | None:
        """The start of the earliest period that may still be measured; None when there is none."""
        line = InvoiceLineRow
        pending = (
            select(func.min(col(line.full_period_from)))
            .join(InvoiceRow, col(InvoiceRow.id) == col(line.invoice_id))
            .where(col(line.kind) == USAGE_KIND, col(line.deleted_at).is_(None))
            .where(col(InvoiceRow.status).not_in(_SETTLED))
        )
        settling = select(func.min(col(line.full_period_from))).where(
            col(line.kind) == USAGE_KIND,
            col(line.deleted_at).is_(None),
            col(line.period_to) >= self._database.clock.now() - LOOK_BACK,
        )
        begun = (
            select(col(line.subscription_id), func.max(col(line.full_period_from)))
            .where(col(line.subscription_id).is_not(None))
            .group_by(col(line.subscription_id))
        )
        async with self._database.read() as session:
            starts = [await session.scalar(pending), await session.scalar(settling)]
            latest = {subscription_id: start for subscription_id, start in await session.execute(begun)}
            # The latest period that was begun, or the start where there is none yet.
            starts += [latest.get(one, start) for one, start in (await yielding_lines(session)).items()]
        return min((start for start in starts if start is not None), default=None)
