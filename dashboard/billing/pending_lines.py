"""Lines that wait to be invoiced. They gather on one row per customer and currency until somebody, or their date, makes
an invoice of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.collection_dates import PendingDate, next_collection_at
from dashboard.billing.documents import customer_snapshot, to_json
from dashboard.billing.errors import InvoiceLineNotFound, LineCurrencyMismatch, ZeroAmount
from dashboard.billing.features_of_lines import check_feature
from dashboard.billing.invoice_inputs import AddCharges, CreatePendingLines, PendingLineInput
from dashboard.billing.invoice_rows import (
    change_status,
    detail_rows,
    line_of,
    live_lines,
    read_invoice,
    set_totals,
    tab_of,
    touch,
)
from dashboard.billing.line_rating import FLAT_KIND, USAGE_KIND, rate_flat, take_over, terms_of, totals_of_lines
from dashboard.billing.numbering import gathering_number
from dashboard.billing.overrides import customer_billing
from dashboard.billing.sequences import GATHERING, next_number
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.tax import effective_tax, organisation_tax, resolved_tax
from dashboard.billing.views import CustomerBilling, Invoice, InvoiceLine, InvoiceStatus, TaxConfig, Workflow
from dashboard.catalog.price_json import discounts_to_json, price_to_json
from dashboard.catalog.price_rules import check_price
from dashboard.catalog.prices import FlatPrice
from dashboard.customers.queries import live_customer
from dashboard.customers.views import Customer
from dashboard.kit.calendar import Duration, Recurrence
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit

MANUAL = "manual"
SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class PendingLinesCreated:
    """The gathering invoice as it is now, the lines that are new on it, and whether it was opened for them."""

    invoice: Invoice
    lines: tuple[InvoiceLine, ...]
    is_new: bool


async def add_charges(work: Work, wanted: AddCharges) -> PendingLinesCreated:
    """Charges by hand. Raises what `create_pending_lines` raises."""
    lines = tuple(charge.to_pending_line(work.now) for charge in wanted.charges)
    return await create_pending_lines(
        work, CreatePendingLines(customer_id=wanted.customer_id, currency=wanted.currency, lines=lines)
    )


async def create_pending_lines(work: Work, wanted: CreatePendingLines) -> PendingLinesCreated:
    """Lets lines wait for the customer's next invoice.

    Raises CustomerNotFound, CustomerDeleted, NoBillingProfile, LineCurrencyMismatch, ZeroAmount, AmountTooLarge,
    BadPrice, UnknownTaxCode, FeatureNotFound, FeatureHasNoMeter.
    """
    customer = await live_customer(work.session, wanted.customer_id)
    await lock_billing_of(work, customer.id)
    billing = await customer_billing(work.session, customer.id)
    currency = currency_for(customer, billing, wanted.currency)
    row, is_new = await _open_gathering(work, customer, currency)
    lines = [await make_line(work, row, line, billing.workflow) for line in wanted.lines]
    for line in lines:
        await rate_if_flat(work.session, line)
    await refresh_gathering(work, row, billing)
    work.audit(
        "invoice.lines_added", "customer", customer.id, currency=currency, lines=[line.name for line in lines][:20]
    )
    details = await detail_rows(work.session, [line.id for line in lines])
    return PendingLinesCreated(
        invoice=await read_invoice(work.session, row, work.now),
        lines=tuple(line_of(line, details[line.id]) for line in lines),
        is_new=is_new,
    )


async def update_pending_line(work: Work, line_id: str, wanted: PendingLineInput) -> InvoiceLine:
    """Replaces what a waiting line says. Raises InvoiceLineNotFound once it is billed, and what making one raises."""
    line, row = await _pending_line(work, line_id)
    billing = await customer_billing(work.session, row.customer_id)
    await fill_line(work.session, line, wanted, billing.workflow, work.now)
    await rate_if_flat(work.session, line)
    await refresh_gathering(work, row, billing)
    work.audit("invoice.line_updated", "customer", row.customer_id, line=line.id, name=line.name)
    details = await detail_rows(work.session, [line.id])
    return line_of(line, details[line.id])


async def delete_pending_line(work: Work, line_id: str) -> None:
    """Takes a waiting line back. Raises InvoiceLineNotFound once it is billed."""
    line, row = await _pending_line(work, line_id)
    line.deleted_at = line.updated_at = work.now
    await work.session.flush()
    await refresh_gathering(work, row, await customer_billing(work.session, row.customer_id))
    work.audit("invoice.line_deleted", "customer", row.customer_id, line=line.id, name=line.name)


async def pending_lines(session: AsyncSession, customer_id: str) -> list[Invoice]:
    """The gathering invoices of a customer with their lines, one per currency."""
    rows = await session.scalars(_gathering_of(customer_id).order_by(col(InvoiceRow.currency)))
    return [await read_invoice(session, row, row.updated_at) for row in rows]


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


async def gathering_rows(session: AsyncSession, customer_id: str) -> list[InvoiceRow]:
    """The live gathering rows of a customer."""
    return list(await session.scalars(_gathering_of(customer_id).order_by(col(InvoiceRow.currency))))


async def make_line(
    work: Work,
    invoice: InvoiceRow,
    wanted: PendingLineInput,
    workflow: Workflow,
    *,
    managed_by: str = MANUAL,
    reference: str | None = None,
) -> InvoiceLineRow:
    """A new line on an invoice, not rated yet."""
    line_id = new_id()
    line = InvoiceLineRow(
        id=line_id,
        root_id=line_id,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        name=wanted.name,
        kind=FLAT_KIND,
        managed_by=managed_by,
        reference=reference,
        price={},
        rate_discounts={},
        tax={},
        effective_tax={},
        metadata_={},
        period_from=wanted.period_from,
        period_to=wanted.period_to,
        full_period_from=wanted.period_from,
        full_period_to=wanted.period_to,
        invoice_at=wanted.invoice_at,
        created_at=work.now,
        updated_at=work.now,
    )
    await fill_line(work.session, line, wanted, workflow, work.now)
    work.session.add(line)
    await work.session.flush()
    return line


async def fill_line(
    session: AsyncSession, line: InvoiceLineRow, wanted: PendingLineInput, workflow: Workflow, now: datetime
) -> None:
    """Writes what is wanted into a line, checked. Raises what `create_pending_lines` raises."""
    line.name = wanted.name
    line.description = wanted.description
    line.price = dict(wanted.price)
    line.rate_discounts = dict(wanted.discounts)
    line.unit_conversion = wanted.unit_conversion
    line.quantity = wanted.quantity
    line.feature_key = wanted.feature_key
    line.invoice_at = wanted.invoice_at
    line.metadata_ = dict(wanted.metadata)
    line.period_from, line.period_to = wanted.period_from, wanted.period_to
    line.full_period_from, line.full_period_to = wanted.period_from, wanted.period_to
    line.updated_at = now
    await _check_terms(session, line)
    tax = await resolved_tax(session, wanted.tax.to_tax_config(), field="tax.tax_code_id")
    line.tax = to_json(tax)
    line.tax_code_id = tax.tax_code_id
    line.effective_tax = to_json(await effective_tax_of(session, tax, workflow))


async def effective_tax_of(session: AsyncSession, own: TaxConfig, workflow: Workflow) -> TaxConfig:
    """Which tax applies to a line under a workflow."""
    default = await resolved_tax(session, workflow.default_tax)
    return effective_tax(own, default, await organisation_tax(session))


async def rate_if_flat(session: AsyncSession, line: InvoiceLineRow) -> None:
    """Prices a flat line; a metered one waits until its quantity is known."""
    if line.kind == FLAT_KIND:
        await store_rating(session, line, rate_flat(line))


async def store_rating(session: AsyncSession, line: InvoiceLineRow, result) -> None:  # noqa: ANN001
    raise NotImplementedError


async def refresh_gathering(work: Work, row: InvoiceRow, billing: CustomerBilling) -> None:
    raise NotImplementedError
