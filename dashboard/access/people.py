"""The team: who is on it and in which role. There is always an owner who can sign in."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from dashboard.access import passwords, queries
from dashboard.access.errors import EmailTaken, LastOwner, PersonNotFound, RoleOutOfReach
from dashboard.access.inputs import ChangeRole, CreatePerson, InvitePerson
from dashboard.access.password_changes import insert_link
from dashboard.access.sessions import sign_out_everywhere
from dashboard.access.tables import PersonRow
from dashboard.access.views import PasswordLink, Person, Role
from dashboard.kit.database import Actor, Database, Work
from dashboard.kit.ids import new_id


async def invite_person(work: Work, wanted: InvitePerson, *, by: Role) -> PasswordLink:
    """A new member of the team and the link, shown this one time, by which they choose a password.

    Raises EmailTaken, and RoleOutOfReach for a role that `by` does not reach.
    """
    _check_reach(by, wanted.role)
    row = await _insert_unless_taken(work, wanted, None)
    return await insert_link(work, row)


async def create_person(database: Database, wanted: CreatePerson, *, actor: Actor, by: Role) -> Person:
    """A new member of the team with a password somebody chose for them. Raises EmailTaken, RoleOutOfReach."""
    _check_reach(by, wanted.role)
    password_hash = await passwords.hash_password(wanted.password.get_secret_value())
    async with database.transaction(actor) as work:
        return queries.person_of(await _insert_unless_taken(work, wanted, password_hash))


async def change_role(work: Work, person_id: str, wanted: ChangeRole, *, by: Role) -> Person:
    """Gives a person another role and signs them out everywhere.

    Raises PersonNotFound, RoleOutOfReach for roles (old and new) that `by` does not reach, LastOwner.
    """
    row, is_last_owner = await _for_update(work, person_id)
    before = Role(row.role)
    _check_reach(by, before, wanted.role)
    if wanted.role is before:
        return queries.person_of(row)
    if is_last_owner:
        raise LastOwner(f"{row.name} is the last owner who can sign in.", field="role")
    row.role, row.updated_at = wanted.role, work.now
    await sign_out_everywhere(work, row.id)
    work.audit("person.role_changed", "person", row.id, email=row.email, before=before, role=row.role)
    work.changed("people")
    return queries.person_of(row)


async def remove_person(work: Work, person_id: str, *, by: Role) -> None:
    """Takes a person off the team, with their sessions and links; what they did stays in the audit log.

    Raises PersonNotFound, RoleOutOfReach, LastOwner.
    """
    row, is_last_owner = await _for_update(work, person_id)
    _check_reach(by, Role(row.role))
    if is_last_owner:
        raise LastOwner(f"{row.name} is the last owner who can sign in.")
    await work.session.delete(row)
    work.audit("person.removed", "person", row.id, email=row.email, role=row.role)
    work.changed("people", "sessions")


async def insert_person(
    work: Work, email: str, name: str, role: Role, password_hash: str | None, *, founder: bool = False
) -> PersonRow:
    """A row for a new person. For the verbs of this room only. Raises IntegrityError when the place is taken."""
    row = PersonRow(
        id=new_id(),
        email=email,
        name=name,
        role=role,
        password_hash=password_hash,
        founder=True if founder else None,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    work.audit("person.added", "person", row.id, email=email, role=role)
    work.changed("people")
    return row


async def _insert_unless_taken(work: Work, wanted: InvitePerson, password_hash: str | None) -> PersonRow:
    taken = EmailTaken("Somebody with this email is on the team already.", field="email")
    if await queries.person_row_of_email(work.session, wanted.email) is not None:
        raise taken
    try:
        return await insert_person(work, wanted.email, wanted.name, wanted.role, password_hash)
    except IntegrityError:
        raise taken from None


async def _for_update(work: Work, person_id: str) -> tuple[PersonRow, bool]:
    # All owners are locked in one order first: two of them must not demote each other at the same moment.
    owners = select(PersonRow).where(col(PersonRow.role) == Role.OWNER, col(PersonRow.password_hash).is_not(None))
    locked = list(await work.session.scalars(owners.order_by(col(PersonRow.id)).with_for_update()))
    row = await work.session.get(PersonRow, person_id)
    if row is None:
        raise PersonNotFound("There is no such person.")
    return row, locked == [row]


def _check_reach(by: Role, *roles: Role) -> None:
    if not by.reaches(Role.ADMIN):
        raise RoleOutOfReach("Only owners and admins manage the team.")
    for role in roles:
        if not by.reaches(role):
            raise RoleOutOfReach(f"An {by} cannot give or take the role {role}.")
