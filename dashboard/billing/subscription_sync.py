"""What subscriptions yield becomes pending lines.

A line is made once per reference, changed while it waits, and taken back when it no longer applies. One that was
invoiced stays as it is; what it charged too much is settled by a line of its own (`subscription_adjustments.py`).
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.desk import BillingDesk
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.gathering import lock_billing_of, open_gathering, refresh_gathering
from dashboard.billing.inputs import TaxConfigInput
from dashboard.billing.invoice_inputs import PendingLineInput
from dashboard.billing.invoice_rows import set_issues
from dashboard.billing.issues import WARNING
from dashboard.billing.lines import SUBSCRIPTION, apply_tax, fill_line, make_line, rate_if_flat
from dashboard.billing.overrides import customer_billing
from dashboard.billing.subscription_adjustments import adjustments_due, is_adjustment
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus, Issue, Workflow
from dashboard.catalog.price_json import conversion_to_json, discounts_to_json, price_to_json
from dashboard.customers.queries import get_customer
from dashboard.kit.database import SYSTEM, Work
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_money
from dashboard.subscriptions.lines import horizon, lines_until, next_sync_at
from dashboard.subscriptions.proration import SubscriptionEndMode
from dashboard.subscriptions.queries import due_for_sync, get_subscription
from dashboard.subscriptions.service import set_next_sync
from dashboard.subscriptions.views import Subscription, SubscriptionLine

LOOK_AGAIN = timedelta(minutes=10)
"""How soon a subscription that could not be billed is looked at again."""

SUBSCRIPTIONS = "meterdesk.subscriptions"
"""The component that issues about lines of subscriptions stand under."""

Known = dict[str, tuple[InvoiceLineRow, InvoiceRow]]

_log = logging.getLogger(__name__)


async def sync_due_subscriptions(desk: BillingDesk) -> int:
    """Makes the lines of every subscription whose time has come, each in a transaction of its own; one that cannot be
    billed holds up no other.

    Answers how many were done.
    """
    async with desk.database.read() as session:
        due = await due_for_sync(session, desk.database.clock.now())
    for subscription_id in due:
        try:
            async with desk.database.transaction(SYSTEM) as work:
                await sync_subscription(work, subscription_id)
        except Exception as error:
            if not isinstance(error, MeterdeskError):
                _log.error("making the lines of subscription %s failed", subscription_id, exc_info=error)
            async with desk.database.transaction(SYSTEM) as work:
                await set_next_sync(work, subscription_id, work.now + LOOK_AGAIN)
    return len(due)


async def sync_subscription(work: Work, subscription_id: str) -> None:
    """Brings the pending lines of a subscription in line with it, up to the end of its current billing period.

    A line that cannot be made is held back with an issue and tried again; the others are made.
    Raises SubscriptionNotFound, NoBillingProfile.
    """
    customer_id = (await get_subscription(work.session, subscription_id, work.now)).customer_id
    await lock_billing_of(work, customer_id)
    subscription = await get_subscription(work.session, subscription_id, work.now, again=True)
    try:
        workflow = (await customer_billing(work.session, customer_id)).workflow
    except NoBillingProfile:
        if subscription.is_priced:
            raise
        workflow = Workflow()
    end_mode = SubscriptionEndMode(workflow.subscription_end_proration_mode)
    wanted = lines_until(subscription, horizon(subscription, work.now), end_mode=end_mode)
    held = await _Sync(work, subscription, workflow).apply(wanted)
    at = next_sync_at(subscription, work.now)
    if held:
        at = min(at or work.now + LOOK_AGAIN, work.now + LOOK_AGAIN)
    await set_next_sync(work, subscription_id, at)


class _Sync:
    """One subscription's lines, compared with those that should be."""

    def __init__(self, work: Work, subscription: Subscription, workflow: Workflow) -> None:
        self.work = work
        self.subscription = subscription
        self.workflow = workflow
        self.gathering: InvoiceRow | None = None
        self.held: list[Issue] = []

    async def apply(self, wanted: Iterable[SubscriptionLine]) -> bool:
        """Makes, changes and takes back lines. Answers whether one could not be made."""
        known = await _known_lines(self.work.session, self.subscription.id)
        targets = {line.reference: line for line in wanted}
        for reference, line in targets.items():
            await self._make_or_change(known.get(reference), line)
        for reference, (row, invoice) in known.items():
            if reference not in targets and not is_adjustment(reference) and _is_pending(invoice):
                self._take_back(row, invoice)
        await self._settle_what_was_invoiced(known, targets)
        if self.gathering is not None:
            await self.work.session.flush()
            await set_issues(self.work, self.gathering, SUBSCRIPTIONS, self.held)
            await refresh_gathering(self.work, self.gathering, self.workflow)
        return bool(self.held)

    async def _make_or_change(self, known: tuple[InvoiceLineRow, InvoiceRow] | None, line: SubscriptionLine) -> None:
        if known is not None and not (_is_pending(known[1]) and _differs(known[0], line)):
            return
        gathering = await self._gathering() if known is None else known[1]
        self.gathering = gathering
        try:
            async with self.work.session.begin_nested():
                if known is None:
                    made = await self._make(_input(line, self.subscription), line.reference)
                else:
                    made = known[0]
                    await self._change(made, line)
                _note_origin(made, line)
        except MeterdeskError as reason:
            name = line.rate_card.name
            message = f"{name} of {self.subscription.name}: {reason.message}"
            self.held.append(Issue(WARNING, reason.code, message, reason.what_to_do))

    async def _make(self, wanted: PendingLineInput, reference: str) -> InvoiceLineRow:
        # Whether it can be measured is asked when it is collected: a missing meter holds that line only.
        return await make_line(
            self.work,
            await self._gathering(),
            wanted,
            self.workflow,
            managed_by=SUBSCRIPTION,
            reference=reference,
            is_metered=False,
        )

    async def _change(self, row: InvoiceLineRow, line: SubscriptionLine) -> None:
        billed_to = row.period_from if row.period_from > line.service_period.start else None
        wanted = _input(line, self.subscription)
        await fill_line(self.work.session, row, wanted, self.work.now, is_metered=False)
        await apply_tax(self.work.session, [row], self.workflow)
        if billed_to is not None:
            # A part of the period is billed already: only the rest waits.
            row.period_from = min(billed_to, row.period_to)
        await rate_if_flat(self.work.session, row)

    def _take_back(self, row: InvoiceLineRow, invoice: InvoiceRow) -> None:
        row.deleted_at = row.updated_at = self.work.now
        self.gathering = invoice

    async def _settle_what_was_invoiced(self, known: Known, targets: dict[str, SubscriptionLine]) -> None:
        for due in adjustments_due(known, targets, self.subscription.currency):
            if due.waiting is not None:
                self._take_back(*due.waiting)
                await self.work.session.flush()
            if due.line is not None:
                made = await self._make(due.line.wanted(self.work.now), due.line.reference)
                made.subscription_id, made.subscription = self.subscription.id, due.line.original.subscription

    async def _gathering(self) -> InvoiceRow:
        if self.gathering is None:
            customer = await get_customer(self.work.session, self.subscription.customer_id)
            self.gathering, _ = await open_gathering(self.work, customer, self.subscription.currency)
        return self.gathering


