"""Passwords after the first: one's own changed, or a first or forgotten one chosen by a link that works once."""

from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col

from dashboard.access import passwords, queries, slow_down
from dashboard.access.errors import PasswordLinkSpent, PersonNotFound, RoleOutOfReach, WrongCurrentPassword
from dashboard.access.inputs import ChangePassword, ResetPassword, SetPassword
from dashboard.access.sessions import open_session, sign_out_everywhere
from dashboard.access.tables import PasswordLinkRow, PersonRow
from dashboard.access.views import NewSession, PasswordLink, Role, SignedInUser, actor_of
from dashboard.kit.crypto import fingerprint, new_token
from dashboard.kit.database import SYSTEM, Actor, Database, Work

PASSWORD_LINK_LIFETIME = timedelta(days=7)


async def change_password(
    database: Database, user: SignedInUser, wanted: ChangePassword, *, keep_token: str, address: str
) -> None:
    """Another password for `user`, who stays signed in only with `keep_token`.

    Raises WrongCurrentPassword, and SignInSlowedDown after too many of them (a stolen session is no place to guess).
    """
    async with database.transaction(SYSTEM) as work:
        await slow_down.count_attempt(work, user.email, address)
    async with database.read() as session:
        person = await session.get(PersonRow, user.id)
    stored = person.password_hash if person else None
    if not await passwords.matches(stored, wanted.current_password.get_secret_value()):
        raise WrongCurrentPassword("That is not the current password.", field="current_password")
    fresh_hash = await passwords.hash_password(wanted.new_password.get_secret_value())
    async with database.transaction(actor_of(user)) as work:
        row = await work.session.get(PersonRow, user.id, with_for_update=True)
        if row is None or row.password_hash != stored:
            raise WrongCurrentPassword("The password was changed at this very moment.", field="current_password")
        await slow_down.forgive_attempt(work, user.email, address)
        await _store(work, row, fresh_hash, keep_token=keep_token)


async def new_password_link(work: Work, person_id: str, *, by: Role) -> PasswordLink:
    """A link for somebody who lost their password or their invitation; older ones stop working.

    Raises PersonNotFound, RoleOutOfReach.
    """
    row = await work.session.get(PersonRow, person_id)
    if row is None:
        raise PersonNotFound("There is no such person.")
    if not by.reaches(Role.ADMIN) or not by.reaches(Role(row.role)):
        raise RoleOutOfReach(f"You cannot make a password link for this {row.role}.")
    return await insert_link(work, row)


async def set_password(database: Database, wanted: SetPassword, *, address: str, user_agent: str = "") -> NewSession:
    """The password chosen by the holder of a link, who is then signed in. Raises PasswordLinkSpent."""
    async with database.read() as session:
        # Asked before the costly hash, because this door is open to everybody.
        person = await queries.person_of_password_link(session, wanted.token, database.clock.now())
    fresh_hash = await passwords.hash_password(wanted.password.get_secret_value())
    actor = actor_of(SignedInUser(person.id, person.email, person.name, person.role))
    async with database.transaction(actor) as work:
        used = delete(PasswordLinkRow).where(col(PasswordLinkRow.token_print) == fingerprint(wanted.token))
        taken = await work.session.scalar(used.returning(col(PasswordLinkRow.person_id)))
        row = await work.session.get(PersonRow, taken) if taken else None
        if row is None:
            raise PasswordLinkSpent("This link was used at this very moment.")
        await slow_down.forgive_email(work, row.email)
        await _store(work, row, fresh_hash)
        return await open_session(work, row, address=address, user_agent=user_agent)


async def reset_password(database: Database, person_id: str, wanted: ResetPassword, *, actor: Actor) -> None:
    """Another password for somebody, set by whoever holds the machine (the command line). Raises PersonNotFound."""
    fresh_hash = await passwords.hash_password(wanted.password.get_secret_value())
    async with database.transaction(actor) as work:
        row = await work.session.get(PersonRow, person_id)
        if row is None:
            raise PersonNotFound("There is no such person.")
        await slow_down.forgive_email(work, row.email)
        await _store(work, row, fresh_hash)


async def insert_link(work: Work, row: PersonRow) -> PasswordLink:
    """A link for `row`, in the place of an older one. For the verbs of this room only."""
    await work.session.execute(delete(PasswordLinkRow).where(col(PasswordLinkRow.person_id) == row.id))
    token, expires_at = new_token(), work.now + PASSWORD_LINK_LIFETIME
    work.session.add(
        PasswordLinkRow(person_id=row.id, token_print=fingerprint(token), created_at=work.now, expires_at=expires_at)
    )
    work.audit("person.password_link_made", "person", row.id, email=row.email)
    return PasswordLink(token, queries.person_of(row), expires_at)


async def _store(work: Work, row: PersonRow, password_hash: str, *, keep_token: str | None = None) -> None:
    row.password_hash, row.updated_at = password_hash, work.now
    await work.session.execute(delete(PasswordLinkRow).where(col(PasswordLinkRow.person_id) == row.id))
    await sign_out_everywhere(work, row.id, keep_token=keep_token)
    work.audit("person.password_changed", "person", row.id)
    work.changed("people")
