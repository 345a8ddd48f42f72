"""Brings the database to the schema of this code, and refuses one that is ahead of it."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

import dashboard
from dashboard.kit.columns import ExactDecimal
from dashboard.kit.database import sync_url
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.jobs import JOB_TABLES
from dashboard.settings import Settings
from dashboard.starting.checks import SettingsWrong
from dashboard.tables import METADATA
from dashboard.usage.event_schema import EVENT_TABLES_PREFIX

ONE_AT_A_TIME = 0x6D657465
"""The PostgreSQL advisory lock of whoever migrates."""
SQLITE_BUSY_TIMEOUT_SECONDS = 60


class NewerDatabase(MeterdeskError):
    """The database knows a schema this code has never heard of."""

    code = "newer_database"
    remedy = "Start the Meterdesk version it was last used with, or restore a backup from before."


class DatabaseUnreachable(MeterdeskError):
    code = "database_unreachable"
    remedy = "Check METERDESK_DATABASE_URL and that the server runs."


class NotMigrated(MeterdeskError):
    """The database is behind this code."""

    code = "not_migrated"
    remedy = "Run `meterdesk migrate` first."


def database_url(settings: Settings) -> URL:
    """The database that `settings` name. Raises SettingsWrong for one we cannot work with."""
    try:
        url = make_url(settings.effective_database_url)
    except ArgumentError:
        raise SettingsWrong("METERDESK_DATABASE_URL is no address of a database.") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsWrong("METERDESK_DATABASE_URL has to begin with postgresql:// or sqlite://.")
    return url


def migrate(url: URL) -> bool:
    """Brings the database at `url` to this code's schema; false when it was there already.

    Raises NewerDatabase, DatabaseUnreachable.
    """
    revision, head = current_revision(url), head_revision()
    if revision == head:
        return False
    _refuse_newer(revision)
    command.upgrade(_config(url), "head")
    return True


def ready_or_empty(url: URL) -> None:
    """Sets an empty database up; one with another schema is not touched. Raises NotMigrated, NewerDatabase."""
    if current_revision(url) is None:
        migrate(url)
    else:
        check_migrated(url)


def check_migrated(url: URL) -> None:
    """Nothing if the database is at this code's schema. Raises NotMigrated, NewerDatabase, DatabaseUnreachable."""
    revision = current_revision(url)
    _refuse_newer(revision)
    if revision != head_revision():
        raise NotMigrated("The database is older than this Meterdesk.")


def current_revision(url: URL) -> str | None:
    """The revision the database is at; None for an empty one. Raises DatabaseUnreachable."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DatabaseError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseUnreachable(f"The database does not answer: {reason}.") from None
    finally:
        engine.dispose()


def head_revision() -> str | None:
    """The revision this code is at."""
    return _scripts().get_current_head()


def run_migrations(context: EnvironmentContext) -> None:
    """What `alembic/env.py` calls: everything in one transaction, so that a broken migration leaves nothing behind."""
    url = context.config.attributes.get("url") or database_url(Settings())
    if url.get_backend_name() == "sqlite":
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url)
    with engine.connect() as connection, connection.begin():
        if not _is_sqlite(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            include_object=_is_ours,
            render_item=_render_column_type,
            render_as_batch=True,
            transactional_ddl=True,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise NewerDatabase(f"This database was made by a newer Meterdesk (its schema is {revision!r}).")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(url: URL | None) -> Config:
    package = Path(dashboard.__file__).parent
    checkout = package.parent / "alembic"
    folder = checkout if (checkout / "env.py").exists() else package / "_alembic"
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def _engine(url: URL) -> Engine:
    engine = create_engine(sync_url(url), poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    # Foreign keys stay off here: SQLite changes a table by copying it, and dropping the old one would cascade.
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_SECONDS * 1000}")
        _switch_to_wal(connection)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _switch_to_wal(connection: Any) -> None:
    # SQLite does not wait here however long its busy timeout is: somebody who writes at this moment makes it fail.
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _is_ours(_thing: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    return kind != "table" or not (name in JOB_TABLES or (name or "").startswith(EVENT_TABLES_PREFIX))


def _render_column_type(kind: str, thing: Any, context: Any) -> str | Literal[False]:
    # Migrations outlive the code of their day, so they name plain types only.
    if kind != "type":
        return False
    if isinstance(thing, ExactDecimal):
        return "sa.Text().with_variant(sa.Numeric(), 'postgresql')"
    if isinstance(thing, JSON):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    if isinstance(thing, TypeDecorator):
        return f"sa.{thing.impl_instance!r}"
    return False
