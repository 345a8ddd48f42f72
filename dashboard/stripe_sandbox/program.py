"""The running sandbox: its store, clock, switches, and the work that falls due."""

import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path

from dashboard.stripe_sandbox import keys
from dashboard.stripe_sandbox.clock import Clock
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.exchanges import ExchangeLog
from dashboard.stripe_sandbox.faults import Faults, Limiter
from dashboard.stripe_sandbox.idempotency import IdempotencyKeys
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.routing import DUE_ACTIONS
from dashboard.stripe_sandbox.store import Store
from dashboard.stripe_sandbox.webhooks import WebhookSender

logger = logging.getLogger(__name__)
TICK_SECONDS = 0.2
PRUNE_EVERY_TICKS = 1500
EVENT_DAYS = 30


class Sandbox:
    """Everything that one sandbox process holds."""

    def __init__(self, data_dir: Path, base_url: str) -> None:
        self.base_url = base_url
        self.store = Store(data_dir)
        self.clock = Clock(self.store)
        self.exchanges = ExchangeLog(self.store)
        self.idempotency = IdempotencyKeys(self.store)
        self.faults = Faults()
        self.limiter = Limiter()
        self.sender = WebhookSender(self.store, self.clock)
        self.locks: set[tuple[str, str]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to deliver webhooks and to do what falls due."""
        await self.sender.start()
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop working; everything that matters is stored already."""
        if self._ticker:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await self.sender.stop()
        self.exchanges.flush()
        self.store.close()

    def context(self, account: str, account_name: str = "", request_id: str | None = None) -> Context:
        """A context for work on the account."""
        return Context(self.store, self.clock, account, account_name, self.base_url, request_id=request_id)

    def context_for_account(self, name: str) -> Context:
        """A context for the account with this name, which is made on first use."""
        return self.context(keys.open_account(self.store, name, self.clock.now()), name)

    def page_context(self, id: str) -> Context | None:
        """A context for the account that owns the object, as the hosted pages need it: they carry no key."""
        row = self.store.one("SELECT account FROM objects WHERE id = ?", (id,))
        return self.context(row["account"], request_id=new_id("request")) if row else None

    # time

    def run_due(self) -> int:
        """Do what has fallen due by the sandbox's clock; returns how many pieces of work."""
        return self.catch_up(self.clock.now())

    def catch_up(self, until: int) -> int:
        """Do everything due up to `until` in its order, each piece seeing the time at which it was due."""
        done = 0
        while row := self.store.one("SELECT * FROM due WHERE clock = '' AND at <= ? ORDER BY at, id LIMIT 1", (until,)):
            self._keep_appointment(row)
            done += 1
        if done:
            self.sender.wake()
        return done

    def _keep_appointment(self, row: sqlite3.Row) -> None:
        """One piece of due work. A defect in it must not stop the others: it is logged and dropped."""
        try:
            with self.clock.held_at(max(row["at"], 0)), self.store.work():
                self.store.execute("DELETE FROM due WHERE id = ?", (row["id"],))
                DUE_ACTIONS[row["action"]](self.context(row["account"]), row["target"])
        except Exception:
            logger.exception("%s of %s failed", row["action"], row["target"])
            self.store.execute("DELETE FROM due WHERE id = ?", (row["id"],))

    def move_clock(self, moment: float) -> None:
        """Go to another time. On the way forward, everything that falls due is done in its order."""
        self.catch_up(int(moment))
        with self.store.work():
            self.clock.move_to(moment)
        self.prune()
        self.sender.wake()

    def prune(self) -> None:
        """Drop what Stripe would no longer show: events after 30 days, idempotency keys after one."""
        now = self.clock.now()
        with self.store.work():
            self.idempotency.prune(now)
            cutoff = now - EVENT_DAYS * 86400
            self.store.execute(
                "DELETE FROM deliveries WHERE event IN (SELECT id FROM events WHERE created < ?)", (cutoff,)
            )
            self.store.execute("DELETE FROM events WHERE created < ?", (cutoff,))

    def reset(self) -> None:
        """Back to an empty sandbox on real time, without faults."""
        self.exchanges.clear()
        self.faults.clear()
        self.limiter.enabled = False
        self.store.empty()
        self.clock.reload()
        self.sender.reset()

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.run_due()
            self.exchanges.flush()
            ticks += 1
            if ticks % PRUNE_EVERY_TICKS == 0:
                self.prune()