async def _known_lines(session: AsyncSession, subscription_id: str) -> Known:
    """Lines made before, by reference. One that was deleted with its invoice counts: it is not billed again."""
    statement = (
        select(InvoiceLineRow, InvoiceRow)
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.subscription_id) == subscription_id, col(InvoiceLineRow.reference).is_not(None))
        .order_by(col(InvoiceLineRow.created_at))
    )
    found: Known = {}
    for line, invoice in await session.execute(statement):
        taken_back = line.deleted_at is not None and invoice.status == InvoiceStatus.GATHERING.value
        if line.reference is not None and not taken_back:
            found[line.reference] = (line, invoice)
    return found


def _input(line: SubscriptionLine, subscription: Subscription) -> PendingLineInput:
    card = line.rate_card
    description = card.description
    if line.prorated_from is not None:
        whole = format_money(line.prorated_from, subscription.currency)
        description = f"Part of a period; a whole one costs {whole}."
    return PendingLineInput(
        name=card.name,
        description=description,
        price=price_to_json(line.price),
        discounts=discounts_to_json(card.discounts),
        unit_conversion=None if card.unit_conversion is None else conversion_to_json(card.unit_conversion),
        feature_key=card.feature_key,
        period_from=line.service_period.start,
        period_to=line.service_period.end,
        invoice_at=line.invoice_at,
        tax=TaxConfigInput.model_validate(
            {
                "behavior": card.tax.behavior,
                "tax_code_id": card.tax.tax_code_id,
                "stripe_code": card.tax.stripe_code,
            }
        ),
        metadata=card.metadata,
    )


def _note_origin(row: InvoiceLineRow, line: SubscriptionLine) -> None:
    row.subscription_id = line.subscription_id
    row.subscription = {
        "subscription_id": line.subscription_id,
        "phase_id": line.phase_id,
        "item_id": line.item_id,
        "billing_period": [line.billing_period.start.isoformat(), line.billing_period.end.isoformat()],
        "full_service_period": [line.full_service_period.start.isoformat(), line.full_service_period.end.isoformat()],
    }


def _differs(row: InvoiceLineRow, line: SubscriptionLine) -> bool:
    return (
        # An edit that is taken back frees the name of its line for the next edit.
        (row.subscription or {}).get("item_id") != line.item_id
        or row.period_to != line.service_period.end
        or row.invoice_at != line.invoice_at
        or row.price != price_to_json(line.price)
    )


def _is_pending(invoice: InvoiceRow) -> bool:
    return invoice.status == InvoiceStatus.GATHERING.value
