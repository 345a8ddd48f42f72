"""From pending lines to a draft."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col

from dashboard.billing.collection_dates import (
    BillableCandidate,
    billable_period,
    collection_cutoff,
    draft_until,
    due_at,
    invoice_collection_at,
)
from dashboard.billing.documents import customer_snapshot, to_json
from dashboard.billing.errors import AsOfInTheFuture, LinesNotBillable
from dashboard.billing.gathering import anchor_of, gathering_rows, lock_billing_of, pending_dates, refresh_gathering
from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.invoice_rows import (
    SyncState,
    is_sent,
    live_lines,
    note_step,
    pinned_workflow,
    read_invoice,
    set_issues,
    touch,
)
from dashboard.billing.issues import WARNING
from dashboard.billing.line_rating import FLAT_KIND, USAGE_KIND, terms_of
from dashboard.billing.lines import MANUAL, add_up, apply_tax
from dashboard.billing.metering import QUANTITIES, Unmeasurable, issue_of_line, metered_lines
from dashboard.billing.numbering import draft_number
from dashboard.billing.overrides import customer_billing
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.sequences import DRAFT, next_number
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.views import CustomerBilling, Invoice, InvoiceStatus, Issue, Workflow
from dashboard.catalog.prices import Price
from dashboard.customers.queries import live_customer
from dashboard.customers.views import Customer
from dashboard.kit.calendar import Duration, Period
from dashboard.kit.database import Work
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.ids import new_id
from dashboard.usage.meter_rules import Aggregation

ADVANCE_JOB = "invoice.advance"


async def invoice_pending_lines(
    work: Work, wanted: InvoicePendingLines, *, bypass_alignment: bool = True
) -> tuple[Invoice, ...]:
    """Makes a draft, one per currency, of what is pending, and lets the worker carry it on.

    The customer's billing is copied onto it: later changes do not reach it. A line that is billed in part leaves the
    rest pending. `bypass_alignment` False waits for the workflow's fixed dates.

    Raises CustomerNotFound, CustomerDeleted, NoBillingProfile, AsOfInTheFuture, LinesNotBillable (a named line is not
    due, or not pending), NothingToInvoice.
    """
    drafts = await make_drafts(work, wanted, bypass_alignment=bypass_alignment)
    return tuple([await read_invoice(work.session, row, work.now) for row in drafts])


async def make_drafts(work: Work, wanted: InvoicePendingLines, *, bypass_alignment: bool = True) -> list[InvoiceRow]:
    """`invoice_pending_lines` for this room: the rows of the drafts."""
    as_of = wanted.as_of or work.now
    if as_of > work.now:
        raise AsOfInTheFuture(f"{as_of.isoformat()} has not come yet.", field="as_of")
    customer = await live_customer(work.session, wanted.customer_id)
    await lock_billing_of(work, customer.id)
    billing = await customer_billing(work.session, customer.id)
    workflow = billing.workflow
    cutoff = collection_cutoff(
        workflow.collection_alignment, anchor_of(workflow), as_of, bypass_alignment=bypass_alignment
    )
    drafts: list[InvoiceRow] = []
    chosen = None if wanted.line_ids is None else {line_id.upper() for line_id in wanted.line_ids}
    left = set(chosen or ())
    for gathering in await gathering_rows(work.session, customer.id, wanted.currency):
        pieces = await _due_pieces(work, gathering, wanted, chosen, workflow, cutoff)
        left -= {piece.line.id for piece in pieces}
        if pieces:
            drafts.append(await _make_draft(work, gathering, pieces, customer, billing))
    if left:
        raise LinesNotBillable(
            f"{len(left)} of the chosen lines cannot be invoiced now.", details={"line_ids": sorted(left)}
        )
    if not drafts:
        raise NothingToInvoice(f"Nothing of {customer.name} can be invoiced now.")
    return drafts


# For this room


async def new_draft(
    work: Work, customer: Customer, billing: CustomerBilling, currency: str, trigger: str
) -> InvoiceRow:
    """A draft without lines, onto which the customer's billing is copied; `send_off` follows once it has them."""
    number = draft_number(customer.name, await next_number(work.session, DRAFT))
    row = blank_draft(customer, billing, currency, number, work.now)
    work.session.add(row)
    await work.session.flush()
    note_step(work, row, None, row.status, trigger)
    return row


def blank_draft(customer: Customer, billing: CustomerBilling, currency: str, number: str, now: datetime) -> InvoiceRow:
    """The row of a draft without lines, not stored yet, with a copy of how the customer is billed."""
    profile, workflow = billing.profile, billing.workflow
    return InvoiceRow(
        id=new_id(),
        number=number,
        status=InvoiceStatus.DRAFT_CREATED.value,
        tab="draft",
        customer_id=customer.id,
        customer_name=customer.name,
        customer_key=customer.key,
        customer_snapshot=customer_snapshot(customer),
        currency=currency,
        billing_profile_id=profile.id,
        app_id=profile.app_id,
        collection_method=workflow.collection_method.value,
        workflow=to_json(workflow),
        supplier=to_json(profile.supplier),
        metadata_={},
        created_at=now,
        updated_at=now,
        status_since=now,
        sync_state=SyncState.NONE,
    )


async def send_off(work: Work, row: InvoiceRow, lines: Sequence[InvoiceLineRow]) -> None:
    """Adds a new draft up, works out its dates, and lets the worker carry it on."""
    add_up(row, lines)
    set_dates(row, lines)
    touch(work, row)
    await work.session.flush()
    work.audit("invoice.created", "invoice", row.id, customer=row.customer_id, number=row.number, lines=len(lines))
    await ask_to_advance(work, row)


