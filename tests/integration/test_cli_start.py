import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dashboard.access import service
from dashboard.access.inputs import SignIn
from dashboard.access.views import Role
from dashboard.kit.crypto import KEY_FILE
from dashboard.kit.database import Database
from tests.servers import free_port

READY_SECONDS = 60.0
STOP_SECONDS = 10.0


class Meterdesk:
    """`meterdesk up` without screens, as its own process, in its own data directory."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.sandbox_port = free_port()
        self.log = data_dir.with_suffix(".log")
        self.process = subprocess.Popen(
            command("--port", str(self.port), "--no-ui", *arguments),
            env=surroundings(data_dir, METERDESK_SANDBOX_URL=f"http://127.0.0.1:{self.sandbox_port}", **environment),
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def wait_until_ready(self) -> "Meterdesk":
        deadline = time.monotonic() + READY_SECONDS
        while "Meterdesk is ready" not in self.said:
            assert self.process.poll() is None, self.said[-1000:]
            assert time.monotonic() < deadline, self.said[-1000:]
            time.sleep(0.05)
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        return self

    @property
    def said(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def left_behind(self) -> list[psutil.Process]:
        """Which of its programs are still there some seconds later."""
        return psutil.wait_procs(self.family, timeout=STOP_SECONDS)[1]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dashboard.cli", *arguments]


def surroundings(data_dir: Path, **more: str) -> dict[str, str]:
    # Nothing on PATH: neither node nor anything else of this machine may matter.
    kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    return {**kept, "PATH": "", "METERDESK_DATA_DIR": str(data_dir), **more}


@contextmanager
def started(data_dir: Path, *arguments: str, **environment: str) -> Iterator[Meterdesk]:
    meterdesk = Meterdesk(data_dir, *arguments, **environment)
    try:
        yield meterdesk
    finally:
        meterdesk.process.kill()
        meterdesk.process.wait()


def refused(data_dir: Path, *arguments: str, **environment: str) -> str:
    """What a start says that does not come about: one sentence, no traceback, a non-zero exit."""
    ended = subprocess.run(
        command("--no-ui", "--no-sandbox", *arguments),
        env=surroundings(data_dir, **environment),
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
    )
    assert ended.returncode not in (0, None)
    assert "Traceback" not in ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ended.stderr
    return errors[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meterdesk]:
    owner = {"METERDESK_ADMIN_EMAIL": "Ada@example.com", "METERDESK_ADMIN_PASSWORD": "a long password"}
    with started(tmp_path_factory.mktemp("up") / "data", "--no-sandbox", **owner) as meterdesk:
        yield meterdesk.wait_until_ready()


def test_one_command_makes_everything_it_needs_and_prints_where_it_answers(running):
    assert f"http://127.0.0.1:{running.port}" in running.said
    assert running.get("/health")[0] == 200
    assert (running.data_dir / "meterdesk.db").exists()
    assert (running.data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert running.data_dir.stat().st_mode & 0o777 == 0o700


def test_nobody_else_may_run_on_the_same_data_directory(running):
    said = refused(running.data_dir, "--port", str(free_port()))
    assert f"process {running.process.pid}, http://127.0.0.1:{running.port}" in said
    assert running.get("/health")[0] == 200


def test_a_taken_port_is_said_before_anything_starts(running, tmp_path):
    said = refused(tmp_path / "other", "--port", str(running.port))
    assert f"Port {running.port} on 127.0.0.1 is taken" in said
    assert "--port" in said
    assert not (tmp_path / "other" / "meterdesk.db").exists()


async def test_the_owner_named_by_the_surroundings_can_sign_in(running):
    database = Database(f"sqlite:///{running.data_dir}/meterdesk.db")
    credentials = SignIn(email="ada@example.com", password="a long password")  # pyright: ignore[reportArgumentType]
    session = await service.sign_in(database, credentials, address="127.0.0.1")
    await database.close()
    assert session.user.role is Role.OWNER


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_sigterm_ends_everything_in_order_and_leaves_no_process(tmp_path, sent):
    with started(tmp_path / "data", "--no-sandbox") as meterdesk:
        meterdesk.wait_until_ready()
        meterdesk.process.send_signal(sent)
        assert meterdesk.process.wait(STOP_SECONDS) == 0
        assert meterdesk.left_behind() == []
        assert meterdesk.said.rstrip().endswith("Stopped.")
    assert not (tmp_path / "data" / "running.json").exists()


def test_a_start_that_is_killed_takes_its_programs_along_and_can_be_repeated(tmp_path):
    with started(tmp_path / "data", "--no-sandbox") as meterdesk:
        meterdesk.wait_until_ready()
        meterdesk.process.kill()
        meterdesk.process.wait()
        assert meterdesk.left_behind() == []
    with started(tmp_path / "data", "--no-sandbox") as again:
        again.wait_until_ready()


def test_when_one_program_dies_the_others_stop_and_the_exit_says_so(tmp_path):
    with started(tmp_path / "data", "--no-sandbox") as meterdesk:
        meterdesk.wait_until_ready()
        psutil.Process(meterdesk.process.pid).children()[0].kill()
        assert meterdesk.process.wait(STOP_SECONDS) == 1
        assert meterdesk.left_behind() == []
        assert "The web server stopped by itself (SIGKILL)." in meterdesk.said


def test_the_sandbox_comes_up_beside_it_and_goes_with_it(tmp_path):
    with started(tmp_path / "data") as meterdesk:
        meterdesk.wait_until_ready()
        assert f"http://127.0.0.1:{meterdesk.sandbox_port}" in meterdesk.said
        socket.create_connection(("127.0.0.1", meterdesk.sandbox_port), timeout=5).close()
        meterdesk.process.terminate()
        assert meterdesk.process.wait(STOP_SECONDS) == 0
        assert meterdesk.left_behind() == []


def test_a_taken_sandbox_port_is_told_apart_from_the_own_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command("--no-ui", "--port", str(free_port())),
            env=surroundings(tmp_path, METERDESK_SANDBOX_URL=f"http://127.0.0.1:{port}"),
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
        )
    assert ended.returncode == 1
    assert f"Port {port}" in ended.stderr
    assert "METERDESK_SANDBOX_URL" in ended.stderr


def test_an_unwritable_data_directory_is_said_with_its_name(tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(tmp_path / "file" / "data", "--port", str(free_port()))
    assert str(tmp_path / "file" / "data") in said
    assert "METERDESK_DATA_DIR" in said


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "meterdesk.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    before = file.read_bytes()
    said = refused(tmp_path, "--port", str(free_port()))
    assert "newer Meterdesk" in said
    assert "'9999'" in said
    assert file.read_bytes()[100:] == before[100:]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METERDESK_PUBLIC_URL", "example.com"),
        ("METERDESK_CLOCK", "yesterday"),
        ("METERDESK_DATABASE_URL", "nonsense"),
        ("METERDESK_DATABASE_URL", "mysql://localhost/x"),
        ("METERDESK_ADMIN_EMAIL", "ada@example.com"),
    ],
)
def test_a_variable_that_cannot_be_understood_is_named(tmp_path, name, value):
    assert name in refused(tmp_path, "--port", str(free_port()), **{name: value})


def test_a_database_server_that_is_not_there_is_said(tmp_path):
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    assert "does not answer" in refused(tmp_path, "--port", str(free_port()), METERDESK_DATABASE_URL=url)
