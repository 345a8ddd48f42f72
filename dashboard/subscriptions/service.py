"""Verbs: subscribe, edit, change, cancel, take back, delete. One subscription at a time per customer.

Before something that costs money begins, the customer has to be ready to pay for it. Whether they are is asked outside
of any transaction (`PaymentReadiness` may call Stripe), so the verbs that need it take the `SubscriptionDesk`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.plan_errors import PlanNotPublishable
from dashboard.catalog.plan_inputs import CustomPlan, PhaseInput
from dashboard.catalog.plan_views import Plan, RateCard
from dashboard.catalog.plans import custom_plan, get_plan
from dashboard.catalog.status import PlanStatus
from dashboard.customers.queries import live_customer
from dashboard.kit.calendar import cut_to_seconds
from dashboard.kit.database import Actor, Database, Work
from dashboard.kit.errors import InvalidInput, MeterdeskError
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit
from dashboard.subscriptions.editing import Calendar
from dashboard.subscriptions.errors import (
    AlreadySubscribed,
    BillingSetupInvalid,
    EditNotPossible,
    PlanNotActive,
    SubscriptionStateConflict,
    TimingNotPossible,
)
from dashboard.subscriptions.inputs import AddItem, ChangeSubscription, CreateSubscription, EditSubscription
from dashboard.subscriptions.queries import find_row, subscription_of
from dashboard.subscriptions.schedule import billing_period_at, scheduled
from dashboard.subscriptions.status import SubscriptionStatus, subscription_status
from dashboard.subscriptions.tables import SubscriptionRow
from dashboard.subscriptions.views import Subscription

PAST_ALLOWED = timedelta(minutes=2)


class PaymentReadiness(Protocol):
    async def __call__(self, customer_id: str) -> tuple[str, str] | None:
        """What this customer lacks to be billed, as (what, remedy); None when nothing."""
        ...


@dataclass(slots=True)
class SubscriptionDesk:
    """What starting a paid subscription needs at hand."""

    database: Database
    readiness: PaymentReadiness


async def create_subscription(desk: SubscriptionDesk, actor: Actor, wanted: CreateSubscription) -> Subscription:
    """Puts a customer on a plan, or on the terms of a draft that nobody else gets.

    Raises CustomerNotFound, CustomerDeleted, PlanNotFound, PlanNotActive, PlanNotPublishable (with what is wrong with a
    custom plan), TimingNotPossible, AlreadySubscribed, BillingSetupInvalid (with what is lacking, and the remedy).
    """
    now = desk.database.clock.now()
    async with desk.database.read() as session:
        customer = await live_customer(session, wanted.customer_id)
        plan = await _chosen(session, wanted, now)
    await _check_readiness(desk, customer.id, plan)
    async with desk.database.transaction(actor) as work:
        start = _start(wanted.timing, work.now)
        return await _insert(
            work,
            customer.id,
            plan,
            start,
            anchor=wanted.billing_anchor or start,
            starting_phase=wanted.starting_phase,
            name=wanted.name,
            description=wanted.description,
            metadata=wanted.metadata,
        )


async def change_subscription(
    desk: SubscriptionDesk, actor: Actor, subscription_id: str, wanted: ChangeSubscription
) -> tuple[Subscription, Subscription]:
    """Ends a subscription and starts another plan at the same instant, on the same anchor: (the old one, the new one).

    Raises SubscriptionNotFound, SubscriptionStateConflict, and what `create_subscription` raises.
    """
    now = desk.database.clock.now()
    async with desk.database.read() as session:
        customer_id = (await find_row(session, subscription_id)).customer_id
        plan = await _chosen(session, wanted, now)
    await _check_readiness(desk, customer_id, plan)
    async with desk.database.transaction(actor) as work:
        row = await _running(work, subscription_id)
        end = _end(row, wanted.timing, work.now)
        row.active_to, row.updated_at, row.sync_at = end, work.now, work.now
        await work.session.flush()
        new = await _insert(
            work,
            customer_id,
            plan,
            end,
            anchor=row.billing_anchor,
            starting_phase=wanted.starting_phase,
            name=wanted.name,
            description=wanted.description,
            metadata=wanted.metadata,
            previous_id=row.id,
        )
        row.next_id = new.id
        _tell(work, row, "subscription.changed", to=new.id, at=end.isoformat())
        return subscription_of(row, work.now), new


async def edit_subscription(
    desk: SubscriptionDesk, actor: Actor, subscription_id: str, wanted: EditSubscription
) -> Subscription:
    """Changes items and phases of a running subscription, now or with its next billing period; all or nothing.

    Raises SubscriptionNotFound, SubscriptionStateConflict, TimingNotPossible, BillingSetupInvalid, EditsScheduled, and
    EditNotPossible; fields name the operation (`operations.2`).
    """
    async with desk.database.read() as session:
        row = await find_row(session, subscription_id)
        added = await _added_cards(session, row, wanted, desk.database.clock.now())
    if any(card.price is not None for card in added.values()):
        await _refuse_unready(desk, row.customer_id)
    async with desk.database.transaction(actor) as work:
        row = await _running(work, subscription_id)
        # What was judged a moment ago may have been archived since.
        added = await _added_cards(work.session, row, wanted, work.now)
        at = _end(row, wanted.timing, work.now)
        calendar = Calendar(row.phases, row.active_from, work.now, at)
        for number, operation in enumerate(wanted.operations):
            try:
                calendar.apply(operation, added.get(number))
            except MeterdeskError as error:
                error.fields = {f"operations.{number}": error.message}
                raise
        calendar.check()
        if calendar.phases != row.phases:
            row.phases = calendar.phases
            row.edited_at = row.updated_at = row.sync_at = work.now
            done = [operation.op for operation in wanted.operations]
            _tell(work, row, "subscription.edited", operations=done, at=at.isoformat())
        return subscription_of(row, work.now)


async def cancel_subscription(work: Work, subscription_id: str, timing: str | datetime = "immediate") -> Subscription:
    """Ends a subscription now, with its billing period, or at a billing boundary.

    Raises SubscriptionNotFound, SubscriptionStateConflict, TimingNotPossible.
    """
    row = await _running(work, subscription_id)
    row.active_to = _end(row, timing, work.now)
    row.updated_at = row.sync_at = work.now
    _tell(work, row, "subscription.canceled", at=row.active_to.isoformat())
    return subscription_of(row, work.now)


async def unschedule_cancelation(work: Work, subscription_id: str) -> Subscription:
    """Takes a cancelation back while it has not come. Raises SubscriptionNotFound, SubscriptionStateConflict."""
    row = await find_row(work.session, subscription_id)
    await _lock_customer(work, row.customer_id)
    if _status(row, work.now) is not SubscriptionStatus.CANCELED:
        raise SubscriptionStateConflict("Nothing is there to take back: this subscription has no end in sight.")
    if row.next_id is not None:
        raise SubscriptionStateConflict(
            "Another subscription follows this one.", remedy="Restore this one instead: the other goes then."
        )
    row.active_to = None
    row.updated_at = row.sync_at = work.now
    await _refuse_overlap(work, row)
    _tell(work, row, "subscription.cancelation_withdrawn")
    return subscription_of(row, work.now)


async def restore_subscription(work: Work, subscription_id: str) -> Subscription:
    """Deletes the scheduled follower and lets this one go on.

    Raises SubscriptionNotFound, SubscriptionStateConflict.
    """
    row = await find_row(work.session, subscription_id)
    await _lock_customer(work, row.customer_id)
    if _status(row, work.now) is not SubscriptionStatus.CANCELED:
        raise SubscriptionStateConflict("Only a subscription that is about to end can be restored.")
    if row.next_id is not None:
        follower = await find_row(work.session, row.next_id)
        await _delete(work, follower)
    row.next_id = row.active_to = None
    row.updated_at = row.sync_at = work.now
    await _refuse_overlap(work, row)
    _tell(work, row, "subscription.restored")
    return subscription_of(row, work.now)


async def delete_subscription(work: Work, subscription_id: str) -> None:
    """Deletes a subscription that has not begun. Raises SubscriptionNotFound, SubscriptionStateConflict."""
    row = await find_row(work.session, subscription_id)
    await _lock_customer(work, row.customer_id)
    if _status(row, work.now) is not SubscriptionStatus.SCHEDULED:
        raise SubscriptionStateConflict("It has begun, so it is canceled, not deleted.", remedy="Cancel it instead.")
    await _delete(work, row)


async def set_next_sync(work: Work, subscription_id: str, at: datetime | None) -> None:
    """Writes when billing has to make the subscription's lines again, None for never. Raises SubscriptionNotFound."""
    (await find_row(work.session, subscription_id)).sync_at = at
    await work.session.flush()


