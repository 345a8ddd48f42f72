"""The webhook sender: signed deliveries, retries with back-off, and the mishaps that a tester orders.

https://docs.stripe.com/webhooks: `Stripe-Signature: t=<unix>,v1=<hmac>`, success is any 2xx within ten seconds,
redirects are failures. Retries wait by the sandbox's clock; the signature always carries real time.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

import aiohttp

from dashboard.stripe_sandbox.clock import Clock
from dashboard.stripe_sandbox.store import Store

# Stripe retries for up to three days; the waits between attempts, in seconds.
BACK_OFF = (10, 60, 300, 1800, 3600, 7200, 14400, 28800, 43200, 43200, 43200, 43200)
TIMEOUT_SECONDS = 10
CONCURRENCY = 32
STALE_SECONDS = 900


@dataclass
class DeliveryOptions:
    """How letters are delivered. `mode`: deliver now, hold until flushed, or drop (an outage that is never healed)."""

    mode: str = "deliver"
    order: str = "fifo"
    duplicate_every: int = 0
    drop_every: int = 0
    delay_ms: int = 0
    bad_signature_every: int = 0
    stale_timestamp_every: int = 0
    seed: int = 0
    speed_up: float = 1.0


@dataclass
class _Letter:
    delivery: int
    event: str
    endpoint: dict[str, Any]
    account: str
    attempts: int
    body: bytes
    type: str


class WebhookSender:
    """Takes queued deliveries from the store and sends them, up to 32 at a time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.options = DeliveryOptions(**store.setting("webhooks", {}))
        self._random = random.Random(self.options.seed)
        self._count = 0
        self._wake = asyncio.Event()
        self._in_flight: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: list[tuple[_Letter, int | None, str | None, float]] = []
        self._loop: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the HTTP client and begin."""
        connector = aiohttp.TCPConnector(limit=CONCURRENCY, limit_per_host=CONCURRENCY)
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), trust_env=False
        )
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop sending; what is not delivered stays queued."""
        for task in [self._loop, *self._tasks]:
            if task:
                task.cancel()
        await asyncio.gather(*(task for task in [self._loop, *self._tasks] if task), return_exceptions=True)
        if self._http:
            await self._http.close()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def configure(self, changes: dict[str, Any]) -> DeliveryOptions:
        """Set delivery options by name; unknown names raise ValueError."""
        known = {field.name for field in fields(DeliveryOptions)}
        if unknown := set(changes) - known:
            raise ValueError(f"unknown option: {', '.join(sorted(unknown))}")
        self.options = DeliveryOptions(**{**asdict(self.options), **changes})
        self._random = random.Random(self.options.seed)
        self._count = 0
        self._store.set_setting("webhooks", asdict(self.options))
        self.wake()
        return self.options

    def reset(self) -> None:
        """Back to plain delivery."""
        self.options = DeliveryOptions()
        self._count = 0
        self._results.clear()

    async def flush(self, timeout: float = 5.0) -> int:
        """Deliver what is due or held now, whatever the mode; waits for the answers. Returns how many went out."""
        letters = self._take(limit=100_000, force=True)
        tasks = [self._launch(letter) for letter in letters]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        self._store_results()
        return len(letters)

    async def settle(self, timeout: float) -> None:
        """Wait (briefly) until first attempts under way are answered."""
        deadline = time.monotonic() + timeout
        self.wake()
        while time.monotonic() < deadline and self.options.mode == "deliver" and self._open_count():
            await asyncio.sleep(0.01)

    def resend(self, delivery: int) -> None:
        """Send one delivery again, now."""
        self._store.execute(
            "UPDATE deliveries SET state = 'pending', next_at = ? WHERE id = ?", (self._clock.now(), delivery)
        )
        self.wake()

    # the loop

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout=1.0)
            self._wake.clear()
            self._store_results()
            if self.options.mode != "hold":
                await self._send_what_is_due()

    async def _send_what_is_due(self) -> None:
        """Launch deliveries, never more than 64 at once."""
        while letters := self._take(limit=CONCURRENCY * 4 - len(self._in_flight)):
            for letter in letters:
                self._launch(letter)
            while len(self._in_flight) >= CONCURRENCY * 2:
                if self._tasks:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._store_results()

    def _open_count(self) -> int:
        sql = "SELECT count(*) AS n FROM deliveries WHERE state = 'pending' AND attempts = 0 AND next_at <= ?"
        row = self._store.one(sql, (self._clock.now() + 1,))
        return row["n"] if row else 0

    def _take(self, limit: int, force: bool = False) -> list[_Letter]:
        """Due deliveries that are not in flight, in order or shuffled."""
        if limit <= 0:
            return []
        rows = self._store.all(
            "SELECT d.id, d.event, d.endpoint, d.account, d.attempts, e.body, e.type FROM deliveries d JOIN events e ON"
            " e.id = d.event WHERE d.state = 'pending' AND d.next_at <= ? ORDER BY d.id LIMIT ?",
            (1 << 60 if force else self._clock.now() + 0.999, limit + len(self._in_flight)),
        )
        letters = []
        for row in rows:
            if row["id"] in self._in_flight:
                continue
            endpoint = self._store.get(row["account"], row["endpoint"])
            if endpoint is None:
                self._give_up(row["id"], row["event"], "endpoint deleted")
                continue
            body = row["body"].encode()
            letters.append(
                _Letter(row["id"], row["event"], endpoint, row["account"], row["attempts"], body, row["type"])
            )
        if self.options.order == "shuffle":
            self._random.shuffle(letters)
        return letters

    def _launch(self, letter: _Letter) -> asyncio.Task[None]:
        self._in_flight.add(letter.delivery)
        task = asyncio.create_task(self._deliver(letter))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, letter: _Letter) -> None:
        self._count += 1
        number, options, started = self._count, self.options, time.perf_counter()
        if options.mode == "drop" or _every(number, options.drop_every):
            self._done(letter, None, "dropped", 0.0)
            return
        if options.delay_ms:
            await asyncio.sleep(options.delay_ms / 1000)
        status, error = await self._post(letter, number)
        if _every(number, options.duplicate_every):
            status, error = await self._post(letter, number)
        self._done(letter, status, error, (time.perf_counter() - started) * 1000)

    async def _post(self, letter: _Letter, number: int) -> tuple[int | None, str | None]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": self._signature(letter, number),
        }
        if self._http is None:
            return None, "sender is not running"
        try:
            async with self._http.post(
                letter.endpoint["url"], data=letter.body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status, None
        except TimeoutError:
            return None, "timed out"
        except (aiohttp.ClientError, OSError) as error:
            return None, f"{type(error).__name__}: {error}"

    def _signature(self, letter: _Letter, number: int) -> str:
        moment = int(time.time())
        if _every(number, self.options.stale_timestamp_every):
            moment -= STALE_SECONDS
        secrets = signing_secrets(letter.endpoint, time.time())
        if _every(number, self.options.bad_signature_every):
            secrets = ["whsec_not_the_secret"]
        return signature_header(letter.body, secrets, moment)

    # the outcome

    def _done(self, letter: _Letter, status: int | None, error: str | None, duration_ms: float) -> None:
        self._results.append((letter, status, error, duration_ms))
        self._wake.set()

    def _store_results(self) -> None:
        if not self._results:
            return
        results, self._results = self._results, []
        with self._store.work():
            for letter, status, error, duration_ms in results:
                self._store_result(letter, status, error, duration_ms)
        for letter, *_ in results:
            self._in_flight.discard(letter.delivery)

    def _store_result(self, letter: _Letter, status: int | None, error: str | None, duration_ms: float) -> None:
        now = self._clock.now()
        delivered = status is not None and 200 <= status < 300
        attempts = letter.attempts + 1
        state = "delivered" if delivered else "pending"
        wait = BACK_OFF[min(attempts, len(BACK_OFF)) - 1] / self.options.speed_up
        if error == "dropped" or (not delivered and attempts > len(BACK_OFF)):
            state = "failed"
        self._store.execute(
            "UPDATE deliveries SET state = ?, attempts = ?, next_at = ?, last_at = ?, last_status = ?, last_error = ?,"
            " duration_ms = ? WHERE id = ?",
            (state, attempts, now + wait, time.time(), status, error, duration_ms, letter.delivery),
        )
        if delivered:
            self._acknowledged(letter, now)
        elif letter.attempts == 0:
            self._store.execute("UPDATE events SET failed = 1 WHERE id = ?", (letter.event,))

    def _acknowledged(self, letter: _Letter, now: int) -> None:
        self._store.execute(
            "UPDATE events SET pending = (SELECT count(*) FROM deliveries WHERE event = ? AND state <> 'delivered'),"
            " failed = EXISTS (SELECT 1 FROM deliveries WHERE event = ? AND state <> 'delivered' AND attempts > 0)"
            " WHERE id = ?",
            (letter.event, letter.event, letter.event),
        )
        if letter.type == "invoice.created":
            self._note_invoice_acknowledged(letter, now)

    def _note_invoice_acknowledged(self, letter: _Letter, now: int) -> None:
        """Automatic finalization counts one hour from the moment when every endpoint knew of the invoice."""
        row = self._store.one("SELECT pending FROM events WHERE id = ?", (letter.event,))
        invoice = self._store.get(letter.account, json.loads(letter.body)["data"]["object"]["id"])
        if row and not row["pending"] and invoice and not invoice["webhooks_delivered_at"]:
            invoice["webhooks_delivered_at"] = now
            self._store.save(letter.account, invoice)
            if not invoice.get("automatically_finalizes_at") and not invoice.get("test_clock"):
                self._store.execute(
                    "UPDATE due SET at = min(at, ?) WHERE account = ? AND action = 'invoice.finalize' AND target = ?",
                    (now + 3600, letter.account, invoice["id"]),
                )

    def _give_up(self, delivery: int, event: str, why: str) -> None:
        self._store.execute("UPDATE deliveries SET state = 'failed', last_error = ? WHERE id = ?", (why, delivery))
        self._store.execute("UPDATE events SET pending = max(0, pending - 1) WHERE id = ?", (event,))


def signing_secrets(endpoint: dict[str, Any], real_now: float) -> list[str]:
    """The secrets that sign now: the current one, and the previous one for a day after it was rolled."""
    old = [entry["secret"] for entry in endpoint.get("_old_secrets", []) if entry["until"] > real_now]
    return [endpoint["_secret"], *old]


def signature_header(body: bytes, secrets: list[str], moment: int) -> str:
    """`t=…,v1=…[,v1=…]`: HMAC-SHA256 over `"<t>.<body>"` with each secret."""
    signed = f"{moment}.".encode() + body
    parts = [f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets]
    return ",".join([f"t={moment}", *parts])


def _every(number: int, nth: int) -> bool:
    return nth > 0 and number % nth == 0
