"""The live inspector of usage events: what came in, for whom it counts, what it adds to which meter."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import reflex as rx

from dashboard.backend import running
from dashboard.customers.queries import customers_by_id, customers_of_subjects, get_customer, usage_names
from dashboard.customers.views import Customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import amount_text
from dashboard.ui.listing import Address, ListState, Pager
from dashboard.ui.roles import needs
from dashboard.ui.views import NO_MOMENT, Moment, exact_text, moment
from dashboard.usage.extraction import extract
from dashboard.usage.meter_rules import MeterRule
from dashboard.usage.queries import live_meters
from dashboard.usage.views import EventFilter, Meter, StoredEvent

PAGE_SIZE = 50
NARROWED = ("customer", "from", "to")
"""What only links of other pages ask for: one customer's events, of a time."""


@dataclass(frozen=True, slots=True)
class EventRow:
    place: str
    id: str
    type: str
    subject: str
    source: str
    customer: str
    customer_href: str
    at: Moment
    stored: Moment
    counts: str
    problem: str
    data: str


class EventsState(ListState, rx.State):
    rows: list[EventRow] = []
    event_type: str = ""
    customer: str = ""
    period: str = ""
    chosen: EventRow = EventRow("", "", "", "", "", "", "", NO_MOMENT, NO_MOMENT, "", "", "")
    shown: bool = False

    @rx.event
    @needs("viewer")
    async def find(self, text: str):
        return rx.redirect(Address.of(self).having(subject=str(text)), replace=True)

    @rx.event
    @needs("viewer")
    async def find_type(self, text: str):
        return rx.redirect(Address.of(self).having(type=str(text)), replace=True)

    @rx.event
    @needs("viewer")
    async def show_all(self):
        return rx.redirect(Address.of(self).having(**dict.fromkeys(NARROWED)), replace=True)

    @rx.event
    @needs("viewer")
    async def open_event(self, place: str):
        found = [row for row in self.rows if row.place == place]
        if found:
            self.chosen, self.shown = found[0], True

    @rx.event
    @needs("viewer")
    async def close_event(self):
        self.shown = False

    def _topics(self):
        return ("events", "meters")

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        after, subject, event_type = address.text("after"), address.text("subject"), address.text("type")
        from_at, to_at = address.time("from"), address.time("to")
        subjects, self.customer = await _customer(address.text("customer"))
        wanted = EventFilter(
            subject=subject.strip() or None,
            subjects=subjects,
            from_at=from_at,
            to_at=to_at,
            type=event_type.strip() or None,
            before=int(after) if after.isdecimal() and len(after) < 19 else None,
            limit=PAGE_SIZE + 1,
        )
        found = await backend.event_store.list_events(wanted)
        async with backend.database.read() as session:
            meters = await live_meters(session)
            owned = await customers_of_subjects(session, sorted({one.event.subject for one in found}))
            customers = await customers_by_id(session, owned.values())
        owners = {subject: customers[customer_id] for subject, customer_id in owned.items()}
        now = backend.clock.now()
        self.rows = [_row(one, meters, owners, now) for one in found[:PAGE_SIZE]]
        self.period = _period(from_at, to_at)
        more = str(found[PAGE_SIZE - 1].place) if len(found) > PAGE_SIZE else ""
        pager = Pager("Newest first", address.having() if after else "", address.having(after=more) if more else "")
        self._show(address, pager, filtered=bool(subject or event_type or self.customer or self.period))
        self.search, self.event_type = subject, event_type


async def _customer(customer_id: str) -> tuple[tuple[str, ...] | None, str]:
    """The names a customer's usage arrives under, and the customer's own; None and nothing for no customer."""
    if not customer_id:
        return None, ""
    try:
        async with running().database.read() as session:
            customer = await get_customer(session, customer_id)
    except MeterdeskError:
        return (), "Nobody"
    return usage_names(customer), customer.name


def _period(from_at: datetime | None, to_at: datetime | None) -> str:
    if from_at is None and to_at is None:
        return ""
    start = "the beginning" if from_at is None else exact_text(from_at)
    return f"{start} – {'now' if to_at is None else exact_text(to_at)}"


def _row(stored: StoredEvent, meters: list[Meter], owners: dict[str, Customer], now: datetime) -> EventRow:
    event = stored.event
    added, problems = [], []
    for meter in meters:
        if meter.event_type != event.type or (meter.event_from and event.time < meter.event_from):
            continue
        rule = MeterRule(meter.key, meter.aggregation.value, meter.event_type, meter.value_property, meter.group_by)
        taken = extract(rule, event.data_json)
        if taken.problem:
            problems.append(f"{meter.key}: {taken.problem}")
        else:
            value = taken.value_string if taken.value is None else amount_text(taken.value)
            added.append(f"{meter.key} {value}")
    customer = owners.get(event.subject)
    return EventRow(
        place=str(stored.place),
        id=event.id,
        type=event.type,
        subject=event.subject,
        source=event.source,
        customer=customer.name if customer else "",
        customer_href=f"/customers/{customer.id}" if customer else "",
        at=moment(event.time, now),
        stored=moment(stored.stored_at, now),
        counts=", ".join(added),
        problem=" ".join(problems),
        data=_pretty(event.data_json),
    )


def _pretty(data_json: str | None) -> str:
    """The data, indented; numbers stay as they were written."""
    if data_json is None:
        return "null"
    return msgspec.json.format(data_json, indent=2)
