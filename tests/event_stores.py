"""An empty event store of each kind. ClickHouse is chDB here: its engine in this process, behind the same client.

Without chDB (`servers.py`) the tests that need it are skipped.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.kit.clock import SystemClock
from dashboard.kit.database import Database
from dashboard.kit.ids import new_id
from dashboard.kit.locks import Locks
from dashboard.usage.clickhouse import ClickHouse, failures_of
from dashboard.usage.clickhouse_event_store import ClickHouseEventStore
from dashboard.usage.event_store import EventStore
from dashboard.usage.sql_event_store import SqlEventStore
from tests.servers import Chdb


@pytest.fixture
def clickhouse(chdb: Chdb) -> Iterator[ClickHouse]:
    """An empty ClickHouse database. Whoever uses it closes it."""
    name = f"test_{new_id().lower()}"
    owner = chdb.connect()
    owner.command(f"CREATE DATABASE {name}")
    yield ClickHouse(chdb.connect(database=name), failures_of(chdb.library))
    owner.command(f"DROP DATABASE {name}")
    owner.close()


@pytest.fixture(params=["sqlite", "postgresql", "clickhouse"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    """An empty event store; a test with it runs on every kind there is."""
    on_postgresql, on_clickhouse = request.param == "postgresql", request.param == "clickhouse"
    url = request.getfixturevalue("empty_postgresql_url") if on_postgresql else f"sqlite:///{tmp_path / 'events.db'}"
    database = Database(url)
    locks = Locks(database)
    if on_clickhouse:
        made = ClickHouseEventStore(request.getfixturevalue("clickhouse"), SystemClock(), locks)
    else:
        made = SqlEventStore(database)
    await made.prepare()
    yield made
    await made.close()
    await locks.close()
    await database.close()
