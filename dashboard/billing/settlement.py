"""Late usage of customers whom no invoice follows: it gets one of its own."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from dashboard.billing.desk import BillingDesk
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.gathering import lock_billing_of
from dashboard.billing.invoice_rows import live_lines
from dashboard.billing.invoicing import new_draft, send_off
from dashboard.billing.late_usage import BILLED_TABS, LOOK_BACK
from dashboard.billing.line_rating import USAGE_KIND
from dashboard.billing.overrides import customer_billing
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.quantities import Measured, fix_quantities, measure
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import LATE_USAGE, InvoiceStatus
from dashboard.customers.errors import CustomerDeleted
from dashboard.customers.queries import live_customer
from dashboard.kit.database import SYSTEM

WITHOUT_INVOICE = timedelta(days=35)
"""After so long without an invoice late usage gets one of its own: longer than a month, so that monthly billing settles
it on the way, and so often at most."""

_GATHERING = InvoiceStatus.GATHERING.value

_log = logging.getLogger(__name__)


async def settle_late_usage(desk: BillingDesk) -> int:
    """Daily: invoices late usage of everybody who gets no other invoice in time, each in a transaction of their own.

    Answers how many invoices were made. Safe to repeat: what an invoice counts is not late any more.
    """
    async with desk.database.read() as session:
        left = await left_without_invoice(session, desk.database.clock.now())
    made = 0
    for customer_id, currency in left:
        try:
            measured = await measure(desk, customer_id, currency)
            if measured.late:
                await _invoice(desk, customer_id, currency, measured)
                made += 1
        except (NothingToInvoice, NoBillingProfile, CustomerDeleted):
            continue
        except Exception as error:
            # A fault of ours must not stand in the way of other customers; the log tells; tomorrow is another day.
            _log.error("settling late usage of customer %s failed", customer_id, exc_info=error)
    return made


async def left_without_invoice(session: AsyncSession, now: datetime) -> list[tuple[str, str]]:
    """Customers and currencies whose usage was invoiced lately, whom no invoice followed or will follow before it is
    too late to settle what else arrives for that time."""
    other = aliased(InvoiceRow)
    has_usage = exists().where(
        col(InvoiceLineRow.invoice_id) == col(InvoiceRow.id),
        col(InvoiceLineRow.kind) == USAGE_KIND,
        col(InvoiceLineRow.deleted_at).is_(None),
    )
    since_then = and_(col(other.tab) != _GATHERING, col(other.created_at) > now - WITHOUT_INVOICE)
    to_come = and_(
        col(other.tab) == _GATHERING,
        col(other.deleted_at).is_(None),
        col(other.collection_at) < now + LOOK_BACK - WITHOUT_INVOICE,
    )
    is_followed = exists().where(
        col(other.customer_id) == col(InvoiceRow.customer_id),
        col(other.currency) == col(InvoiceRow.currency),
        or_(since_then, to_come),
    )
    statement = (
        select(col(InvoiceRow.customer_id), col(InvoiceRow.currency))
        .where(col(InvoiceRow.created_at).between(now - LOOK_BACK, now - WITHOUT_INVOICE))
        .where(col(InvoiceRow.tab).in_(BILLED_TABS), has_usage, ~is_followed)
        .distinct()
        .order_by(col(InvoiceRow.customer_id), col(InvoiceRow.currency))
    )
    return [(customer_id, currency) for customer_id, currency in await session.execute(statement)]


async def _invoice(desk: BillingDesk, customer_id: str, currency: str, measured: Measured) -> None:
    """Raises NothingToInvoice when what is late costs nothing, or another invoice was faster."""
    async with desk.database.transaction(SYSTEM) as work:
        customer = await live_customer(work.session, customer_id)
        await lock_billing_of(work, customer_id)
        billing = await customer_billing(work.session, customer_id)
        row = await new_draft(work, customer, billing, currency, LATE_USAGE)
        await fix_quantities(work, row, measured)
        if not row.total:
            raise NothingToInvoice(f"No late usage of {customer.name} costs anything.")
        await send_off(work, row, await live_lines(work.session, row.id))
