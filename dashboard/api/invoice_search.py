"""A page of invoices as both API generations filter them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.shapes import page_of
from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.queries import get_invoice, page_of_invoices
from dashboard.billing.views import Invoice
from dashboard.kit.paging import PAGE_SIZE_MAX, Page, PageRequest


async def invoices_found(
    session: AsyncSession,
    page: PageRequest,
    wanted: InvoiceFilter,
    now: datetime,
    *,
    nothing_named: bool = False,
    period_from: datetime | None = None,
    period_to: datetime | None = None,
    customer_ids: Sequence[str] = (),
    include_gathering: bool = True,
    include_deleted: bool = False,
    with_lines: bool = False,
    sort: str = "created_at",
    descending: bool = False,
) -> Page[Invoice]:
    """The page. `nothing_named`: a filter named only states that do not exist. The room does not filter by the start of
    the period, so that is decided here, invoice by invoice."""
    if nothing_named:
        return page_of((), page)
    options: dict[str, Any] = {
        "customer_ids": customer_ids,
        "include_gathering": include_gathering,
        "include_deleted": include_deleted,
        "sort": sort,
        "descending": descending,
    }
    if period_from is None and period_to is None:
        return await page_of_invoices(session, page, wanted, now, with_lines=with_lines, **options)
    fitting: list[Invoice] = []
    number, more = 1, True
    while more:
        found = await page_of_invoices(session, PageRequest(number, PAGE_SIZE_MAX), wanted, now, **options)
        fitting += [one for one in found.items if _starts_within(one, period_from, period_to)]
        number, more = number + 1, number < found.page_count
    chosen = page_of(fitting, page)
    if not with_lines:
        return chosen
    whole = [await get_invoice(session, one.id, now) for one in chosen.items]
    return Page(tuple(whole), chosen.total_count, chosen.number, chosen.size)


def _starts_within(invoice: Invoice, from_at: datetime | None, to_at: datetime | None) -> bool:
    start = invoice.period_from
    return start is not None and (from_at is None or start >= from_at) and (to_at is None or start < to_at)
