"""Keys for programs: shown once, kept as a print, revoked rather than deleted."""

from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col

from dashboard.access import queries
from dashboard.access.errors import ApiKeyNotFound, RoleOutOfReach
from dashboard.access.inputs import CreateApiKey
from dashboard.access.tables import ApiKeyRow
from dashboard.access.views import ApiKey, NewApiKey, Role
from dashboard.kit.crypto import fingerprint, new_token, same
from dashboard.kit.database import SYSTEM, Database, Work
from dashboard.kit.ids import new_id

API_KEY_PREFIX = "mdk_"
USED_EVERY = timedelta(minutes=1)
ENVIRONMENT_KEY_ID = "environment"


async def create_api_key(work: Work, wanted: CreateApiKey, *, by: Role) -> NewApiKey:
    """A new key, with its token this one time. Raises RoleOutOfReach unless `by` is admin or above."""
    if not by.reaches(Role.ADMIN):
        raise RoleOutOfReach("Only owners and admins make API keys.")
    token = new_token(API_KEY_PREFIX)
    row = ApiKeyRow(
        id=new_id(),
        name=wanted.name,
        role=wanted.role,
        token_print=fingerprint(token),
        hint=f"{token[: len(API_KEY_PREFIX) + 4]}…{token[-4:]}",
        created_by=work.actor.label,
        created_at=work.now,
    )
    work.session.add(row)
    work.audit("api_key.created", "api_key", row.id, name=row.name, role=row.role)
    work.changed("api_keys")
    return NewApiKey(token, queries.api_key_of(row))


async def revoke_api_key(work: Work, key_id: str, *, by: Role) -> ApiKey:
    """Makes a key worthless at once; revoking twice is no harm. Raises ApiKeyNotFound, RoleOutOfReach."""
    if not by.reaches(Role.ADMIN):
        raise RoleOutOfReach("Only owners and admins revoke API keys.")
    row = await work.session.get(ApiKeyRow, key_id)
    if row is None:
        raise ApiKeyNotFound("There is no such API key.")
    if row.revoked_at is None:
        row.revoked_at = work.now
        work.audit("api_key.revoked", "api_key", row.id, name=row.name)
        work.changed("api_keys")
    return queries.api_key_of(row)


async def authenticate_api_key(
    database: Database, token: str, *, environment_key: SecretStr | None = None
) -> ApiKey | None:
    """The key behind a bearer token, None when there is none. Notes, about once a minute, that it was used.

    `environment_key` (METERDESK_API_KEY) counts as a key with an admin's role.
    """
    now = database.clock.now()
    if environment_key is not None and same(environment_key.get_secret_value(), token):
        return ApiKey(ENVIRONMENT_KEY_ID, "METERDESK_API_KEY", Role.ADMIN, "", now, "METERDESK_API_KEY", now, None)
    async with database.read() as session:
        key = await queries.api_key_of_token(session, token)
    if key is not None and (key.last_used_at is None or now - key.last_used_at >= USED_EVERY):
        async with database.transaction(SYSTEM) as work:
            used = update(ApiKeyRow).where(col(ApiKeyRow.id) == key.id).values(last_used_at=work.now)
            await work.session.execute(used)
    return key
