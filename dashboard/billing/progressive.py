"""Billing a pending line in pieces: what of it is due, and what that piece costs.

A piece is rated by difference (`rating/difference.py`), so a line keeps what its earlier pieces booked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from dashboard.billing.collection_dates import BillableCandidate, billable_period
from dashboard.billing.rating.difference import rate_run
from dashboard.billing.rating.lines import RatedLine, RateRequest, RatingResult, RatingTerms
from dashboard.billing.rating.quantities import priced_quantity
from dashboard.catalog.prices import FlatPrice
from dashboard.kit.calendar import Period
from dashboard.kit.errors import PreconditionFailed
from dashboard.kit.money import ZERO, exact_arithmetic
from dashboard.usage.meter_rules import Aggregation


class NothingToInvoice(PreconditionFailed):
    code = "invoice_create_no_lines"
    remedy = "Wait until a pending line is due, or bill the part that was used so far."


@dataclass(frozen=True, slots=True)
class PendingLine:
    """A line that waits to be billed, or the rest of one.

    `service_period` is what is still to be billed of `full_service_period`; `metered_before` was metered in the pieces
    billed so far, and `booked` and `waived` are their rated lines (waived: their invoice was deleted).
    """

    key: str
    terms: RatingTerms
    full_service_period: Period
    service_period: Period
    invoice_at: datetime
    aggregation: Aggregation | None = None
    metered_before: Decimal = ZERO
    booked: tuple[RatedLine, ...] = ()
    waived: tuple[RatedLine, ...] = ()

    @property
    def was_split(self) -> bool:
        return self.service_period.start != self.full_service_period.start

    @property
    def is_metered(self) -> bool:
        return not isinstance(self.terms.price, FlatPrice)


@dataclass(frozen=True, slots=True)
class DuePiece:
    """What of a line is billed now, and what stays pending (None when nothing does)."""

    line: PendingLine
    service_period: Period
    invoice_at: datetime
    rest: PendingLine | None


@dataclass(frozen=True, slots=True)
class RatedPiece:
    """A piece with its price. `quantity` is what was priced in it: converted, without free units; 1 for a flat fee."""

    key: str
    service_period: Period
    metered_quantity: Decimal
    quantity: Decimal
    rating: RatingResult


def due_pieces(lines: Sequence[PendingLine], as_of: datetime, *, progressive_billing: bool) -> list[DuePiece]:
    """The pieces that can be billed at `as_of`. Raises NothingToInvoice for none at all, VolumeSplitNotSupported."""
    pieces = [piece for line in lines if (piece := due_piece(line, as_of, progressive_billing)) is not None]
    if not pieces:
        raise NothingToInvoice("None of the pending lines can be billed yet.")
    return pieces


def due_piece(line: PendingLine, as_of: datetime, progressive_billing: bool) -> DuePiece | None:
    """What of one line can be billed at `as_of`; a part of it carries the cut as its own invoice time."""
    candidate = BillableCandidate(
        line.terms.price, line.service_period, line.invoice_at, line.aggregation, was_split=line.was_split
    )
    period = billable_period(candidate, as_of, progressive_billing=progressive_billing)
    if period is None:
        return None
    if period.end == line.service_period.end:
        return DuePiece(line, period, line.invoice_at, None)
    rest = replace(line, service_period=Period(period.end, line.service_period.end))
    return DuePiece(line, period, period.end, rest)


def rate_piece(line: PendingLine, service_period: Period, cumulative_quantity: Decimal) -> RatedPiece:
    """The price of a piece, given everything metered from the start of the full period to the end of the piece."""
    rating = rate_run(
        line.terms, line.full_service_period, service_period, cumulative_quantity, line.booked, line.waived
    )
    with exact_arithmetic():
        before = _priced(line, line.metered_before) if line.is_metered else ZERO
        return RatedPiece(
            key=line.key,
            service_period=service_period,
            metered_quantity=cumulative_quantity - line.metered_before,
            quantity=_priced(line, cumulative_quantity) - before,
            rating=rating,
        )


def after_billing(rest: PendingLine, piece: RatedPiece) -> PendingLine:
    """The rest of a line once its piece was billed."""
    return replace(
        rest,
        metered_before=rest.metered_before + piece.metered_quantity,
        booked=(*rest.booked, *piece.rating.lines),
    )


def after_deletion(rest: PendingLine, piece: RatedPiece) -> PendingLine:
    """The rest of a line once the invoice with this piece was deleted: its period stays used, its amount is gone."""
    lines = piece.rating.lines
    kept = tuple(line for line in rest.booked if not any(line is gone for gone in lines))
    return replace(rest, booked=kept, waived=(*rest.waived, *lines))


def _priced(line: PendingLine, metered: Decimal) -> Decimal:
    return priced_quantity(RateRequest(line.terms, metered)).quantity
