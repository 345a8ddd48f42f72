import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner, Result

from dashboard.access import service
from dashboard.access.inputs import SignIn
from dashboard.access.views import Role
from dashboard.cli import COMMANDS, main
from dashboard.kit.crypto import SecretBox, load_or_make_secret_key
from dashboard.kit.database import Database
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import UsageEvent


@pytest.fixture
def run(tmp_path):
    def run(*arguments: str, input: str = "", **environment: str) -> Result:
        surroundings = {"METERDESK_DATA_DIR": str(tmp_path), **environment}
        return CliRunner().invoke(main, arguments, input=input, env=surroundings)

    return run


def ingest(tmp_path, *events: UsageEvent) -> int:
    async def run():
        database = Database(f"sqlite:///{tmp_path}/events.db")
        try:
            return await SqlEventStore(database).ingest(events)
        finally:
            await database.close()

    return asyncio.run(run())


def test_old_events_are_archived_listed_and_brought_back(run, tmp_path):
    assert "There are no events before" in run("events", "archive").output
    old = UsageEvent("1", "app", "prompt", "acme", datetime(2024, 5, 5, tzinfo=UTC), '{"tokens": 1}')
    assert ingest(tmp_path, old) == 1
    assert "2024-05: 1 events in" in run("events", "archive").output
    assert "2024-05: 1 events in usage-2024-05" in run("events", "archived").output
    assert ingest(tmp_path, old) == 0
    assert "2024-05: 1 events are back." in run("events", "restore", "2024-05").output
    assert run("events", "archived").output == ""


def test_a_month_that_is_not_archived_or_none_is_refused_in_one_sentence(run):
    for month in ("2024-05", "2024-13", "May"):
        answer = run("events", "restore", month)
        assert answer.exit_code != 0
        assert answer.output.startswith("Error: ")


def in_database(tmp_path, ask):
    async def run():
        database = Database(f"sqlite:///{tmp_path}/meterdesk.db")
        try:
            return await ask(database)
        finally:
            await database.close()

    return asyncio.run(run())


def sign_in(tmp_path, email, password):
    credentials = SignIn(email=email, password=password)
    return in_database(tmp_path, lambda database: service.sign_in(database, credentials, address="::1")).user


def test_help_lists_every_command_of_the_contract(run):
    said = run("--help").stdout
    assert all(name in said for name in COMMANDS)
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0


def test_migrate_fills_an_empty_database_and_then_has_nothing_to_do(run):
    assert run("migrate").stdout == "The database is up to date.\n"
    assert run("migrate").stdout == "The database was up to date already.\n"


def test_apikey_create_prints_nothing_but_the_key_on_standard_output(run, tmp_path):
    made = run("apikey", "create", "ci", "--role", "viewer")
    token = made.stdout.strip()
    key = in_database(tmp_path, lambda database: service.authenticate_api_key(database, token))
    assert key is not None
    assert (key.name, key.role) == ("ci", Role.VIEWER)
    assert "command line" in key.created_by
    assert "'ci'" in made.stderr


def test_the_first_user_is_an_owner_and_the_next_an_operator(run, tmp_path):
    first, second = run("user", "create", "ada@example.com"), run("user", "create", "bob@example.com")
    assert sign_in(tmp_path, "ada@example.com", first.stdout.strip()).role is Role.OWNER
    assert sign_in(tmp_path, "bob@example.com", second.stdout.strip()).role is Role.OPERATOR


def test_a_password_may_come_on_standard_input_and_is_then_not_printed(run, tmp_path):
    made = run("user", "create", "ada@example.com", "--password-stdin", input="from the input\n")
    assert made.exit_code == 0
    assert "from the input" not in made.output
    assert sign_in(tmp_path, "ada@example.com", "from the input").name == "ada"


