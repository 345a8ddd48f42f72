"""Questions about invoices: one, many, what is stuck, what is due, who uses an app."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.columns import Money
from dashboard.billing.errors import InvoiceNotFound
from dashboard.billing.gathering import due_for_collection, pending_of_customer
from dashboard.billing.invoice_actions import WORKING, available_actions
from dashboard.billing.invoice_list import NEEDS_SOMEBODY, InvoiceFilter, conditions, search_condition
from dashboard.billing.invoice_rows import MANY_ATTEMPTS, read_invoice
from dashboard.billing.overrides import customer_billing, customers_billing, find_customer_override
from dashboard.billing.profiles import default_billing_profile, profiles_using_tax_code
from dashboard.billing.tables import BillingProfileRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.views import Invoice, InvoiceStatus
from dashboard.kit.errors import InvalidInput
from dashboard.kit.paging import Page, PageRequest, fetch_page
from dashboard.subscriptions.queries import tax_code_uses as rate_cards_of_subscriptions

__all__ = [
    "MoneyFigures",
    "StuckInvoice",
    "available_actions",
    "customer_billing",
    "customers_billing",
    "default_profile_app",
    "due_for_advance",
    "due_for_collection",
    "find_customer_override",
    "find_invoice_by_external_id",
    "get_invoice",
    "invoices_keep_customer",
    "money_figures",
    "page_of_invoices",
    "pending_of_customer",
    "stuck_invoices",
    "tax_code_uses",
    "unfinished_invoices",
    "uses_of_app",
]

S = InvoiceStatus

STUCK_AFTER = timedelta(minutes=10)
"""No work of a state takes this long; a worker that does not run does."""

NAMED_MAX = 20

_SORTS: dict[str, Any] = {
    "created_at": col(InvoiceRow.created_at),
    "issued_at": col(InvoiceRow.issued_at),
    "updated_at": col(InvoiceRow.updated_at),
    "status": col(InvoiceRow.status),
    "customer_name": col(InvoiceRow.customer_name),
    "period_from": col(InvoiceRow.period_from),
    "number": col(InvoiceRow.number),
    "total": col(InvoiceRow.total),
}


@dataclass(frozen=True, slots=True)
class StuckInvoice:
    """An invoice that does not go on as it should: since when, why, and what helps."""

    id: str
    number: str
    customer_name: str
    status: InvoiceStatus
    since: datetime
    reason: str
    remedy: str
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class MoneyFigures:
    """What happened to money of one currency in a stretch of time; `outstanding` and `overdue` are as of now."""

    currency: str
    billed: Decimal
    collected: Decimal
    outstanding: Decimal
    overdue: Decimal


async def get_invoice(session: AsyncSession, invoice_id: str, now: datetime) -> Invoice:
    """The invoice with lines, details, timeline, issues and the actions possible at `now`. Raises InvoiceNotFound."""
    row = await session.get(InvoiceRow, invoice_id.upper())
    if row is None:
        raise InvoiceNotFound(f"There is no invoice {invoice_id!r}.")
    return await read_invoice(session, row, now)


async def find_invoice_by_external_id(session: AsyncSession, app_id: str, external_id: str) -> str | None:
    """Our id for an invoice of the provider; None when it is not ours."""
    statement = select(col(InvoiceRow.id)).where(col(InvoiceRow.external_id) == external_id)
    return await session.scalar(statement.where(col(InvoiceRow.app_id) == app_id))


async def page_of_invoices(
    session: AsyncSession,
    page: PageRequest,
    wanted: InvoiceFilter,
    now: datetime,
    *,
    customer_ids: Sequence[str] = (),
    include_gathering: bool = True,
    include_deleted: bool = False,
    with_lines: bool = False,
    sort: str = "created_at",
    descending: bool = True,
) -> Page[Invoice]:
    """A numbered page of whole invoices, for the API. Raises InvalidInput for an unknown `sort`."""
    if sort not in _SORTS:
        raise InvalidInput(f"Invoices cannot be sorted by {sort!r}.", field="sort")
    found = conditions(wanted)
    if wanted.tab == "all":
        hidden = [tab for tab, shown in (("gathering", include_gathering), ("deleted", include_deleted)) if not shown]
        found[0] = col(InvoiceRow.tab).not_in(hidden)
        if include_gathering and not include_deleted:
            found.append(col(InvoiceRow.deleted_at).is_(None))
    statement = select(InvoiceRow).where(*found)
    if customer_ids:
        statement = statement.where(col(InvoiceRow.customer_id).in_(customer_ids))
    if wanted.search and wanted.search.strip():
        statement = statement.where(await search_condition(session, wanted.search))
    column = _SORTS[sort]
    statement = statement.order_by(column.desc() if descending else column, col(InvoiceRow.id))
    rows, total = await fetch_page(session, statement, page)
    items = [await read_invoice(session, row, now, with_lines=with_lines) for row in rows]
    return Page(tuple(items), total, page.number, page.size)


# The home page


async def money_figures(session: AsyncSession, from_at: datetime, to_at: datetime) -> tuple[MoneyFigures, ...]:
    """Billed (issued in the time, before later voids), collected (paid in it), and what is owed now, by currency."""
    issued = await _sum_by_currency(
        session,
        InvoiceRow.total,
        col(InvoiceRow.issued_at) >= from_at,
        col(InvoiceRow.issued_at) < to_at,
        col(InvoiceRow.tab) != "voided",
    )
    collected = await _sum_by_currency(
        session, InvoiceRow.amount_paid, col(InvoiceRow.paid_at) >= from_at, col(InvoiceRow.paid_at) < to_at
    )
    waiting = await _sum_by_currency(session, InvoiceRow.amount_remaining, col(InvoiceRow.tab) == "open")
    overdue = await _sum_by_currency(session, InvoiceRow.amount_remaining, col(InvoiceRow.tab) == "overdue")
    zero = Decimal(0)
    return tuple(
        MoneyFigures(
            currency,
            issued.get(currency, zero),
            collected.get(currency, zero),
            waiting.get(currency, zero) + overdue.get(currency, zero),
            overdue.get(currency, zero),
        )
        for currency in sorted({*issued, *collected, *waiting, *overdue})
    )


async def stuck_invoices(session: AsyncSession, now: datetime, *, limit: int = 50) -> list[StuckInvoice]:
    """Invoices that a person should know of because they do not go on by themselves, longest first.

    Those are: a key that is refused, several failures in a row, and work that is long overdue. What waits for somebody
    by design (approval, a draft to mend, a declined card) is not stuck: `needs_attention` finds that.
    """
    late = now - STUCK_AFTER
    retrying = (col(InvoiceRow.sync_attempts) >= MANY_ATTEMPTS) & (col(InvoiceRow.sync_state) == "retrying")
    ways = (
        # Each finds its rows by an index of its own; asked together no index would serve.
        [NEEDS_SOMEBODY, or_(col(InvoiceRow.sync_state) == "unauthorized", retrying)],
        [col(InvoiceRow.wake_at) < late, col(InvoiceRow.tab) != "gathering"],
        [
            col(InvoiceRow.tab) == "draft",
            col(InvoiceRow.status).in_(sorted(WORKING)),
            col(InvoiceRow.status_since) < late,
        ],
    )
    found: dict[str, InvoiceRow] = {}
    for way in ways:
        statement = select(InvoiceRow).where(*way).order_by(col(InvoiceRow.status_since)).limit(limit)
        found |= {row.id: row for row in await session.scalars(statement)}
    rows = sorted(found.values(), key=lambda row: (row.status_since, row.id))
    return [_stuck(row) for row in rows[:limit]]


# For the worker, and for other rooms


async def due_for_advance(
    session: AsyncSession, now: datetime, *, patience: timedelta = timedelta(0), limit: int = 500
) -> list[tuple[str, int]]:
    """Invoices whose time to go on has come, longest due first: id and version.

    One that shall go on since its last change has a job already and is left to it for so long (`patience`). Neither a
    date that has come nor an action that was begun at the provider has one.
    """
    nobody_has_it = or_(
        col(InvoiceRow.updated_at) < col(InvoiceRow.wake_at),
        col(InvoiceRow.requested_action).is_not(None),
        col(InvoiceRow.wake_at) <= now - patience,
    )
    statement = (
        select(col(InvoiceRow.id), col(InvoiceRow.version))
        .where(col(InvoiceRow.wake_at) <= now, col(InvoiceRow.tab) != "gathering", nobody_has_it)
        .order_by(col(InvoiceRow.wake_at))
        .limit(limit)
    )
    return [(invoice_id, version) for invoice_id, version in await session.execute(statement)]


async def unfinished_invoices(session: AsyncSession, app_id: str, *, after: str = "", limit: int = 200) -> list[str]:
    """Ids of an app's invoices that are not settled and known to the provider, in order: to compare with it."""
    statement = (
        select(col(InvoiceRow.id))
        .where(col(InvoiceRow.app_id) == app_id, col(InvoiceRow.external_id).is_not(None), col(InvoiceRow.id) > after)
        .where(col(InvoiceRow.tab).in_(["draft", "open", "overdue", "uncollectible"]))
        .order_by(col(InvoiceRow.id))
        .limit(limit)
    )
    return list(await session.scalars(statement))


