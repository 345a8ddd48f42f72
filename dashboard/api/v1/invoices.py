"""v1 invoices: looked at, changed while they are drafts, and moved along."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Operator, Viewer
from dashboard.api.invoice_search import invoices_found
from dashboard.api.invoice_states import V1_STATUSES, statuses_named
from dashboard.api.shapes import Time, UlidAnyCase, nothing, reply
from dashboard.api.v1.base import Order, PageQuery, page_answer
from dashboard.api.v1.invoice_changes import InvoiceBody, VoidBody, check_void, replace_invoice
from dashboard.api.v1.invoice_shapes import invoice_to_v1
from dashboard.backend import running
from dashboard.billing.errors import CannotDeleteGathering, InvoiceCannotBeEdited
from dashboard.billing.invoice_inputs import EditInvoice
from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.overrides import customers_billing
from dashboard.billing.queries import get_invoice
from dashboard.billing.service import edit_invoice, perform_action
from dashboard.billing.state_machine import is_mutable
from dashboard.billing.views import CustomerBilling, Invoice, InvoiceAction, InvoiceStatus
from dashboard.kit.database import Actor

router = APIRouter(prefix="/api/v1/billing/invoices", tags=["Invoices"])

_SORTS = {
    "customer.name": "customer_name",
    "issuedAt": "issued_at",
    "status": "status",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "periodStart": "period_from",
}
OrderBy = Literal["customer.name", "issuedAt", "status", "createdAt", "updatedAt", "periodStart"]
Expand = Annotated[list[Literal["lines", "preceding", "workflow.apps"]], Query()]


@router.get("")
async def list_invoices(
    _: Viewer,
    page: PageQuery,
    statuses: Annotated[list[str], Query()] = [],
    extended_statuses: Annotated[list[str], Query(alias="extendedStatuses")] = [],
    issued_after: Annotated[Time | None, Query(alias="issuedAfter")] = None,
    issued_before: Annotated[Time | None, Query(alias="issuedBefore")] = None,
    period_start_after: Annotated[Time | None, Query(alias="periodStartAfter")] = None,
    period_start_before: Annotated[Time | None, Query(alias="periodStartBefore")] = None,
    created_after: Annotated[Time | None, Query(alias="createdAfter")] = None,
    created_before: Annotated[Time | None, Query(alias="createdBefore")] = None,
    expand: Expand = [],
    customers: Annotated[list[UlidAnyCase], Query()] = [],
    include_deleted: Annotated[bool, Query(alias="includeDeleted")] = False,
    order: Order = "ASC",
    order_by: Annotated[OrderBy, Query(alias="orderBy")] = "createdAt",
) -> Response:
    """Invoices, page by page, gathering ones too; lines are shown with `expand=lines`."""
    backend = running()
    named = statuses_named({one for one in statuses if one in V1_STATUSES}, set(extended_statuses))
    async with backend.database.read() as session:
        now = backend.clock.now()
        found = await invoices_found(
            session,
            page,
            InvoiceFilter(
                statuses=named,
                created_from=created_after,
                created_to=created_before,
                issued_from=issued_after,
                issued_to=issued_before,
            ),
            now,
            nothing_named=bool(statuses or extended_statuses) and not named,
            period_from=period_start_after,
            period_to=period_start_before,
            customer_ids=customers,
            include_deleted=include_deleted,
            with_lines="lines" in expand,
            sort=_SORTS[order_by],
            descending=order == "DESC",
        )
        billing = await _billing_of(session, found.items)

    def shape(invoice: Invoice) -> dict[str, Any]:
        return invoice_to_v1(invoice, now, billing.get(invoice.customer_id), with_lines="lines" in expand)

    return reply(page_answer(found, shape))


@router.get("/{invoice_id}")
async def get_one(_: Viewer, invoice_id: UlidAnyCase, expand: Expand = ["lines"]) -> Response:
    """One invoice, with its lines unless `expand` leaves them out."""
    return await _answer(invoice_id, with_lines="lines" in expand)


@router.put("/{invoice_id}")
async def update_invoice(actor: Operator, invoice_id: UlidAnyCase, body: InvoiceBody) -> Response:
    """Replaces what a draft, or a gathering invoice, says."""
    await replace_invoice(running(), actor, invoice_id, body)
    return await _answer(invoice_id)


@router.delete("/{invoice_id}", status_code=204)
async def delete_invoice(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Deletes an invoice that is not issued yet."""
    if (await _invoice(invoice_id)).status is InvoiceStatus.GATHERING:
        raise CannotDeleteGathering("Lines that wait to be invoiced cannot be deleted as one.")
    await perform_action(running().billing, actor, invoice_id, InvoiceAction.DELETE)
    return nothing()


@router.post("/{invoice_id}/advance")
async def advance_invoice(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Does the next step that would come by itself."""
    return await _perform(actor, invoice_id, InvoiceAction.ADVANCE)


@router.post("/{invoice_id}/approve")
async def approve_invoice(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Approves a draft: it is issued."""
    return await _perform(actor, invoice_id, InvoiceAction.APPROVE)


@router.post("/{invoice_id}/retry")
async def retry_invoice(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Tries again what failed."""
    return await _perform(actor, invoice_id, InvoiceAction.RETRY)


@router.post("/{invoice_id}/snapshot-quantities")
async def snapshot_quantities(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Fixes the metered quantities now instead of waiting for late usage."""
    return await _perform(actor, invoice_id, InvoiceAction.SNAPSHOT_QUANTITIES)


@router.post("/{invoice_id}/void")
async def void_invoice(actor: Operator, invoice_id: UlidAnyCase, body: VoidBody) -> Response:
    """Voids an issued invoice, here and at Stripe, as a whole."""
    check_void(body)
    return await _perform(actor, invoice_id, InvoiceAction.VOID, reason=body.reason)


@router.post("/{invoice_id}/taxes/recalculate")
async def recalculate_tax(actor: Operator, invoice_id: UlidAnyCase) -> Response:
    """Sends a draft through calculation again, tax included."""
    async with running().database.transaction(actor) as work:
        invoice = await get_invoice(work.session, invoice_id, work.now)
        if not is_mutable(invoice.status):
            raise InvoiceCannotBeEdited(f"The tax of an invoice that is {invoice.status.value} stands.")
        wanted = EditInvoice(
            description=invoice.description,
            footer=invoice.footer,
            purchase_order=invoice.purchase_order,
            statement_descriptor=invoice.statement_descriptor,
            metadata=invoice.metadata,
        )
        await edit_invoice(work, invoice_id, wanted)
    return await _answer(invoice_id)


async def _perform(actor: Actor, invoice_id: str, action: InvoiceAction, reason: str = "") -> Response:
    await perform_action(running().billing, actor, invoice_id, action, reason=reason)
    return await _answer(invoice_id)


async def _answer(invoice_id: str, *, with_lines: bool = True) -> Response:
    backend = running()
    async with backend.database.read() as session:
        now = backend.clock.now()
        invoice = await get_invoice(session, invoice_id, now)
        billing = await _billing_of(session, [invoice])
    return reply(invoice_to_v1(invoice, now, billing.get(invoice.customer_id), with_lines=with_lines))


async def _invoice(invoice_id: str) -> Invoice:
    backend = running()
    async with backend.database.read() as session:
        return await get_invoice(session, invoice_id, backend.clock.now())


async def _billing_of(session: AsyncSession, invoices: Sequence[Invoice]) -> dict[str, CustomerBilling]:
    """How the customers of gathering invoices are billed: these carry no profile of their own yet."""
    return await customers_billing(session, [one.customer_id for one in invoices if one.workflow is None])
