"""Questions about subscriptions."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.plan_tax import plan_versions_using_tax_code, rate_cards_with
from dashboard.kit.errors import InvalidInput
from dashboard.kit.paging import Page, PageRequest, fetch_page
from dashboard.subscriptions.errors import SubscriptionNotFound
from dashboard.subscriptions.schedule import billing_period_at, phases_from
from dashboard.subscriptions.status import SubscriptionStatus, subscription_status
from dashboard.subscriptions.tables import SubscriptionRow
from dashboard.subscriptions.views import Subscription

NAMED_MAX = 20

_SORTS: dict[str, Any] = {
    "id": col(SubscriptionRow.id),
    "name": col(SubscriptionRow.name),
    "active_from": col(SubscriptionRow.active_from),
    "active_to": col(SubscriptionRow.active_to),
    "created_at": col(SubscriptionRow.created_at),
}


async def get_subscription(
    session: AsyncSession, subscription_id: str, now: datetime, *, again: bool = False
) -> Subscription:
    """One subscription, deleted ones too; read `again` if this session may have read it before somebody changed it.

    Raises SubscriptionNotFound.
    """
    row = await find_row(session, subscription_id)
    if again:
        await session.refresh(row)
    return subscription_of(row, now)


async def list_subscriptions(
    session: AsyncSession,
    page: PageRequest,
    *,
    now: datetime,
    customer_ids: Iterable[str] = (),
    plan_ids: Iterable[str] = (),
    statuses: Iterable[SubscriptionStatus] = (),
    search: str | None = None,
    sort: str = "created_at",
    descending: bool = True,
) -> Page[Subscription]:
    """Subscriptions that are not deleted and fit. Raises InvalidInput for an unknown `sort`."""
    if sort not in _SORTS:
        raise InvalidInput(f"Subscriptions cannot be sorted by {sort!r}.", field="sort")
    statement: Select[Any] = select(SubscriptionRow).where(*_that_fit(customer_ids, plan_ids, search))
    if wanted := set(statuses):
        statement = statement.where(or_(*[_has_status(status, now) for status in wanted]))
    column = _SORTS[sort]
    statement = statement.order_by(column.desc() if descending else column, col(SubscriptionRow.id))
    rows, total = await fetch_page(session, statement, page)
    return Page(tuple(subscription_of(row, now) for row in rows), total, page.number, page.size)


async def count_subscriptions(
    session: AsyncSession, *, now: datetime, customer_ids: Iterable[str] = (), search: str | None = None
) -> dict[SubscriptionStatus, int]:
    """How many subscriptions that are not deleted and fit have each status; those with none are left out."""
    status = case(*((_has_status(status, now), status.value) for status in SubscriptionStatus)).label("status")
    rows = select(status).where(*_that_fit(customer_ids, (), search)).subquery()
    found = await session.execute(select(rows.c.status, func.count()).group_by(rows.c.status))
    return {SubscriptionStatus(status): count for status, count in found}


async def subscriptions_of_plan(session: AsyncSession, plan_id: str) -> tuple[str, ...]:
    """The ids of subscriptions that were made from a version of a plan."""
    statement = select(col(SubscriptionRow.id)).where(
        col(SubscriptionRow.plan_id) == plan_id, col(SubscriptionRow.deleted_at).is_(None)
    )
    return tuple(await session.scalars(statement))


async def subscribed_customer_ids(session: AsyncSession, now: datetime) -> set[str]:
    """Customers with a subscription that runs or will begin."""
    row = SubscriptionRow
    lives = or_(col(row.active_to).is_(None), col(row.active_to) > now)
    return set(await session.scalars(select(col(row.customer_id)).where(lives)))


def customers_on_plan(plan_key: str, now: datetime) -> Select[str]:
    """A question for customers whose subscription runs now and whose plan's key has this part, in any case."""
    row = SubscriptionRow
    running = or_(*[_has_status(status, now) for status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED)])
    return select(col(row.customer_id)).where(
        col(row.deleted_at).is_(None), running, col(row.plan_key).icontains(plan_key, autoescape=True)
    )


async def due_for_sync(session: AsyncSession, now: datetime, *, limit: int = 500) -> list[str]:
    """Subscriptions whose lines for billing have to be made now, the longest due first."""
    statement = (
        select(col(SubscriptionRow.id))
        .where(col(SubscriptionRow.sync_at) <= now)
        .order_by(col(SubscriptionRow.sync_at), col(SubscriptionRow.created_at))
        .limit(limit)
    )
    return list(await session.scalars(statement))


