"""The first owner: made once, by the first visitor or by the surroundings, however many try at the same moment."""

from sqlalchemy.exc import IntegrityError

from dashboard.access import passwords, queries
from dashboard.access.errors import OwnerExists
from dashboard.access.inputs import CreateOwner
from dashboard.access.people import insert_person
from dashboard.access.sessions import open_session, user_of
from dashboard.access.tables import PersonRow
from dashboard.access.views import NewSession, Role, actor_of
from dashboard.kit.database import SYSTEM, Database, Work


async def create_owner(database: Database, wanted: CreateOwner, *, address: str, user_agent: str = "") -> NewSession:
    """The first person, an owner, signed in. Raises OwnerExists once there is anybody, also for the slower of two."""
    async with database.read() as session:
        # Asked before the costly hash, because this door is open to everybody.
        if await queries.any_user_exists(session):
            raise OwnerExists("This Meterdesk already has an owner.")
    password_hash = await passwords.hash_password(wanted.password.get_secret_value())
    try:
        async with database.transaction(SYSTEM) as work:
            row = await _insert_first_owner(work, wanted, password_hash)
            work.actor = actor_of(user_of(row))
            return await open_session(work, row, address=address, user_agent=user_agent)
    except IntegrityError:
        raise OwnerExists("Somebody else created the owner account at this very moment.") from None


async def ensure_owner(database: Database, wanted: CreateOwner) -> bool:
    """Makes sure that an owner with this email exists (METERDESK_ADMIN_EMAIL); true when something had to be done.

    Somebody who is there keeps their password: it may have been changed on purpose.
    """
    async with database.read() as session:
        row = await queries.person_row_of_email(session, wanted.email)
    if row is not None and row.role == Role.OWNER:
        return False
    password_hash = await passwords.hash_password(wanted.password.get_secret_value())
    try:
        async with database.transaction(SYSTEM) as work:
            return await _make_owner(work, wanted, password_hash)
    except IntegrityError:
        # Another process of the same start was faster; what it wrote is what was wanted.
        return False
    except OwnerExists:
        # Somebody became the first owner between our two questions: look again at who it is.
        return await ensure_owner(database, wanted)


async def _make_owner(work: Work, wanted: CreateOwner, password_hash: str) -> bool:
    row = await queries.person_row_of_email(work.session, wanted.email)
    if row is not None and row.role == Role.OWNER:
        return False
    if row is not None:
        row.role, row.updated_at = Role.OWNER, work.now
        row.password_hash = row.password_hash or password_hash
        work.audit("person.role_changed", "person", row.id, role=row.role)
        work.changed("people")
    elif await queries.any_user_exists(work.session):
        await insert_person(work, wanted.email, wanted.name, Role.OWNER, password_hash)
    else:
        await _insert_first_owner(work, wanted, password_hash)
    return True


async def _insert_first_owner(work: Work, wanted: CreateOwner, password_hash: str) -> PersonRow:
    if await queries.any_user_exists(work.session):
        raise OwnerExists("This Meterdesk already has an owner.")
    return await insert_person(work, wanted.email, wanted.name, Role.OWNER, password_hash, founder=True)
