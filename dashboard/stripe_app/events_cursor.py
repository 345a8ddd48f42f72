"""Asking Stripe for news: the only way without a public address, and what heals missed webhooks with one."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import STRIPE
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.inbox import POLL, file_events
from dashboard.stripe_app.reconcile import reconcile_app
from dashboard.stripe_app.tables import StripeAppRow, StripeCheckoutSessionRow, StripeInvoiceRow
from dashboard.stripe_app.views import AppState, Delivery
from dashboard.stripe_app.webhook_endpoint import EVENTS
from dashboard.stripe_app.wire import must_moment

_log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)
AWAITED_POLL = timedelta(seconds=1.5)
LOOK_AROUND_SECONDS = 0.5
AWAITED_FOR = timedelta(minutes=10)
BEHIND_WEBHOOKS = 6
"""With webhooks, events are polled only to fill gaps: this many times less often."""
STRIPE_KEEPS = timedelta(days=30)
TYPES_PER_CALL = 20


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one look at Stripe's events brought."""

    app_id: str
    filed: int
    gap: timedelta | None
    """How long nobody had looked, when longer than Stripe keeps events."""


async def poll_due_apps(desk: StripeDesk) -> float:
    """Polls the apps whose turn it is; answers in how many seconds to come back."""
    # Side by side, so that an account which does not answer holds up no other.
    await asyncio.gather(*(_poll_or_note(desk, app_id) for app_id in await _take_turns(desk)))
    return LOOK_AROUND_SECONDS


async def _poll_or_note(desk: StripeDesk, app_id: str) -> None:
    try:
        result = await poll_app(desk, app_id)
        if result.gap is not None:
            # Stripe forgot what happened meanwhile, so the invoices themselves have to tell.
            await reconcile_app(desk, app_id)
    except MeterdeskError as problem:
        await _note_problem(desk, app_id, problem.message)
    except Exception as fault:
        _log.exception("polling the events of app %s failed", app_id)
        await _note_problem(desk, app_id, f"Something unexpected happened: {fault!r}")


async def poll_app(desk: StripeDesk, app_id: str) -> PollResult:
    """Fetches what happened since the cursor, with five minutes of overlap, into the inbox.

    Raises what Stripe refuses; the cursor then stays where it was.
    """
    row = await desk.app_row(app_id)
    since = max(row.cursor_floor, row.cursor_at - OVERLAP)
    async with desk.stripe(app_id) as gateway:
        letters = await _fetch(gateway, since)
    filed = await _file(desk, row, letters)
    now = desk.database.clock.now()
    away = now - row.last_poll_at if row.last_poll_at else None
    return PollResult(app_id, filed, away if away and away > STRIPE_KEEPS else None)


async def _fetch(gateway: Gateway, since: datetime) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(EVENTS), TYPES_PER_CALL):
        params: dict[str, Any] = {
            "types": list(EVENTS[start : start + TYPES_PER_CALL]),
            "created": {"gte": int(since.timestamp())},
        }
        while True:
            page = await gateway.events_page(params)
            found.update({letter["id"]: letter for letter in page["data"]})
            if not page["has_more"] or not page["data"]:
                break
            params["starting_after"] = page["data"][-1]["id"]
    return list(found.values())


async def _file(desk: StripeDesk, row: StripeAppRow, letters: list[dict[str, Any]]) -> int:
    async with desk.database.transaction(STRIPE) as work:
        filed = await file_events(work, row.id, letters, via=POLL)
        kept = await work.session.get_one(StripeAppRow, row.id, with_for_update=True)
        newest = max((must_moment(letter["created"]) for letter in letters), default=kept.cursor_at)
        kept.cursor_at = max(kept.cursor_at, newest)
        kept.last_poll_at, kept.last_poll_problem = work.now, None
        if row.delivery == Delivery.WEBHOOK:
            kept.gaps_healed += len(filed)
        return len(filed)


async def _take_turns(desk: StripeDesk) -> list[str]:
    if not await _somebody_is_due(desk):
        return []
    async with desk.database.transaction(STRIPE) as work:
        rows = await work.session.scalars(select(StripeAppRow).where(*_due(work.now)))
        taken: list[str] = []
        for row in list(rows):
            pause = await _pause(work.session, desk, row, work.now)
            claimed = await work.session.execute(
                update(StripeAppRow)
                .where(col(StripeAppRow.id) == row.id, *_due(work.now))
                .values(next_poll_at=work.now + pause)
            )
            if claimed.rowcount:  # pyright: ignore[reportAttributeAccessIssue]
                taken.append(row.id)
        return taken


async def _somebody_is_due(desk: StripeDesk) -> bool:
    async with desk.database.read() as session:
        due = select(col(StripeAppRow.id)).where(*_due(desk.database.clock.now())).limit(1)
        return await session.scalar(due) is not None


def _due(now: datetime) -> tuple[Any, ...]:
    return col(StripeAppRow.state) == AppState.READY, col(StripeAppRow.next_poll_at) <= now


async def _pause(session: AsyncSession, desk: StripeDesk, row: StripeAppRow, now: datetime) -> timedelta:
    usual = timedelta(seconds=desk.events_poll_seconds)
    if row.delivery == Delivery.WEBHOOK:
        return usual * BEHIND_WEBHOOKS
    return min(usual, AWAITED_POLL) if await _something_is_awaited(session, row.id, now) else usual


async def _something_is_awaited(session: AsyncSession, app_id: str, now: datetime) -> bool:
    recent = now - AWAITED_FOR
    checkout = select(col(StripeCheckoutSessionRow.id)).where(
        col(StripeCheckoutSessionRow.app_id) == app_id,
        col(StripeCheckoutSessionRow.status) == "open",
        col(StripeCheckoutSessionRow.created_at) >= recent,
    )
    payment = select(col(StripeInvoiceRow.invoice_id)).where(
        col(StripeInvoiceRow.app_id) == app_id,
        or_(col(StripeInvoiceRow.status) == "open", col(StripeInvoiceRow.status) == "uncollectible"),
        col(StripeInvoiceRow.answered_at) >= recent,
    )
    for query in (checkout, payment):
        if await session.scalar(query.limit(1)) is not None:
            return True
    return False


async def _note_problem(desk: StripeDesk, app_id: str, problem: str) -> None:
    async with desk.database.transaction(STRIPE) as work:
        row = await work.session.get_one(StripeAppRow, app_id)
        if row.last_poll_problem != problem:
            row.last_poll_problem = problem
            work.changed(f"stripe_apps/{app_id}")
