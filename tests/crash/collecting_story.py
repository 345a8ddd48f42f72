"""The story of usage: collected when its period is over, measured, rated, invoiced."""

import json
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.invoice_inputs import CreatePendingLines, PendingLineInput
from dashboard.billing.service import create_pending_lines
from dashboard.billing.tables import InvoiceRow
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.customers.queries import live_customer
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.service import create_meter
from dashboard.usage.views import Aggregation, UsageEvent
from tests.crash.invoice_stories import InvoiceStory
from tests.crash.stories import ADA


class Collecting(InvoiceStory):
    """A metered line whose time has come: the worker makes the invoice, fixes the quantity, rates it, sends it."""

    subtotal = "12"
    is_swept = True

    async def found(self) -> None:
        await super().found()
        backend = self.site.backend
        calls = CreateMeter(key="calls", event_type="call", aggregation=Aggregation.SUM, value_property="$.calls")
        await create_meter(backend.database, backend.event_store, ADA, calls)
        async with backend.database.transaction(ADA) as work:
            await create_feature(work, CreateFeature(key="api_calls", name="API calls", meter="calls"))

    async def prepare(self) -> str:
        subject = await super().prepare()
        backend = self.site.backend
        async with backend.database.read() as session:
            [key] = (await live_customer(session, subject)).subject_keys
        at = backend.clock.now() - timedelta(days=15)
        await backend.event_store.ingest(
            [
                UsageEvent(f"{key}{calls}", "app", "call", key, at, json.dumps({"calls": calls}), at)
                for calls in (100, 20)
            ]
        )
        return subject

    async def act(self, subject: str) -> None:
        backend = self.site.backend
        end = backend.clock.now() - timedelta(days=1)
        start = end - timedelta(days=30)
        line = PendingLineInput(
            name="API calls",
            price={"type": "unit", "amount": "0.10"},
            feature_key="api_calls",
            period_from=start,
            period_to=end,
            invoice_at=end,
        )
        async with backend.database.transaction(ADA) as work:
            await create_pending_lines(work, CreatePendingLines(customer_id=subject, lines=(line,)))

    async def is_known(self, subject: str) -> bool:
        query = select(col(InvoiceRow.id)).where(col(InvoiceRow.customer_id) == subject)
        async with self.site.backend.database.read() as session:
            return await session.scalar(query.limit(1)) is not None

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [line] = (await self.invoice(subject)).lines
        assert (line.metered_quantity, line.quantity) == (120, 120)
