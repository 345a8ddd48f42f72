"""How fast the Stripe sandbox is, and whether its memory stays flat. `uv run python benchmarks/sandbox.py [exchanges]`

Promises: start within 1 s; create → 250 lines → finalize under 150 ms of sandbox time; 500 webhooks a second to a
trivial receiver; flat memory over 100,000 exchanges.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.contract import sandbox_support as support

ROUNDS = 15
LETTERS = 3000


def main() -> None:
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        sandbox = support.start(Path(folder))
        seconds = time.perf_counter() - started
        _report("start, processor time", sum(psutil.Process(sandbox.process.pid).cpu_times()[:2]), 1.0, "s")
        print(f"{'start, by the wall clock':32s} {seconds:10.2f} s")
        try:
            _report("create + 250 lines + finalize", _invoice_round(sandbox), 150, "ms")
            rate = asyncio.run(_webhook_rate(sandbox))
            print(
                f"{'webhooks delivered':32s} {rate:10.0f} /s   promise ≥ 500 /s   {'ok' if rate >= 500 else 'MISSED'}"
            )
            asyncio.run(_memory(sandbox, exchanges))
        finally:
            sandbox.stop()


def _report(what: str, value: float, promise: float, unit: str) -> None:
    print(f"{what:32s} {value:10.2f} {unit:4s} promise ≤ {promise:g} {unit}   {'ok' if value <= promise else 'MISSED'}")


def _invoice_round(sandbox: support.RunningSandbox) -> float:
    """Milliseconds of processor time that the sandbox spent on one round (a busy machine does not count against it)."""
    process = psutil.Process(sandbox.process.pid)
    customer = sandbox.client().v1.customers.create({"name": "Bench"}).id
    lines = {f"lines[{n}][amount]": str(100 + n) for n in range(250)} | {
        f"lines[{n}][description]": f"Line {n}" for n in range(250)
    }
    with sandbox.http() as http:
        before = sum(process.cpu_times()[:2])
        for _ in range(ROUNDS):
            id = http.post("/v1/invoices", data={"customer": customer, "currency": "usd"}).json()["id"]
            http.post(f"/v1/invoices/{id}/add_lines", data=lines).raise_for_status()
            http.post(f"/v1/invoices/{id}/finalize").raise_for_status()
    return (sum(process.cpu_times()[:2]) - before) / ROUNDS * 1000


async def _webhook_rate(sandbox: support.RunningSandbox) -> float:
    """Letters a second, from release to the last answer, to a receiver that does nothing but count."""
    seen, done = 0, asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while head := await _head(reader):
            length = next(
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            seen += 1
            if seen == LETTERS:
                done.set()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {support.KEY}"}) as http:
        await _post(http, "/_sandbox/webhooks", json={"mode": "hold"})
        endpoint = {"url": f"http://127.0.0.1:{port}/", "enabled_events[0]": "coupon.created"}
        await _post(http, "/v1/webhook_endpoints", data=endpoint)
        await _many(lambda: _post(http, "/v1/coupons", data={"percent_off": "10"}), LETTERS)
        started = time.perf_counter()
        await _post(http, "/_sandbox/webhooks", json={"mode": "deliver"})
        await asyncio.wait_for(done.wait(), 120)
        rate = LETTERS / (time.perf_counter() - started)
    server.close()
    return rate


async def _memory(sandbox: support.RunningSandbox, exchanges: int) -> None:
    """Resident memory after a warm-up and after all exchanges: half reads, half writes."""
    process = psutil.Process(sandbox.process.pid)
    async with aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {support.KEY}"}) as http:
        await _many(lambda: _exchange(http), exchanges // 10)
        before = process.memory_info().rss
        started = time.perf_counter()
        await _many(lambda: _exchange(http), exchanges - exchanges // 10)
        seconds = time.perf_counter() - started
    grown = (process.memory_info().rss - before) / 2**20
    size = (sandbox.data_dir / "stripe_sandbox.sqlite3").stat().st_size / 2**20
    rate = (exchanges - exchanges // 10) / seconds
    print(f"{'exchanges':32s} {exchanges:10d}      at {rate:.0f} /s, state file {size:.0f} MB")
    _report("memory grown", grown, 20, "MB")


_turn = 0


async def _exchange(http: aiohttp.ClientSession) -> None:
    global _turn
    _turn += 1
    if _turn % 2:
        await _post(http, "/v1/customers", data={"name": f"Customer {_turn}", "metadata[n]": str(_turn)})
    else:
        async with http.get("/v1/customers", params={"limit": "3"}) as answer:
            await answer.read()


async def _post(http: aiohttp.ClientSession, path: str, **body: object) -> None:
    async with http.post(path, **body) as answer:  # type: ignore[arg-type]
        assert answer.status == 200, await answer.text()
        await answer.read()


async def _many(call: Callable[[], Awaitable[None]], count: int, at_once: int = 16) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for _ in numbers:
            await call()

    await asyncio.gather(*(work() for _ in range(at_once)))


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        return b""


if __name__ == "__main__":
    main()