async def _insert(
    work: Work,
    customer_id: str,
    plan: Plan,
    start: datetime,
    *,
    anchor: datetime,
    starting_phase: str | None,
    name: str | None,
    description: str | None,
    metadata: dict[str, str],
    previous_id: str | None = None,
) -> Subscription:
    await _lock_customer(work, customer_id)
    row = SubscriptionRow(
        id=new_id(),
        customer_id=customer_id,
        # Terms for one customer are no plan to refer to.
        plan_id=plan.id or None,
        plan_key=plan.key or None,
        plan_version=plan.version or None,
        name=name or plan.name,
        description=description,
        currency=plan.currency,
        billing_cadence=plan.billing_cadence,
        billing_anchor=anchor,
        pro_rating_enabled=plan.pro_rating_enabled,
        settlement_mode=plan.settlement_mode,
        active_from=start,
        phases=scheduled(plan.phases, start, starting_phase),
        previous_id=previous_id,
        metadata_=metadata,
        sync_at=work.now,
        created_at=work.now,
        updated_at=work.now,
    )
    await _refuse_overlap(work, row)
    work.session.add(row)
    await work.session.flush()
    _tell(work, row, "subscription.created", plan=plan.key, version=plan.version)
    return subscription_of(row, work.now)


async def _chosen(session: AsyncSession, wanted: CreateSubscription | ChangeSubscription, now: datetime) -> Plan:
    if wanted.custom_plan is not None:
        return await custom_plan(session, wanted.custom_plan, now=now)
    plan = await get_plan(session, wanted.plan or "", now=now, version=wanted.plan_version)
    if wanted.is_custom:
        return replace(_finished_draft(plan), id="", key="", version=0)
    if plan.status is not PlanStatus.ACTIVE:
        raise PlanNotActive(f"Version {plan.version} of {plan.key} is {plan.status.value}.", field="plan")
    return plan


