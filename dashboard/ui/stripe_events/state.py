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
from dashboard.ui.listing import Address, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import NO_MOMENT, Moment, moment

TABS = {"": "All", "waiting": "Waiting", "failed": "Failed", "applied": "Applied", "ignored": "Ignored"}
STATES = {
    "": tuple(EventState),
    "waiting": (EventState.RECEIVED, EventState.WAITING),
    "failed": (EventState.FAILED,),
    "applied": (EventState.APPLIED,),
    "ignored": (EventState.IGNORED,),
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


class StripeEventsState(ListState, rx.State):
    rows: list[InboxRow] = []
    shown: bool = False
    chosen: InboxRow = InboxRow()
    payload: str = ""
    busy: bool = False

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

    def _enter(self):
        self.shown, self.payload = False, ""

    def _topics(self):
        return ("stripe_events",)

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        tab = address.choice("state", TABS, "")
        wanted = EventFilter(state=STATES[tab] if tab else (), search=address.search())
        async with backend.database.read() as session:
            found = await inbox.list_events(session, wanted, address.page_request())
            counts = await inbox.count_events(session)
        now = backend.clock.now()
        self.rows = [_row(event, now) for event in found.items]
        counted = {name: sum(counts.get(state, 0) for state in states) for name, states in STATES.items()}
        self.tabs = address.tabs("state", TABS, counted)
        self._show(address, address.pager(found), filtered=tab != "")


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
