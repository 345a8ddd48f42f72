"""The inbox of Stripe's letters: filing them, asking about them, settling them. Nothing here talks to Stripe."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import Work
from dashboard.kit.ids import new_id
from dashboard.kit.paging import Page, PageRequest, fetch_page
from dashboard.stripe_app.errors import StripeEventNotFound
from dashboard.stripe_app.inputs import EventFilter
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow
from dashboard.stripe_app.views import EventState, StripeEvent, StripeEventDetail
from dashboard.stripe_app.wire import must_moment

FILED = Counter("meterdesk_stripe_events_filed", "Stripe events taken into the inbox.", ["via"])
SETTLED = Counter("meterdesk_stripe_events_settled", "Stripe events that came to an end.", ["state"])
LAG = Histogram(
    "meterdesk_stripe_event_lag_seconds", "From an event at Stripe to its arrival here.", buckets=(1, 2, 5, 15, 60, 600)
)

APPLY = "stripe_event.apply"
WEBHOOK, POLL = "webhook", "poll"
GIVE_UP_AFTER = 12
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=6)


async def list_events(session: AsyncSession, wanted: EventFilter, page: PageRequest) -> Page[StripeEvent]:
    """Letters that fit `wanted`, newest first by Stripe's own time."""
    query = _matching(wanted).order_by(col(StripeEventRow.created_at).desc(), col(StripeEventRow.id).desc())
    rows, total = await fetch_page(session, query, page)
    return Page(tuple(event_view(row) for row in rows), total, page.number, page.size)


async def count_events(session: AsyncSession) -> dict[EventState, int]:
    """How many letters are in each state."""
    statement = select(col(StripeEventRow.state), func.count()).group_by(col(StripeEventRow.state))
    return {EventState(state): count for state, count in await session.execute(statement)}


async def get_event(session: AsyncSession, event_id: str) -> StripeEventDetail:
    """One letter with its payload, by our id or Stripe's. Raises StripeEventNotFound."""
    row = await session.get(StripeEventRow, event_id)
    if row is None:
        row = await session.scalar(select(StripeEventRow).where(col(StripeEventRow.event_id) == event_id).limit(1))
    if row is None:
        raise StripeEventNotFound(f"There is no Stripe event {event_id}.")
    return StripeEventDetail(event_view(row), dict(row.payload))


async def events_of_invoice(session: AsyncSession, invoice_id: str) -> tuple[StripeEvent, ...]:
    """Every letter about one of our invoices, oldest first, for its timeline."""
    rows = await session.scalars(
        select(StripeEventRow)
        .where(col(StripeEventRow.invoice_id) == invoice_id)
        .order_by(col(StripeEventRow.created_at), col(StripeEventRow.id))
    )
    return tuple(event_view(row) for row in rows)


async def file_events(work: Work, app_id: str, letters: Iterable[dict[str, Any]], *, via: str) -> list[str]:
    """Files the letters not seen before and makes the worker apply each; answers the ids of the new rows."""
    by_id = {letter["id"]: letter for letter in letters}
    known = set(
        await work.session.scalars(
            select(col(StripeEventRow.event_id)).where(
                col(StripeEventRow.app_id) == app_id, col(StripeEventRow.event_id).in_(list(by_id))
            )
        )
    )
    fresh = [_row(app_id, letter, via, work.now) for id_, letter in by_id.items() if id_ not in known]
    for row in sorted(fresh, key=lambda one: one.created_at):
        work.session.add(row)
        await work.enqueue(APPLY, row.id, event_id=row.id)
    if fresh:
        FILED.labels(via).inc(len(fresh))
        for row in fresh:
            LAG.observe(max(0.0, (work.now - row.created_at).total_seconds()))
        await _note_arrival(work, app_id, fresh)
        work.changed("stripe_events", f"stripe_apps/{app_id}")
    return [row.id for row in fresh]


