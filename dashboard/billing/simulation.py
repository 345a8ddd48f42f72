"""What an invoice would say, without making one."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.gathering import currency_for
from dashboard.billing.invoice_inputs import SimulatedLine, SimulateInvoice
from dashboard.billing.invoice_rows import invoice_of, line_of
from dashboard.billing.invoicing import blank_draft, set_dates
from dashboard.billing.line_rating import FLAT_KIND, rate_flat, take_over, terms_of
from dashboard.billing.lines import add_up, apply_tax, blank_line, fill_line
from dashboard.billing.overrides import customer_billing
from dashboard.billing.rating.lines import Position, RateRequest
from dashboard.billing.rating.rate import rate_line
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.views import Invoice
from dashboard.customers.queries import live_customer

SIMULATED_NUMBER = "INV-SIMULATED"


async def simulate_invoice(session: AsyncSession, wanted: SimulateInvoice, now: datetime) -> Invoice:
    """The draft these lines would make, rated; nothing is stored.

    Raises CustomerNotFound, CustomerDeleted, NoBillingProfile and what making and rating lines raises.
    """
    customer = await live_customer(session, wanted.customer_id)
    billing = await customer_billing(session, customer.id)
    currency = currency_for(customer, billing, wanted.currency)
    row = blank_draft(customer, billing, currency, wanted.number or SIMULATED_NUMBER, now)
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
