"""Questions about people, sessions, API keys and the audit log."""

from datetime import datetime, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.access.errors import PasswordLinkSpent, PersonNotFound
from dashboard.access.inputs import AuditFilter
from dashboard.access.tables import ApiKeyRow, AuditRow, PasswordLinkRow, PersonRow, SessionRow
from dashboard.access.views import (
    ApiKey,
    AuditPage,
    AuditRecord,
    Person,
    Role,
    SessionSummary,
    SignedInUser,
)
from dashboard.kit.crypto import fingerprint
from dashboard.kit.database import Actor
from dashboard.kit.paging import PAGE_SIZE_DEFAULT, Cursor, older_than

SESSION_IDLE = timedelta(days=7)


# People and sessions


async def any_user_exists(session: AsyncSession) -> bool:
    """Whether this Meterdesk has been set up: somebody may sign in or has been invited."""
    return bool(await session.scalar(select(exists(select(col(PersonRow.id))))))


async def user_of_session(session: AsyncSession, token: str, now: datetime) -> SignedInUser | None:
    """Who is behind a session's token; None when it is unknown, expired, idle for too long or signed out."""
    found = await session_and_user(session, token, now)
    return found[1] if found else None


async def session_and_user(
    session: AsyncSession, token: str, now: datetime
) -> tuple[SessionSummary, SignedInUser] | None:
    """Like `user_of_session`, with the session itself."""
    statement = (
        select(SessionRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == col(SessionRow.person_id))
        .where(col(SessionRow.token_print) == fingerprint(token))
        .where(col(SessionRow.expires_at) > now, col(SessionRow.last_seen_at) > now - SESSION_IDLE)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    found, person = row
    return _session(found), SignedInUser(person.id, person.email, person.name, Role(person.role))


async def list_sessions(session: AsyncSession, person_id: str, now: datetime) -> list[SessionSummary]:
    """Where a person is signed in, latest seen first."""
    rows = await session.scalars(
        select(SessionRow)
        .where(col(SessionRow.person_id) == person_id)
        .where(col(SessionRow.expires_at) > now, col(SessionRow.last_seen_at) > now - SESSION_IDLE)
        .order_by(col(SessionRow.last_seen_at).desc(), col(SessionRow.id))
    )
    return [_session(row) for row in rows]


async def list_people(session: AsyncSession) -> list[Person]:
    """The whole team, by name."""
    rows = await session.scalars(select(PersonRow).order_by(col(PersonRow.name), col(PersonRow.id)))
    return [person_of(row) for row in rows]


async def get_person(session: AsyncSession, person_id: str) -> Person:
    """One member of the team. Raises PersonNotFound."""
    row = await session.get(PersonRow, person_id)
    if row is None:
        raise PersonNotFound("There is no such person.")
    return person_of(row)


async def find_person(session: AsyncSession, email: str) -> Person | None:
    """The member of the team with this email, if any."""
    row = await person_row_of_email(session, email.strip().lower())
    return person_of(row) if row else None


async def person_of_password_link(session: AsyncSession, token: str, now: datetime) -> Person:
    """Whose link this is. Raises PasswordLinkSpent when it is used, replaced, too old or unknown."""
    statement = (
        select(PersonRow)
        .join(PasswordLinkRow, col(PasswordLinkRow.person_id) == col(PersonRow.id))
        .where(col(PasswordLinkRow.token_print) == fingerprint(token), col(PasswordLinkRow.expires_at) > now)
    )
    row = await session.scalar(statement)
    if row is None:
        raise PasswordLinkSpent("This link does not work any more.")
    return person_of(row)


async def person_row_of_email(session: AsyncSession, email: str) -> PersonRow | None:
    """The row of an email as stored. For this room only."""
    return await session.scalar(select(PersonRow).where(col(PersonRow.email) == email))


def person_of(row: PersonRow) -> Person:
    """The member of the team in a row, as others may hold them."""
    return Person(
        row.id,
        row.email,
        row.name,
        Role(row.role),
        row.password_hash is not None,
        row.created_at,
        row.last_signed_in_at,
    )


def _session(row: SessionRow) -> SessionSummary:
    return SessionSummary(row.id, row.address, row.user_agent, row.created_at, row.last_seen_at, row.expires_at)


# API keys


async def api_key_of_token(session: AsyncSession, token: str) -> ApiKey | None:
    """The key with this token; None when it is unknown or revoked."""
    statement = select(ApiKeyRow).where(col(ApiKeyRow.token_print) == fingerprint(token))
    row = await session.scalar(statement.where(col(ApiKeyRow.revoked_at).is_(None)))
    return api_key_of(row) if row else None


async def list_api_keys(session: AsyncSession, *, with_revoked: bool = False) -> list[ApiKey]:
    """The keys, newest first."""
    statement = select(ApiKeyRow).order_by(col(ApiKeyRow.created_at).desc(), col(ApiKeyRow.id).desc())
    if not with_revoked:
        statement = statement.where(col(ApiKeyRow.revoked_at).is_(None))
    return [api_key_of(row) for row in await session.scalars(statement)]


def api_key_of(row: ApiKeyRow) -> ApiKey:
    """The key in a row, as others may hold it."""
    return ApiKey(
        row.id,
        row.name,
        Role(row.role),
        row.hint,
        row.created_at,
        row.created_by,
        row.last_used_at,
        row.revoked_at,
    )


# Audit log


async def list_audit_entries(
    session: AsyncSession,
    wanted: AuditFilter | None = None,
    *,
    cursor: str | None = None,
    size: int = PAGE_SIZE_DEFAULT,
) -> AuditPage:
    """The newest `size` entries that `wanted` lets through, or those before `cursor` (a page's `next_cursor`)."""
    statement = _filtered(select(AuditRow), wanted or AuditFilter())
    if cursor is not None:
        statement = statement.where(older_than(Cursor.from_text(cursor), col(AuditRow.at), col(AuditRow.id)))
    newest_first = statement.order_by(col(AuditRow.at).desc(), col(AuditRow.id).desc())
    rows = list(await session.scalars(newest_first.limit(size + 1)))
    shown = rows[:size]
    more = len(rows) > size
    return AuditPage(
        tuple(_record(row) for row in shown), Cursor(shown[-1].at, shown[-1].id).to_text() if more else None
    )


def _filtered(statement: Select[AuditRow], wanted: AuditFilter) -> Select[AuditRow]:
    equal = {
        AuditRow.actor_id: wanted.actor_id,
        AuditRow.subject_type: wanted.subject_type,
        AuditRow.subject_id: wanted.subject_id,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(col(column) == value)
    if wanted.action is not None:
        action = col(AuditRow.action)
        is_beginning = wanted.action.endswith(".")
        statement = statement.where(
            action.startswith(wanted.action, autoescape=True) if is_beginning else action == wanted.action
        )
    if wanted.since is not None:
        statement = statement.where(col(AuditRow.at) >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(col(AuditRow.at) < wanted.until)
    return statement


def _record(row: AuditRow) -> AuditRecord:
    actor = Actor(row.actor_kind, row.actor_id, row.actor_label)
    return AuditRecord(row.id, row.at, actor, row.action, row.subject_type, row.subject_id, row.details)
