"""Invoices made per minute, and how fast the list of a million of them answers.

    uv run python -m benchmarks billing
    uv run python -m benchmarks.billing [--customers 200] [--invoices 1000000] [--database-url URL]

*Made* is the road of the worker: collect a customer's ten metered lines, measure, rate, store, check, sync, issue; the
provider answers at once. Beside it stands the bare limit (SQLite): the same writes and commits replayed on a copy.
*Listed* calls the service (`invoice_list`) over rows written in bulk, each filter with other values each time. CPU
time stands beside the clock's, because only it means something on a busy machine.
"""

import argparse
import asyncio
import contextlib
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import psutil
from sqlalchemy import BigInteger, Insert, String, Table, bindparam, event, insert, select, text, type_coerce
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import SQLModel

from dashboard.billing.desk import BillingDesk
from dashboard.billing.inputs import CreateBillingProfile, SupplierInput, WorkflowInput
from dashboard.billing.invoice_inputs import CreatePendingLines, PendingLineInput
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices, tab_counts
from dashboard.billing.invoicing_app import InvoicingApp
from dashboard.billing.jobs import advance, collect
from dashboard.billing.queries import due_for_advance, due_for_collection
from dashboard.billing.service import create_billing_profile, create_pending_lines
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import ExternalInvoice, Invoice, InvoiceStatus
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.customers.tables import CustomerRow
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.ids import new_id
from dashboard.kit.locks import Locks
from dashboard.starting.migrations import migrate
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.service import create_meter
from dashboard.usage.sql_event_store import SqlEventStore
from dashboard.usage.views import UsageEvent

LINES = 10
EVENTS_PER_LINE = 5
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
BATCH = 20_000
LISTED_CUSTOMERS = 10_000
CALLS = 100
SPACING = 30_000_000
"""Microseconds between two invoices."""
TABS = (("paid", 90), ("open", 4), ("overdue", 2), ("draft", 2), ("uncollectible", 1), ("voided", 1))
STATUS = {"open": InvoiceStatus.PAYMENT_PENDING.value, "draft": InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED.value}
CURRENCIES = ("USD", "USD", "USD", "EUR", "EUR", "JPY")


class Outbox:
    """Takes jobs and forgets them: the benchmark is its own worker."""

    async def enqueue(self, session: AsyncSession, job: str, key: str, arguments: Mapping[str, Any]) -> None: ...


class PromptProvider:
    """A provider that agrees at once, so that only our own work is measured."""

    async def readiness(self, *_: Any) -> tuple[()]:
        return ()

    async def sync_draft(self, invoice: Invoice) -> ExternalInvoice:
        return ExternalInvoice(id=f"in_{invoice.id}", status="draft", total=invoice.totals.total)

    async def issue(self, invoice: Invoice) -> ExternalInvoice:
        total = invoice.totals.total
        return ExternalInvoice(
            id=f"in_{invoice.id}", status="open", number=f"A-{invoice.id}", total=total, amount_remaining=total
        )


# Made


async def make_invoices(url: str, folder: Path, customers: int) -> None:
    """Prints how many invoices of ten metered lines are made in a minute."""
    clock = FixedClock(START)
    database = Database(url, clock=clock, outbox=Outbox())
    events = Database(f"sqlite:///{folder}/events.db", clock=clock)
    store = SqlEventStore(events)
    await store.prepare()
    locks = Locks(database)
    desk = BillingDesk(database, cast(InvoicingApp, PromptProvider()), store, locks)
    await _furnish(desk, store, customers)
    clock.move_to(END)
    async with database.read() as session:
        due = await due_for_collection(session, clock.now(), limit=customers)
    copy = folder / "before.db"
    if database.is_sqlite:
        with contextlib.closing(sqlite3.connect(str(database.url.database))) as bare:
            bare.execute("VACUUM INTO ?", (str(copy),))
    with recording(database.write_engine) as statements:
        before, cpu = time.perf_counter(), time.process_time()
        for customer_id in due:
            await collect(desk, customer_id)
            async with database.read() as session:
                for invoice_id, _ in await due_for_advance(session, clock.now()):
                    await advance(desk, invoice_id)
        wall, cpu = time.perf_counter() - before, time.process_time() - cpu
    per_minute, of_cpu = 60 * len(due) / wall, 60 * len(due) / cpu
    print(f"  made, {LINES} lines each: {per_minute:.0f} a minute ({of_cpu:.0f} a minute of CPU)", flush=True)
    if database.is_sqlite:
        bare, bare_cpu = await _replayed(f"sqlite:///{copy}", statements)
        print(f"  bare writes of the same: {60 * len(due) / bare:.0f} a minute ({60 * len(due) / bare_cpu:.0f} of CPU)")
        print(f"  share of the bare limit: {bare / wall:.0%} ({bare_cpu / cpu:.0%} of CPU)", flush=True)
    await locks.close()
    await store.close()
    await events.close()
    await database.close()


