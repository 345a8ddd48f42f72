"""The list of features, making one and archiving one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog import features
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.catalog.plan_views import Feature
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, CreatingState, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import Moment, moment
from dashboard.usage.queries import live_meters

SORTS = ["key", "name", "created_at"]
TABS = {"": "In use", "all": "All, archived too"}


@dataclass(frozen=True, slots=True)
class FeatureRow:
    id: str
    key: str
    name: str
    meter: str
    meter_href: str
    filters: str
    is_archived: bool
    created: Moment


class FeaturesState(CreatingState, ListState, rx.State):
    rows: list[FeatureRow] = []
    meters: list[ui.Option] = []
    dimensions_of: dict[str, str] = {}
    dimensions: str = ""
    chosen_id: str = ""
    chosen_name: str = ""

    @rx.event
    @needs("admin")
    async def start_creating(self):
        async with running().database.read() as session:
            meters = await live_meters(session)
        self.meters = [ui.Option(meter.key, f"{meter.name} ({meter.key})") for meter in meters]
        self.dimensions_of = {meter.key: ", ".join(sorted(meter.group_by)) for meter in meters}
        self.errors, self.dimensions, self.creating = {}, "", True

    @rx.event
    @needs("admin")
    async def choose_meter(self, key: str):
        self.dimensions = self.dimensions_of.get(str(key), "")

    @rx.event
    @needs("admin")
    async def create(self, form: dict[str, Any]):
        self.errors = {}
        try:
            wanted = parse_input(CreateFeature, feature_from(form))
            async with running().database.transaction(await acting(self)) as work:
                await features.create_feature(work, wanted)
        except MeterdeskError as error:
            self.errors = _on_form(error)
            return None
        self.creating = False
        await self._refresh()
        return ui.toast_success("Feature created")

    @rx.event
    @needs("admin")
    async def choose(self, feature_id: str):
        """Which feature the confirmation is about."""
        chosen = next((row for row in self.rows if row.id == str(feature_id)), None)
        self.chosen_id, self.chosen_name = (chosen.id, chosen.name) if chosen else ("", "")

    @rx.event
    @needs("admin")
    async def archive(self):
        try:
            async with running().database.transaction(await acting(self)) as work:
                await features.archive_feature(work, self.chosen_id)
        except MeterdeskError as error:
            return ui.toast_error(error)
        await self._refresh()
        return ui.toast_success("Feature archived")

    def _topics(self):
        return ("features", "meters")

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        order = address.order(SORTS, "key")
        async with backend.database.read() as session:
            found = await features.list_features(
                session,
                address.page_request(),
                search=address.search(),
                include_archived=address.choice("show", TABS, "") == "all",
                sort=order.key,
                descending=order.descending,
            )
        now = backend.clock.now()
        self.rows = [_row(feature, now) for feature in found.items]
        self.tabs = address.tabs("show", TABS)
        self._show(address, address.pager(found), order)


def feature_from(form: dict[str, Any]) -> dict[str, Any]:
    """The fields of the form as the service's input takes them; a filter is a line such as `model = gpt-4, gpt-4o`."""
    filters: dict[str, list[str]] = {}
    for line in str(form.get("filters") or "").splitlines():
        name, _, values = line.partition("=")
        if name.strip():
            filters[name.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return {
        "key": str(form.get("key") or ""),
        "name": str(form.get("name") or ""),
        "description": str(form.get("description") or "") or None,
        "meter": str(form.get("meter") or "") or None,
        "filters": filters,
    }


def _on_form(error: MeterdeskError) -> dict[str, str]:
    placed: dict[str, str] = {}
    for name, sentence in error.fields.items():
        field = name.partition(".")[0]
        if field in ("key", "name", "description", "meter", "filters"):
            placed.setdefault(field, sentence)
    return placed or {"form": error.for_people()}


def _row(feature: Feature, now: datetime) -> FeatureRow:
    filters = "; ".join(f"{name} = {', '.join(values)}" for name, values in sorted(feature.filters.items()))
    return FeatureRow(
        id=feature.id,
        key=feature.key,
        name=feature.name,
        meter=feature.meter_key or "",
        meter_href=f"/meters/{feature.meter_key}" if feature.meter_key else "",
        filters=filters,
        is_archived=feature.archived_at is not None,
        created=moment(feature.created_at, now),
    )
