"""One invoice: what it says, where it stands, what happened, and what can be done now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.actions import perform_action
from dashboard.billing.queries import get_invoice
from dashboard.billing.views import (
    CollectionMethod,
    DetailLine,
    ExternalInvoice,
    Invoice,
    InvoiceAction,
    InvoiceLine,
    Issue,
)
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import BadAmount, format_money, format_quantity, format_unit_price, parse_amount
from dashboard.stripe_app.apps import get_stripe_app
from dashboard.stripe_app.inbox import events_of_invoice
from dashboard.stripe_app.views import EventState, StripeEvent
from dashboard.ui import components as ui
from dashboard.ui.api_calls import curl, origin_of
from dashboard.ui.invoices.metering import Metering, meterings_of
from dashboard.ui.invoices.totals import TotalRow, foreign_rows, total_rows
from dashboard.ui.invoices.words import (
    ACTION_WORDS,
    STATUS_TONES,
    STATUS_WORDS,
    document_of,
    payment_of,
    sync_of,
    why_of,
)
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.shell_state import show_environment
from dashboard.ui.views import NO_MOMENT, Moment, TimelineEntry, day, moment, span_text

DIRECT = (InvoiceAction.ADVANCE, InvoiceAction.APPROVE, InvoiceAction.RETRY, InvoiceAction.SNAPSHOT_QUANTITIES)
"""Actions that need no second question."""


@dataclass(frozen=True, slots=True)
class InvoiceDetails:
    id: str = ""
    number: str = ""
    document: str = ""
    payment: str = ""
    sync: str = ""
    total: str = ""
    customer_name: str = ""
    customer_href: str = ""
    currency: str = ""
    collection: str = ""
    approval: str = ""
    tax: str = ""
    supplier: str = ""
    description: str = ""
    purchase_order: str = ""
    period: str = ""
    created: Moment = NO_MOMENT
    collection_at: Moment = NO_MOMENT
    draft_until: Moment = NO_MOMENT
    issued: Moment = NO_MOMENT
    due: Moment = NO_MOMENT
    sent: Moment = NO_MOMENT
    paid: Moment = NO_MOMENT
    voided: Moment = NO_MOMENT
    next_attempt: Moment = NO_MOMENT
    attempts: str = ""


@dataclass(frozen=True, slots=True)
class StripeSide:
    id: str = ""
    number: str = ""
    status: str = ""
    dashboard_url: str = ""
    hosted_url: str = ""
    pdf_url: str = ""
    due: str = ""
    paid: str = ""
    remaining: str = ""
    tax: str = ""
    total: str = ""
    failure: str = ""
    attempts: str = ""
    next_payment_attempt: Moment = NO_MOMENT


@dataclass(frozen=True, slots=True)
class DetailRow:
    name: str
    figure: str
    amount: str
    steps: list[str]


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line. `steps` is what all its parts have in common, each of `details` has its own."""

    id: str
    name: str
    description: str
    period: str
    quantity: str
    amount: str
    tax: str
    is_metered: bool
    metering: Metering
    steps: list[str]
    details: list[DetailRow]


@dataclass(frozen=True, slots=True)
class IssueRow:
    tone: str
    message: str
    remedy: str


