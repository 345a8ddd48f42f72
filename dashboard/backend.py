"""Builds what the edges need, once per process: database, clock, news, secrets, and the desks of the rooms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dashboard.kit.changes import Changes
from dashboard.kit.clock import Clock, clock_from_text
from dashboard.kit.crypto import SecretBox, load_or_make_secret_key
from dashboard.kit.database import Database
from dashboard.settings import Settings


@dataclass(slots=True)
class Backend:
    """Everything a screen, an endpoint or a job reaches for. It lives as long as its process serves."""

    settings: Settings
    clock: Clock
    changes: Changes
    database: Database
    secrets: SecretBox


_running: list[Backend] = []


def running() -> Backend:
    """The backend of this process. Raises RuntimeError before the start and after the stop."""
    if not _running:
        raise RuntimeError("the backend is not running in this process")
    return _running[-1]


@asynccontextmanager
async def open_backend(settings: Settings) -> AsyncIterator[Backend]:
    """A backend for the length of the block; `running()` finds it meanwhile."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    clock = clock_from_text(settings.clock)
    changes = Changes(settings.redis_url)
    secret_key = (
        settings.secret_key.get_secret_value() if settings.secret_key else load_or_make_secret_key(settings.data_dir)
    )
    database = Database(settings.effective_database_url, clock=clock, changes=changes)
    backend = Backend(settings, clock, changes, database, SecretBox(secret_key))
    _running.append(backend)
    try:
        async with changes.listening():
            yield backend
    finally:
        _running.remove(backend)
        await database.close()
