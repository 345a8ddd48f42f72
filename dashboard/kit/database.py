"""The database as everybody here uses it: `read()` for questions, `transaction(actor)` for verbs.

A verb never commits and never calls another machine: the edge that opened the transaction does the first, and nobody
does the second while one is open.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from dashboard.kit.changes import Changes
from dashboard.kit.clock import Clock, SystemClock
from dashboard.kit.sqlite_driver import SqliteConnection, open_sqlite

SQLITE_BUSY_TIMEOUT_MS = 15_000
SQLITE_READERS = 8
POSTGRESQL_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, an API key, or Meterdesk itself (`system`), Stripe (`stripe`)."""

    kind: str
    id: str
    label: str


SYSTEM = Actor("system", "system", "Meterdesk")
STRIPE = Actor("stripe", "stripe", "Stripe")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did to something."""

    action: str
    subject_type: str
    subject_id: str
    details: Mapping[str, Any]


class Outbox(Protocol):
    async def enqueue(self, session: AsyncSession, job: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Makes `job` run once for `key`, if and only if the transaction of `session` commits."""
        ...


class AuditWriter(Protocol):
    async def write(self, work: "Work", entries: list[AuditEntry]) -> None:
        """Stores `entries` in the transaction of `work`."""
        ...


@dataclass(slots=True)
class Work:
    """One transaction and what belongs to it: who, when, whom to tell, what to do next."""

    session: AsyncSession
    actor: Actor
    now: datetime
    _outbox: Outbox | None
    _topics: set[str] = field(default_factory=set)
    _audit: list[AuditEntry] = field(default_factory=list)

    def changed(self, *topics: str) -> None:
        """Tells open pages about `topics` once this transaction has committed."""
        self._topics.update(topics)

    def audit(self, action: str, subject_type: str, subject_id: str, **details: Any) -> None:
        """Notes in the audit log that the actor did `action` (`customer.created`); `details` are plain JSON values."""
        self._audit.append(AuditEntry(action, subject_type, subject_id, details))

    async def enqueue(self, job: str, key: str, **arguments: Any) -> None:
        """Makes the worker run `job` once for `key` (the same pair again is no second run) if this commits."""
        if self._outbox is None:
            raise RuntimeError(f"job {job!r} cannot be enqueued: this database was opened without jobs")
        # The queue writes beside the ORM on the same connection, so what it refers to goes first.
        await self.session.flush()
        await self._outbox.enqueue(self.session, job, key, arguments)


class Database:
    """Opens sessions. On SQLite one writer at a time, in the order of asking; on PostgreSQL up to the pool's size."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        changes: Changes | None = None,
        outbox: Outbox | None = None,
        audit_writer: AuditWriter | None = None,
        pragmas: Mapping[str, int] | None = None,
    ) -> None:
        """`pragmas` are set on every connection to SQLite, over what everybody gets; PostgreSQL has none."""
        self.url = make_url(url)
        self.clock: Clock = clock or SystemClock()
        self.changes = changes or Changes()
        self.outbox = outbox
        self.audit_writer = audit_writer
        self._write_engine, self._read_engine = _engines(async_url(self.url), pragmas or {})

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def write_engine(self) -> AsyncEngine:
        return self._write_engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for questions: it sees one moment and cannot write on SQLite."""
        async with AsyncSession(self._read_engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def transaction(self, actor: Actor) -> AsyncIterator[Work]:
        """A transaction for verbs: committed when the block ends, rolled back whole when it raises.

        Topics given to `Work.changed` are told after the commit.
        """
        async with AsyncSession(self._write_engine, expire_on_commit=False) as session:
            async with session.begin():
                work = Work(session, actor, self.clock.now(), self.outbox)
                yield work
                await session.flush()
                if self.audit_writer is not None and work._audit:
                    await self.audit_writer.write(work, work._audit)
            await self.changes.publish(work._topics)

    async def close(self) -> None:
        await self._write_engine.dispose()
        if self._read_engine is not self._write_engine:
            await self._read_engine.dispose()


def async_url(url: URL) -> URL:
    """`url` with the driver we use for it: aiosqlite or psycopg."""
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    return url.set(drivername="postgresql+psycopg")


def sync_url(url: URL) -> URL:
    """`url` for tools that do not speak asyncio (migrations, the job engine)."""
    return url.set(drivername="sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg")


def _engines(url: URL, pragmas: Mapping[str, int]) -> tuple[AsyncEngine, AsyncEngine]:
    if url.get_backend_name() != "sqlite":
        engine = create_async_engine(
            url,
            pool_size=POSTGRESQL_CONNECTIONS,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            json_deserializer=_document_from,
        )
        return engine, engine
    write = _sqlite_engine(url, pool_size=1, pool_timeout=60)
    read = _sqlite_engine(url, pool_size=SQLITE_READERS)
    _prepare_sqlite(write, read_only=False, pragmas=pragmas)
    _prepare_sqlite(read, read_only=True, pragmas=pragmas)
    return write, read


def _sqlite_engine(url: URL, **options: Any) -> AsyncEngine:
    return create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        max_overflow=0,
        connect_args={"async_creator_fn": open_sqlite},
        json_deserializer=_document_from,
        **options,
    )


def _document_from(text: str | bytes) -> Any:
    # A page of 100 customers holds 400 documents; the standard library takes nine times as long for them.
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # It is stricter, too: halves of surrogate pairs, for one, are read by the standard library only.
        return json.loads(text)


def _prepare_sqlite(engine: AsyncEngine, *, read_only: bool, pragmas: Mapping[str, int]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # The driver would otherwise begin by itself, deferred, before the first write.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16000")
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    # A deferred BEGIN loses updates when two writers read first (reference: SQLite "Isolation In SQLite").
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, SqliteConnection)
        driver.begin_with_next(begin, reads=read_only)
