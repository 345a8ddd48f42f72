"""Pending lines: they gather in one place per customer and currency until their date, or somebody, makes an invoice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.collection_dates import PendingDate, next_collection_at
from dashboard.billing.documents import customer_snapshot
from dashboard.billing.errors import InvoiceLineNotFound, LineCurrencyMismatch
from dashboard.billing.invoice_inputs import AddCharges, CreatePendingLines, PendingLineInput
from dashboard.billing.invoice_rows import (
    detail_rows,
    line_of,
    live_lines,
    note_step,
    read_invoice,
    touch,
)
from dashboard.billing.line_rating import USAGE_KIND
from dashboard.billing.lines import add_up, apply_tax, change_line, make_lines
from dashboard.billing.numbering import gathering_number
from dashboard.billing.overrides import customer_billing
from dashboard.billing.sequences import GATHERING, next_number
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import CustomerBilling, Invoice, InvoiceLine, InvoiceStatus, Workflow
from dashboard.customers.queries import live_customer
from dashboard.customers.views import Customer
from dashboard.kit.calendar import Duration, Recurrence
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit

NAMES_AUDITED_MAX = 20


@dataclass(frozen=True, slots=True)
class PendingLinesCreated:
    """The gathering invoice as it is now, the lines that are new on it, and whether it was opened for them."""

    invoice: Invoice
    lines: tuple[InvoiceLine, ...]
    is_new: bool


async def add_charges(work: Work, wanted: AddCharges) -> PendingLinesCreated:
    """Charges by hand. Raises what `create_pending_lines` raises."""
    lines = tuple(charge.to_pending_line(work.now) for charge in wanted.charges)
    pending = CreatePendingLines(customer_id=wanted.customer_id, currency=wanted.currency, lines=lines)
    return await create_pending_lines(work, pending)


async def create_pending_lines(work: Work, wanted: CreatePendingLines) -> PendingLinesCreated:
    """Lets lines wait for the customer's next invoice.

    Raises CustomerNotFound, CustomerDeleted, NoBillingProfile, LineCurrencyMismatch, ZeroAmount, AmountTooLarge,
    BadPrice, UnknownTaxCode, FeatureNotFound, FeatureHasNoMeter.
    """
    customer = await live_customer(work.session, wanted.customer_id)
    await lock_billing_of(work, customer.id)
    billing = await customer_billing(work.session, customer.id)
    row, is_new = await open_gathering(work, customer, currency_for(customer, billing, wanted.currency))
    lines = await make_lines(work, row, wanted.lines, billing.workflow)
    await refresh_gathering(work, row, billing.workflow)
    names = [line.name for line in lines][:NAMES_AUDITED_MAX]
    work.audit("invoice.lines_added", "customer", customer.id, currency=row.currency, lines=names, count=len(lines))
    details = await detail_rows(work.session, [line.id for line in lines])
    return PendingLinesCreated(
        invoice=await read_invoice(work.session, row, work.now),
        lines=tuple(line_of(line, details[line.id]) for line in lines),
        is_new=is_new,
    )


async def update_pending_line(work: Work, line_id: str, wanted: PendingLineInput) -> InvoiceLine:
    """Replaces what a waiting line says.

    Raises InvoiceLineNotFound once it is billed, LineIsFixed for the terms of a line that is billed in part, and what
    making one raises.
    """
    line, row = await _pending_line(work, line_id)
    billing = await customer_billing(work.session, row.customer_id)
    await change_line(work, line, wanted, terms_are_fixed=line.period_from != line.full_period_from)
    await apply_tax(work.session, [line], billing.workflow)
    await refresh_gathering(work, row, billing.workflow)
    work.audit("invoice.line_updated", "customer", row.customer_id, line=line.id, name=line.name)
    details = await detail_rows(work.session, [line.id])
    return line_of(line, details[line.id])


async def delete_pending_line(work: Work, line_id: str) -> None:
    """Takes a waiting line back. Raises InvoiceLineNotFound once it is billed."""
    line, row = await _pending_line(work, line_id)
    line.deleted_at = line.updated_at = work.now
    await work.session.flush()
    await refresh_gathering(work, row, (await customer_billing(work.session, row.customer_id)).workflow)
    work.audit("invoice.line_deleted", "customer", row.customer_id, line=line.id, name=line.name)


async def pending_of_customer(session: AsyncSession, customer_id: str, now: datetime) -> list[Invoice]:
    """What waits to be invoiced, one gathering invoice per currency, with lines."""
    return [await read_invoice(session, row, now) for row in await gathering_rows(session, customer_id)]


async def due_for_collection(session: AsyncSession, now: datetime, *, limit: int = 500) -> list[str]:
    """Customers with pending lines whose date has come, longest due first."""
    statement = (
        select(col(InvoiceRow.customer_id))
        .where(col(InvoiceRow.wake_at) <= now, col(InvoiceRow.tab) == InvoiceStatus.GATHERING.value)
        .order_by(col(InvoiceRow.wake_at))
        .limit(limit)
    )
    return list(dict.fromkeys(await session.scalars(statement)))


# For this room


def currency_for(customer: Customer, billing: CustomerBilling, wanted: str | None) -> str:
    """In which currency a customer is billed: the one asked for, theirs, or the profile's.

    Raises LineCurrencyMismatch when theirs is another than the one asked for, or none is known.
    """
    if wanted and customer.currency and wanted != customer.currency:
        raise LineCurrencyMismatch(
            f"{customer.name} is billed in {customer.currency}, not in {wanted}.", field="currency"
        )
    currency = wanted or customer.currency or billing.profile.default_currency
    if currency is None:
        raise LineCurrencyMismatch(
            f"{customer.name} has no currency.",
            remedy="Set a currency on the customer, or a default one on the billing profile.",
            field="currency",
        )
    return currency


async def lock_billing_of(work: Work, customer_id: str) -> None:
    """One change of a customer's pending lines at a time."""
    await lock_until_commit(work.session, f"billing:{customer_id}")