class InvoiceState(LiveState, rx.State):
    loading: bool = True
    missing: bool = False
    invoice: InvoiceDetails = InvoiceDetails()
    stripe: StripeSide = StripeSide()
    lines: list[LineRow] = []
    foreign: list[TotalRow] = []
    totals: list[TotalRow] = []
    issues: list[IssueRow] = []
    timeline: list[TimelineEntry] = []
    can: dict[str, bool] = {}
    busy: str = ""
    problem: str = ""
    crediting: bool = False
    errors: dict[str, str] = {}
    calls: dict[str, str] = {}

    @rx.event(background=True)
    @needs("operator")
    async def act(self, action: str):
        """Does one of the actions that need nothing but the invoice itself."""
        async with self:
            if self.can.get(str(action)) is not True:
                return
            self.busy, self.problem = str(action), ""
            actor = await acting(self)
        chosen = InvoiceAction(str(action))
        try:
            await perform_action(running().billing, actor, self.invoice.id, chosen)
            yield ui.toast_success(f"{ACTION_WORDS[chosen]}: done")
        except MeterdeskError as error:
            async with self:
                self.problem = error.for_people()
        finally:
            async with self:
                self.busy = ""
                await self._refresh()

    @rx.event
    @needs("operator")
    async def start_crediting(self):
        self.errors, self.crediting = {}, True

    @rx.event
    @needs("operator")
    async def stop_crediting(self):
        self.crediting = False

    @rx.event(background=True)
    @needs("operator")
    async def credit(self, form: dict[str, Any]):
        async with self:
            self.busy, self.errors = "credit", {}
            actor = await acting(self)
        try:
            await perform_action(
                running().billing,
                actor,
                self.invoice.id,
                InvoiceAction.CREDIT,
                amount=parse_amount(str(form.get("amount") or "")),
                reason=str(form.get("reason") or ""),
                refund=form.get("refund") in ("on", True, "true"),
            )
            async with self:
                self.crediting = False
            yield ui.toast_success("Credited")
        except BadAmount as error:
            async with self:
                self.errors = {"amount": error.for_people()}
        except MeterdeskError as error:
            async with self:
                self.errors = error.fields or {"form": error.for_people()}
        finally:
            async with self:
                self.busy = ""
                await self._refresh()

    def _enter(self):
        self.problem, self.busy, self.crediting, self.errors = "", "", False, {}
        if self.invoice.id != self.invoice_id:
            self.loading = True

    def _topics(self):
        return (f"invoices/{self.invoice_id}",)

    async def _refresh(self):
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                invoice = await get_invoice(session, self.invoice_id, now=now)
                events = await events_of_invoice(session, invoice.id)
                app = await get_stripe_app(session, invoice.app_id) if invoice.app_id else None
                meterings = await meterings_of(session, invoice)
        except MeterdeskError:
            self.missing, self.loading = True, False
            return
        self.missing = False
        self.invoice = _details(invoice, now)
        self.stripe = _stripe_side(invoice.external, invoice.currency, now)
        self.lines = [
            _line(line, invoice.currency, meterings.get(line.id)) for line in invoice.lines if line.deleted_at is None
        ]
        self.foreign = foreign_rows(invoice)
        self.totals = total_rows(invoice)
        self.issues = [_issue(issue) for issue in _issues(invoice)]
        self.timeline = _timeline(invoice, events, now)
        self.can = {action.value: action in invoice.actions for action in InvoiceAction}
        self.calls = _calls(origin_of(self), invoice)
        if app is not None:
            await show_environment(self, "sandbox" if app.is_sandbox else app.mode)
        self.loading = False


def _calls(origin: str, invoice: Invoice) -> dict[str, str]:
    """The invoice and its possible actions by the API; an action that is not possible now has no command."""
    path = f"/api/v1/billing/invoices/{invoice.id}"
    void = {"action": {"percentage": 100, "action": {"type": "discard"}}, "reason": "Billed by mistake"}
    bodies = {
        InvoiceAction.ADVANCE: ("POST", "/advance", None),
        InvoiceAction.APPROVE: ("POST", "/approve", None),
        InvoiceAction.RETRY: ("POST", "/retry", None),
        InvoiceAction.VOID: ("POST", "/void", void),
        InvoiceAction.DELETE: ("DELETE", "", None),
    }
    commands = {
        action.value: curl(origin, method, path + tail, body) if action in invoice.actions else ""
        for action, (method, tail, body) in bodies.items()
    }
    return {"read": curl(origin, "GET", path), **commands}


def _details(invoice: Invoice, now: datetime) -> InvoiceDetails:
    workflow = invoice.workflow
    return InvoiceDetails(
        id=invoice.id,
        number=invoice.number,
        document=document_of(invoice),
        payment=payment_of(invoice),
        sync=sync_of(invoice),
        total=format_money(invoice.totals.total, invoice.currency),
        customer_name=invoice.customer_name,
        customer_href=f"/customers/{invoice.customer_id}",
        currency=invoice.currency,
        collection=_collection(invoice),
        approval="" if workflow is None else "Automatic" if workflow.auto_advance else "By a person",
        tax="" if workflow is None else _tax_mode(workflow.tax_enabled, workflow.tax_enforced),
        supplier=invoice.supplier.name if invoice.supplier else "",
        description=invoice.description or "",
        purchase_order=invoice.purchase_order or "",
        period=_period(invoice.period_from, invoice.period_to),
        created=moment(invoice.created_at, now),
        collection_at=moment(invoice.collection_at, now),
        draft_until=moment(invoice.draft_until, now),
        issued=moment(invoice.issued_at, now),
        due=day(invoice.due_at, now),
        sent=moment(invoice.sent_at, now),
        paid=moment(invoice.paid_at, now),
        voided=moment(invoice.voided_at, now),
        next_attempt=moment(invoice.next_attempt_at, now),
        attempts=str(invoice.sync_attempts) if invoice.sync_attempts else "",
    )


