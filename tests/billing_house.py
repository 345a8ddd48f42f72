"""A desk with the fake provider, for tests of the billing room."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from dashboard.billing.desk import BillingDesk
from dashboard.billing.queries import get_invoice
from dashboard.billing.service import advance_invoice, perform_action
from dashboard.billing.views import Invoice, InvoiceAction
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database
from dashboard.kit.locks import Locks
from dashboard.usage.event_store import EventStore
from tests.cast import ANN
from tests.fakes import FakeInvoicingApp, NoUsage, RecordingOutbox


@dataclass
class House:
    """Everything a billing test reaches for."""

    desk: BillingDesk
    database: Database
    app: FakeInvoicingApp
    outbox: RecordingOutbox
    clock: FixedClock

    async def read(self, invoice_id: str) -> Invoice:
        async with self.database.read() as session:
            return await get_invoice(session, invoice_id, self.clock.now())

    async def advance(self, invoice_id: str) -> Invoice:
        await advance_invoice(self.desk, invoice_id)
        return await self.read(invoice_id)

    async def act(self, invoice_id: str, action: InvoiceAction, **arguments: Any) -> Invoice:
        return await perform_action(self.desk, ANN, invoice_id, action, **arguments)


@pytest.fixture
async def house(database: Database, clock: FixedClock) -> AsyncIterator[House]:
    """A desk over a fresh database; a test with it runs on SQLite and on PostgreSQL."""
    outbox = RecordingOutbox()
    database.outbox = outbox
    app = FakeInvoicingApp(clock)
    locks = Locks(database)
    desk = BillingDesk(database, app, cast(EventStore, NoUsage()), locks)
    yield House(desk, database, app, outbox, clock)
    await locks.close()
