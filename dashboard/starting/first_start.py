"""What a start leaves in order before the first request: schema, secret key, and the owner of the surroundings."""

import asyncio

from dashboard.access import service
from dashboard.access.audit import AuditLog
from dashboard.access.inputs import CreateOwner
from dashboard.kit.clock import clock_from_text
from dashboard.kit.crypto import load_or_make_secret_key
from dashboard.kit.database import Database
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.settings import Settings
from dashboard.starting.checks import SettingsWrong


def open_database(settings: Settings) -> Database:
    """The migrated database, for a command that needs nothing else. Close it."""
    return Database(settings.effective_database_url, clock=clock_from_text(settings.clock), audit_writer=AuditLog())


def ensure_secret_key(settings: Settings) -> None:
    """The secret key exists before any process needs it."""
    if settings.secret_key is None:
        load_or_make_secret_key(settings.data_dir)


def ensure_owner(settings: Settings) -> None:
    """The owner of METERDESK_ADMIN_EMAIL exists, if the surroundings name one. Raises SettingsWrong."""
    wanted = _owner_of(settings)
    if wanted is not None:
        asyncio.run(_ensure_owner(settings, wanted))


def _owner_of(settings: Settings) -> CreateOwner | None:
    email, password = settings.admin_email, settings.admin_password
    if email is None and password is None:
        return None
    if email is None or password is None:
        raise SettingsWrong("METERDESK_ADMIN_EMAIL and METERDESK_ADMIN_PASSWORD belong together; one is missing.")
    try:
        return parse_input(
            CreateOwner,
            {"email": email, "name": email.partition("@")[0] or email, "password": password.get_secret_value()},
        )
    except InvalidInput as error:
        wrong = [f"METERDESK_ADMIN_{field.upper()}: {sentence}" for field, sentence in error.fields.items()]
        raise SettingsWrong(" ".join(wrong)) from None


async def _ensure_owner(settings: Settings, wanted: CreateOwner) -> None:
    database = open_database(settings)
    try:
        await service.ensure_owner(database, wanted)
    finally:
        await database.close()