def _collection(invoice: Invoice) -> str:
    if invoice.workflow is None:
        return ""
    is_charged = invoice.workflow.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY
    return "Auto Collection" if is_charged else "Send Invoice"


def _tax_mode(enabled: bool, enforced: bool) -> str:
    if not enabled:
        return "Off"
    return "On, enforced" if enforced else "On"


def _period(start: datetime | None, end: datetime | None) -> str:
    return "" if start is None or end is None else span_text(start, end)


def _stripe_side(external: ExternalInvoice | None, currency: str, now: datetime) -> StripeSide:
    if external is None:
        return StripeSide()

    def shown(amount: Decimal | None) -> str:
        return "" if amount is None else format_money(amount, currency)

    return StripeSide(
        id=external.id,
        number=external.number or "",
        status=external.status,
        dashboard_url=external.dashboard_url or "",
        hosted_url=external.hosted_url or "",
        pdf_url=external.pdf_url or "",
        due=shown(external.amount_due),
        paid=shown(external.amount_paid),
        remaining=shown(external.amount_remaining),
        tax=shown(external.tax),
        total=shown(external.total),
        failure=external.failure_message or "",
        attempts=str(external.attempt_count) if external.attempt_count else "",
        next_payment_attempt=moment(external.next_payment_attempt_at, now),
    )


def _line(line: InvoiceLine, currency: str, metering: Metering | None) -> LineRow:
    tax = line.effective_tax
    shared = steps_in_common([detail.explanation for detail in line.details])
    return LineRow(
        id=line.id,
        name=line.name,
        description=line.description or "",
        period=_period(line.period_from, line.period_to),
        quantity="" if line.quantity is None else format_quantity(line.quantity),
        amount=format_money(line.totals.before_tax, currency),
        tax=" · ".join(part for part in (tax.stripe_code, tax.behavior) if part),
        is_metered=metering is not None,
        metering=metering or Metering(),
        steps=shared,
        details=[_detail(detail, currency, len(shared)) for detail in line.details],
    )


def steps_in_common(explanations: Sequence[Sequence[str]]) -> list[str]:
    """The steps that the explanations of several parts of a line begin with, so that they are said once."""
    if len(explanations) < 2:
        return []
    return [steps[0] for steps in takewhile(lambda steps: len(set(steps)) == 1, zip(*explanations, strict=False))]


def _detail(detail: DetailLine, currency: str, said: int) -> DetailRow:
    return DetailRow(
        name=detail.name[:1].upper() + detail.name[1:],
        figure=f"{format_quantity(detail.quantity)} × {format_unit_price(detail.per_unit_amount, currency)}",
        amount=format_money(detail.totals.before_tax, currency),
        steps=list(detail.explanation[said:]),
    )


def _issues(invoice: Invoice) -> Iterable[Issue]:
    return (*invoice.issues, *(invoice.external.notes if invoice.external else ()))


def _issue(issue: Issue) -> IssueRow:
    return IssueRow("danger" if issue.severity == "critical" else "warning", issue.message, issue.remedy)


def _timeline(invoice: Invoice, events: tuple[StripeEvent, ...], now: datetime) -> list[TimelineEntry]:
    """Transitions and Stripe's events together, the newest first."""
    steps: list[tuple[datetime, int, TimelineEntry]] = []
    for number, step in enumerate(invoice.transitions):
        words = STATUS_WORDS.get(step.to_status, step.to_status)
        entry = TimelineEntry(
            title=words if step.to_status != step.from_status else step.trigger.replace("_", " ").capitalize(),
            at=moment(step.at, now),
            tone=STATUS_TONES.get(step.to_status, "neutral"),
            detail=why_of(step),
            actor=step.actor_label,
        )
        steps.append((step.at, number, entry))
    for number, event in enumerate(events):
        entry = TimelineEntry(
            title=event.type,
            at=moment(event.created_at, now),
            tone="info",
            # How an event was applied is told in the inbox; here counts what was not.
            detail="" if event.state is EventState.APPLIED else event.reason or "",
            actor="Stripe event",
        )
        # Stripe's clock counts whole seconds; the order of arrival is the finer one.
        steps.append((event.received_at, number, entry))
    return [entry for _, _, entry in sorted(steps, key=lambda step: step[:2], reverse=True)]