def _finished_draft(plan: Plan) -> Plan:
    if plan.status is not PlanStatus.DRAFT:
        raise PlanNotActive(
            f"Version {plan.version} of {plan.key} is {plan.status.value}; terms for one customer come from a draft.",
            remedy="Make the next version of the plan, or a new plan, and leave it a draft.",
            field="plan",
        )
    if plan.issues:
        raise PlanNotActive(
            f"{plan.name} is not ready yet: {plan.issues[0].message}", remedy="Mend the draft first.", field="plan"
        )
    return plan


async def _added_cards(
    session: AsyncSession, row: SubscriptionRow, wanted: EditSubscription, now: datetime
) -> dict[int, RateCard]:
    """By number of the operation, the rate cards that an edit adds. They are judged as those of a plan are."""
    adding = {n: one.rate_card for n, one in enumerate(wanted.operations) if isinstance(one, AddItem)}
    if not adding:
        return {}
    # Each in a phase of its own: one may be added to several phases, under one key.
    last = len(adding) - 1
    phases = tuple(
        PhaseInput(key=f"phase_{n}", name=card.name, duration=None if n == last else "P1M", rate_cards=(card,))
        for n, card in enumerate(adding.values())
    )
    terms = CustomPlan(name=row.name, currency=row.currency, billing_cadence=row.billing_cadence, phases=phases)
    try:
        plan = await custom_plan(session, terms, now=now)
    except InvalidInput as error:
        places = {f"phases.{n}.rate_cards.0": f"operations.{number}.rate_card" for n, number in enumerate(adding)}
        fields = {_in_place(field, places): sentence for field, sentence in error.fields.items()}
        if not isinstance(error, PlanNotPublishable):
            error.fields = fields
            raise
        # The catalog names what it found first last.
        raise EditNotPossible(list(fields.values())[-1], fields=fields, details=error.details) from None
    return {number: phase.rate_cards[0] for number, phase in zip(adding, plan.phases, strict=True)}


