"""The inbox of Stripe's events: what came, what became of it and why."""

import json
from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app import apply, inbox
from dashboard.stripe_app.inputs import EventFilter
from dashboard.stripe_app.views import EventState, StripeEvent
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, Pager, Tab
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import NO_MOMENT, Moment, moment

TABS = {
    "": ("All", ()),
    "waiting": ("Waiting", (EventState.RECEIVED, EventState.WAITING)),
    "failed": ("Failed", (EventState.FAILED,)),
    "applied": ("Applied", (EventState.APPLIED,)),
    "ignored": ("Ignored", (EventState.IGNORED,)),
}


@dataclass(frozen=True, slots=True)
class InboxRow:
    id: str = ""
    event_id: str = ""
    type: str = ""
    object_id: str = ""
    href: str = ""
    state: str = ""
    reason: str = ""
    via: str = ""
    attempts: str = ""
    created: Moment = NO_MOMENT
    received: Moment = NO_MOMENT
    next_attempt: Moment = NO_MOMENT


class StripeEventsState(rx.State):
    loading: bool = True
    rows: list[InboxRow] = []
    tabs: list[Tab] = []
    pager: Pager = Pager()
    search: str = ""
    filtered: bool = False
    shown: bool = False
    chosen: InboxRow = InboxRow()
    payload: str = ""
    busy: bool = False

    @rx.event
    @needs("viewer")
    async def load(self):
        self.shown, self.payload = False, ""
        await self._refresh()
        return StripeEventsState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self):
        async for _ in news(self, "stripe_events"):
            async with self:
                await self._refresh()

    @rx.event
    @needs("viewer")
    async def find(self, text: str):
        return rx.redirect(Address.of(self).having(q=text.strip()), replace=True)

    @rx.event
    @needs("viewer")
    async def open_event(self, event_id: str):
        backend = running()
        try:
            async with backend.database.read() as session:
                detail = await inbox.get_event(session, str(event_id))
        except MeterdeskError as error:
            return ui.toast_error(error.message, error.what_to_do)
        self.chosen = _row(detail.event, backend.clock.now())
        self.payload = json.dumps(detail.payload, indent=2, ensure_ascii=False)
        self.shown = True
        return None

    @rx.event
    @needs("viewer")
    async def close_event(self):
        self.shown, self.payload = False, ""

    @rx.event(background=True)
    @needs("operator")
    async def apply_again(self):
        async with self:
            self.busy = True
            actor, event_id = await acting(self), self.chosen.id
        try:
            await apply.apply_again(running().stripe, actor, event_id)
            yield ui.toast_success("Applied again")
            yield StripeEventsState.open_event(event_id)
        except MeterdeskError as error:
            yield ui.toast_error(error.message, error.what_to_do)
        finally:
            async with self:
                self.busy = False

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        tab = address.choice("state", TABS, "")
        search = address.text("q")
        async with backend.database.read() as session:
            found = await inbox.list_events(
                session, EventFilter(state=TABS[tab][1], search=search or None), address.page_request()
            )
            counts = await inbox.count_events(session)
        now = backend.clock.now()
        self.search, self.filtered = search, bool(search or tab)
        self.rows = [_row(event, now) for event in found.items]
        self.tabs = [
            Tab(label, address.having(state=name), _count(states, counts), name == tab)
            for name, (label, states) in TABS.items()
        ]
        self.pager = address.pager(found)
        self.loading = False


def _count(states: tuple[EventState, ...], counts: dict[EventState, int]) -> str:
    total = sum(counts.get(state, 0) for state in states) if states else sum(counts.values())
    return f"{total:,}" if total else ""


def _row(event: StripeEvent, now: datetime) -> InboxRow:
    href = ""
    if event.invoice_id:
        href = f"/invoices/{event.invoice_id}"
    elif event.customer_id:
        href = f"/customers/{event.customer_id}"
    return InboxRow(
        id=event.id,
        event_id=event.event_id,
        type=event.type,
        object_id=event.object_id or "",
        href=href,
        state=event.state.value,
        reason=event.reason or "",
        via=event.via,
        attempts=str(event.attempts),
        created=moment(event.created_at, now),
        received=moment(event.received_at, now),
        next_attempt=moment(event.next_attempt_at, now),
    )
