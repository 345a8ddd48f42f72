"""v1: charges that wait for a customer's next invoice, what they would come to, and invoicing them now."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import CurrencyCode, Flag, Time, UlidAnyCase, decimal_text, reply
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.invoice_shapes import invoice_to_v1, line_to_v1
from dashboard.api.v1.line_inputs import LINES_MAX, LineBody, SimulatedLineBody, line_from_v1
from dashboard.backend import running
from dashboard.billing import service
from dashboard.billing.invoice_inputs import CreatePendingLines, InvoicePendingLines, SimulateInvoice
from dashboard.billing.overrides import customer_billing
from dashboard.billing.simulation import simulate_invoice
from dashboard.kit.inputs import parse_input

router = APIRouter(prefix="/api/v1/billing", tags=["Invoices"])


class PendingLinesBody(V1Model):
    """`InvoicePendingLineCreateInput`."""

    currency: CurrencyCode
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=LINES_MAX)]


class SimulationBody(V1Model):
    """`InvoiceSimulationInput`."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    currency: CurrencyCode
    lines: Annotated[list[SimulatedLineBody], Field(max_length=LINES_MAX)]


class LineFilter(V1Model):
    line_ids: Annotated[list[UlidAnyCase], Field(max_length=LINES_MAX)] | None = None


class InvoiceNowBody(V1Model):
    """`InvoicePendingLinesActionInput`."""

    filters: LineFilter | None = None
    as_of: Time | None = None
    customer_id: UlidAnyCase
    progressive_billing_override: Flag | None = None


@router.post("/customers/{customer_id}/invoices/pending-lines", status_code=201)
async def create_pending_invoice_line(actor: Operator, customer_id: UlidAnyCase, body: PendingLinesBody) -> Response:
    """Lets charges wait for the customer's next invoice."""
    wanted = _wanted(
        customer_id, body.currency, [line_from_v1(line, f"lines.{n}") for n, line in enumerate(body.lines)]
    )
    async with running().database.transaction(actor) as work:
        created = await service.create_pending_lines(work, parse_input(CreatePendingLines, wanted))
        billing = await customer_billing(work.session, customer_id)
    return reply(
        {
            "lines": [line_to_v1(line, created.invoice) for line in created.lines],
            "invoice": invoice_to_v1(created.invoice, running().clock.now(), billing),
            "isInvoiceNew": created.is_new,
        },
        201,
    )


@router.post("/customers/{customer_id}/invoices/simulate")
async def simulate(_: Viewer, customer_id: UlidAnyCase, body: SimulationBody) -> Response:
    """What these lines would come to; nothing is stored."""
    backend = running()
    lines = [
        line_from_v1(line, f"lines.{n}")
        | {
            "quantity": decimal_text(line.quantity),
            "quantity_before": decimal_text(line.pre_line_period_quantity or line.quantity * 0),
        }
        for n, line in enumerate(body.lines)
    ]
    wanted = _wanted(customer_id, body.currency, lines) | {"number": body.number}
    async with backend.database.read() as session:
        now = backend.clock.now()
        invoice = await simulate_invoice(session, parse_input(SimulateInvoice, wanted), now)
        return reply(invoice_to_v1(invoice, now, await customer_billing(session, customer_id)))


@router.post("/invoices/invoice", status_code=201)
async def invoice_pending_lines(actor: Operator, body: InvoiceNowBody) -> Response:
    """Makes invoices of what is due, without waiting for the next collection."""
    backend = running()
    line_ids = body.filters.line_ids if body.filters else None
    wanted = InvoicePendingLines(
        customer_id=body.customer_id,
        line_ids=tuple(line_ids) if line_ids is not None else None,
        as_of=body.as_of,
        progressive_billing=body.progressive_billing_override,
    )
    async with backend.database.transaction(actor) as work:
        made = await service.invoice_pending_lines(work, wanted)
    return reply([invoice_to_v1(invoice, backend.clock.now()) for invoice in made], 201)


def _wanted(customer_id: str, currency: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"customer_id": customer_id, "currency": currency, "lines": lines}
