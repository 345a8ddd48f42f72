"""Kind `flow`: one invoice through its statuses.

The machine, the dates, the issues, what is due and what it costs are the product's own pure functions; this plays the
parts that need a database or a provider in the product: it remembers, and it answers as the invoicing app.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from dashboard.billing.collection_dates import (
    InvoiceDates,
    PendingDate,
    collection_cutoff,
    invoice_dates,
    next_collection_at,
    quantities_are_final,
)
from dashboard.billing.issues import CRITICAL, downgrade_critical, has_critical, replace_issues
from dashboard.billing.progressive import PendingLine, RatedPiece, due_pieces
from dashboard.billing.rating.lines import sum_totals
from dashboard.billing.state_machine import (
    Facts,
    Move,
    Trigger,
    available_actions,
    is_failed,
    is_mutable,
    next_state,
    walk,
)
from dashboard.billing.views import InvoiceStatus, Issue, Totals
from dashboard.kit.calendar import Duration, Period, Recurrence
from vector_kinds.reading import Given, is_set, length, moment, outcome, time
from vector_kinds.stories import Story

DEFAULT_START = "2025-01-01T00:00:00Z"
CALCULATION = "meterdesk"
APP_VALIDATE = "app.sandbox.invoiceCustomers.validate"
APP_DELETE = "app.sandbox.invoiceCustomers.delete"

THEIR_STATUS = {InvoiceStatus.DRAFT_READY: "draft.ready_to_issue", InvoiceStatus.ISSUING: "issuing.syncing"}
THEIR_COMPONENT = {CALCULATION: "openmeter"}
COVERED_ACTIONS = {"advance", "approve", "retry", "delete"}
UNKNOWN_DATES = InvoiceDates(None, None, None)


@dataclass
class Line:
    """A line on the invoice; `piece` is its price once its quantity was fixed."""

    line: PendingLine
    service_period: Period
    invoice_at: datetime
    is_deleted: bool = False
    piece: RatedPiece | None = None

    @property
    def date(self) -> PendingDate:
        return PendingDate(self.invoice_at, self.is_deleted, self.line.is_metered)


@dataclass
class Invoice:
    created_at: datetime
    lines: list[Line]
    status: InvoiceStatus = InvoiceStatus.GATHERING
    dates: InvoiceDates = UNKNOWN_DATES
    issues: tuple[Issue, ...] = ()
    quantities_fixed_at: datetime | None = None
    issued_at: datetime | None = None
    deleted_at: datetime | None = None
    payment_processing_entered_at: datetime | None = None
    app_delete_calls: int = 0
    app_finalize_calls: int = 0

    @property
    def live_lines(self) -> list[Line]:
        return [line for line in self.lines if not line.is_deleted]

    @property
    def totals(self) -> Totals:
        return sum_totals(line.piece.rating.totals for line in self.live_lines if line.piece is not None)


@dataclass
class Flow:
    given: Given
    clock: datetime
    story: Story
    step: Given = field(default_factory=dict)
    made: Invoice | None = None

    @property
    def invoice(self) -> Invoice:
        assert self.made is not None, "the flow begins with an invoice"
        return self.made

    @property
    def workflow(self) -> Given:
        return self.given["workflow"]

    def facts(self) -> Facts:
        return Facts(
            now=self.clock,
            collection_at=self.invoice.dates.collection_at,
            draft_until=self.invoice.dates.draft_until,
            auto_advance=is_set(self.workflow, "auto_advance"),
            has_critical_issue=has_critical(self.invoice.issues),
            has_live_line=bool(self.invoice.live_lines),
        )

    # What a person or the clock does

    def take(self, step: Given) -> None:
        self.step = step
        match step["do"]:
            case "create_invoice":
                self.create_invoice()
            case "advance":
                self.fire(Trigger.NEXT)
            case "approve":
                self.fire(Trigger.APPROVE)
            case "retry":
                self.invoice.issues = downgrade_critical(self.invoice.issues)
                self.fire(Trigger.RETRY)
            case "delete":
                self.fire(Trigger.DELETE)
            case "system_delete_all_lines":
                for line in self.invoice.lines:
                    line.is_deleted = True
                self.fire(Trigger.UPDATED)
            case "add_line":
                self.add_line(step["line"])
            case "usage":
                self.story.use(step)
            case "set_clock":
                self.clock = moment(step["at"])
            case "check" | "check_gathering":
                pass
            case verb:
                pytest.fail(f"nothing here knows how to {verb}")

    def create_invoice(self) -> None:
        alignment, anchor = self.alignment()
        bypass = is_set(self.step, "bypass_alignment")
        cutoff = collection_cutoff(alignment, anchor, self.clock, bypass_alignment=bypass)
        pending = list(self.story.pending.values())
        due = due_pieces(pending, cutoff, progressive_billing=is_set(self.workflow, "progressive_billing"))
        for piece in due:
            self.story.book(piece, self.story.rate(piece.line, piece.service_period))
        lines = [Line(piece.line, piece.service_period, piece.invoice_at) for piece in due]
        self.made = Invoice(self.clock, lines, InvoiceStatus.DRAFT_CREATED)
        outcome = self.enter(Move(InvoiceStatus.GATHERING, Trigger.NEXT, InvoiceStatus.DRAFT_CREATED))
        if next_state(self.invoice.status, outcome, self.facts()) is not None:
            self.fire(outcome)

    def add_line(self, written: Given) -> None:
        line = self.story.line_from(written, f"added-{len(self.invoice.lines)}")
        self.invoice.lines.append(Line(line, line.service_period, line.invoice_at))
        self.fire(Trigger.UPDATED)

    def fire(self, trigger: Trigger) -> None:
        for _ in walk(self.invoice.status, trigger, self.facts, self.enter):
            pass

    def alignment(self) -> tuple[str, Recurrence | None]:
        anchor = self.workflow.get("anchor") or self.workflow.get("collection_anchor")
        dates = None if not anchor else Recurrence(Duration.parse(anchor["interval"]), moment(anchor["anchor"]))
        return self.workflow.get("alignment") or "", dates

    # What the product does on entering a state

    def enter(self, move: Move) -> Trigger:
        self.invoice.status = move.to_status
        match move.to_status:
            case InvoiceStatus.DRAFT_CREATED:
                self.calculate()
                if move.trigger is Trigger.UPDATED:
                    self.ask_app(APP_VALIDATE, "app_validate")
            case InvoiceStatus.DRAFT_COLLECTING:
                self.fix_quantities()
                self.calculate()
            case InvoiceStatus.DRAFT_VALIDATING:
                self.calculate()
                self.ask_app(APP_VALIDATE, "app_validate")
            case InvoiceStatus.ISSUING:
                self.invoice.issued_at = self.clock
                self.invoice.app_finalize_calls += 1
                self.calculate()
            case InvoiceStatus.PAYMENT_PENDING:
                return self.collect_payment()
            case InvoiceStatus.DELETING:
                self.invoice.deleted_at = self.invoice.deleted_at or self.clock
                self.invoice.app_delete_calls += 1
                return Trigger.FAILED if self.ask_app(APP_DELETE, "app_delete") else Trigger.NEXT
        checked = (InvoiceStatus.DRAFT_CREATED, InvoiceStatus.DRAFT_COLLECTING, InvoiceStatus.DRAFT_VALIDATING)
        is_held = move.to_status in checked and has_critical(self.invoice.issues)
        return Trigger.FAILED if is_held else Trigger.NEXT

    def calculate(self) -> None:
        self.invoice.dates = invoice_dates(
            [line.date for line in self.invoice.lines],
            collection_interval=length(self.workflow.get("collection_interval")),
            auto_advance=is_set(self.workflow, "auto_advance"),
            draft_period=length(self.workflow.get("draft_period")),
            due_after=length(self.workflow.get("due_after")),
            created_at=self.invoice.created_at,
            issued_at=self.invoice.issued_at,
        )
        self.ask_app(CALCULATION, "calculation")

    def fix_quantities(self) -> None:
        invoice = self.invoice
        if quantities_are_final(invoice.quantities_fixed_at, invoice.dates.collection_at, invoice.created_at):
            return
        for line in invoice.lines:
            line.piece = self.story.rate(line.line, line.service_period)
        invoice.quantities_fixed_at = self.clock

    def ask_app(self, component: str, hook: str) -> bool:
        """What the step lets this hook raise; whether that is critical."""
        raised = self.step.get(hook)
        found = [] if raised is None else [Issue(raised["severity"], raised["code"], raised["code"])]
        self.invoice.issues = replace_issues(self.invoice.issues, component, found)
        return raised is not None and raised["severity"] == CRITICAL

    def collect_payment(self) -> Trigger:
        self.invoice.payment_processing_entered_at = self.invoice.payment_processing_entered_at or self.clock
        return {
            "sandbox_pays": Trigger.PAID,
            "sandbox_fails_payment": Trigger.PAYMENT_FAILED,
            "manual": Trigger.NEXT,
        }[self.given["invoicing_app"]]


def flow(given: Given, expect: Given) -> None:
    played = Flow(given, moment(given.get("clock") or DEFAULT_START), Story())
    for line in _lines(given["lines"], played.clock):
        played.story.wait_for(line)
    for step in given["steps"]:
        expected = step.get("expect") or {}
        before = (played.made.quantities_fixed_at, played.made.deleted_at) if played.made else (None, None)
        if expected.get("error"):
            outcome(partial(played.take, step), expected)
        else:
            played.take(step)
        _assert_as_expected(played, {name: expected[name] for name in expected if name != "error"}, before)
    if "status" in expect:
        assert _their_status(played.invoice.status) == expect["status"]


def _lines(written: str | list[Given], now: datetime) -> list[Given]:
    if not isinstance(written, str):
        return [{"key": f"line-{number}", **line} for number, line in enumerate(written)]
    discounts = {"flat_fee_due_now": {}, "flat_fee_due_now_100_percent_off": {"percentage": "100"}}[written]
    fee = {
        "key": "fee",
        "price": {"type": "flat", "amount": "100", "payment_term": "in_advance"},
        "discounts": discounts,
        "service_period": {"from": (now - timedelta(days=1)).isoformat(), "to": now.isoformat()},
        "invoice_at": now.isoformat(),
    }
    return [fee]


def _assert_as_expected(played: Flow, expected: Given, before: tuple[datetime | None, datetime | None]) -> None:
    for name, value in expected.items():
        assert _observed(played, name, before) == _wanted(name, value), name


def _observed(played: Flow, name: str, before: tuple[datetime | None, datetime | None]) -> Any:
    if name == "next_collection_at":
        alignment, anchor = played.alignment()
        dates = [PendingDate(line.invoice_at) for line in played.story.pending.values()]
        return next_collection_at(alignment, anchor, dates)
    invoice, facts = played.invoice, played.facts()
    match name:
        case "status":
            return _their_status(invoice.status)
        case "immutable":
            return not is_mutable(invoice.status)
        case "failed":
            return is_failed(invoice.status)
        case "actions":
            found = available_actions(invoice.status, facts)
            return {a.value: _their_status(to) for a, to in found.items() if a.value in COVERED_ACTIONS}
        case "advance_available":
            return next_state(invoice.status, Trigger.NEXT, facts) is not None
        case "issues":
            return sorted(_their_issue(issue) for issue in invoice.issues)
        case "issued":
            return invoice.issued_at is not None
        case "deleted":
            return invoice.deleted_at is not None
        case "total":
            return invoice.totals.total
        case "amount":
            return invoice.totals.amount
        case "collection_at":
            return invoice.dates.collection_at
        case "snapshotted":
            return invoice.quantities_fixed_at is not None
        case "snapshot_unchanged":
            return invoice.quantities_fixed_at == before[0]
        case "deleted_at_unchanged":
            return invoice.deleted_at == before[1]
        case "payment_processing_entered_at" | "app_delete_calls" | "app_finalize_calls":
            return getattr(invoice, name)
    return pytest.fail(f"nothing here knows how to look at {name}")


def _wanted(name: str, value: Any) -> Any:
    if name in ("total", "amount"):
        return Decimal(value)
    if name in ("collection_at", "next_collection_at", "payment_processing_entered_at"):
        return time(value)
    if name == "issues":
        return sorted((issue["severity"], issue["code"], issue["component"]) for issue in value)
    return value


def _their_status(status: InvoiceStatus) -> str:
    return THEIR_STATUS.get(status, status.value)


def _their_issue(issue: Issue) -> tuple[str, str, str]:
    return issue.severity, issue.code, THEIR_COMPONENT.get(issue.component, issue.component)


KINDS = {"flow": flow}
