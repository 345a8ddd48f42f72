"""A whole Meterdesk as its own process, behind a small proxy that writes down every exchange with it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.openmeter_contract import OpenMeterContract
from tests.contract.sandbox_support import free_port

TOKEN = "my-token"
READY_SECONDS = 90.0
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive", "date", "server"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; bodies are parsed where they are JSON."""

    method: str
    path: str
    request: Any
    status: int
    content_type: str
    answer: Any

    @property
    def version(self) -> str:
        return "v3" if "/v3/" in self.path else "v1"


@dataclass
class RecordedServer:
    """`url` is the proxy's address: point clients there."""

    url: str
    server_url: str
    sandbox_url: str
    exchanges: list[Exchange] = field(default_factory=list)

    def since(self, count: int) -> list[Exchange]:
        """The exchanges after the first `count`."""
        return self.exchanges[count:]

    def problems(self, contracts: dict[str, OpenMeterContract], since: int = 0) -> list[str]:
        """What in the exchanges the contracts do not have."""
        found: list[str] = []
        for one in self.since(since):
            contract = contracts[one.version]
            found += contract.response_errors(one.method, one.path, one.status, one.content_type, one.answer)
            if one.status < 300:
                found += contract.request_errors(one.method, one.path, one.request)
        return found


@contextmanager
def recorded_server(folder: Path) -> Iterator[RecordedServer]:
    """`meterdesk up` without screens, with sandbox and worker, and the proxy before it."""
    port, sandbox_port = free_port(), free_port()
    log = folder / "log"
    environment = {
        **os.environ,
        "METERDESK_DATA_DIR": str(folder / "data"),
        "METERDESK_API_KEY": TOKEN,
        "METERDESK_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        "METERDESK_EVENTS_POLL_SECONDS": "0.5",
    }
    command = [sys.executable, "-m", "dashboard.cli", "--port", str(port), "--no-ui"]
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(process, log)
        with _proxy(f"http://127.0.0.1:{port}") as server:
            server.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
            yield server
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while "Meterdesk is ready" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"Meterdesk did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


@contextmanager
def _proxy(target: str) -> Iterator[RecordedServer]:
    recorded = RecordedServer("", target, "")
    client = httpx.Client(base_url=target, timeout=60, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            answer = client.request(self.command, self.path, content=body or None, headers=headers)
            content_type = answer.headers.get("content-type", "")
            recorded.exchanges.append(
                Exchange(
                    self.command, self.path, _parsed(body), answer.status_code, content_type, _parsed(answer.content)
                )
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in {*_HOP_BY_HOP, "content-encoding"}:
                    self.send_header(name, value)
            if answer.status_code != 204:
                self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

        def log_message(self, format: str, *args: Any) -> None:
            """Silence: exchanges are written down, not printed."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    recorded.url = f"http://127.0.0.1:{proxy.server_port}"
    try:
        yield recorded
    finally:
        proxy.shutdown()
        client.close()


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