async def yielding_lines(session: AsyncSession) -> dict[str, datetime]:
    """The subscriptions that still yield lines for billing, each with its start."""
    statement = select(col(SubscriptionRow.id), col(SubscriptionRow.active_from)).where(
        col(SubscriptionRow.sync_at).is_not(None), col(SubscriptionRow.deleted_at).is_(None)
    )
    return {subscription_id: start for subscription_id, start in await session.execute(statement)}


async def tax_code_uses(session: AsyncSession, tax_code_id: str) -> list[str]:
    """Names of the rate cards with this tax code in subscriptions that go on, up to NAMED_MAX."""
    plan_ids = await plan_versions_using_tax_code(session, tax_code_id)
    # A subscription is a copy of its plan; terms that were made for one customer, or edited, are not.
    departed = or_(col(SubscriptionRow.plan_id).is_(None), col(SubscriptionRow.edited_at).is_not(None))
    of_its_own = departed & cast(SubscriptionRow.phases, String).contains(tax_code_id)
    statement = (
        select(SubscriptionRow)
        .where(or_(col(SubscriptionRow.plan_id).in_(plan_ids), of_its_own))
        .where(col(SubscriptionRow.deleted_at).is_(None))
        # One that is over has no lines to make any more; one that was ended at once has no future.
        .where(col(SubscriptionRow.sync_at).is_not(None))
        .where(
            or_(
                col(SubscriptionRow.active_to).is_(None),
                col(SubscriptionRow.active_to) > col(SubscriptionRow.updated_at),
            )
        )
        .order_by(col(SubscriptionRow.created_at), col(SubscriptionRow.id))
        .limit(NAMED_MAX)
    )
    return [
        f"rate card “{name}” of subscription {row.name} ({row.id})"
        for row in await session.scalars(statement)
        for name in rate_cards_with(row.phases, "items", tax_code_id)
    ][:NAMED_MAX]


async def find_row(session: AsyncSession, subscription_id: str) -> SubscriptionRow:
    """The row with this id. Raises SubscriptionNotFound."""
    row = await session.get(SubscriptionRow, subscription_id.upper())
    if row is None:
        raise SubscriptionNotFound(f"There is no subscription {subscription_id!r}.")
    return row


def subscription_of(row: SubscriptionRow, now: datetime) -> Subscription:
    """The subscription in a row, as others may hold it."""
    status = subscription_status(row.active_from, row.active_to, row.deleted_at, now)
    running = status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED)
    return Subscription(
        id=row.id,
        customer_id=row.customer_id,
        plan_id=row.plan_id,
        plan_key=row.plan_key,
        plan_version=row.plan_version,
        name=row.name,
        description=row.description,
        currency=row.currency,
        billing_cadence=row.billing_cadence,
        billing_anchor=row.billing_anchor,
        pro_rating_enabled=row.pro_rating_enabled,
        settlement_mode=row.settlement_mode,
        active_from=row.active_from,
        active_to=row.active_to,
        status=status,
        phases=phases_from(row.phases, row.active_to),
        current_period=billing_period_at(row.billing_anchor, row.billing_cadence, now) if running else None,
        previous_id=row.previous_id,
        next_id=row.next_id,
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def _that_fit(customer_ids: Iterable[str], plan_ids: Iterable[str], search: str | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [col(SubscriptionRow.deleted_at).is_(None)]
    for column, values in ((SubscriptionRow.customer_id, customer_ids), (SubscriptionRow.plan_id, plan_ids)):
        if chosen := list(values):
            found.append(col(column).in_(chosen))
    if search:
        named = (SubscriptionRow.name, SubscriptionRow.plan_key)
        found.append(or_(*(col(column).icontains(search, autoescape=True) for column in named)))
    return found


def _has_status(status: SubscriptionStatus, now: datetime) -> Any:
    start, end = col(SubscriptionRow.active_from), col(SubscriptionRow.active_to)
    match status:
        case SubscriptionStatus.SCHEDULED:
            return start > now
        case SubscriptionStatus.ACTIVE:
            return (start <= now) & end.is_(None)
        case SubscriptionStatus.CANCELED:
            return (start <= now) & (end > now)
        case SubscriptionStatus.INACTIVE:
            return end <= now