async def default_profile_app(session: AsyncSession) -> str | None:
    """The app of the default billing profile; None without one."""
    profile = await default_billing_profile(session)
    return profile.app_id if profile else None


async def uses_of_app(session: AsyncSession, app_id: str) -> tuple[str, ...]:
    """Sentences naming the live billing profiles and unfinished invoices that use an app."""
    profiles = select(col(BillingProfileRow.name)).where(
        col(BillingProfileRow.app_id) == app_id, col(BillingProfileRow.deleted_at).is_(None)
    )
    found = [f"billing profile {name}" for name in await session.scalars(profiles.limit(NAMED_MAX))]
    invoices = (
        select(col(InvoiceRow.number), col(InvoiceRow.customer_name))
        .where(col(InvoiceRow.app_id) == app_id, col(InvoiceRow.tab).in_(["draft", "open", "overdue"]))
        .order_by(col(InvoiceRow.created_at), col(InvoiceRow.id))
    )
    for number, customer in await session.execute(invoices.limit(NAMED_MAX)):
        found.append(f"invoice {number} of {customer}")
    return tuple(found)


async def invoices_keep_customer(session: AsyncSession, customer_id: str) -> Sequence[str]:
    """Why a customer cannot be deleted yet: lines that wait to be invoiced, invoices that are not settled."""
    statement = (
        select(col(InvoiceRow.number), col(InvoiceRow.tab))
        .where(col(InvoiceRow.customer_id) == customer_id)
        .where(col(InvoiceRow.tab).in_(["gathering", "draft", "open", "overdue"]))
        .where(col(InvoiceRow.deleted_at).is_(None))
        .order_by(col(InvoiceRow.created_at))
        .limit(NAMED_MAX)
    )
    return [
        "lines wait to be invoiced" if tab == "gathering" else f"invoice {number} is not settled"
        for number, tab in await session.execute(statement)
    ]


