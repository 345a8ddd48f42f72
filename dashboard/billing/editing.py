"""Changing a draft: its header and its lines. What the provider has of it follows with the next step."""

from collections.abc import Sequence
from dataclasses import replace

from dashboard.billing.actions import doubt_issues, release
from dashboard.billing.documents import to_json
from dashboard.billing.errors import InvoiceCannotBeEdited, InvoiceLineNotFound
from dashboard.billing.invoice_inputs import EditInvoice, EditLine, EditWorkflow
from dashboard.billing.invoice_rows import (
    SyncState,
    change_status,
    live_lines,
    locked_invoice,
    pinned_workflow,
    read_invoice,
)
from dashboard.billing.invoicing import ask_to_advance, set_dates
from dashboard.billing.lines import MANUAL, add_up, apply_tax, change_line, make_line
from dashboard.billing.state_machine import Trigger, is_mutable
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.tax import resolved_tax
from dashboard.billing.views import Invoice, InvoiceStatus, Workflow
from dashboard.kit.database import Work


async def edit_invoice(work: Work, invoice_id: str, wanted: EditInvoice) -> Invoice:
    """Replaces a draft's header and, if given, its lines; the draft is then calculated, checked and sent again.

    Raises InvoiceNotFound, InvoiceCannotBeEdited, InvoiceLineNotFound, LineIsFixed, and what making a line raises.
    """
    row = await locked_invoice(work.session, invoice_id)
    status = InvoiceStatus(row.status)
    if not is_mutable(status):
        raise InvoiceCannotBeEdited(f"An invoice that is {status.value} cannot be edited.")
    row.description = wanted.description
    row.footer = wanted.footer
    row.purchase_order = wanted.purchase_order
    row.statement_descriptor = wanted.statement_descriptor
    row.metadata_ = dict(wanted.metadata)
    if wanted.supplier is not None:
        row.supplier = to_json(wanted.supplier.to_supplier())
    workflow = await _change_workflow(work, row, wanted.workflow)
    if wanted.lines is not None:
        await _replace_lines(work, row, wanted.lines, workflow)
    lines = await live_lines(work.session, row.id)
    await apply_tax(work.session, lines, workflow)
    add_up(row, lines)
    set_dates(row, lines)
    row.revision += 1
    release(row, work)
    if row.sync_state == SyncState.SYNCED:
        row.sync_state = SyncState.PENDING
    await doubt_issues(work, row)
    change_status(work, row, InvoiceStatus.DRAFT_CREATED, Trigger.UPDATED)
    work.audit("invoice.edited", "invoice", row.id, number=row.number, lines=len(lines))
    await ask_to_advance(work, row)
    return await read_invoice(work.session, row, work.now)


async def _change_workflow(work: Work, row: InvoiceRow, wanted: EditWorkflow) -> Workflow:
    changes = {name: getattr(wanted, name) for name in wanted.model_fields_set if getattr(wanted, name) is not None}
    if wanted.default_tax is not None:
        changes["default_tax"] = await resolved_tax(
            work.session, wanted.default_tax.to_tax_config(), field="workflow.default_tax.tax_code_id"
        )
    workflow = replace(pinned_workflow(row), **changes)
    row.workflow = to_json(workflow)
    row.collection_method = workflow.collection_method.value
    return workflow


async def _replace_lines(work: Work, row: InvoiceRow, wanted: Sequence[EditLine], workflow: Workflow) -> None:
    known = {line.id: line for line in await live_lines(work.session, row.id)}
    for one in wanted:
        if one.id is None:
            await make_line(work, row, one, workflow)
            continue
        line = known.pop(one.id.upper(), None)
        if line is None:
            raise InvoiceLineNotFound(f"There is no line {one.id!r} on this invoice.", field="lines")
        is_piece = line.managed_by != MANUAL or line.period_from != line.full_period_from or line.root_id != line.id
        await change_line(work, line, one, terms_are_fixed=is_piece)
    for line in known.values():
        line.deleted_at = line.updated_at = work.now
    await work.session.flush()
