"""How fast the API is, beside a bare FastAPI endpoint that runs the same SQL and asks the same of Stripe.

    uv run python -m benchmarks api

Both are called as ASGI applications in this process, one request after the other, in turns: what is measured is what
they do, not a server or a client. The bare endpoint replays the statements (and the calls to the sandbox) of one call
of ours, written down while it ran, and answers with the rows as they are: no key, no validation, no rules, no shape.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.house import free_port
from dashboard.api.app import close_api, create_api
from dashboard.backend import Backend, open_backend
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.kit.database import SYSTEM
from dashboard.kit.ids import is_id, new_id
from dashboard.settings import Settings
from dashboard.starting.migrations import database_url, migrate
from dashboard.stripe_app.gateway import Gateways

CUSTOMERS = 10_000
REQUESTS = 1_500
REQUESTS_TO_STRIPE = 300
WARM_UP = 30
TOKEN = "benchmark"
KEY = "sk_test_sandbox_apibenchmark"


@dataclass
class Recorded:
    """What one call did: SQL statements (with which engine), and requests to the sandbox."""

    statements: list[tuple[bool, str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)


async def call(
    app: Any, method: str, path: str, body: bytes = b"", more_headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[int, bytes]:
    """One request straight into an ASGI application."""
    bare, _, query = path.partition("?")
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"host", b"benchmark"), *more_headers]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": bare,
        "raw_path": bare.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("benchmark", 80),
    }
    status, parts = 0, []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)


@contextmanager
def recording(backend: Backend) -> Iterator[Recorded]:
    """Writes down the SQL that runs in the block."""
    recorded = Recorded()
    engines = {backend.database.write_engine: True, backend.database._read_engine: False}
    listeners = []
    for engine, writes in engines.items():

        def note(_c: Any, _u: Any, sql: str, parameters: Any, _x: Any, many: bool, writes: bool = writes) -> None:
            # Opening and closing the transaction is done by whoever replays it.
            if not sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
                recorded.statements.append((writes, sql, parameters if many else tuple(parameters)))

        event.listen(engine.sync_engine, "before_cursor_execute", note)
        listeners.append((engine, note))
    try:
        yield recorded
    finally:
        for engine, note in listeners:
            event.remove(engine.sync_engine, "before_cursor_execute", note)


def bare_app(backend: Backend, recorded: Recorded, stripe: httpx.AsyncClient) -> FastAPI:
    """A FastAPI application whose one endpoint replays what was recorded and answers the rows."""
    app = FastAPI()

    @app.api_route("/", methods=["GET", "PUT", "POST"])
    async def replay() -> list[dict[str, Any]]:
        rows = await _run(backend.database._read_engine, [one for one in recorded.statements if not one[0]])
        for method, path, body in recorded.calls:
            headers = {"content-type": "application/x-www-form-urlencoded"} if body else {}
            await stripe.request(method, path, content=body or None, headers=headers)
        return rows + await _run(backend.database.write_engine, [one for one in recorded.statements if one[0]])

    return app


async def _run(engine: AsyncEngine, statements: list[tuple[bool, str, Any]]) -> list[dict[str, Any]]:
    if not statements:
        return []
    rows: list[dict[str, Any]] = []
    async with engine.begin() as connection:
        for _, sql, parameters in statements:
            fresh = _with_fresh_id(parameters) if sql.startswith("INSERT") else parameters
            result = await connection.exec_driver_sql(sql, fresh)
            if result.returns_rows:
                rows += [dict(row._mapping) for row in result]
    return rows


def _with_fresh_id(parameters: Any) -> Any:
    if isinstance(parameters, list):
        return [_with_fresh_id(one) for one in parameters]
    first, *rest = parameters
    # A session's id is unique too.
    rest = [f"cs_{new_id()}" if isinstance(one, str) and one.startswith("cs_") else one for one in rest]
    return (new_id() if isinstance(first, str) and is_id(first) else first, *rest)


Once = Callable[[], Awaitable[tuple[int, bytes]]]


async def measure(sides: Sequence[Once], count: int) -> list[tuple[float, float]]:
    """Of each side, requests per second and the 99th percentile in milliseconds.

    They take turns, request by request, so that whatever else the machine does slows them alike.
    """
    times: list[list[float]] = [[] for _ in sides]
    for number in range(WARM_UP + count):
        for side, once in zip(times, sides, strict=True):
            begin = time.perf_counter()
            status, content = await once()
            if number >= WARM_UP:
                side.append(time.perf_counter() - begin)
            if status >= 300:
                raise RuntimeError(f"{status}: {content[:300]!r}")
    return [(count / sum(side), statistics.quantiles(side, n=100)[98] * 1000) for side in times]


async def furnish(backend: Backend, app: Any, stripe: httpx.AsyncClient) -> tuple[str, str, str]:
    """10,000 customers, one of them linked to Stripe: their id, their Stripe id and card."""
    async with backend.database.transaction(SYSTEM) as work:
        customer = await create_customer(work, CreateCustomer(name="Customer", key="key"))
        for number in range(1, CUSTOMERS):
            await create_customer(work, CreateCustomer(name=f"Customer {number}", key=f"key-{number}"))
    install = msgspec.json.encode({"apiKey": KEY})
    status, content = await call(app, "POST", "/api/v1/marketplace/listings/stripe/install/apikey", install)
    if status != 200:
        raise RuntimeError(content)
    stripe_id = (await stripe.post("/v1/customers", data={"name": "A"})).json()["id"]
    card = (await stripe.post("/v1/payment_methods/pm_card_visa/attach", data={"customer": stripe_id})).json()["id"]
    return customer.id, stripe_id, card


async def main() -> None:
    """Prints one line per operation: ours, the bare endpoint, and how much of its speed ours has."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "dashboard.stripe_sandbox", "--port", str(port), "--data-dir", folder]
        sandbox = subprocess.Popen(command)
        url = f"http://127.0.0.1:{port}"
        settings = Settings(
            data_dir=Path(folder),
            api_key=SecretStr(TOKEN),
            secret_key=SecretStr("benchmark"),
            sandbox_url=url,
        )
        await asyncio.to_thread(migrate, database_url(settings))
        app = close_api(create_api())
        async with httpx.AsyncClient(base_url=url, auth=(KEY, ""), trust_env=False) as stripe:
            await _answers(stripe)
            async with open_backend(settings) as backend:
                # Our limiter keeps to Stripe's 25 calls a second; it would be all that is measured.
                limited, backend.stripe.gateways = backend.stripe.gateways, Gateways(sandbox_url=url)
                await _compare_all(backend, app, stripe)
                await backend.stripe.gateways.close()
                backend.stripe.gateways = limited
        sandbox.terminate()
        sandbox.wait(10)