async def tax_code_uses(session: AsyncSession, tax_code_id: str) -> Sequence[str]:
    """What points to a tax code: profiles, customers' overrides, subscriptions that go on, lines not issued yet."""
    found = [
        *await profiles_using_tax_code(session, tax_code_id),
        *await rate_cards_of_subscriptions(session, tax_code_id),
    ]
    lines = (
        select(col(InvoiceLineRow.name), col(InvoiceRow.number))
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.tax_code_id) == tax_code_id, col(InvoiceLineRow.deleted_at).is_(None))
        .where(col(InvoiceRow.tab).in_(["gathering", "draft"]))
        .limit(NAMED_MAX)
    )
    return found + [f"line “{name}” on {number}" for name, number in await session.execute(lines)]


async def _sum_by_currency(session: AsyncSession, column: Any, *where: Any) -> dict[str, Decimal]:
    total = func.sum(col(column), type_=Money())
    statement = select(col(InvoiceRow.currency), total).where(*where).group_by(col(InvoiceRow.currency))
    return {currency: amount for currency, amount in await session.execute(statement) if amount is not None}


def _stuck(row: InvoiceRow) -> StuckInvoice:
    if row.sync_state == "unauthorized":
        reason, remedy = "Stripe no longer accepts the API key.", "Replace the key in the Stripe settings."
    elif row.sync_attempts >= MANY_ATTEMPTS and row.sync_state == "retrying":
        reason = row.problem or f"It failed {row.sync_attempts} times in a row."
        remedy = "It is tried again by itself; retry it now if the cause is gone."
    else:
        reason, remedy = "Nobody carries it on.", "Check that the worker runs, or retry it here."
    return StuckInvoice(
        id=row.id,
        number=row.number,
        customer_name=row.customer_name,
        status=S(row.status),
        since=row.status_since,
        reason=reason,
        remedy=remedy,
        attempts=row.sync_attempts,
        next_attempt_at=row.next_attempt_at,
    )
