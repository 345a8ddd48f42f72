"""One meter: what it counts, and its usage as a drawing, a table and CSV."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import reflex as rx

from dashboard.backend import running
from dashboard.catalog.features import features_of_meter
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_quantity
from dashboard.ui import components as ui
from dashboard.ui.listing import Address
from dashboard.ui.live import LiveState
from dashboard.ui.meters.explorer import (
    CUSTOM,
    RANGES,
    UsageRow,
    answer,
    csv_of,
    customers_with_usage,
    drawing_of,
    groups_of,
    question_of,
    rows_of,
)
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import NO_MOMENT, Moment, moment
from dashboard.usage import queries, service
from dashboard.usage.views import Meter

ROWS_SHOWN = 200
TIME = ("range", "from", "to")
"""The query names that say which time is shown."""


@dataclass(frozen=True, slots=True)
class MeterDetails:
    id: str = ""
    key: str = ""
    name: str = ""
    description: str = ""
    aggregation: str = ""
    event_type: str = ""
    value_property: str = ""
    dimensions: str = ""
    features: str = ""
    created: Moment = NO_MOMENT


class MeterState(LiveState, rx.State):
    """`total` is what the meter measured over all of `period`; `series` names what the drawing tells apart."""

    loading: bool = True
    missing: bool = False
    meter: MeterDetails = MeterDetails()
    total: str = ""
    period: str = ""
    range: str = "30d"
    ranges: list[ui.Option] = []
    window: str = "DAY"
    group: str = ""
    group_name: str = ""
    groups: list[ui.Option] = []
    customer: str = ""
    customers: list[ui.Option] = []
    series: list[str] = []
    chart: list[dict[str, str | float]] = []
    rows: list[UsageRow] = []
    more_rows: str = ""
    events_href: str = ""
    problem: str = ""

    @rx.event
    @needs("viewer")
    async def choose_range(self, value: str):
        if value != CUSTOM:
            return rx.redirect(Address.of(self).having(**{**dict.fromkeys(TIME), "range": value}), replace=True)

    @rx.event
    @needs("viewer")
    async def choose_window(self, value: str):
        return rx.redirect(Address.of(self).having(window=value), replace=True)

    @rx.event
    @needs("viewer")
    async def choose_group(self, value: str):
        return rx.redirect(Address.of(self).having(by=value), replace=True)

    @rx.event
    @needs("viewer")
    async def choose_customer(self, value: str):
        return rx.redirect(Address.of(self).having(customer=value), replace=True)

    @rx.event
    @needs("viewer")
    async def export(self):
        """Every row of what is shown, as CSV."""
        backend = running()
        try:
            async with backend.database.read() as session:
                meter = await queries.get_meter(session, self.meter_key)
            asked = question_of(Address.of(self), meter, backend.clock.now())
            found = await answer(backend, meter, asked)
        except MeterdeskError as error:
            return ui.toast_error(error)
        return rx.download(data=csv_of(found, asked), filename=f"{meter.key}-usage.csv")

    @rx.event
    @needs("admin")
    async def delete(self):
        backend = running()
        try:
            async with backend.database.read() as session:
                used_by = await features_of_meter(session, self.meter.id)
            await service.delete_meter(
                backend.database, backend.event_store, await acting(self), self.meter.id, used_by=used_by
            )
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success("Meter deleted"), rx.redirect("/meters")]

    def _enter(self):
        self.problem = ""

    def _topics(self):
        return ("events", "meters")

    async def _refresh(self):
        # `meter_key` is the page's part of the address.
        address = Address.of(self)
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                meter = await queries.get_meter(session, self.meter_key)
                features = await features_of_meter(session, meter.id)
        except MeterdeskError:
            self.missing, self.loading = True, False
            return
        self.missing, self.meter = False, _details(meter, features, now)
        asked = question_of(address, meter, now)
        try:
            found = await answer(backend, meter, asked)
        except MeterdeskError as error:
            self.problem, self.loading = error.for_people(), False
            return
        self.range, self.window, self.group, self.customer = asked.range, asked.window, asked.group, asked.customer_id
        self.period = asked.period
        custom = [ui.Option(CUSTOM, asked.days)] if asked.range == CUSTOM else []
        self.ranges = [*custom, *(ui.Option(value, text) for value, text in RANGES.items())]
        self.groups = [ui.Option(value, text) for value, text in groups_of(meter)]
        self.group_name = next((text for value, text in groups_of(meter) if value and value == asked.group), "")
        self.customers = [ui.Option("", "All customers")]
        self.customers += [ui.Option(*one) for one in await customers_with_usage(backend, meter, asked)]
        self.total = "none" if found.total is None else format_quantity(found.total)
        rows = rows_of(found, asked)
        self.rows = rows[:ROWS_SHOWN]
        self.more_rows = f"The newest {ROWS_SHOWN} of {len(rows):,} rows; the CSV has all." if rows[ROWS_SHOWN:] else ""
        self.series, self.chart = drawing_of(found, asked)
        self.events_href = "/events?" + urlencode(
            {
                "type": meter.event_type,
                **({"customer": asked.customer_id} if asked.customer_id else {}),
                "from": asked.from_at.isoformat(),
                "to": asked.to_at.isoformat(),
            }
        )
        self.loading = False


def _details(meter: Meter, features: tuple[str, ...], now: datetime) -> MeterDetails:
    return MeterDetails(
        meter.id,
        meter.key,
        meter.name,
        meter.description or "",
        meter.aggregation.value,
        meter.event_type,
        meter.value_property or "",
        ", ".join(f"{name} = {path}" for name, path in sorted(meter.group_by.items())),
        ", ".join(features),
        moment(meter.created_at, now),
    )