async def ask_to_advance(work: Work, row: InvoiceRow) -> None:
    """Lets the worker carry an invoice on as soon as this commits."""
    row.wake_at = work.now
    await work.session.flush()
    await work.enqueue(ADVANCE_JOB, f"{row.id}:{row.version}", invoice_id=row.id)


def set_dates(row: InvoiceRow, lines: Sequence[InvoiceLineRow]) -> None:
    """Until when a draft waits for late usage, until when it can be looked at, and when it will be due."""
    interval = Duration.parse(pinned_workflow(row).collection_interval)
    set_collected_at(row, invoice_collection_at(interval, pending_dates(lines)))


def set_collected_at(row: InvoiceRow, at: datetime | None) -> None:
    """When quantities are fixed, None for at once; the time to look at the draft begins then."""
    workflow = pinned_workflow(row)
    row.collection_at = at
    row.draft_until = draft_until(workflow.auto_advance, Duration.parse(workflow.draft_period), row.created_at, at)
    row.due_at = None
    if is_sent(row):
        row.due_at = due_at(workflow.auto_advance, Duration.parse(workflow.due_after), row.draft_until, None)


@dataclass(frozen=True, slots=True)
class BillableLine:
    """A pending line of which nothing is wrong: its price can be read, its usage measured (`aggregation` says how)."""

    line: InvoiceLineRow
    price: Price
    aggregation: Aggregation | None


async def billable_lines(work: Work, gathering: InvoiceRow) -> list[BillableLine]:
    """The pending lines that can be billed when their time comes. One that cannot holds back itself, not what else is
    owed; an issue of the gathering says why."""
    lines = await live_lines(work.session, gathering.id)
    asked = await metered_lines(work.session, [line for line in lines if line.kind == USAGE_KIND])
    metered = {one.line_id: one for one in asked}
    found: list[BillableLine] = []
    issues: list[Issue] = []
    for line in lines:
        one = metered.get(line.id)
        try:
            price = terms_of(line).price
            if isinstance(one, Unmeasurable):
                raise one.reason
        except MeterdeskError as reason:
            issues.append(issue_of_line(line.id, line.name, reason, WARNING))
            continue
        found.append(BillableLine(line, price, one.meter.aggregation if one else None))
    await set_issues(work, gathering, QUANTITIES, issues)
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    line: InvoiceLineRow
    period: Period
    invoice_at: datetime

    @property
    def is_whole(self) -> bool:
        return self.period.end == self.line.period_to


async def _due_pieces(
    work: Work,
    gathering: InvoiceRow,
    wanted: InvoicePendingLines,
    chosen: set[str] | None,
    workflow: Workflow,
    cutoff: datetime,
) -> list[_Piece]:
    progressive = workflow.progressive_billing if wanted.progressive_billing is None else wanted.progressive_billing
    pieces: list[_Piece] = []
    for one in await billable_lines(work, gathering):
        line = one.line
        if chosen is not None and line.id not in chosen:
            continue
        if wanted.before_its_date and line.kind == FLAT_KIND and (chosen is not None or line.managed_by == MANUAL):
            pieces.append(_Piece(line, Period(line.period_from, line.period_to), line.invoice_at))
            continue
        candidate = BillableCandidate(
            price=one.price,
            service_period=Period(line.period_from, line.period_to),
            invoice_at=line.invoice_at,
            aggregation=one.aggregation,
            was_split=line.period_from != line.full_period_from,
        )
        period = billable_period(candidate, cutoff, progressive_billing=progressive)
        if period is not None:
            invoice_at = line.invoice_at if period.end == line.period_to else period.end
            pieces.append(_Piece(line, period, invoice_at))
    return pieces


async def _make_draft(
    work: Work, gathering: InvoiceRow, pieces: Sequence[_Piece], customer: Customer, billing: CustomerBilling
) -> InvoiceRow:
    row = await new_draft(work, customer, billing, gathering.currency, "invoice")
    lines = await _move(work, pieces, row)
    await apply_tax(work.session, lines, billing.workflow)
    await refresh_gathering(work, gathering, billing.workflow)
    await send_off(work, row, lines)
    return row


async def _move(work: Work, pieces: Sequence[_Piece], invoice: InvoiceRow) -> list[InvoiceLineRow]:
    """Whole lines, which keep their ids; and new lines for parts that are billed, their rests wait on as they were."""
    lines: list[InvoiceLineRow] = []
    for piece in pieces:
        line = piece.line
        if not piece.is_whole:
            rest, line = line, _part_of(line, piece, work.now)
            rest.period_from = piece.period.end
            rest.updated_at = work.now
            work.session.add(line)
        line.invoice_id = invoice.id
        line.updated_at = work.now
        lines.append(line)
    await work.session.flush()
    moved = col(DetailLineRow.line_id).in_([line.id for line in lines])
    await work.session.execute(update(DetailLineRow).where(moved).values(invoice_id=invoice.id))
    return lines


def _part_of(line: InvoiceLineRow, piece: _Piece, now: datetime) -> InvoiceLineRow:
    values = {name: getattr(line, name) for name in InvoiceLineRow.model_fields}
    values |= {
        "id": new_id(),
        "reference": None,
        "period_from": piece.period.start,
        "period_to": piece.period.end,
        "invoice_at": piece.invoice_at,
        "created_at": now,
        "updated_at": now,
    }
    return InvoiceLineRow(**values)
