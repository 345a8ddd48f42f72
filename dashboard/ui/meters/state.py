"""Meters: the list, and the builder with its preview on real events."""

from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.money import amount_text
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, CreatingState, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import Moment, moment
from dashboard.usage import queries, service
from dashboard.usage.extraction import extract
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.meter_rules import MeterRule, refuse_bad_meter
from dashboard.usage.views import EventFilter, Meter

PREVIEWED_EVENTS = 20
SORTS = ["key", "name", "aggregation", "created_at"]


@dataclass(frozen=True, slots=True)
class MeterRow:
    href: str
    key: str
    name: str
    aggregation: str
    event_type: str
    value: str
    created: Moment


@dataclass(frozen=True, slots=True)
class PreviewRow:
    subject: str
    value: str
    dimensions: str
    problem: str


class MetersState(CreatingState, ListState, rx.State):
    rows: list[MeterRow] = []
    preview: list[PreviewRow] = []
    previewed: bool = False
    intent: str = "create"

    @rx.event
    @needs("admin")
    async def start_creating(self):
        self._enter()
        self.creating = True

    @rx.event
    @needs("admin")
    async def intend(self, intent: str):
        """Which of the form's two buttons was pressed; the browser sends this before the form itself."""
        self.intent = "preview" if intent == "preview" else "create"

    @rx.event
    @needs("admin")
    async def submit(self, form: dict):
        self.errors = {}
        try:
            wanted = _wanted(form)
            if self.intent == "preview":
                await self._preview(wanted)
                return None
            backend = running()
            meter = await service.create_meter(backend.database, backend.event_store, await acting(self), wanted)
        except MeterdeskError as error:
            self.errors = _on_form(error)
            return None
        self.creating = False
        return [ui.toast_success("Meter created"), rx.redirect(f"/meters/{meter.key}")]

    async def _preview(self, wanted: CreateMeter):
        rule = MeterRule(
            wanted.key, wanted.aggregation.value, wanted.event_type, wanted.value_property, wanted.group_by
        )
        refuse_bad_meter(rule)
        found = await running().event_store.list_events(EventFilter(type=wanted.event_type, limit=PREVIEWED_EVENTS))
        self.preview = [_preview_row(rule, one.event.subject, one.event.data_json) for one in found]
        self.previewed = True

    def _enter(self):
        super()._enter()
        self.preview, self.previewed = [], False

    def _topics(self):
        return ("meters",)

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        order = address.order(SORTS, "key")
        async with backend.database.read() as session:
            found = await queries.list_meters(
                session,
                address.page_request(),
                search=address.search(),
                sort=order.key,
                descending=order.descending,
            )
        now = backend.clock.now()
        self.rows = [_meter_row(meter, now) for meter in found.items]
        self._show(address, address.pager(found), order)


def _wanted(form: dict) -> CreateMeter:
    aggregation = str(form.get("aggregation") or "")
    group_by = {}
    for line in str(form.get("group_by") or "").splitlines():
        name, _, path = line.partition("=")
        if name.strip():
            group_by[name.strip()] = path.strip()
    return parse_input(
        CreateMeter,
        {
            "key": form.get("key") or "",
            "name": form.get("name") or None,
            "description": form.get("description") or None,
            "event_type": form.get("event_type") or "",
            "aggregation": aggregation,
            "value_property": None if aggregation == "COUNT" else form.get("value_property") or None,
            "group_by": group_by,
        },
    )


def _on_form(error: MeterdeskError) -> dict[str, str]:
    """The refusal on the fields of the builder; dimensions share one field."""
    fields: dict[str, str] = {}
    for name, sentence in error.fields.items():
        fields.setdefault("group_by" if name.startswith("group_by") else name, sentence)
    return fields or {"form": error.for_people()}


def _preview_row(rule: MeterRule, subject: str, data_json: str | None) -> PreviewRow:
    taken = extract(rule, data_json)
    value = taken.value_string if taken.value is None else amount_text(taken.value)
    dimensions = ", ".join(f"{name} {text}" for name, text in taken.group_by.items() if text)
    return PreviewRow(subject, "" if taken.problem else value or "", dimensions, taken.problem or "")


def _meter_row(meter: Meter, now: datetime) -> MeterRow:
    return MeterRow(
        f"/meters/{meter.key}",
        meter.key,
        meter.name,
        meter.aggregation.value,
        meter.event_type,
        meter.value_property or "",
        moment(meter.created_at, now),
    )
