"""Fixing the quantities of a draft once late usage has had its time: what each line metered, and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoice_rows import detail_rows, live_lines
from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.issues import CRITICAL
from dashboard.billing.late_usage import (
    LateUsage,
    correction_line,
    counted_so_far,
    describe,
    invoiced_periods,
    late_usage_of,
)
from dashboard.billing.line_rating import USAGE_KIND, priced_in, rate_usage, rated_lines_of
from dashboard.billing.lines import Family, add_up, families_of, store_rating
from dashboard.billing.metering import MeteredLine, Unmeasurable, issue_of_line, metered_lines, quantities_so_far
from dashboard.billing.rating.lines import RatedLine
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus, Issue
from dashboard.kit.database import Work
from dashboard.kit.errors import MeterdeskError

_GIVEN_UP = (InvoiceStatus.DELETED, InvoiceStatus.VOIDED)
_NOT_FIXED_YET = (
    InvoiceStatus.DRAFT_CREATED,
    InvoiceStatus.DRAFT_WAITING_FOR_COLLECTION,
    InvoiceStatus.DRAFT_COLLECTING,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Lines that could be measured, with everything metered up to their end; and those whose quantity nobody can tell.

    `late` is what periods that are invoiced already measure differently now.
    """

    lines: dict[str, MeteredLine]
    quantities: dict[str, Decimal]
    issues: tuple[Issue, ...]
    late: tuple[LateUsage, ...]


async def measure(desk: BillingDesk, customer_id: str, currency: str, invoice_id: str | None = None) -> Measured:
    """Asks the event store for an invoice's metered lines, and for periods of its customer that were invoiced lately,
    while no transaction is open. Without an invoice only for the latter."""
    async with desk.database.read() as session:
        lines = [] if invoice_id is None else await live_lines(session, invoice_id, kind=USAGE_KIND)
        before = await invoiced_periods(session, customer_id, currency, desk.database.clock.now(), besides=invoice_id)
        counted = await counted_so_far(session, [line.root_id for line in before])
        asked = await metered_lines(session, [*lines, *before])
    known = {one.line_id: one for one in asked if isinstance(one, MeteredLine)}
    quantities = await quantities_so_far(desk.event_store, list(known.values())) if known else {}
    own = {line.id for line in lines}
    late = [
        late_usage_of(one, quantities[line_id], counted[one.line.root_id])
        for line_id, one in known.items()
        if line_id not in own
    ]
    unknown = [one for one in asked if isinstance(one, Unmeasurable) and one.line_id in own]
    return Measured(
        known,
        {line_id: quantity for line_id, quantity in quantities.items() if line_id in own},
        tuple(issue_of_line(one.line_id, one.name, one.reason, CRITICAL) for one in unknown),
        tuple(one for one in late if one is not None),
    )


async def fix_quantities(work: Work, row: InvoiceRow, measured: Measured) -> tuple[Issue, ...]:
    """Writes the quantities into a locked draft and prices them. Answers the lines that cannot be priced.

    Flat lines have had their price since they were made.
    Raises InvoicingAppError (transient) while an earlier piece of one of its lines is not fixed yet.
    """
    issues = list(measured.issues)
    lines = await live_lines(work.session, row.id, kind=USAGE_KIND) if measured.quantities else []
    metered = [line for line in lines if line.id in measured.quantities]
    families = await _families(work.session, metered)
    for line in metered:
        line.measured_with = measured.lines[line.id].measured_with
        try:
            await _rate_metered(work.session, line, measured.quantities[line.id], families)
        except MeterdeskError as reason:
            issues.append(issue_of_line(line.id, line.name, reason, CRITICAL))
    for late in measured.late:
        line = await correction_line(work, row, late)
        if line is not None:
            await _rate_metered(work.session, line, late.quantity, await _families(work.session, [line]))
    if lines or measured.late:
        add_up(row, await live_lines(work.session, row.id))
    row.quantities_fixed_at = None if issues else work.now
    return tuple(issues)


@dataclass(frozen=True, slots=True)
class _Families:
    """The other pieces of lines by line id, and the priced components of all of them by theirs."""

    pieces: dict[str, Family]
    details: dict[str, list[DetailLineRow]]


async def _families(session: AsyncSession, lines: Sequence[InvoiceLineRow]) -> _Families:
    pieces = await families_of(session, lines)
    everybody = {piece.id for family in pieces.values() for piece, _ in family} | {line.id for line in lines}
    return _Families(pieces, await detail_rows(session, list(everybody)))


async def _rate_metered(session: AsyncSession, line: InvoiceLineRow, cumulative: Decimal, families: _Families) -> None:
    before = [
        (piece, status)
        for piece, status in families.pieces[line.id]
        if line.is_late_usage or piece.period_to <= line.period_from
    ]
    if any(status in _NOT_FIXED_YET for _, status in before):
        raise InvoicingAppError(
            Trouble.TRANSIENT, "earlier_piece_open", f"An earlier part of “{line.name}” is not counted yet."
        )
    booked: list[RatedLine] = []
    waived: list[RatedLine] = []
    for piece, status in before:
        (waived if status in _GIVEN_UP else booked).extend(rated_lines_of(families.details[piece.id], piece))
    metered_before = sum((piece.metered_quantity or Decimal(0) for piece, _ in before), Decimal(0))
    line.metered_before = metered_before
    line.metered_quantity = cumulative - metered_before
    line.quantity = priced_in(line, cumulative, metered_before)
    result = rate_usage(line, cumulative, booked, waived)
    if line.is_late_usage and not line.metered_quantity and not result.lines:
        # What was late is gone again.
        await session.delete(line)
        await session.flush()
        return
    if line.is_late_usage:
        describe(line, next(piece.name for piece, _ in before if not piece.is_late_usage), line.metered_quantity)
    await store_rating(session, line, result, families.details[line.id])
