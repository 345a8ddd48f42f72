"""What every test may ask for: a clock, a database of each kind, the folder of shared material."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

from dashboard.access import passwords
from dashboard.access.audit import AuditLog
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database, sync_url
from dashboard.settings import Settings
from dashboard.tables import METADATA
from tests.servers import postgresql_database

pytest_plugins = ["tests.servers"]

ROOT = Path(__file__).parent.parent

# Whoever runs the tests may have an installation of their own: the tests never touch it.
for setting in Settings.model_fields:
    os.environ.pop(f"METERDESK_{setting.upper()}", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a browser last: Playwright leaves an event loop running, in which no asynchronous test can start.

    Processes take file after file in this order.
    """
    with_browser = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in with_browser or "e2e" in item.path.parts)


@pytest.fixture(autouse=True)
def cheap_password_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes cost next to nothing here. (What they cost in earnest is a promise of `test_access_rules`.)"""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=256, parallelism=1))


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at noon of a Thursday until the test moves it."""
    return FixedClock(datetime(2026, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of contracts, vectors and references beside the checkout (METERDESK_SHARED)."""
    folder = Path(os.environ.get("METERDESK_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared material: there is no {folder} (METERDESK_SHARED names another place)")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database with all our tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "meterdesk.db"
        shutil.copy(request.getfixturevalue("_sqlite_with_tables"), file)
        yield f"sqlite:///{file}"
        return
    template = request.getfixturevalue("_postgresql_with_tables")
    with postgresql_database(template, template=template) as url:
        yield url


@pytest.fixture
async def database(database_url: str, clock: FixedClock) -> AsyncIterator[Database]:
    """A fresh database with all our tables, on the test's clock; a test with it runs on SQLite and on PostgreSQL."""
    opened = Database(database_url, clock=clock, audit_writer=AuditLog())
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def _sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "meterdesk.db"
    _create_tables(make_url(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def _postgresql_with_tables(postgresql_url: str) -> Iterator[str]:
    with postgresql_database(postgresql_url) as template:
        _create_tables(make_url(template))
        yield template


def _create_tables(url: URL) -> None:
    engine = create_engine(sync_url(url))
    METADATA.create_all(engine)
    engine.dispose()