async def gathering_rows(session: AsyncSession, customer_id: str, currency: str | None = None) -> list[InvoiceRow]:
    """The live gathering rows of a customer."""
    statement = _gatherings(customer_id)
    if currency is not None:
        statement = statement.where(col(InvoiceRow.currency) == currency)
    return list(await session.scalars(statement.order_by(col(InvoiceRow.currency))))


async def refresh_gathering(work: Work, row: InvoiceRow, workflow: Workflow) -> None:
    """Adds up what gathers and works out when it is collected; without a line it is gone until the next one comes."""
    lines = await live_lines(work.session, row.id)
    add_up(row, lines)
    row.collection_at = row.wake_at = next_collection_at(
        workflow.collection_alignment, anchor_of(workflow), pending_dates(lines)
    )
    row.deleted_at = None if lines else work.now
    touch(work, row)


def pending_dates(lines: Iterable[InvoiceLineRow]) -> list[PendingDate]:
    """What dates are computed from."""
    return [
        PendingDate(
            line.invoice_at,
            is_deleted=line.deleted_at is not None,
            is_metered=line.kind == USAGE_KIND,
            collection_end_override=line.collection_end,
        )
        for line in lines
    ]


def anchor_of(workflow: Workflow) -> Recurrence | None:
    """The fixed dates a workflow collects on, if it does."""
    if workflow.collection_anchor is None or workflow.collection_anchor_interval is None:
        return None
    return Recurrence(Duration.parse(workflow.collection_anchor_interval), workflow.collection_anchor)


async def open_gathering(work: Work, customer: Customer, currency: str) -> tuple[InvoiceRow, bool]:
    """Where a customer's lines of a currency gather, and whether it was opened (again) for them."""
    known = select(InvoiceRow).where(
        col(InvoiceRow.customer_id) == customer.id,
        col(InvoiceRow.currency) == currency,
        col(InvoiceRow.status) == InvoiceStatus.GATHERING.value,
    )
    row = await work.session.scalar(known)
    if row is not None:
        return row, row.deleted_at is not None
    number = gathering_number(customer.name, currency, await next_number(work.session, GATHERING))
    row = InvoiceRow(
        id=new_id(),
        number=number,
        status=InvoiceStatus.GATHERING.value,
        tab=InvoiceStatus.GATHERING.value,
        customer_id=customer.id,
        customer_name=customer.name,
        customer_key=customer.key,
        customer_snapshot=customer_snapshot(customer),
        currency=currency,
        metadata_={},
        created_at=work.now,
        updated_at=work.now,
        status_since=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    note_step(work, row, None, row.status, "lines_added")
    return row, True


async def _pending_line(work: Work, line_id: str) -> tuple[InvoiceLineRow, InvoiceRow]:
    line = await work.session.get(InvoiceLineRow, line_id.upper())
    if line is not None:
        await lock_billing_of(work, line.customer_id)
        await work.session.refresh(line)
        row = await work.session.get_one(InvoiceRow, line.invoice_id, populate_existing=True)
        if line.deleted_at is None and row.status == InvoiceStatus.GATHERING.value:
            return line, row
    raise InvoiceLineNotFound("This line does not wait to be invoiced.")


def _gatherings(customer_id: str) -> Select[InvoiceRow]:
    return select(InvoiceRow).where(
        col(InvoiceRow.customer_id) == customer_id,
        col(InvoiceRow.status) == InvoiceStatus.GATHERING.value,
        col(InvoiceRow.deleted_at).is_(None),
    )
