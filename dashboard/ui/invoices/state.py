"""The list of invoices: tabs with counts, filters, search, sorting and pages, all of it in the address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.invoice_csv import csv_rows
from dashboard.billing.invoice_list import InvoiceFilter, TabCount, list_invoices, tab_counts
from dashboard.billing.views import InvoiceSummary
from dashboard.customers.queries import get_customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_money, parse_amount
from dashboard.ui import components as ui
from dashboard.ui.invoices.words import beside_total, document_of, payment_of, sync_of
from dashboard.ui.listing import Address, ListState, Pager
from dashboard.ui.roles import needs
from dashboard.ui.views import NO_MOMENT, Moment, day, moment

PAGE_SIZE = 25
CSV_ROWS_MAX = 10_000
WITH_HEADER = CSV_ROWS_MAX + 1
SORTS = ["created", "total", "due", "issued"]
TAB_WORDS = {
    "all": "All",
    "draft": "Draft",
    "needs_attention": "Needs attention",
    "open": "Open",
    "overdue": "Overdue",
    "paid": "Paid",
    "uncollectible": "Uncollectible",
    "voided": "Voided",
}
FILTERS = ("customer", "currency", "from", "to", "min", "max")


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    href: str
    number: str
    customer: str
    customer_href: str
    document: str
    payment: str
    sync: str
    total: str
    beside_total: str
    problem: str
    created: Moment
    due: Moment


class InvoicesState(ListState, rx.State):
    rows: list[InvoiceRow] = []
    customer_name: str = ""
    created_from: str = ""
    created_to: str = ""
    amount_min: str = ""
    amount_max: str = ""
    currency: str = ""
    problem: str = ""

    @rx.event
    @needs("viewer")
    async def filter(self, form: dict[str, Any]):
        values = {name: str(form.get(name) or "").strip() for name in ("currency", "from", "to", "min", "max")}
        return rx.redirect(Address.of(self).having(**values), replace=True)

    @rx.event
    @needs("viewer")
    async def clear(self):
        return rx.redirect(Address.of(self).having(**dict.fromkeys((*FILTERS, "q"))), replace=True)

    @rx.event
    @needs("viewer")
    async def export(self):
        """The list as it is filtered, as CSV; amounts are plain decimals, times RFC 3339."""
        try:
            wanted = _filter(Address.of(self))
        except MeterdeskError as error:
            return ui.toast_error(error.message, error.what_to_do)
        rows: list[str] = []
        async with running().database.read() as session:
            async for row in csv_rows(session, wanted):
                rows.append(row)
                if len(rows) > WITH_HEADER:
                    break
        downloads = [rx.download(data="".join(rows[:WITH_HEADER]), filename="invoices.csv")]
        if len(rows) > WITH_HEADER:
            told = f"The file has the newest {CSV_ROWS_MAX:,} invoices. Filter by date for the others."
            downloads.append(rx.toast.info(told, duration=60_000, close_button=True))
        return downloads

    def _topics(self):
        return ("invoices",)

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        order = address.order(SORTS, "-created")
        self.problem = ""
        try:
            wanted = _filter(address)
            async with backend.database.read() as session:
                found = await list_invoices(
                    session,
                    wanted,
                    sort=order.key,
                    descending=order.descending,
                    cursor=address.text("after") or address.text("before") or None,
                    limit=PAGE_SIZE,
                )
                counts = {count.tab: count for count in await tab_counts(session, wanted)}
                customer = await get_customer(session, wanted.customer_id) if wanted.customer_id else None
        except MeterdeskError as error:
            self.rows, self.pager, self.problem, self.loading = [], Pager(), error.for_people(), False
            return
        now = backend.clock.now()
        self.rows = [_row(one, now) for one in found.items]
        self.tabs = address.tabs("tab", TAB_WORDS, {tab: _count_on_tab(count) for tab, count in counts.items()})
        self.customer_name = customer.name if customer else ""
        self.created_from, self.created_to = address.text("from"), address.text("to")
        self.amount_min, self.amount_max = address.text("min"), address.text("max")
        self.currency = address.text("currency")
        self._show(
            address,
            address.keyset_pager(_counted(counts[wanted.tab]), found.previous, found.next),
            order,
            filtered=wanted.tab != "all" or any(address.text(name) for name in FILTERS),
        )


def _filter(address: Address) -> InvoiceFilter:
    created_to = address.time("to")
    return InvoiceFilter(
        tab=address.choice("tab", TAB_WORDS, "all"),
        customer_id=address.text("customer") or None,
        currency=address.text("currency").upper() or None,
        created_from=address.time("from"),
        created_to=created_to + timedelta(days=1) if created_to else None,
        amount_min=parse_amount(address.text("min"), field="min") if address.text("min") else None,
        amount_max=parse_amount(address.text("max"), field="max") if address.text("max") else None,
        search=address.search(),
    )


def _count_on_tab(found: TabCount) -> str:
    return f"{found.count:,}{'+' if found.is_more else ''}" if found.count else ""


def _counted(found: TabCount) -> str:
    if found.is_more:
        return f"{found.count:,}+ invoices" if found.count else "Too many to count"
    return "1 invoice" if found.count == 1 else f"{found.count:,} invoices"


def _row(one: InvoiceSummary, now: datetime) -> InvoiceRow:
    return InvoiceRow(
        href=f"/invoices/{one.id}",
        number=one.number,
        customer=one.customer_name,
        customer_href=f"/customers/{one.customer_id}",
        document=document_of(one),
        payment=payment_of(one),
        sync=sync_of(one),
        total=format_money(one.total, one.currency),
        beside_total=beside_total(one),
        problem=one.problem or "",
        created=moment(one.created_at, now),
        due=day(one.due_at, now) if one.due_at else NO_MOMENT,
    )
