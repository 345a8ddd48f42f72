"""Starts the programs that make up a running Meterdesk, watches over them, and stops them together."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from dashboard.kit.errors import MeterdeskError
from dashboard.starting.checks import Address
from dashboard.starting.leash import GRACE_SECONDS

REFUSED = 3
"""The exit code of a program that has already said, in one sentence, why it did not start."""
LOOK_EVERY_SECONDS = 0.1
ANSWER_TIMEOUT_SECONDS = 2.0


class ProgramEnded(MeterdeskError):
    """One of the programs stopped although nobody had asked it to."""

    code = "program_ended"
    remedy = "What it said last stands above."


@dataclass(slots=True)
class Processes:
    """The programs of one start. `stopping` is set by Ctrl-C, SIGTERM or SIGHUP."""

    stopping: threading.Event = field(default_factory=threading.Event)
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Runs `python -m module arguments…` in a group of its own, so that Ctrl-C reaches it through us only."""
        command = [sys.executable, "-m", "dashboard.starting.leash", module, *arguments]
        self._running[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
        )

    def wait_until_answering(self, address: Address, path: str) -> bool:
        """True once `path` is answered there; false when stopped before. Raises ProgramEnded."""
        while not self.stopping.wait(LOOK_EVERY_SECONDS):
            self._check_alive()
            if answers(address, path):
                return True
        return False

    def wait_until_stopped(self) -> None:
        """Returns when stopping was asked for. Raises ProgramEnded when a program ends by itself before that."""
        while not self.stopping.wait(LOOK_EVERY_SECONDS):
            self._check_alive()

    def stop(self) -> None:
        """Asks every program to end, makes those end that do not within the grace period, leaves no child behind."""
        for process in self._running.values():
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            _signal_group(process, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._running.clear()

    def _check_alive(self) -> None:
        for name, process in self._running.items():
            code = process.poll()
            # A signal to the whole terminal may reach a program a moment before it reaches us.
            if code == REFUSED:
                sys.exit(1)
            if code is not None and not self.stopping.wait(LOOK_EVERY_SECONDS):
                raise ProgramEnded(f"The {name} stopped by itself ({_how(code)}).")


@contextlib.contextmanager
def watched_processes() -> Iterator[Processes]:
    """Programs that end with the block, however it ends; meanwhile Ctrl-C, SIGTERM and SIGHUP set `stopping`."""
    processes = Processes()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        processes.stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield processes
    finally:
        processes.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def become(module: str, *arguments: str) -> NoReturn:
    """Replaces this process by `python -m module`: signals and exit code are then that program's own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def answers(address: Address, path: str) -> bool:
    """Whether `path` is answered at `address` without a failure, asked past any proxy of the surroundings."""
    host, _, port = address.url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=ANSWER_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name
