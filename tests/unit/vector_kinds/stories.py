"""Pending lines and usage in memory, for vectors that tell a story. What is due and what it costs is asked of the
product; this only remembers."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.billing.progressive import DuePiece, PendingLine, RatedPiece, after_billing, after_deletion, rate_piece
from dashboard.kit.calendar import Period
from dashboard.kit.money import ZERO
from dashboard.usage.meter_rules import Aggregation
from vector_kinds.reading import Given, amount, moment, period, terms


@dataclass
class Story:
    """One customer's pending lines by key, their meters, and the usage known so far."""

    currency: str = "USD"
    pending: dict[str, PendingLine] = field(default_factory=dict)
    meters: dict[str, str] = field(default_factory=dict)
    usage: list[tuple[str, datetime, Decimal]] = field(default_factory=list)

    def line_from(self, written: Given, key: str) -> PendingLine:
        full = period(written["service_period"])
        metered = bool(written.get("meter"))
        if metered:
            self.meters[key] = written["meter"]
        return PendingLine(
            key=key,
            terms=terms({"currency": self.currency, **written}),
            full_service_period=full,
            service_period=full,
            invoice_at=moment(written["invoice_at"]),
            aggregation=Aggregation.SUM if metered else None,
        )

    def wait_for(self, written: Given) -> None:
        self.pending[written["key"]] = self.line_from(written, written["key"])

    def use(self, step: Given) -> None:
        self.usage.append((step["meter"], moment(step["at"]), amount(step["quantity"])))

    def metered(self, line: PendingLine, until: datetime) -> Decimal:
        window = Period(line.full_service_period.start, until)
        meter = self.meters.get(line.key)
        return sum((quantity for name, at, quantity in self.usage if name == meter and window.contains(at)), ZERO)

    def rate(self, line: PendingLine, service_period: Period) -> RatedPiece:
        return rate_piece(line, service_period, self.metered(line, service_period.end))

    def book(self, due: DuePiece, piece: RatedPiece) -> None:
        if due.rest is None:
            del self.pending[due.line.key]
        else:
            self.pending[due.line.key] = after_billing(due.rest, piece)

    def give_up(self, piece: RatedPiece) -> None:
        rest = self.pending.get(piece.key)
        if rest is not None:
            self.pending[piece.key] = after_deletion(rest, piece)
