"""Intent, call, answer: how a thing is made in Stripe exactly once, whatever happens in between.

What we are about to do is written first, then asked with an idempotency key made of our own ids, then the answer is
written together with what it means here. After a crash the intent is found without an answer: then Stripe is looked at
before anything is asked again, because idempotency keys die after a day.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import SYSTEM, Database, Work
from dashboard.kit.ids import new_id
from dashboard.stripe_app.errors import StripeRefused, StripeUnreachable
from dashboard.stripe_app.tables import StripeCallRow

Json = dict[str, Any]

INTENDED, ANSWERED, REFUSED = "intended", "answered", "refused"

_WISH = select(StripeCallRow).where(
    col(StripeCallRow.subject) == bindparam("subject"),
    col(StripeCallRow.step) == bindparam("step"),
    col(StripeCallRow.revision) == bindparam("revision"),
)


def _nothing(_work: Work) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Intent:
    """One step for one subject. The same subject, step and revision is the same wish, and is fulfilled once."""

    app_id: str
    subject: str
    step: str
    revision: str = "1"


async def once(
    database: Database,
    intent: Intent,
    *,
    look: Callable[[], Awaitable[Json | None]],
    call: Callable[[str], Awaitable[Json]],
    record: Callable[[Work, Json], Awaitable[None]],
    intend: Callable[[Work], None] = _nothing,
) -> Json:
    """Makes `call` (given its idempotency key) unless `look` finds it already done; `record` writes what it means.

    `look` is asked only after an earlier try whose outcome is unknown. The answer and `record` are one transaction, so
    are the intent and what `intend` adds to it.
    Raises what `call` raises; the intent then waits for the next try.
    """
    row, is_first_try = await _begin(database, intent, intend)
    answer = None if is_first_try else await look()
    if answer is None:
        try:
            answer = await call(row.idempotency_key)
        except StripeRefused as refusal:
            await _note_failure(database, row.id, REFUSED, refusal.message, fresh_key=True)
            raise
        except StripeUnreachable as trouble:
            # A 5xx is remembered for its key and would be replayed; a lost connection is not, and its key protects us.
            await _note_failure(database, row.id, INTENDED, trouble.message, fresh_key=trouble.executed)
            raise
    async with database.transaction(SYSTEM) as work:
        await record(work, answer)
        # As the intent was written; nobody else has business with it.
        work.session.add(row)
        row.state, row.answer_id, row.problem, row.updated_at = ANSWERED, answer.get("id"), None, work.now
    return answer


def content_hash(content: Any) -> str:
    """A short print of plain data, equal for equal content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def has_begun(session: AsyncSession, subject: str, step: str) -> bool:
    """Whether this step was ever intended for the subject, in any revision."""
    query = select(col(StripeCallRow.id)).where(col(StripeCallRow.subject) == subject, col(StripeCallRow.step) == step)
    return await session.scalar(query.limit(1)) is not None


async def is_our_key(session: AsyncSession, idempotency_key: str) -> bool:
    """Whether a call with this idempotency key was made from here and its answer is known."""
    query = select(col(StripeCallRow.id)).where(
        col(StripeCallRow.idempotency_key) == idempotency_key, col(StripeCallRow.state) == ANSWERED
    )
    return await session.scalar(query.limit(1)) is not None


async def answered_count(session: AsyncSession, subject: str, step: str, revision_begins: str) -> int:
    """How many wishes of this step, with revisions that begin so, were fulfilled for the subject."""
    query = select(func.count()).where(
        col(StripeCallRow.subject) == subject,
        col(StripeCallRow.step) == step,
        col(StripeCallRow.state) == ANSWERED,
        col(StripeCallRow.revision).startswith(revision_begins, autoescape=True),
    )
    return await session.scalar(query) or 0


async def _begin(database: Database, intent: Intent, intend: Callable[[Work], None]) -> tuple[StripeCallRow, bool]:
    try:
        return await _write_intent(database, intent, intend)
    except IntegrityError:
        # Somebody else wished the same in the same moment; now their row is there to be found.
        return await _write_intent(database, intent, intend)


async def _write_intent(
    database: Database, intent: Intent, intend: Callable[[Work], None]
) -> tuple[StripeCallRow, bool]:
    async with database.transaction(SYSTEM) as work:
        intend(work)
        wish = {"subject": intent.subject, "step": intent.step, "revision": intent.revision}
        row = await work.session.scalar(_WISH, wish)
        if row is not None:
            if row.state == ANSWERED:
                # Wished for again after it was done: should it be gone from Stripe, the old key would only replay it.
                row.attempt += 1
                row.idempotency_key = _key(intent, row.attempt)
            row.state, row.updated_at = INTENDED, work.now
            return row, False
        row = StripeCallRow(
            id=new_id(),
            app_id=intent.app_id,
            subject=intent.subject,
            step=intent.step,
            revision=intent.revision,
            idempotency_key=_key(intent, 1),
            state=INTENDED,
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(row)
        return row, True


async def _note_failure(database: Database, call_id: str, state: str, problem: str, *, fresh_key: bool) -> None:
    async with database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeCallRow, call_id)
        row.state, row.problem, row.updated_at = state, problem, work.now
        if fresh_key:
            row.attempt += 1
            intent = Intent(row.app_id, row.subject, row.step, row.revision)
            row.idempotency_key = _key(intent, row.attempt)


def _key(intent: Intent, attempt: int) -> str:
    return f"meterdesk-{intent.app_id}-{intent.subject}-{intent.step}-{intent.revision}-{attempt}"