async def came_after_all(work: Work, app_id: str, event_id: str) -> None:
    """The webhook of an event that polling had fetched before: it was only slower, so there was no gap to heal."""
    row = await work.session.scalar(
        select(StripeEventRow).where(
            col(StripeEventRow.app_id) == app_id,
            col(StripeEventRow.event_id) == event_id,
            col(StripeEventRow.via) == POLL,
        )
    )
    if row is not None:
        row.via = WEBHOOK
        app = await work.session.get_one(StripeAppRow, app_id)
        app.gaps_healed = max(0, app.gaps_healed - 1)
        work.changed("stripe_events", f"stripe_apps/{app_id}")


async def _note_arrival(work: Work, app_id: str, fresh: list[StripeEventRow]) -> None:
    newest = max(row.created_at for row in fresh)
    last = col(StripeAppRow.last_event_at)
    await work.session.execute(
        update(StripeAppRow)
        .where(col(StripeAppRow.id) == app_id, or_(last.is_(None), last <= newest))
        .values(last_event_at=newest, last_event_received_at=work.now)
        .execution_options(synchronize_session=False)
    )


def settle(row: StripeEventRow, state: EventState, reason: str | None, now: datetime) -> None:
    """Writes what became of a letter."""
    SETTLED.labels(state.value).inc()
    row.state, row.reason, row.next_attempt_at = state, reason, None
    row.settled_at = now
    row.attempts += 1


def put_off(row: StripeEventRow, reason: str, now: datetime, *, give_up: bool = True) -> None:
    """A letter that cannot be applied yet waits, longer each time; after a dozen tries (about a day) it has failed.

    `give_up=False` is for waits that only a person ends, such as a revoked key.
    """
    row.attempts += 1
    row.reason = reason
    if give_up and row.attempts >= GIVE_UP_AFTER:
        row.state, row.settled_at, row.next_attempt_at = EventState.FAILED, now, None
        return
    row.state = EventState.WAITING
    row.next_attempt_at = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 3 ** min(row.attempts - 1, 10))


def event_view(row: StripeEventRow) -> StripeEvent:
    """The row without the letter."""
    return StripeEvent(
        id=row.id,
        app_id=row.app_id,
        event_id=row.event_id,
        type=row.type,
        object_type=row.object_type,
        object_id=row.object_id,
        customer_id=row.customer_id,
        invoice_id=row.invoice_id,
        api_version=row.api_version,
        via=row.via,
        state=EventState(row.state),
        reason=row.reason,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
        received_at=row.received_at,
        settled_at=row.settled_at,
    )


def _row(app_id: str, letter: dict[str, Any], via: str, now: datetime) -> StripeEventRow:
    carried = (letter.get("data") or {}).get("object") or {}
    return StripeEventRow(
        id=new_id(),
        app_id=app_id,
        event_id=letter["id"],
        type=letter["type"],
        object_type=carried.get("object"),
        object_id=carried.get("id"),
        api_version=letter.get("api_version"),
        via=via,
        state=EventState.RECEIVED,
        idempotency_key=(letter.get("request") or {}).get("idempotency_key"),
        payload=letter,
        created_at=must_moment(letter["created"]),
        received_at=now,
    )


def _matching(wanted: EventFilter) -> Select[Any]:
    query = select(StripeEventRow)
    equal = {
        StripeEventRow.app_id: wanted.app_id,
        StripeEventRow.type: wanted.type,
        StripeEventRow.object_id: wanted.object_id,
        StripeEventRow.customer_id: wanted.customer_id,
        StripeEventRow.invoice_id: wanted.invoice_id,
    }
    for column, value in equal.items():
        if value is not None:
            query = query.where(col(column) == value)
    if wanted.state:
        query = query.where(col(StripeEventRow.state).in_(wanted.state))
    if wanted.since is not None:
        query = query.where(col(StripeEventRow.created_at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(StripeEventRow.created_at) < wanted.until)
    if wanted.search:
        columns = (StripeEventRow.type, StripeEventRow.event_id, StripeEventRow.object_id)
        query = query.where(or_(*(col(one).contains(wanted.search, autoescape=True) for one in columns)))
    return query
