"""What subscriptions yield becomes pending lines.

A line is made once per reference, changed while it waits, and taken back when it no longer applies. One that was
invoiced stays as it is.
"""

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
from dashboard.billing.lines import SUBSCRIPTION, fill_line, make_line, rate_if_flat
from dashboard.billing.overrides import customer_billing
from dashboard.billing.tables import InvoiceLineRow, InvoiceRow
from dashboard.billing.views import InvoiceStatus, Workflow
from dashboard.catalog.price_json import conversion_to_json, discounts_to_json, price_to_json
from dashboard.customers.queries import get_customer
from dashboard.kit.database import SYSTEM, Work
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_money
from dashboard.subscriptions.lines import horizon, lines_until, next_sync_at
from dashboard.subscriptions.proration import SubscriptionEndMode
from dashboard.subscriptions.queries import due_for_sync, find_row, subscription_of
from dashboard.subscriptions.tables import SubscriptionRow
from dashboard.subscriptions.views import Subscription, SubscriptionLine

LOOK_AGAIN = timedelta(minutes=10)
"""How soon a subscription that could not be billed is looked at again."""


async def sync_due_subscriptions(desk: BillingDesk) -> int:
    """Makes the lines of every subscription whose time has come; one that cannot be billed holds up no other.

    Answers how many were done.
    """
    async with desk.database.read() as session:
        due = await due_for_sync(session, desk.database.clock.now())
    for subscription_id in due:
        try:
            async with desk.database.transaction(SYSTEM) as work:
                await sync_subscription(work, subscription_id)
        except MeterdeskError:
            async with desk.database.transaction(SYSTEM) as work:
                row = await find_row(work.session, subscription_id)
                row.sync_at = work.now + LOOK_AGAIN
    return len(due)


async def sync_subscription(work: Work, subscription_id: str) -> None:
    """Brings the pending lines of a subscription in line with it, up to the end of its current billing period.

    Raises SubscriptionNotFound, NoBillingProfile, and what making a line raises.
    """
    row = await find_row(work.session, subscription_id)
    await lock_billing_of(work, row.customer_id)
    await work.session.refresh(row)
    subscription = subscription_of(row, work.now)
    try:
        workflow = (await customer_billing(work.session, row.customer_id)).workflow
    except NoBillingProfile:
        if subscription.is_priced:
            raise
        workflow = Workflow()
    end_mode = SubscriptionEndMode(workflow.subscription_end_proration_mode)
    wanted = lines_until(subscription, horizon(subscription, work.now), end_mode=end_mode)
    await _apply(work, row, subscription, wanted, workflow)
    row.sync_at = next_sync_at(subscription, work.now)
    await work.session.flush()


async def _apply(
    work: Work, row: SubscriptionRow, subscription: Subscription, wanted: Iterable[SubscriptionLine], workflow: Workflow
) -> None:
    known = await _known_lines(work.session, subscription.id)
    gathering: InvoiceRow | None = None
    targets = {line.reference: line for line in wanted}
    for reference, line in targets.items():
        found = known.get(reference)
        if found is None:
            if gathering is None:
                customer = await get_customer(work.session, row.customer_id)
                gathering, _ = await open_gathering(work, customer, subscription.currency)
            made = await make_line(
                work, gathering, _input(line, subscription), workflow, managed_by=SUBSCRIPTION, reference=reference
            )
            _note_origin(made, line)
        elif found[1].status == InvoiceStatus.GATHERING.value and _differs(found[0], line):
            await fill_line(work.session, found[0], _input(line, subscription), workflow, work.now)
            await rate_if_flat(work.session, found[0])
            _note_origin(found[0], line)
            gathering = found[1]
    for reference, (line_row, invoice) in known.items():
        if reference not in targets and invoice.status == InvoiceStatus.GATHERING.value:
            line_row.deleted_at = line_row.updated_at = work.now
            gathering = invoice
    if gathering is not None:
        await work.session.flush()
        await refresh_gathering(work, gathering, workflow)


async def _known_lines(session: AsyncSession, subscription_id: str) -> dict[str, tuple[InvoiceLineRow, InvoiceRow]]:
    """Lines made before, by reference. One that was deleted with its invoice counts: it is not billed again."""
    statement = (
        select(InvoiceLineRow, InvoiceRow)
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.subscription_id) == subscription_id, col(InvoiceLineRow.reference).is_not(None))
        .order_by(col(InvoiceLineRow.created_at))
    )
    found: dict[str, tuple[InvoiceLineRow, InvoiceRow]] = {}
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
        row.period_to != line.service_period.end
        or row.invoice_at != line.invoice_at
        or row.price != price_to_json(line.price)
    )
