"""v1: replacing what a draft or a gathering invoice says, and what may be asked when voiding one."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.refusals import PinnedOnInvoice
from dashboard.api.shapes import Description, Flag
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.invoice_shapes import address_of_snapshot
from dashboard.api.v1.line_inputs import LINES_MAX, ReplacedLineBody, line_from_v1
from dashboard.api.v1.workflow_shapes import Party, Payment, TaxConfigBody, supplier_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import Backend
from dashboard.billing import service
from dashboard.billing.invoice_inputs import CreatePendingLines, EditInvoice, PendingLineInput
from dashboard.billing.queries import get_invoice
from dashboard.billing.views import Invoice, InvoiceLine, InvoiceStatus
from dashboard.kit.database import Actor, Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

_FIELDS = {"period_from": "period.from", "period_to": "period.to"}


class InvoicingBody(V1Model):
    auto_advance: Flag | None = None
    draft_period: str | None = None
    due_after: str | None = None
    default_tax_config: TaxConfigBody | None = None


class WorkflowSettingsBody(V1Model):
    invoicing: InvoicingBody
    payment: Payment


class WorkflowBody(V1Model):
    workflow: WorkflowSettingsBody


class InvoiceBody(V1Model):
    """`InvoiceReplaceUpdate`. Supplier, customer and workflow are pinned on an invoice; they have to be as they are."""

    description: Description | None = None
    metadata: dict[str, str] | None = None
    supplier: Party
    customer: Party
    lines: Annotated[list[ReplacedLineBody], Field(max_length=LINES_MAX)]
    workflow: WorkflowBody


class VoidLineAction(V1Model):
    type: Literal["discard", "pending"]


class VoidAction(V1Model):
    percentage: float
    action: VoidLineAction


class VoidBody(V1Model):
    """`VoidInvoiceActionInput`."""

    action: VoidAction
    reason: Annotated[str, StringConstraints(max_length=1024)]
    overrides: list[Any] | None = None


class PartialVoid(InvalidInput):
    code = "partial_void"
    remedy = "Void 100 % and discard the lines, or credit an amount on the invoice's page."


def check_void(body: VoidBody) -> None:
    """Raises PartialVoid for anything but voiding the whole invoice."""
    if body.action.percentage != 100:
        raise PartialVoid("Stripe voids invoices as a whole.", field="action.percentage")
    if body.action.action.type != "discard" or body.overrides:
        raise PartialVoid("The lines of a voided invoice are not billed again by themselves.", field="action.action")


async def replace_invoice(backend: Backend, actor: Actor, invoice_id: str, body: InvoiceBody) -> None:
    """Writes what the invoice says from now on, all of it or nothing.

    Raises InvoiceNotFound, InvoiceCannotBeEdited, PinnedOnInvoice, and what making and changing lines raises.
    """
    async with backend.database.transaction(actor) as work:
        invoice = await get_invoice(work.session, invoice_id, work.now)
        _check_pinned(invoice, body)
        known = {line.id: line for line in invoice.lines}
        lines = [_line(line, known, f"lines.{n}") for n, line in enumerate(body.lines)]
        with wire_names(_FIELDS):
            if invoice.status is InvoiceStatus.GATHERING:
                await _replace_pending(work, invoice, lines)
            else:
                wanted = {
                    "description": body.description,
                    "metadata": body.metadata or {},
                    "footer": invoice.footer,
                    "purchase_order": invoice.purchase_order,
                    "statement_descriptor": invoice.statement_descriptor,
                    "lines": lines,
                }
                await service.edit_invoice(work, invoice_id, parse_input(EditInvoice, wanted))


async def _replace_pending(work: Work, invoice: Invoice, lines: list[dict[str, Any]]) -> None:
    kept = {line["id"] for line in lines if line.get("id")}
    new = [{name: value for name, value in line.items() if name != "id"} for line in lines if not line.get("id")]
    for line in lines:
        if line_id := line.get("id"):
            fields = {name: value for name, value in line.items() if name != "id"}
            await service.update_pending_line(work, line_id, parse_input(PendingLineInput, fields))
    if new:
        wanted = {"customer_id": invoice.customer_id, "currency": invoice.currency, "lines": new}
        await service.create_pending_lines(work, parse_input(CreatePendingLines, wanted))
    for line in invoice.lines:
        if line.id not in kept:
            await service.delete_pending_line(work, line.id)


def _line(body: ReplacedLineBody, known: dict[str, InvoiceLine], place: str) -> dict[str, Any]:
    line = line_from_v1(body, place)
    before = known.get(body.id or "")
    if body.id is not None:
        line["id"] = body.id
    if before is not None:
        # v1 has no word for these, so it cannot mean to change them.
        if line["price"]["type"] == "flat" and before.quantity is not None:
            line["quantity"] = before.quantity
        if before.unit_conversion is not None:
            line["unit_conversion"] = before.unit_conversion
    return line


def _check_pinned(invoice: Invoice, body: InvoiceBody) -> None:
    if invoice.supplier is not None:
        _same("supplier", body.supplier, supplier_to_v1(invoice.supplier))
    address = address_of_snapshot(invoice.customer_snapshot.get("billing_address"))
    is_now: dict[str, Any] = {"name": invoice.customer_name} | ({"addresses": [address]} if address else {})
    _same("customer", body.customer, is_now)
    if invoice.workflow is None:
        return
    wanted, has = body.workflow.workflow, invoice.workflow
    for field, new, old in (
        ("invoicing.autoAdvance", wanted.invoicing.auto_advance, has.auto_advance),
        ("invoicing.draftPeriod", wanted.invoicing.draft_period, has.draft_period),
        ("invoicing.dueAfter", wanted.invoicing.due_after, has.due_after),
        ("payment.collectionMethod", wanted.payment.collection_method, has.collection_method),
    ):
        if new is not None and new != old:
            raise PinnedOnInvoice(f"{field} was fixed when the invoice was made.", field=f"workflow.workflow.{field}")


def _same(what: str, wanted: Party, is_now: dict[str, Any]) -> None:
    given = wanted.model_dump(by_alias=True, exclude_none=True)
    for name in given:
        if given[name] != is_now.get(name) and given[name] not in ({}, []):
            raise PinnedOnInvoice(f"The {what} was fixed when the invoice was made.", field=f"{what}.{name}")
