"""What a customer will be invoiced for, charges by hand, and their invoices."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import reflex as rx

from dashboard.backend import running
from dashboard.billing.gathering import add_charges, delete_pending_line, pending_of_customer
from dashboard.billing.invoice_inputs import AddCharges, InvoicePendingLines
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices
from dashboard.billing.invoicing import invoice_pending_lines
from dashboard.billing.views import Invoice, InvoiceLine, InvoiceSummary
from dashboard.catalog.tax_codes import list_tax_codes
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.money import format_money, format_quantity
from dashboard.kit.paging import PageRequest
from dashboard.ui import components as ui
from dashboard.ui.invoices.words import beside_total, document_of
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import Moment, day, moment, span_text

INVOICES_SHOWN = 5
USAGE_KIND = "usage"


@dataclass(frozen=True, slots=True)
class PendingRow:
    id: str
    name: str
    detail: str
    period: str
    due: Moment
    amount: str
    by_hand: bool


@dataclass(frozen=True, slots=True)
class PendingGroup:
    """What waits in one currency."""

    currency: str
    total: str
    lines: list[PendingRow]


@dataclass(frozen=True, slots=True)
class CustomerInvoiceRow:
    href: str
    number: str
    document: str
    total: str
    beside_total: str
    created: Moment


class ChargesState(LiveState, rx.State):
    known: bool = False
    groups: list[PendingGroup] = []
    invoices: list[CustomerInvoiceRow] = []
    invoices_href: str = ""
    tax_codes: list[ui.Option] = []
    adding: bool = False
    errors: dict[str, str] = {}
    problem: str = ""

    @rx.event
    @needs("operator")
    async def start_adding(self):
        self.errors, self.adding = {}, True

    @rx.event
    @needs("operator")
    async def stop_adding(self):
        self.adding = False

    @rx.event
    @needs("operator")
    async def add(self, form: dict[str, Any]):
        self.errors = {}
        try:
            wanted = parse_input(AddCharges, {"customer_id": self.customer_id, "charges": [_charge(form)]})
            async with running().database.transaction(await acting(self)) as work:
                await add_charges(work, wanted)
        except MeterdeskError as error:
            self.errors = _on_form(error)
            return None
        self.adding = False
        await self._refresh()
        return ui.toast_success("Charge added", "It waits with the others until you invoice, or its date comes.")

    @rx.event
    @needs("operator")
    async def remove(self, line_id: str):
        try:
            async with running().database.transaction(await acting(self)) as work:
                await delete_pending_line(work, str(line_id))
        except MeterdeskError as error:
            return ui.toast_error(error.message, error.what_to_do)
        await self._refresh()
        return ui.toast_success("Charge removed")

    @rx.event
    @needs("operator")
    async def invoice_now(self, currency: str):
        self.problem = ""
        try:
            wanted = parse_input(
                InvoicePendingLines,
                {"customer_id": self.customer_id, "currency": str(currency), "before_its_date": True},
            )
            async with running().database.transaction(await acting(self)) as work:
                made = await invoice_pending_lines(work, wanted)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success("Invoice created"), rx.redirect(f"/invoices/{made[0].id}")]

    def _enter(self):
        self.errors, self.problem, self.adding = {}, "", False

    def _topics(self):
        return (f"customers/{self.customer_id}", "invoices", "tax_codes")

    async def _refresh(self):
        backend = running()
        now = backend.clock.now()
        async with backend.database.read() as session:
            pending = await pending_of_customer(session, self.customer_id, now)
            invoices = await list_invoices(session, InvoiceFilter(customer_id=self.customer_id), limit=INVOICES_SHOWN)
            codes = await list_tax_codes(session, PageRequest(size=200))
        self.groups = [_group(one, now) for one in pending if one.lines]
        self.invoices = [_invoice(one, now) for one in invoices.items]
        self.invoices_href = f"/invoices?{urlencode({'customer': self.customer_id})}"
        self.tax_codes = [ui.Option(code.id, f"{code.name} ({code.key})") for code in codes.items]
        self.known = True


def _charge(form: dict[str, Any]) -> dict[str, Any]:
    period_from, period_to = str(form.get("period_from") or ""), str(form.get("period_to") or "")
    charge: dict[str, Any] = {
        "name": str(form.get("name") or ""),
        "unit_price": str(form.get("unit_price") or ""),
        "quantity": str(form.get("quantity") or "1"),
        "tax": {"tax_code_id": str(form.get("tax_code_id") or "") or None},
    }
    if period_from:
        charge["period_from"] = _midnight(period_from)
    if period_to:
        charge["period_to"] = _midnight(period_to)
    return charge


def _midnight(text: str) -> Any:
    """The first moment in UTC of a day as the browser writes it; what is no day stays, for the input to refuse."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return text


def _on_form(error: MeterdeskError) -> dict[str, str]:
    fields = {name.rpartition(".")[2]: sentence for name, sentence in error.fields.items()}
    known = {"name", "unit_price", "quantity", "period_from", "period_to", "tax_code_id"}
    placed = {name: sentence for name, sentence in fields.items() if name in known}
    return placed or {"form": error.for_people()}


def _group(invoice: Invoice, now: datetime) -> PendingGroup:
    lines = [_pending(line, invoice.currency, now) for line in invoice.lines]
    return PendingGroup(invoice.currency, format_money(invoice.totals.before_tax, invoice.currency), lines)


def _pending(line: InvoiceLine, currency: str, now: datetime) -> PendingRow:
    quantity = "" if line.quantity is None else f"{format_quantity(line.quantity)} ×"
    is_rated = bool(line.details)
    return PendingRow(
        id=line.id,
        name=line.name,
        detail="" if line.kind == USAGE_KIND else quantity,
        period=span_text(line.period_from, line.period_to),
        due=day(line.invoice_at, now),
        amount=format_money(line.totals.before_tax, currency) if is_rated else "at collection",
        by_hand=line.managed_by == "manual",
    )


def _invoice(summary: InvoiceSummary, now: datetime) -> CustomerInvoiceRow:
    return CustomerInvoiceRow(
        f"/invoices/{summary.id}",
        summary.number,
        document_of(summary),
        format_money(summary.total, summary.currency),
        beside_total(summary),
        moment(summary.created_at, now),
    )
