"""The list of invoices as CSV (RFC 4180), row by row, however long it is."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.invoice_list import InvoiceFilter, all_matching
from dashboard.billing.views import InvoiceSummary
from dashboard.kit.money import amount_text

COLUMNS = (
    "number",
    "status",
    "customer",
    "currency",
    "total",
    "amount_remaining",
    "collection_method",
    "created_at",
    "issued_at",
    "due_at",
    "paid_at",
    "problem",
    "id",
    "customer_id",
)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


async def csv_rows(session: AsyncSession, wanted: InvoiceFilter) -> AsyncIterator[str]:
    """The header, then one text per matching invoice, newest first; each ends its line. Raises InvalidInput."""
    yield _written(COLUMNS)
    async for invoice in all_matching(session, wanted):
        yield _written(_cells(invoice))


def _cells(invoice: InvoiceSummary) -> Iterable[str]:
    return (
        _harmless(invoice.number),
        invoice.status.value,
        _harmless(invoice.customer_name),
        invoice.currency,
        amount_text(invoice.total),
        "" if invoice.amount_remaining is None else amount_text(invoice.amount_remaining),
        invoice.collection_method or "",
        *(_time(at) for at in (invoice.created_at, invoice.issued_at, invoice.due_at, invoice.paid_at)),
        _harmless(invoice.problem or ""),
        invoice.id,
        invoice.customer_id,
    )


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: names come from people who are not asked for trust."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _time(at: datetime | None) -> str:
    return "" if at is None else at.isoformat().replace("+00:00", "Z")


def _written(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
