"""The inbox of Stripe's letters: filing them, asking about them, settling them. Nothing here talks to Stripe."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import STRIPE, Database, Work
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

DUE = "stripe_events/due"
"""The topic of news for those who apply letters: one is due now."""
WEBHOOK, POLL = "webhook", "poll"
AT_A_LOOK = 200
GIVE_UP_AFTER = 12
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=6)

_TABLE = StripeEventRow.__table__  # pyright: ignore[reportAttributeAccessIssue]
_FILE_ON_POSTGRESQL = postgresql.insert(_TABLE).on_conflict_do_nothing().returning(_TABLE.c.event_id)
_FILE_ON_SQLITE = sqlite.insert(_TABLE).on_conflict_do_nothing().returning(_TABLE.c.event_id)


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


@dataclass(frozen=True, slots=True)
class Delivered:
    """A letter that a webhook brought, of so many bytes; `is_noted`: the app's row is to say that it came."""

    app_id: str
    letter: dict[str, Any]
    size: int
    is_noted: bool = True


@dataclass(frozen=True, slots=True)
class Bundle:
    """Letters that are due and about one thing at Stripe, by our ids, in the order in which they were filed."""

    app_id: str
    about: str
    event_ids: tuple[str, ...]


async def file_events(
    work: Work, app_id: str, letters: Iterable[dict[str, Any]], *, via: str, is_noted: bool = True
) -> set[str]:
    """Files the letters not seen before, whose turn to be applied is now; answers Stripe's ids of these.

    `is_noted`: the app's row says afterwards when the newest of them came.
    """
    by_id = {letter["id"]: letter for letter in letters}
    if not by_id:
        return set()
    rows = [_values(app_id, letter, via, work.now) for letter in sorted(by_id.values(), key=lambda one: one["created"])]
    statement = _FILE_ON_POSTGRESQL if work.session.get_bind().dialect.name == "postgresql" else _FILE_ON_SQLITE
    # In the same order whoever files them: two who file the same letters must not wait for each other.
    rows.sort(key=lambda one: one["event_id"])
    filed = set(await work.session.scalars(statement, rows))
    if filed:
        fresh = [must_moment(by_id[event_id]["created"]) for event_id in filed]
        FILED.labels(via).inc(len(fresh))
        for created_at in fresh:
            LAG.observe(max(0.0, (work.now - created_at).total_seconds()))
        if is_noted:
            await _note_arrival(work, app_id, max(fresh))
        work.changed("stripe_events", f"stripe_apps/{app_id}", DUE)
    return filed


async def file_delivered(database: Database, delivered: Sequence[Delivered]) -> list[bool]:
    """Files what webhooks brought, in one transaction; answers for each whether it is new."""
    fresh: set[tuple[str, str]] = set()
    async with database.transaction(STRIPE) as work:
        for app_id in sorted({one.app_id for one in delivered}):
            of_app = [one for one in delivered if one.app_id == app_id]
            letters = [one.letter for one in of_app]
            filed = await file_events(work, app_id, letters, via=WEBHOOK, is_noted=any(one.is_noted for one in of_app))
            fresh |= {(app_id, event_id) for event_id in filed}
            known = {letter["id"] for letter in letters} - filed
            if known:
                await _came_after_all(work, app_id, known)
    answers: list[bool] = []
    for one in delivered:
        name = (one.app_id, one.letter["id"])
        answers.append(name in fresh)
        # Should it have come twice, the second is not new.
        fresh.discard(name)
    return answers


async def due_letters(session: AsyncSession, now: datetime, *, without: Collection[str] = ()) -> list[Bundle]:
    """The longest known letters whose turn it is, at most `AT_A_LOOK`, those of `without` (our ids) left out."""
    about = func.coalesce(_invoice_named_by_payload(), col(StripeEventRow.object_id), col(StripeEventRow.id))
    query = select(col(StripeEventRow.id), col(StripeEventRow.app_id), about).where(is_due(now))
    if without:
        query = query.where(col(StripeEventRow.id).not_in(without))
    bundles: dict[tuple[str, str], list[str]] = {}
    for id_, app_id, thing in await session.execute(query.order_by(col(StripeEventRow.id)).limit(AT_A_LOOK)):
        bundles.setdefault((app_id, thing), []).append(id_)
    return [Bundle(app_id, thing, tuple(ids)) for (app_id, thing), ids in bundles.items()]


def is_due(now: datetime) -> ColumnElement[bool]:
    """Whether a letter was not tried yet, or has waited long enough."""
    state = col(StripeEventRow.state)
    waited = and_(state == EventState.WAITING, col(StripeEventRow.next_attempt_at) <= now)
    return or_(state == EventState.RECEIVED, waited)


def _invoice_named_by_payload() -> ColumnElement[Any]:
    # Payments and credit notes tell nothing that reading their invoice does not.
    return col(StripeEventRow.payload)[("data", "object", "invoice")].as_string()


async def _came_after_all(work: Work, app_id: str, event_ids: Collection[str]) -> None:
    """The webhooks of events that polling had fetched before: they were only slower, so there was no gap to heal."""
    found = await work.session.scalars(
        update(StripeEventRow)
        .where(
            col(StripeEventRow.app_id) == app_id,
            col(StripeEventRow.event_id).in_(event_ids),
            col(StripeEventRow.via) == POLL,
        )
        .values(via=WEBHOOK)
        .returning(col(StripeEventRow.id))
        .execution_options(synchronize_session=False)
    )
    count, healed = len(list(found)), col(StripeAppRow.gaps_healed)
    if count:
        await work.session.execute(
            update(StripeAppRow)
            .where(col(StripeAppRow.id) == app_id)
            .values(gaps_healed=case((healed > count, healed - count), else_=0))
            .execution_options(synchronize_session=False)
        )
        work.changed("stripe_events", f"stripe_apps/{app_id}")


async def _note_arrival(work: Work, app_id: str, newest: datetime) -> None:
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


def _values(app_id: str, letter: dict[str, Any], via: str, now: datetime) -> dict[str, Any]:
    carried = (letter.get("data") or {}).get("object") or {}
    return {
        "id": new_id(),
        "app_id": app_id,
        "event_id": letter["id"],
        "type": letter["type"],
        "object_type": carried.get("object"),
        "object_id": carried.get("id"),
        "api_version": letter.get("api_version"),
        "via": via,
        "state": EventState.RECEIVED.value,
        "attempts": 0,
        "idempotency_key": (letter.get("request") or {}).get("idempotency_key"),
        "payload": letter,
        "created_at": must_moment(letter["created"]),
        "received_at": now,
    }


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