def _in_place(field: str, places: dict[str, str]) -> str:
    found = next((place for place in places if field == place or field.startswith(f"{place}.")), None)
    return field if found is None else places[found] + field.removeprefix(found)


async def _check_readiness(desk: SubscriptionDesk, customer_id: str, plan: Plan) -> None:
    if any(card.price is not None for phase in plan.phases for card in phase.rate_cards):
        await _refuse_unready(desk, customer_id)


async def _refuse_unready(desk: SubscriptionDesk, customer_id: str) -> None:
    lacking = await desk.readiness(customer_id)
    if lacking is not None:
        raise BillingSetupInvalid(f"Invalid billing setup: {lacking[0]}", remedy=lacking[1])


def _start(timing: str | datetime, now: datetime) -> datetime:
    if not isinstance(timing, datetime):
        return cut_to_seconds(now)
    if timing < now - PAST_ALLOWED:
        raise TimingNotPossible("A subscription cannot begin in the past.", field="timing")
    return cut_to_seconds(timing)


def _end(row: SubscriptionRow, timing: str | datetime, now: datetime) -> datetime:
    if timing == "immediate":
        return cut_to_seconds(now)
    period = billing_period_at(row.billing_anchor, row.billing_cadence, now)
    if timing == "next_billing_cycle":
        return period.end
    if not isinstance(timing, datetime):
        raise TimingNotPossible(f"{timing!r} is no timing.", field="timing")
    if timing < now or billing_period_at(row.billing_anchor, row.billing_cadence, timing).start != timing:
        raise TimingNotPossible(
            "A subscription ends now or where a billing period ends.",
            remedy=f"The current one ends {period.end:%d %b %Y %H:%M} UTC.",
            field="timing",
        )
    return timing


async def _running(work: Work, subscription_id: str) -> SubscriptionRow:
    row = await find_row(work.session, subscription_id)
    await _lock_customer(work, row.customer_id)
    await work.session.refresh(row)
    status = _status(row, work.now)
    if status is not SubscriptionStatus.ACTIVE:
        raise SubscriptionStateConflict(f"This subscription is {status.value}, not active.")
    return row


async def _refuse_overlap(work: Work, row: SubscriptionRow) -> None:
    other = col(SubscriptionRow.active_to)
    statement = select(SubscriptionRow).where(
        col(SubscriptionRow.customer_id) == row.customer_id,
        col(SubscriptionRow.id) != row.id,
        col(SubscriptionRow.deleted_at).is_(None),
        or_(other.is_(None), other > row.active_from),
    )
    if row.active_to is not None:
        statement = statement.where(col(SubscriptionRow.active_from) < row.active_to)
    found = await work.session.scalar(statement.limit(1))
    if found is not None:
        raise AlreadySubscribed(f"This customer already has the subscription {found.name} at that time.")


async def _delete(work: Work, row: SubscriptionRow) -> None:
    row.deleted_at = row.updated_at = row.sync_at = work.now
    await work.session.flush()
    _tell(work, row, "subscription.deleted")


async def _lock_customer(work: Work, customer_id: str) -> None:
    await lock_until_commit(work.session, f"subscriptions:{customer_id}")


def _status(row: SubscriptionRow, now: datetime) -> SubscriptionStatus:
    return subscription_status(row.active_from, row.active_to, row.deleted_at, now)


def _tell(work: Work, row: SubscriptionRow, action: str, **details: object) -> None:
    work.audit(action, "subscription", row.id, customer=row.customer_id, **details)
    work.changed("subscriptions", f"subscriptions/{row.id}", f"customers/{row.customer_id}")
