"""Which plans a customer is on, and what they used lately."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import reflex as rx

from dashboard.backend import running
from dashboard.customers.queries import get_customer, usage_names
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_quantity
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.queries import list_subscriptions
from dashboard.ui.live import LiveState
from dashboard.ui.views import Moment, day
from dashboard.usage.queries import list_meters, query_meter
from dashboard.usage.views import MeterQuery

LOOKED_BACK = timedelta(days=30)
SUBSCRIPTIONS_SHOWN = 5
METERS_ASKED = 20


@dataclass(frozen=True, slots=True)
class PlanRow:
    href: str
    name: str
    status: str
    since: Moment
    until: Moment


@dataclass(frozen=True, slots=True)
class UsedRow:
    href: str
    meter: str
    quantity: str


class CustomerUsageState(LiveState, rx.State):
    known: bool = False
    subscriptions: list[PlanRow] = []
    subscriptions_href: str = ""
    used: list[UsedRow] = []
    names: str = ""
    events_href: str = ""

    def _topics(self):
        return (f"customers/{self.customer_id}", "subscriptions")

    async def _refresh(self):
        # `customer_id` is the page's part of the address.
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                customer = await get_customer(session, self.customer_id)
                found = await list_subscriptions(
                    session, PageRequest(size=SUBSCRIPTIONS_SHOWN), now=now, customer_ids=[customer.id]
                )
                meters = await list_meters(session, PageRequest(size=METERS_ASKED))
        except MeterdeskError:
            self.subscriptions, self.used, self.known = [], [], True
            return
        subjects, since = usage_names(customer), now - LOOKED_BACK
        self.names = ", ".join(subjects)
        self.subscriptions = [
            PlanRow(
                href=f"/subscriptions/{one.id}",
                name=one.name,
                status=one.status.value,
                since=day(one.active_from, now),
                until=day(one.active_to, now),
            )
            for one in found.items
        ]
        self.subscriptions_href = f"/subscriptions?{urlencode({'customer': customer.id})}"
        self.events_href = f"/events?{urlencode({'customer': customer.id})}"
        used: list[UsedRow] = []
        for meter in meters.items if subjects else ():
            query = MeterQuery(from_at=since, to_at=now + timedelta(seconds=1), subjects=subjects)
            for row in await query_meter(backend.event_store, meter, query):
                href = f"/meters/{meter.key}?{urlencode({'customer': customer.id})}"
                used.append(UsedRow(href, meter.name, format_quantity(row.value)))
        self.used, self.known = used, True
