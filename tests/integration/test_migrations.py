import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, make_url

import dashboard.tables
from dashboard.kit.database import sync_url
from dashboard.starting import migrations
from dashboard.starting.migrations import NewerDatabase, NotMigrated, check_migrated, head_revision, migrate
from tests.conftest import ROOT


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield make_url(f"sqlite:///{tmp_path}/new/meterdesk.db")
        return
    yield make_url(request.getfixturevalue("empty_postgresql_url"))


def tables_of(url: URL) -> set[str]:
    engine = create_engine(sync_url(url))
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_code(empty):
    assert migrate(empty)
    command.check(migrations._config(empty))


def test_a_database_at_the_head_is_left_alone(empty):
    assert migrate(empty)
    assert not migrate(empty)
    check_migrated(empty)


def test_every_migration_can_be_taken_back(empty):
    migrate(empty)
    command.downgrade(migrations._config(empty), "base")
    assert tables_of(empty) == {"alembic_version"}
    assert migrate(empty)


def test_tables_of_the_job_engine_and_the_event_store_are_not_ours_to_drop(empty):
    migrate(empty)
    engine = create_engine(sync_url(empty))
    with engine.begin() as connection:
        for name in ("workflow_status", "usage_event"):
            connection.execute(text(f"CREATE TABLE {name} (id INTEGER)"))
    engine.dispose()
    command.check(migrations._config(empty))


def test_an_older_database_is_refused_where_migrating_was_not_asked_for(empty):
    migrate(empty)
    command.downgrade(migrations._config(empty), "base")
    with pytest.raises(NotMigrated):
        check_migrated(empty)


def test_a_newer_database_is_refused_by_both(empty):
    migrate(empty)
    engine = create_engine(sync_url(empty))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for refuse in (migrate, check_migrated):
        with pytest.raises(NewerDatabase, match="9999"):
            refuse(empty)


def test_a_migration_that_breaks_leaves_nothing_behind(empty, tmp_path, monkeypatch):
    scripts = tmp_path / "scripts"
    shutil.copytree(ROOT / "alembic", scripts)
    (scripts / "versions" / "broken.py").write_text(
        f"""
from alembic import op
import sqlalchemy as sa
revision, down_revision = "broken", {head_revision()!r}
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer()))
    op.execute("SELECT nonsense")
"""
    )
    config = migrations._config(empty)
    config.set_main_option("script_location", str(scripts))
    with pytest.raises(Exception, match="nonsense"):
        command.upgrade(config, "head")
    assert tables_of(empty) == set()


def test_two_processes_that_migrate_at_the_same_moment_both_succeed(empty, tmp_path):
    environment = {
        "PATH": "",
        "METERDESK_DATA_DIR": str(tmp_path / "data"),
        "METERDESK_DATABASE_URL": empty.render_as_string(hide_password=False),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "dashboard.cli", "migrate"], env=environment, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    check_migrated(empty)


def test_whoever_migrates_waits_for_a_writer_even_to_change_the_journal(tmp_path):
    file = tmp_path / "meterdesk.db"
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("CREATE TABLE something (id INTEGER)")
    release = threading.Timer(0.3, writer.rollback)
    release.start()
    assert migrate(make_url(f"sqlite:///{file}"))
    release.join()
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_tables_of_every_room_are_known_to_migrations():
    rooms = {file.parent.name for file in (ROOT / "dashboard").glob("*/tables.py")}
    known = {room.__name__.split(".")[1] for room in dashboard.tables.ROOMS}
    assert known == rooms