async def _furnish(desk: BillingDesk, store: SqlEventStore, customers: int) -> None:
    meters = [f"meter{number}" for number in range(LINES)]
    for key in meters:
        wanted = CreateMeter(key=key, event_type=key, aggregation=Aggregation.SUM, value_property="$.n")
        await create_meter(desk.database, store, SYSTEM, wanted)
    async with desk.database.transaction(SYSTEM) as work:
        for key in meters:
            await create_feature(work, CreateFeature(key=key, name=key, meter=key))
        profile = CreateBillingProfile(
            name="Benchmark",
            app_id="app",
            supplier=SupplierInput(name="Meterdesk", country="US"),
            workflow=WorkflowInput(collection_interval="PT0S"),
            default_currency="USD",
        )
        await create_billing_profile(work, profile, apps=_any_app)
    lines = tuple(
        PendingLineInput(
            name=key,
            price={"type": "unit", "amount": "0.037"},
            feature_key=key,
            period_from=START,
            period_to=END,
            invoice_at=END,
        )
        for key in meters
    )
    for number in range(customers):
        async with desk.database.transaction(SYSTEM) as work:
            customer = await create_customer(work, CreateCustomer(name=f"Customer {number}", key=f"c{number}"))
            await create_pending_lines(work, CreatePendingLines(customer_id=customer.id, lines=lines))
        await store.ingest(
            [
                UsageEvent(f"{number}-{key}-{n}", "b", key, f"c{number}", START + timedelta(days=n), '{"n": 7}', START)
                for key in meters
                for n in range(EVENTS_PER_LINE)
            ]
        )


async def _any_app(*_: Any) -> bool:
    return True


@contextlib.contextmanager
def recording(engine: AsyncEngine) -> Iterator[list[tuple[str, Any, bool]]]:
    """Writes down what is written in the block, COMMIT included."""
    found: list[tuple[str, Any, bool]] = []

    def note(_c: Any, _u: Any, sql: str, parameters: Any, _x: Any, many: bool) -> None:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            found.append((sql, parameters, many))

    def commit(_c: Any) -> None:
        found.append(("COMMIT", None, False))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    event.listen(engine.sync_engine, "commit", commit)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        event.remove(engine.sync_engine, "commit", commit)


async def _replayed(url: str, statements: list[tuple[str, Any, bool]]) -> tuple[float, float]:
    """Wall and CPU seconds of the same writes with the same commits."""
    database = Database(url)
    before, cpu = time.perf_counter(), time.process_time()
    transaction: list[tuple[str, Any, bool]] = []
    for statement in statements:
        if statement[0] != "COMMIT":
            transaction.append(statement)
        elif transaction:
            async with database.write_engine.begin() as connection:
                for sql, parameters, _ in transaction:
                    await connection.exec_driver_sql(sql, parameters)
            transaction = []
    seconds = time.perf_counter() - before, time.process_time() - cpu
    await database.close()
    return seconds


# Listed


