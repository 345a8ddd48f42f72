"""Usage that arrived, or was corrected, after its period was invoiced: the customer's next invoice settles it.

Each invoice that collects looks once more at the periods of its customer that were invoiced lately. What they measure
differently now becomes a line of its own, which is rated by difference like any other piece of that period.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.gathering import lock_billing_of
from dashboard.billing.invoice_rows import pinned_workflow
from dashboard.billing.line_rating import USAGE_KIND
from dashboard.billing.lines import apply_tax
from dashboard.billing.metering import MeteredLine
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id

LOOK_BACK = timedelta(days=100)
"""Usage that comes later than this after the end of its period is not settled by itself any more."""

PERIODS_MAX = 200

BILLED_TABS = ("open", "overdue", "paid", "uncollectible")
_CHANGING = ("gathering", "draft")


@dataclass(frozen=True, slots=True)
class LateUsage:
    """A period that was invoiced: what its invoices counted, and everything metered in it as known now."""

    root_id: str
    counted: Decimal
    quantity: Decimal


async def invoiced_periods(
    session: AsyncSession, customer_id: str, currency: str, now: datetime, *, besides: str | None = None
) -> list[InvoiceLineRow]:
    """The last piece of every period of this customer and currency that was invoiced whole, the newest first.

    Left out are periods on the invoice `besides`, those of which something still changes, that were given up, or whose
    correction somebody deleted.
    """
    last_pieces = (
        select(InvoiceLineRow)
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.customer_id) == customer_id, col(InvoiceLineRow.kind) == USAGE_KIND)
        .where(col(InvoiceLineRow.currency) == currency, col(InvoiceLineRow.deleted_at).is_(None))
        .where(col(InvoiceLineRow.period_to) == col(InvoiceLineRow.full_period_to))
        .where(col(InvoiceLineRow.period_to) >= now - LOOK_BACK, col(InvoiceLineRow.is_late_usage).is_(False))
        .where(col(InvoiceRow.tab).in_(BILLED_TABS), col(InvoiceRow.id).is_distinct_from(besides))
        .order_by(col(InvoiceLineRow.period_to).desc(), col(InvoiceLineRow.id))
        .limit(PERIODS_MAX)
    )
    found = {line.root_id: line for line in await session.scalars(last_pieces)}
    for piece, tab in await _pieces(session, list(found)):
        if tab in _CHANGING or (piece.is_late_usage and piece.deleted_at is not None):
            found.pop(piece.root_id, None)
    return list(found.values())


async def counted_so_far(session: AsyncSession, root_ids: list[str]) -> dict[str, Decimal]:
    """Root id → what the invoices of that period counted, late usage that was settled included."""
    counted = dict.fromkeys(root_ids, Decimal(0))
    for piece, _ in await _pieces(session, root_ids):
        if piece.deleted_at is None:
            counted[piece.root_id] += piece.metered_quantity or Decimal(0)
    return counted


def late_usage_of(line: MeteredLine, quantity: Decimal, counted: Decimal) -> LateUsage | None:
    """What of a period is to be settled; None for nothing, or when it would be measured otherwise than it was."""
    if quantity == counted or line.line.measured_with not in (None, line.measured_with):
        return None
    return LateUsage(line.line.root_id, counted, quantity)


async def correction_line(work: Work, invoice: InvoiceRow, late: LateUsage) -> InvoiceLineRow | None:
    """A new line of `invoice` for late usage, to be rated; None when another invoice was faster."""
    await lock_billing_of(work, invoice.customer_id)
    if (await counted_so_far(work.session, [late.root_id]))[late.root_id] != late.counted:
        return None
    periods = await invoiced_periods(work.session, invoice.customer_id, invoice.currency, work.now, besides=invoice.id)
    template = next((line for line in periods if line.root_id == late.root_id), None)
    if template is None:
        return None
    values = {name: getattr(template, name) for name in InvoiceLineRow.model_fields}
    line = InvoiceLineRow(
        **values
        | {
            "id": new_id(),
            "invoice_id": invoice.id,
            "reference": None,
            "is_late_usage": True,
            "period_from": template.full_period_from,
            "collection_end": None,
            "created_at": work.now,
            "updated_at": work.now,
        }
    )
    describe(line, template.name, late.quantity - late.counted)
    work.session.add(line)
    await apply_tax(work.session, [line], pinned_workflow(invoice))
    await work.session.flush()
    return line


def describe(line: InvoiceLineRow, name: str, quantity: Decimal) -> None:
    """Says on a line that, and for when, it settles something."""
    last_day = max(line.period_from, line.period_to - timedelta(seconds=1))
    period = f"{line.period_from:%d %b %Y} to {last_day:%d %b %Y}"
    if quantity > 0:
        line.name = f"{name} (late usage)"
        line.description = f"Usage of {period} that arrived after it was invoiced."
    else:
        line.name = f"{name} (corrected usage)"
        line.description = f"Usage of {period} that was corrected after it was invoiced."


async def _pieces(session: AsyncSession, root_ids: list[str]) -> list[tuple[InvoiceLineRow, str]]:
    if not root_ids:
        return []
    statement = (
        select(InvoiceLineRow, col(InvoiceRow.tab))
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.root_id).in_(root_ids))
    )
    return [(line, tab) for line, tab in await session.execute(statement)]