def test_somebody_locked_out_gets_another_password(run, tmp_path):
    run("user", "create", "ada@example.com")
    fresh = run("user", "password", "Ada@example.com").stdout.strip()
    assert sign_in(tmp_path, "ada@example.com", fresh).email == "ada@example.com"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["user", "create", "no email"], "This is not an email address."),
        (["user", "create", "a@b", "--role", "viewer"], "The first person has to be an owner."),
        (["user", "password", "nobody@example.com"], "Nobody on the team has the email nobody@example.com."),
        (["apikey", "create", " "], "Error: name:"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_non_zero_exit(run, arguments, sentence):
    ended = run(*arguments)
    assert ended.exit_code == 1
    assert sentence in ended.stderr
    assert ended.stdout == ""


def test_a_command_refuses_a_database_of_a_newer_version(run, tmp_path):
    run("migrate")
    with sqlite3.connect(tmp_path / "meterdesk.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("migrate",), ("apikey", "create", "ci"), ("worker",), ("seed",)):
        ended = run(*arguments)
        assert (ended.exit_code, "newer Meterdesk" in ended.stderr) == (1, True)


# doctor


class Stranger(BaseHTTPRequestHandler):
    """Answers like Stripe to somebody without a key."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def somewhere() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def seal_a_stripe_key(tmp_path, secret_key: str) -> None:
    with sqlite3.connect(tmp_path / "meterdesk.db") as database:
        columns = database.execute("PRAGMA table_info(stripe_app)").fetchall()
        row = {
            name: 0 if kind in ("BIGINT", "BOOLEAN", "INTEGER") else "{}"
            for _, name, kind, needed, *_ in columns
            if needed
        }
        row["sealed_key"] = SecretBox(secret_key).seal("sk_test_123")
        names, places = ", ".join(row), ", ".join("?" * len(row))
        database.execute(f"INSERT INTO stripe_app ({names}) VALUES ({places})", list(row.values()))


def test_doctor_finds_nothing_wrong_with_a_healthy_installation(run, somewhere, tmp_path):
    run("migrate")
    seal_a_stripe_key(tmp_path, load_or_make_secret_key(tmp_path))
    addresses = {"METERDESK_PUBLIC_URL": somewhere, "METERDESK_STRIPE_API_BASE": somewhere}
    ended = run("doctor", METERDESK_SANDBOX_URL=somewhere, **addresses)
    assert ended.exit_code == 0
    assert [line[:2] for line in ended.stdout.splitlines() if line[0] != " "] == ["ok"] * 6


def test_doctor_says_that_the_secret_key_is_not_the_one_this_database_was_made_with(run, somewhere, tmp_path):
    run("migrate")
    seal_a_stripe_key(tmp_path, "another key")
    load_or_make_secret_key(tmp_path)
    ended = run("doctor", METERDESK_STRIPE_API_BASE=somewhere)
    assert ended.exit_code == 1
    assert "!!  Secret key: A stored secret cannot be opened" in ended.stdout


def test_doctor_says_when_others_can_read_the_secret_key(run, somewhere, tmp_path):
    load_or_make_secret_key(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    ended = run("doctor", METERDESK_STRIPE_API_BASE=somewhere)
    assert ended.exit_code == 1
    assert "chmod 600" in ended.stdout


def test_doctor_says_which_addresses_do_not_answer_and_what_to_do(run, somewhere):
    nowhere = "http://127.0.0.1:1"
    ended = run("doctor", METERDESK_PUBLIC_URL=nowhere, METERDESK_STRIPE_API_BASE=nowhere)
    assert ended.exit_code == 1
    assert f"!!  Public URL: {nowhere} does not answer" in ended.stdout
    assert f"!!  Stripe: {nowhere} does not answer" in ended.stdout


def test_doctor_says_whether_usage_events_can_be_reached(run, somewhere):
    ended = run("doctor", METERDESK_STRIPE_API_BASE=somewhere, METERDESK_EVENTS_URL="clickhouse://127.0.0.1:1/events")
    assert ended.exit_code == 1
    # Without the library that is what is missing.
    assert "!!  Usage events: ClickHouse" in ended.stdout or "Install meterdesk[clickhouse]" in ended.stdout
    ended = run("doctor", METERDESK_EVENTS_URL="postgresql://somebody:secret@somewhere/events")
    assert ended.exit_code == 1
    assert "clickhouse://" in ended.stderr
    assert "secret" not in ended.stderr


def test_doctor_does_not_call_a_fresh_installation_wrong(run, somewhere):
    ended = run("doctor", METERDESK_STRIPE_API_BASE=somewhere)
    assert ended.exit_code == 0
    assert "--  Database: SQLite, still empty." in ended.stdout
    assert "--  Public URL: Not set" in ended.stdout