async def list_many(url: str, count: int) -> None:
    """Prints how long the list takes over so many invoices, filter by filter, and what memory it takes."""
    database = Database(url)
    customers = await _fill(database, count)
    draw = random.Random(1)
    newest = START + timedelta(minutes=count // 2)

    def moment() -> datetime:
        return START + timedelta(minutes=draw.randrange(count // 2))

    ways: dict[str, Callable[[], tuple[InvoiceFilter, dict[str, Any]]]] = {
        "everything, newest first": lambda: (InvoiceFilter(), {}),
        "a page from the middle": lambda: (InvoiceFilter(created_to=moment()), {}),
        "tab open": lambda: (InvoiceFilter(tab="open"), {}),
        "needs attention": lambda: (InvoiceFilter(tab="needs_attention"), {}),
        "one customer": lambda: (InvoiceFilter(customer_id=draw.choice(customers)), {}),
        "one customer, paid": lambda: (InvoiceFilter(customer_id=draw.choice(customers), tab="paid"), {}),
        "currency and tab": lambda: (InvoiceFilter(currency="JPY", tab="overdue"), {}),
        "a month, paid": lambda: (_month(moment(), tab="paid"), {}),
        "a month, in euro": lambda: (_month(moment(), currency="EUR"), {}),
        "by total": lambda: (InvoiceFilter(amount_min=Decimal(draw.randrange(900))), {"sort": "total"}),
        "above a total, newest first": lambda: (InvoiceFilter(amount_min=Decimal(draw.randrange(990))), {}),
        "rare total, newest first": lambda: (InvoiceFilter(amount_min=Decimal("999.98")), {}),
        "by due date": lambda: (InvoiceFilter(due_from=moment()), {"sort": "due", "descending": False}),
        "issued in a month": lambda: (_issued(moment()), {}),
        "due in a month, overdue": lambda: (_due(moment()), {}),
        "sent by mail": lambda: (InvoiceFilter(collection_method="send_invoice"), {}),
        "by mail and voided": lambda: (InvoiceFilter(collection_method="send_invoice", tab="voided"), {}),
        "an app of all": lambda: (InvoiceFilter(app_id="app"), {}),
        "an app of none": lambda: (InvoiceFilter(app_id="app_rare"), {}),
        "status draft.invalid": lambda: (InvoiceFilter(statuses=(InvoiceStatus.DRAFT_INVALID,)), {}),
        "search: a name": lambda: (InvoiceFilter(search=f"Customer {draw.randrange(LISTED_CUSTOMERS)}"), {}),
        "search: a number": lambda: (InvoiceFilter(search=f"MD-{draw.randrange(count):08d}"), {}),
        "search: nothing": lambda: (InvoiceFilter(search="nobody is called that"), {}),
    }
    print(f"  {'':32}{'p50':>9}{'p95':>9}{'CPU':>9}{'counts p95':>12}")
    every: list[float] = []
    for name, choose in ways.items():
        times, cpu = await _timed(lambda choose=choose: _list(database, *choose()))
        counts, _ = await _timed(lambda choose=choose: _count(database, choose()[0]), CALLS // 10)
        every += times
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"  {name:32}{statistics.median(times):7.1f}ms{p95:7.1f}ms{cpu:7.1f}ms{_p95(counts):10.1f}ms", flush=True)
    print(f"  {'all together':32}{statistics.median(every):7.1f}ms{_p95(every):7.1f}ms")
    deep, cpu = await _walked(database)
    print(f"  {'page after page from the top':32}{statistics.median(deep):7.1f}ms{_p95(deep):7.1f}ms{cpu:7.1f}ms")
    memory = psutil.Process().memory_info().rss / 2**20
    print(f"  newest invoice {newest:%Y-%m-%d}; memory of this process: {memory:.0f} MB (peak {_peak():.0f} MB)")
    await database.close()


def _month(start: datetime, **more: Any) -> InvoiceFilter:
    return InvoiceFilter(created_from=start, created_to=start + timedelta(days=30), **more)


def _issued(start: datetime) -> InvoiceFilter:
    return InvoiceFilter(issued_from=start, issued_to=start + timedelta(days=30))


def _due(start: datetime) -> InvoiceFilter:
    return InvoiceFilter(due_from=start, due_to=start + timedelta(days=30), tab="overdue")


async def _list(database: Database, wanted: InvoiceFilter, more: dict[str, Any]) -> None:
    async with database.read() as session:
        await list_invoices(session, wanted, limit=50, **more)


async def _count(database: Database, wanted: InvoiceFilter) -> None:
    async with database.read() as session:
        await tab_counts(session, wanted)


async def _timed(once: Callable[[], Awaitable[None]], calls: int = CALLS) -> tuple[list[float], float]:
    for _ in range(3):
        await once()
    times, cpu = [], time.process_time()
    for _ in range(calls):
        begin = time.perf_counter()
        await once()
        times.append(1000 * (time.perf_counter() - begin))
    return times, 1000 * (time.process_time() - cpu) / calls


async def _walked(database: Database) -> tuple[list[float], float]:
    cursor: str | None = None
    times, cpu = [], time.process_time()
    for _ in range(CALLS):
        begin = time.perf_counter()
        async with database.read() as session:
            cursor = (await list_invoices(session, InvoiceFilter(), cursor=cursor, limit=50)).next
        times.append(1000 * (time.perf_counter() - begin))
    return times, 1000 * (time.process_time() - cpu) / CALLS


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


async def _fill(database: Database, count: int) -> list[str]:
    """So many invoices (in whole batches) of 10,000 customers, two a minute, nine of ten paid, as long as real ones."""
    draw = random.Random(2)
    customers = [new_id() for _ in range(LISTED_CUSTOMERS)]
    tabs = [tab for tab, weight in TABS for _ in range(weight)]
    people = [
        {"id": one, "name": name, "key": f"k{number}", "search_text": name.casefold()}
        | {"created_at": START, "updated_at": START}
        for number, one in enumerate(customers)
        for name in [f"Customer {number}"]
    ]
    async with database.transaction(SYSTEM) as work:
        await work.session.execute(insert(CustomerRow), [_defaults(CustomerRow) | one for one in people])
    begin, common = time.perf_counter(), _defaults(InvoiceRow)
    rows = [common | _invoice(number, draw.choice(customers), draw.choice(tabs), draw) for number in range(BATCH)]
    async with _without_indexes(database):
        async with database.transaction(SYSTEM) as work:
            await work.session.execute(insert(InvoiceRow), rows[: min(count, BATCH)])
        for copy in range(1, count // BATCH):
            async with database.transaction(SYSTEM) as work:
                await work.session.execute(_copied(), {"suffix": f"{copy:06d}", "shift": copy * BATCH * SPACING})
    if not database.is_sqlite:
        async with database.write_engine.connect() as connection:
            # What PostgreSQL does by itself in the course of time. SQLite does not: it chooses its indexes untaught.
            await connection.execute(text("ANALYZE"))
            await connection.commit()
    size = database.url.database and Path(database.url.database)
    room = f", {size.stat().st_size / 2**30:.1f} GB" if size and size.is_file() else ""
    print(f"  filled with {count:,} invoices in {time.perf_counter() - begin:.0f} s{room}", flush=True)
    return customers


def _copied() -> Insert:
    """The first batch once more, later in time and under other names."""
    table: Table = InvoiceRow.__table__  # pyright: ignore[reportAttributeAccessIssue]
    columns = {one.name: one for one in table.columns}
    first = columns["id"].not_like("%-%")
    values: dict[str, Any] = dict(columns)
    values["id"] = columns["id"].concat("-").concat(bindparam("suffix", type_=String))
    for name in ("number", "external_id"):
        values[name] = columns[name].concat("-").concat(bindparam("suffix", type_=String))
    for name in ("created_at", "updated_at", "status_since", "issued_at", "due_at", "paid_at"):
        values[name] = type_coerce(columns[name], BigInteger) + bindparam("shift", type_=BigInteger)
    chosen = select(*(value.label(name) for name, value in values.items())).where(first)
    return insert(table).from_select(list(columns), chosen)


@contextlib.asynccontextmanager
async def _without_indexes(database: Database) -> AsyncIterator[None]:
    """On SQLite indexes are made afterwards, in order: that is many times faster."""
    if not database.is_sqlite:
        yield
        return
    known = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'invoice' AND sql IS NOT NULL"
    async with database.write_engine.begin() as connection:
        indexes = (await connection.execute(text(known))).all()
        for name, _ in indexes:
            await connection.execute(text(f"DROP INDEX {name}"))
    yield
    async with database.write_engine.begin() as connection:
        for _, statement in indexes:
            await connection.execute(text(statement))


def _defaults(table: type[SQLModel]) -> dict[str, Any]:
    """What a row is made with when nobody says otherwise; a bulk insert does not ask."""
    optional = {name: one for name, one in table.model_fields.items() if not one.is_required()}
    return {"metadata_": {}, "subject_keys": []} | {name: one.get_default() for name, one in optional.items()}


def _invoice(number: int, customer: str, tab: str, draw: random.Random) -> dict[str, Any]:
    created = START + timedelta(microseconds=SPACING * number)
    issued = None if tab == "draft" else created + timedelta(hours=1)
    total = Decimal(draw.randrange(1, 100_000)) / 100
    mailed = draw.random() < 0.2
    return {
        "id": new_id(),
        "number": f"MD-{number:08d}",
        "status": STATUS.get(tab, tab),
        "tab": tab,
        "needs_attention": tab in ("draft", "overdue"),
        "customer_id": customer,
        "customer_name": f"Customer {customer[-6:]}",
        "customer_snapshot": {"id": customer, "name": "Customer", "billing_address": {"country": "US"}},
        "currency": draw.choice(CURRENCIES),
        "app_id": "app",
        "collection_method": "send_invoice" if mailed else "charge_automatically",
        "workflow": {"collection_interval": "PT1H", "draft_period": "P0D", "due_after": "P30D", "auto_advance": True},
        "metadata_": {},
        "amount": total,
        "total": total,
        "issued_at": issued,
        "due_at": issued + timedelta(days=30) if issued and mailed else None,
        "paid_at": issued if tab == "paid" else None,
        "amount_paid": total if tab == "paid" else Decimal(0),
        "amount_remaining": Decimal(0) if tab == "paid" else total,
        "external_id": f"in_{number}",
        "status_since": created,
        "created_at": created,
        "updated_at": created,
    }


async def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billing")
    parser.add_argument("--customers", type=int, default=200, help="how many invoices are made (0: none)")
    parser.add_argument("--invoices", type=int, default=1_000_000, help="how many are listed (0: none)")
    parser.add_argument("--database-url", help="an empty PostgreSQL database instead of SQLite files")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, size in ((make_invoices, wanted.customers), (list_many, wanted.invoices)):
            if not size:
                continue
            url = wanted.database_url or f"sqlite:///{folder}/{part.__name__}.db"
            await asyncio.to_thread(migrate, make_url(url))
            if part is make_invoices:
                await make_invoices(url, folder, size)
            else:
                await list_many(url, size)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
