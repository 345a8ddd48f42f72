"""The list of invoices: tabs with counts, filters, search, sorting and pages, all of it in the address."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.invoice_list import InvoiceFilter, TabCount, all_matching, list_invoices, tab_counts
from dashboard.billing.views import InvoiceSummary
from dashboard.customers.queries import get_customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import amount_text, format_money, parse_amount
from dashboard.ui import components as ui
from dashboard.ui.invoices.words import document_of, payment_of, sync_of
from dashboard.ui.listing import Address, Pager, SortLink, Tab
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.views import NO_MOMENT, Moment, day, moment

PAGE_SIZE = 25
CSV_ROWS_MAX = 10_000
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
    problem: str
    created: Moment
    due: Moment


class InvoicesState(rx.State):
    loading: bool = True
    rows: list[InvoiceRow] = []
    tabs: list[Tab] = []
    sort: dict[str, SortLink] = {}
    pager: Pager = Pager()
    search: str = ""
    filtered: bool = False
    customer_name: str = ""
    created_from: str = ""
    created_to: str = ""
    amount_min: str = ""
    amount_max: str = ""
    currency: str = ""
    problem: str = ""

    @rx.event
    @needs("viewer")
    async def load(self):
        await self._refresh()
        return InvoicesState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self):
        async for _ in news(self, "invoices"):
            async with self:
                await self._refresh()

    @rx.event
    @needs("viewer")
    async def find(self, text: str):
        return rx.redirect(Address.of(self).having(q=text.strip()), replace=True)

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
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(
            ["number", "customer", "status", "sync", "currency", "total", "open", "created", "issued", "due", "paid"]
        )
        count = 0
        async with running().database.read() as session:
            async for one in all_matching(session, wanted):
                writer.writerow(_csv_row(one))
                count += 1
                if count >= CSV_ROWS_MAX:
                    break
        return rx.download(data=text.getvalue(), filename="invoices.csv")

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        self.problem = ""
        try:
            wanted = _filter(address)
            chosen = address.choice("sort", [*SORTS, *(f"-{name}" for name in SORTS)], "-created")
            async with backend.database.read() as session:
                found = await list_invoices(
                    session,
                    wanted,
                    sort=chosen.removeprefix("-"),
                    descending=chosen.startswith("-"),
                    cursor=address.text("after") or address.text("before") or None,
                    limit=PAGE_SIZE,
                )
                counts = await tab_counts(session, wanted)
                customer = await get_customer(session, wanted.customer_id) if wanted.customer_id else None
        except MeterdeskError as error:
            self.rows, self.pager, self.problem, self.loading = [], Pager(), error.for_people(), False
            return
        now = backend.clock.now()
        self.rows = [_row(one, now) for one in found.items]
        self.tabs = [
            Tab(
                TAB_WORDS[count.tab],
                address.having(tab=None if count.tab == "all" else count.tab),
                "" if not count.count else f"{count.count:,}{'+' if count.is_more else ''}",
                count.tab == wanted.tab,
            )
            for count in counts
        ]
        self.sort = address.sort_links(SORTS, current=chosen)
        current = next(count for count in counts if count.tab == wanted.tab)
        self.pager = address.keyset_pager(_counted(current), found.previous, found.next)
        self.search = address.text("q")
        self.customer_name = customer.name if customer else ""
        self.created_from, self.created_to = address.text("from"), address.text("to")
        self.amount_min, self.amount_max = address.text("min"), address.text("max")
        self.currency = address.text("currency")
        self.filtered = any(address.text(name) for name in (*FILTERS, "q")) or wanted.tab != "all"
        self.loading = False


def _filter(address: Address) -> InvoiceFilter:
    created_to = _day(address.text("to"))
    return InvoiceFilter(
        tab=address.choice("tab", TAB_WORDS, "all"),
        customer_id=address.text("customer") or None,
        currency=address.text("currency").upper() or None,
        created_from=_day(address.text("from")),
        created_to=created_to + timedelta(days=1) if created_to else None,
        amount_min=parse_amount(address.text("min"), field="min") if address.text("min") else None,
        amount_max=parse_amount(address.text("max"), field="max") if address.text("max") else None,
        search=address.text("q") or None,
    )


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


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
        problem=one.problem or "",
        created=moment(one.created_at, now),
        due=day(one.due_at, now) if one.due_at else NO_MOMENT,
    )


def _csv_row(one: InvoiceSummary) -> list[str]:
    def at(moment: datetime | None) -> str:
        return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    return [
        one.number,
        _harmless(one.customer_name),
        one.status.value,
        one.sync_state,
        one.currency,
        amount_text(one.total),
        "" if one.amount_remaining is None else amount_text(one.amount_remaining),
        at(one.created_at),
        at(one.issued_at),
        at(one.due_at),
        at(one.paid_at),
    ]


def _harmless(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula (OWASP, CSV injection); an apostrophe keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
