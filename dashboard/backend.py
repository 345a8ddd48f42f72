"""Builds what the edges need, once per process: database, clock, news, secrets, stores, and the desks of the rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from dashboard.access.audit import AuditLog
from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoicing import ADVANCE_JOB
from dashboard.billing.jobs import COLLECT_JOB
from dashboard.billing.payment_setup import PaymentSetup
from dashboard.billing.queries import invoices_keep_customer
from dashboard.catalog.tax_codes import ensure_tax_defaults
from dashboard.customers.service import CustomerGuard
from dashboard.kit.changes import Changes
from dashboard.kit.clock import Clock, clock_from_text
from dashboard.kit.crypto import SecretBox, load_or_make_secret_key
from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.jobs import Job, Jobs
from dashboard.kit.limiter import CallLimiter, Limits
from dashboard.kit.locks import Locks
from dashboard.settings import Settings
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway import Gateways
from dashboard.stripe_app.plug import StripePlug
from dashboard.subscriptions.service import SubscriptionDesk
from dashboard.usage.archive import EventArchive
from dashboard.usage.clickhouse import open_clickhouse
from dashboard.usage.clickhouse_event_store import ClickHouseEventStore
from dashboard.usage.event_schema import EVENT_FILE_PRAGMAS
from dashboard.usage.event_store import EventStore
from dashboard.usage.service import define_missing_meters
from dashboard.usage.sql_event_store import SqlEventStore

JOBS = {
    ADVANCE_JOB: Job("invoices", serial_by="invoice_id"),
    COLLECT_JOB: Job("background", serial_by="customer_id"),
}
"""Every job there is, and its queue. `worker.py` says what each runs."""


@dataclass(slots=True)
class Backend:
    """Everything a screen, an endpoint or a job reaches for. It lives as long as its process serves."""

    settings: Settings
    clock: Clock
    changes: Changes
    database: Database
    secrets: SecretBox
    event_store: EventStore
    event_archive: EventArchive | None
    """None where no month is ever taken out of the event store (ClickHouse)."""
    jobs: Jobs
    stripe: StripeDesk
    billing: BillingDesk
    subscriptions: SubscriptionDesk
    customer_guards: tuple[CustomerGuard, ...] = (invoices_keep_customer,)
    """Who has a say before a customer is deleted."""


_running: list[Backend] = []


def running() -> Backend:
    """The backend of this process. Raises RuntimeError before the start and after the stop."""
    if not _running:
        raise RuntimeError("the backend is not running in this process")
    return _running[-1]


@asynccontextmanager
async def open_backend(settings: Settings) -> AsyncIterator[Backend]:
    """A backend for the length of the block; `running()` finds it meanwhile. The database has to be migrated."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as closing:
        clock = clock_from_text(settings.clock)
        changes = Changes(settings.redis_url)
        await closing.enter_async_context(changes.listening())
        jobs = Jobs(settings.effective_database_url, JOBS)
        closing.push_async_callback(jobs.close)
        await asyncio.to_thread(jobs.prepare)
        database = Database(
            settings.effective_database_url, clock=clock, changes=changes, outbox=jobs, audit_writer=AuditLog()
        )
        closing.push_async_callback(database.close)
        secrets = SecretBox(_secret_key(settings))
        limiter = CallLimiter(_limits(settings), redis_url=settings.redis_url)
        closing.push_async_callback(limiter.close)
        locks = Locks(database)
        closing.push_async_callback(locks.close)
        stripe = _stripe_desk(settings, database, secrets, limiter, locks)
        closing.push_async_callback(stripe.gateways.close)
        closing.push_async_callback(stripe.letterbox.close)
        event_store, event_archive = await _event_store(settings, database, locks, closing)
        billing = BillingDesk(database, StripePlug(stripe), event_store, locks)
        backend = Backend(
            settings=settings,
            clock=clock,
            changes=changes,
            database=database,
            secrets=secrets,
            event_store=event_store,
            event_archive=event_archive,
            jobs=jobs,
            stripe=stripe,
            billing=billing,
            subscriptions=SubscriptionDesk(database, PaymentSetup(billing)),
        )
        await define_missing_meters(database, backend.event_store)
        async with database.transaction(SYSTEM) as work:
            await ensure_tax_defaults(work)
        _running.append(backend)
        closing.callback(_running.remove, backend)
        yield backend


def _secret_key(settings: Settings) -> str:
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return load_or_make_secret_key(settings.data_dir)


def _limits(settings: Settings) -> Limits:
    wanted = settings.stripe_requests_per_second
    limits = Limits() if wanted is None else Limits(total_in_test_mode=wanted, total_in_live_mode=wanted)
    per_endpoint = settings.stripe_requests_per_second_per_endpoint
    return limits if per_endpoint is None else replace(limits, per_endpoint=per_endpoint)


def _stripe_desk(
    settings: Settings, database: Database, secrets: SecretBox, limiter: CallLimiter, locks: Locks
) -> StripeDesk:
    gateways = Gateways(sandbox_url=settings.sandbox_url, api_base=settings.stripe_api_base, limiter=limiter)
    return StripeDesk(
        database,
        secrets,
        gateways,
        public_url=settings.public_url,
        events_poll_seconds=settings.events_poll_seconds,
        letters_kept=timedelta(days=settings.stripe_letters_days),
        locks=locks,
    )


def _events_database(settings: Settings, database: Database, closing: AsyncExitStack) -> Database:
    """Events beside the other tables on PostgreSQL; in a file of their own on SQLite, where one writer at a time is the
    rule and ingest must not hold up billing."""
    if not database.is_sqlite:
        return database
    file = (settings.data_dir / "events.db").resolve()
    events = Database(f"sqlite:///{file}", clock=database.clock, pragmas=EVENT_FILE_PRAGMAS)
    closing.push_async_callback(events.close)
    return events


async def _event_store(
    settings: Settings, database: Database, locks: Locks, closing: AsyncExitStack
) -> tuple[EventStore, EventArchive | None]:
    if settings.events_url is not None:
        clickhouse = await asyncio.to_thread(open_clickhouse, settings.events_url)
        store, archive = ClickHouseEventStore(clickhouse, database.clock, locks), None
    else:
        events = _events_database(settings, database, closing)
        store, archive = SqlEventStore(events), EventArchive(events, settings.data_dir / "archive")
    closing.push_async_callback(store.close)
    await store.prepare()
    return store, archive
