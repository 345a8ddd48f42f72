"""v3 invoices: looked at, changed while they are drafts, and moved along."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from dashboard.api.auth import Operator, Viewer
from dashboard.api.invoice_search import invoices_found
from dashboard.api.invoice_states import V1_STATUSES, statuses_named
from dashboard.api.shapes import Time, UlidUpperCase, nothing, reply
from dashboard.api.v3.base import PageQuery, page_answer, sort_of
from dashboard.api.v3.filters import EXACT_OPERATORS, Condition, filters_of
from dashboard.api.v3.invoice_changes import InvoiceBody, check_pinned, line_from_v3
from dashboard.api.v3.invoice_shapes import invoice_to_v3
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing.errors import InvoiceNotFound
from dashboard.billing.invoice_inputs import EditInvoice
from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.queries import get_invoice
from dashboard.billing.service import edit_invoice, perform_action
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

router = APIRouter(prefix="/billing/invoices", tags=["v3 invoices"])

_SORTS = {"issued_at": "issued_at", "created_at": "created_at", "service_period_start": "period_from"}
_TIME_OPERATORS = frozenset({"eq", "gt", "gte", "lt", "lte"})
_FILTERS = {
    "status": EXACT_OPERATORS,
    "customer_id": frozenset({"eq", "oeq"}),
    "issued_at": _TIME_OPERATORS,
    "created_at": _TIME_OPERATORS,
    "service_period_start": _TIME_OPERATORS,
}
_STATUSES = frozenset(V1_STATUSES) - {"gathering"}
_TIME = TypeAdapter(Time)
_TICK = timedelta(microseconds=1)


@router.get("")
async def list_invoices(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Invoices, page by page; charges that only wait are not among them."""
    backend = running()
    sort, descending = sort_of(request, _SORTS, "created_at")
    conditions = filters_of(request, _FILTERS)
    wanted, period = _invoice_filter(conditions)
    customers = [
        one.choices if one.operator == "oeq" else [one.value] for one in conditions if one.field == "customer_id"
    ]
    async with backend.database.read() as session:
        now = backend.clock.now()
        found = await invoices_found(
            session,
            page,
            wanted,
            now,
            nothing_named=not wanted.statuses,
            period_from=period[0],
            period_to=period[1],
            customer_ids=[one for group in customers for one in group],
            include_gathering=False,
            with_lines=True,
            sort=sort,
            descending=descending,
        )
    return reply(page_answer(found, lambda invoice: invoice_to_v3(invoice, now)))


@router.get("/{invoice_id}")
async def get_one(_: Viewer, invoice_id: UlidUpperCase) -> Response:
    """One invoice with its lines."""
    return await _answer(invoice_id)


@router.put("/{invoice_id}")
async def update_invoice(actor: Operator, invoice_id: UlidUpperCase, body: InvoiceBody) -> Response:
    """Replaces what a draft says; without `lines` these stay."""
    async with running().database.transaction(actor) as work:
        invoice = _standard(await get_invoice(work.session, invoice_id, work.now))
        check_pinned(invoice, body)
        known = {line.id: line for line in invoice.lines}
        wanted = {
            "description": body.description,
            "metadata": body.labels or {},
            "footer": invoice.footer,
            "purchase_order": invoice.purchase_order,
            "statement_descriptor": invoice.statement_descriptor,
            "lines": None if body.lines is None else [line_from_v3(line, known, work.now) for line in body.lines],
        }
        with wire_names({"metadata": "labels"}):
            await edit_invoice(work, invoice_id, parse_input(EditInvoice, wanted))
    return await _answer(invoice_id)


@router.delete("/{invoice_id}", status_code=204)
async def delete_invoice(actor: Operator, invoice_id: UlidUpperCase) -> Response:
    """Deletes an invoice that is not issued yet."""
    await _invoice(invoice_id)
    await perform_action(running().billing, actor, invoice_id, InvoiceAction.DELETE)
    return nothing()


@router.post("/{invoice_id}/advance")
async def advance_invoice(actor: Operator, invoice_id: UlidUpperCase) -> Response:
    """Does the next step that would come by itself."""
    return await _perform(actor, invoice_id, InvoiceAction.ADVANCE)


@router.post("/{invoice_id}/approve")
async def approve_invoice(actor: Operator, invoice_id: UlidUpperCase) -> Response:
    """Approves a draft: it is issued."""
    return await _perform(actor, invoice_id, InvoiceAction.APPROVE)


@router.post("/{invoice_id}/retry")
async def retry_invoice(actor: Operator, invoice_id: UlidUpperCase) -> Response:
    """Tries again what failed."""
    return await _perform(actor, invoice_id, InvoiceAction.RETRY)


@router.post("/{invoice_id}/snapshot-quantities")
async def snapshot_quantities(actor: Operator, invoice_id: UlidUpperCase) -> Response:
    """Fixes the metered quantities now instead of waiting for late usage."""
    return await _perform(actor, invoice_id, InvoiceAction.SNAPSHOT_QUANTITIES)


async def _perform(actor: Actor, invoice_id: str, action: InvoiceAction) -> Response:
    await _invoice(invoice_id)
    await perform_action(running().billing, actor, invoice_id, action)
    return await _answer(invoice_id)


async def _answer(invoice_id: str) -> Response:
    return reply(invoice_to_v3(await _invoice(invoice_id), running().clock.now()))


async def _invoice(invoice_id: str) -> Invoice:
    backend = running()
    async with backend.database.read() as session:
        return _standard(await get_invoice(session, invoice_id, backend.clock.now()))


def _standard(invoice: Invoice) -> Invoice:
    if invoice.status is InvoiceStatus.GATHERING:
        raise InvoiceNotFound(f"There is no invoice {invoice.id!r}.")
    return invoice


def _invoice_filter(conditions: list[Condition]) -> tuple[InvoiceFilter, tuple[datetime | None, datetime | None]]:
    names: set[str] = set(_STATUSES)
    ranges: dict[str, list[datetime | None]] = {name: [None, None] for name in _FILTERS}
    for one in conditions:
        if one.field == "status":
            given = set(one.choices if one.operator == "oeq" else [one.value])
            names = names - given if one.operator == "neq" else names & given
        elif one.field != "customer_id":
            _narrow(ranges[one.field], one)
    wanted = InvoiceFilter(
        statuses=statuses_named(names, set()),
        issued_from=ranges["issued_at"][0],
        issued_to=ranges["issued_at"][1],
        created_from=ranges["created_at"][0],
        created_to=ranges["created_at"][1],
    )
    start = ranges["service_period_start"]
    return wanted, (start[0], start[1])


def _narrow(span: list[datetime | None], condition: Condition) -> None:
    """Narrows a span [from, to) by one condition; times have microseconds."""
    try:
        at = _TIME.validate_python(condition.value)
    except ValidationError:
        raise InvalidInput("A time is sent with its zone.", field=f"filter[{condition.field}]") from None
    if condition.operator in ("eq", "gte", "gt"):
        span[0] = at + _TICK if condition.operator == "gt" else at
    if condition.operator in ("eq", "lte", "lt"):
        span[1] = at if condition.operator == "lt" else at + _TICK
