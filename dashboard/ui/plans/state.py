"""The list of plans, and beginning a draft."""

from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog import plans
from dashboard.catalog.plan_inputs import CreatePlan
from dashboard.catalog.status import PlanStatus
from dashboard.kit.currencies import known_currencies
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, CreatingState, ListState
from dashboard.ui.plans.picture import list_row
from dashboard.ui.plans.views import PlanRow
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting

SORTS = ["key", "version", "updated_at"]
TABS = {"": "All", "active": "Active", "draft": "Draft", "scheduled": "Scheduled", "archived": "Archived"}
CURRENCIES = [ui.Option(code, code) for code in known_currencies()]


class PlansState(CreatingState, ListState, rx.State):
    rows: list[PlanRow] = []

    @rx.event
    @needs("admin")
    async def start_creating(self):
        self.errors, self.creating = {}, True

    @rx.event
    @needs("admin")
    async def create(self, form: dict[str, Any]):
        """A draft with one phase that runs on, which is all that most plans need."""
        self.errors = {}
        names = ("key", "name", "currency", "billing_cadence")
        document: dict[str, Any] = {name: str(form.get(name) or "") for name in names}
        document["phases"] = [{"key": "default", "name": "Default"}]
        try:
            wanted = parse_input(CreatePlan, document)
            async with running().database.transaction(await acting(self)) as work:
                plan = await plans.create_plan(work, wanted)
        except MeterdeskError as error:
            placed = {name: sentence for name, sentence in error.fields.items() if name in names}
            self.errors = placed or {"form": error.for_people()}
            return None
        self.creating = False
        return [ui.toast_success("Draft created"), rx.redirect(f"/plans/{plan.id}")]

    def _topics(self):
        return ("plans",)

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        now = backend.clock.now()
        order, search = address.order(SORTS, "key"), address.search()
        status = address.choice("status", TABS, "")
        async with backend.database.read() as session:
            found = await plans.list_plans(
                session,
                address.page_request(),
                now=now,
                search=search,
                statuses=[PlanStatus(status)] if status else (),
                sort=order.key,
                descending=order.descending,
            )
            counts = await plans.count_plans(session, now=now, search=search)
        self.rows = [list_row(plan, now) for plan in found.items]
        self.tabs = address.tabs("status", TABS, {"": sum(counts.values()), **counts})
        self._show(address, address.pager(found), order, filtered=status != "")
