"""Signing in and out. A session is a random token in the browser's cookie and its print in the database."""

from datetime import timedelta

from sqlalchemy import delete, or_, update
from sqlmodel import col

from dashboard.access import passwords, queries, slow_down
from dashboard.access.errors import WrongCredentials
from dashboard.access.inputs import SignIn
from dashboard.access.tables import PersonRow, SessionRow
from dashboard.access.views import NewSession, Role, SignedInUser, actor_of
from dashboard.kit.crypto import fingerprint, new_token
from dashboard.kit.database import SYSTEM, Database, Work
from dashboard.kit.ids import new_id

SESSION_LIFETIME = timedelta(days=30)
SESSION_IDLE = queries.SESSION_IDLE
SEEN_EVERY = timedelta(minutes=5)
USER_AGENT_LENGTH_MAX = 300


async def sign_in(database: Database, wanted: SignIn, *, address: str, user_agent: str = "") -> NewSession:
    """Opens a session for whoever knows this email's password.

    Raises WrongCredentials (in the same time for unknown emails), and SignInSlowedDown after too many of them.
    """
    async with database.transaction(SYSTEM) as work:
        await slow_down.count_attempt(work, wanted.email, address)
    async with database.read() as session:
        person = await queries.person_row_of_email(session, wanted.email)
    password = wanted.password.get_secret_value()
    if not await passwords.matches(person.password_hash if person else None, password) or person is None:
        raise WrongCredentials("Email or password is not right.")
    fresh_hash = await passwords.hash_password(password) if passwords.is_outdated(person.password_hash or "") else None
    async with database.transaction(actor_of(user_of(person))) as work:
        now_stored = await work.session.get(PersonRow, person.id)
        if now_stored is None or now_stored.password_hash != person.password_hash:
            raise WrongCredentials("The password was changed at this very moment.")
        now_stored.password_hash = fresh_hash or now_stored.password_hash
        await slow_down.forgive_attempt(work, wanted.email, address)
        return await open_session(work, now_stored, address=address, user_agent=user_agent)


async def signed_in_user(database: Database, token: str) -> SignedInUser | None:
    """Who is behind this cookie now, None if nobody is (any more). Keeps the session from idling out."""
    now = database.clock.now()
    async with database.read() as session:
        found = await queries.session_and_user(session, token, now)
    if found is None:
        return None
    summary, user = found
    if now - summary.last_seen_at >= SEEN_EVERY:
        async with database.transaction(SYSTEM) as work:
            seen = update(SessionRow).where(col(SessionRow.id) == summary.id).values(last_seen_at=work.now)
            await work.session.execute(seen)
    return user


async def sign_out(work: Work, token: str) -> None:
    """Ends the session of this cookie; there may be none."""
    found = await queries.session_and_user(work.session, token, work.now)
    await work.session.execute(delete(SessionRow).where(col(SessionRow.token_print) == fingerprint(token)))
    if found is not None:
        work.audit("person.signed_out", "person", found[1].id)
        work.changed("sessions")


async def sign_out_everywhere(work: Work, person_id: str, *, keep_token: str | None = None) -> None:
    """Ends every session of a person, bar the one of `keep_token`."""
    ended = delete(SessionRow).where(col(SessionRow.person_id) == person_id)
    if keep_token is not None:
        ended = ended.where(col(SessionRow.token_print) != fingerprint(keep_token))
    await work.session.execute(ended)
    work.changed("sessions")


async def open_session(work: Work, person: PersonRow, *, address: str, user_agent: str) -> NewSession:
    """A session for `person`, who has just proved to be that person. For the verbs of this room only."""
    await _forget_ended_sessions(work)
    token, expires_at = new_token(), work.now + SESSION_LIFETIME
    person.last_signed_in_at = work.now
    work.session.add(
        SessionRow(
            id=new_id(),
            person_id=person.id,
            token_print=fingerprint(token),
            address=address,
            user_agent=user_agent[:USER_AGENT_LENGTH_MAX],
            created_at=work.now,
            last_seen_at=work.now,
            expires_at=expires_at,
        )
    )
    work.audit("person.signed_in", "person", person.id, address=address)
    return NewSession(token, user_of(person), expires_at)


async def _forget_ended_sessions(work: Work) -> None:
    idle = col(SessionRow.last_seen_at) <= work.now - SESSION_IDLE
    await work.session.execute(delete(SessionRow).where(or_(idle, col(SessionRow.expires_at) <= work.now)))


def user_of(row: PersonRow) -> SignedInUser:
    """The person of a row, as others may hold them."""
    return SignedInUser(row.id, row.email, row.name, Role(row.role))
