"""Starts Stripe sandboxes for tests: each in a process of its own, on a free loopback port, over a fresh folder."""

import contextlib
import http.server
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import stripe

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("METERDESK_SHARED", ROOT.parent / "shared"))
KEY = "sk_test_sandbox_demo"


@dataclass
class RunningSandbox:
    """A sandbox process and ways to talk to it."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    _control: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._control = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def client(self, key: str = KEY, **options: Any) -> stripe.StripeClient:
        """The unmodified Stripe SDK, pointed here."""
        return stripe.StripeClient(key, base_addresses={"api": self.url}, **options)

    def http(self, key: str = KEY) -> httpx.Client:
        """Plain HTTP with a key, for what the SDK would not let one send."""
        return httpx.Client(base_url=self.url, auth=(key, ""), timeout=30, trust_env=False)

    def post(self, path: str, /, **body: Any) -> Any:
        """A control call, such as `post("/clock", advance="P1D")`; raises for a refusal."""
        return self._checked(self._control.post(f"/_sandbox{path}", json=body))

    def get(self, path: str) -> Any:
        """A control question."""
        return self._checked(self._control.get(f"/_sandbox{path}"))

    def clear_faults(self) -> None:
        """Back to good weather."""
        self._checked(self._control.delete("/_sandbox/faults"))

    def page(self, path: str) -> httpx.Response:
        """A hosted page, as a browser sees it first."""
        return self._control.get(path.removeprefix(self.url), follow_redirects=False)

    def submit(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Send a hosted page's form; the answer is not followed."""
        return self._control.post(path.removeprefix(self.url), data=form, follow_redirects=False)

    def stop(self) -> None:
        """End the process in the ordinary way."""
        self._control.close()
        self.process.terminate()
        self.process.wait(timeout=10)

    def kill(self) -> None:
        """End the process the hard way."""
        self._control.close()
        self.process.kill()
        self.process.wait(timeout=10)

    @staticmethod
    def _checked(answer: httpx.Response) -> Any:
        if answer.status_code >= 400:
            raise AssertionError(f"{answer.status_code}: {answer.text}")
        return answer.json()


def start(data_dir: Path, port: int | None = None) -> RunningSandbox:
    """Start a sandbox over the folder and wait until it answers."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "dashboard.stripe_sandbox", "--port", str(port), "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the sandbox ended with {process.returncode}")
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{url}/_sandbox/state", timeout=5, trust_env=False).raise_for_status()
            return RunningSandbox(url, data_dir, process)
        time.sleep(0.02)
    process.kill()
    raise RuntimeError("the sandbox did not answer in time")


@contextlib.contextmanager
def running_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox over a folder that is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="stripe-sandbox-") as folder:
        sandbox = start(Path(folder))
        try:
            yield sandbox
        finally:
            if sandbox.process.poll() is None:
                sandbox.stop()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def contract() -> ModuleType:
    """The contract checker beside the API description; skips the test where neither is at hand."""
    path = SHARED / "contracts" / "stripe_contract.py"
    if not path.exists():
        pytest.skip(f"needs Stripe's API description at {path} (set METERDESK_SHARED)")
    if "stripe_contract" not in sys.modules:
        spec = importlib.util.spec_from_file_location("stripe_contract", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["stripe_contract"] = module
        spec.loader.exec_module(module)
    return sys.modules["stripe_contract"]


@dataclass
class Letter:
    """One webhook delivery as it arrived."""

    body: bytes
    signature: str
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The event inside."""
        return json.loads(self.body)


class Receiver:
    """A webhook endpoint on loopback that keeps what it gets; `status` is what it answers."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.status = 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.letters.append(Letter(body, self.headers["Stripe-Signature"], time.time()))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                if receiver.status in (301, 302):
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def types(self) -> list[str]:
        """The event types in the order of arrival."""
        return [letter.event["type"] for letter in self.letters]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def eventually(condition: Any, timeout: float = 10.0, what: str = "it") -> Any:
    """Waits until the condition answers something true, and answers that; fails after the timeout."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {timeout} s")


def assert_contract_kept(sandbox: RunningSandbox, receiver: Receiver | None = None, key: str = KEY) -> None:
    """Every accepted request, every answer, every event and every delivered letter fits Stripe's API description."""
    checker = contract()
    complaints: list[str] = []
    for exchange in sandbox.get("/exchanges?after=0"):
        method, path, params = exchange["method"], exchange["path"], exchange["params"]
        if exchange["response"] is None:
            continue
        if 200 <= exchange["status"] < 300:
            whole = path if method == "POST" or not params else f"{path}?{params}"
            complaints += checker.request_errors(method, whole, params if method == "POST" else None)
        shape = checker.response_errors(method, path, exchange["status"], exchange["response"])
        complaints += [f"{method} {path} {exchange['status']}: {line}" for line in shape]
    for event in all_events(sandbox, key):
        complaints += [f"{event['type']}: {line}" for line in checker.event_errors(event)]
    for letter in receiver.letters if receiver else []:
        complaints += [f"letter {letter.event['type']}: {line}" for line in checker.event_errors(letter.event)]
    assert not complaints, "\n".join(dict.fromkeys(complaints))


def all_events(sandbox: RunningSandbox, key: str = KEY) -> list[dict[str, Any]]:
    """All events of the account, oldest first, as plain JSON."""
    events: list[dict[str, Any]] = []
    with sandbox.http(key) as http:
        params: dict[str, Any] = {"limit": 100}
        while True:
            page = http.get("/v1/events", params=params).json()
            events += page["data"]
            if not page["has_more"]:
                return list(reversed(events))
            params["starting_after"] = page["data"][-1]["id"]
