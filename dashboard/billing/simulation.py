"""What an invoice would say, without making one."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.documents import customer_snapshot, to_json
from dashboard.billing.gathering import currency_for
from dashboard.billing.invoice_inputs import SimulatedLine, SimulateInvoice
from dashboard.billing.invoice_rows import invoice_of, line_of
from dashboard.billing.invoicing import set_dates
from dashboard.billing.line_rating import FLAT_KIND, rate_flat, take_over, terms_of
from dashboard.billing.lines import add_up, apply_tax, blank_line, fill_line
from dashboard.billing.overrides import customer_billing
from dashboard.billing.rating.lines import Position, RateRequest
from dashboard.billing.rating.rate import rate_line
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.views import CustomerBilling, Invoice, InvoiceStatus
from dashboard.customers.queries import live_customer
from dashboard.customers.views import Customer
from dashboard.kit.ids import new_id

SIMULATED_NUMBER = "INV-SIMULATED"


async def simulate_invoice(session: AsyncSession, wanted: SimulateInvoice, now: datetime) -> Invoice:
    """The draft these lines would make, rated; nothing is stored.

    Raises CustomerNotFound, CustomerDeleted, NoBillingProfile and what making and rating lines raises.
    """
    customer = await live_customer(session, wanted.customer_id)
    billing = await customer_billing(session, customer.id)
    row = _blank_invoice(customer, billing, currency_for(customer, billing, wanted.currency), now)
    row.number = wanted.number or SIMULATED_NUMBER
    # What is only imagined must not reach the database with the session's next flush.
    with session.no_autoflush:
        rated = [await _rated(session, row, line, now) for line in wanted.lines]
        lines = [line for line, _ in rated]
        await apply_tax(session, lines, billing.workflow)
    add_up(row, lines)
    set_dates(row, lines)
    return invoice_of(row, (), tuple(line_of(line, details) for line, details in rated))


async def _rated(
    session: AsyncSession, invoice: InvoiceRow, wanted: SimulatedLine, now: datetime
) -> tuple[InvoiceLineRow, list[DetailLineRow]]:
    line = blank_line(invoice, wanted, now)
    await fill_line(session, line, wanted, now, is_metered=False)
    if line.kind == FLAT_KIND:
        return line, take_over(line, [], rate_flat(line))
    line.metered_quantity = line.quantity = wanted.quantity or Decimal(0)
    line.metered_before = wanted.quantity_before
    request = RateRequest(
        terms_of(line),
        line.metered_quantity,
        position=Position.LAST if wanted.quantity_before else Position.WHOLE,
        pre_line_quantity=wanted.quantity_before,
    )
    return line, take_over(line, [], rate_line(request))


def _blank_invoice(customer: Customer, billing: CustomerBilling, currency: str, now: datetime) -> InvoiceRow:
    return InvoiceRow(
        id=new_id(),
        number=SIMULATED_NUMBER,
        status=InvoiceStatus.DRAFT_CREATED.value,
        tab="draft",
        customer_id=customer.id,
        customer_name=customer.name,
        customer_key=customer.key,
        customer_snapshot=customer_snapshot(customer),
        currency=currency,
        billing_profile_id=billing.profile.id,
        app_id=billing.profile.app_id,
        collection_method=billing.workflow.collection_method.value,
        workflow=to_json(billing.workflow),
        supplier=to_json(billing.profile.supplier),
        metadata_={},
        created_at=now,
        updated_at=now,
        status_since=now,
    )