async def _compare_all(backend: Backend, app: Any, stripe: httpx.AsyncClient) -> None:
    customer, stripe_id, card = await furnish(backend, app, stripe)
    link = [{"type": "stripe", "stripeCustomerId": stripe_id, "stripeDefaultPaymentMethodId": card}]
    session = {"customer": {"id": customer}, "options": {"successURL": "https://example.com"}}
    print(f"{'':34}{'ours':>10}{'p99':>10}{'bare':>10}{'p99':>10}{'share':>8}")
    for name, method, path, body, count in (
        ("get customer", "GET", f"/api/v1/customers/{customer}", None, REQUESTS),
        ("list customers (100 of 10,000)", "GET", "/api/v1/customers", None, REQUESTS // 3),
        ("upsert app data", "PUT", f"/api/v1/customers/{customer}/apps", link, REQUESTS_TO_STRIPE),
        ("create checkout session", "POST", "/api/v1/stripe/checkout/sessions", session, REQUESTS_TO_STRIPE),
    ):
        content = msgspec.json.encode(body) if body else b""
        await call(app, method, path, content)
        with recording(backend) as recorded:
            before = await _exchanges(stripe)
            await call(app, method, path, content)
            recorded.calls = (await _exchanges(stripe))[len(before) :]
        bare = bare_app(backend, recorded, stripe)
        (ours, ours_p99), (theirs, theirs_p99) = await measure(
            (lambda m=method, p=path, c=content: call(app, m, p, c), lambda m=method, b=bare: call(b, m, "/")), count
        )
        print(
            f"{name:34}{ours:8.0f}/s{ours_p99:8.1f}ms{theirs:8.0f}/s{theirs_p99:8.1f}ms{ours / theirs:8.0%}", flush=True
        )


async def _exchanges(stripe: httpx.AsyncClient) -> list[tuple[str, str, bytes]]:
    """The calls the sandbox has seen, in the form in which they can be made again."""
    found = (await stripe.get("/_sandbox/exchanges", params={"after": 0})).json()
    rows = found["exchanges"] if isinstance(found, dict) else found
    return [(one["method"], one["path"], _form(one["params"]) if one["method"] == "POST" else b"") for one in rows]


def _form(params: Any, place: str = "") -> bytes:
    return str(httpx.QueryParams(list(_pairs(params, place)))).encode()


def _pairs(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _pairs(one, f"{place}[{name}]" if place else name)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _pairs(one, f"{place}[{number}]")
    else:
        yield place, str(value).lower() if isinstance(value, bool) else str(value)


async def _answers(stripe: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            await stripe.get("/v1/account")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise RuntimeError("the sandbox did not start")


if __name__ == "__main__":
    asyncio.run(main())
