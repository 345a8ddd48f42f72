"""From when on usage is still needed: before that, nothing will be measured again for an invoice."""

from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from dashboard.billing.late_usage import LOOK_BACK
from dashboard.billing.line_rating import USAGE_KIND
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus
from dashboard.kit.database import Database
from dashboard.subscriptions.tables import SubscriptionRow

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
        # The latest period that was begun, or the start where there is none yet.
        begun = (
            select(func.coalesce(func.max(col(line.full_period_from)), col(SubscriptionRow.active_from)))
            .select_from(SubscriptionRow)
            .outerjoin(line, col(line.subscription_id) == col(SubscriptionRow.id))
            .where(col(SubscriptionRow.sync_at).is_not(None), col(SubscriptionRow.deleted_at).is_(None))
            .group_by(col(SubscriptionRow.id))
        )
        async with self._database.read() as session:
            starts = [await session.scalar(pending), await session.scalar(settling), *(await session.scalars(begun))]
        return min((start for start in starts if start is not None), default=None)
