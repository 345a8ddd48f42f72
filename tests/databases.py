"""Fresh databases with all our tables, each a copy of one that is made once per test process."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

from dashboard.access.audit import AuditLog
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database, sync_url
from dashboard.tables import METADATA
from tests.servers import postgresql_database


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
