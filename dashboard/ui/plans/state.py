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
from dashboard.kit.paging import PageRequest
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, Pager, SortLink, Tab
from dashboard.ui.live import news
from dashboard.ui.plans.picture import list_row
from dashboard.ui.plans.views import PlanRow
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting

SORTS = ["key", "version", "updated_at"]
TABS = {"": "All", "active": "Active", "draft": "Draft", "scheduled": "Scheduled", "archived": "Archived"}
CURRENCIES = [ui.Option(code, code) for code in known_currencies()]


class PlansState(rx.State):
    loading: bool = True
    rows: list[PlanRow] = []
    tabs: list[Tab] = []
    sort: dict[str, SortLink] = {}
    pager: Pager = Pager()
    search: str = ""
    filtered: bool = False
    errors: dict[str, str] = {}
    creating: bool = False

    @rx.event
    @needs("viewer")
    async def load(self):
        self.errors, self.creating = {}, False
        await self._refresh()
        return PlansState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self):
        async for _ in news(self, "plans"):
            async with self:
                await self._refresh()

    @rx.event
    @needs("viewer")
    async def find(self, text: str):
        return rx.redirect(Address.of(self).having(q=text.strip()), replace=True)

    @rx.event
    @needs("admin")
    async def start_creating(self):
        self.errors, self.creating = {}, True

    @rx.event
    @needs("admin")
    async def stop_creating(self):
        self.creating = False

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

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        now = backend.clock.now()
        chosen = address.choice("sort", [*SORTS, *(f"-{name}" for name in SORTS)], "key")
        status = address.choice("status", TABS, "")
        search = address.text("q") or None
        counts: dict[str, int] = {}
        async with backend.database.read() as session:
            found = await plans.list_plans(
                session,
                address.page_request(),
                now=now,
                search=search,
                statuses=[PlanStatus(status)] if status else (),
                sort=chosen.removeprefix("-"),
                descending=chosen.startswith("-"),
            )
            for name in TABS:
                wanted = [PlanStatus(name)] if name else ()
                page = PageRequest(size=1)
                counts[name] = (
                    await plans.list_plans(session, page, now=now, search=search, statuses=wanted)
                ).total_count
        self.search, self.filtered = address.text("q"), bool(search or status)
        self.rows = [list_row(plan, now) for plan in found.items]
        self.tabs = [
            Tab(words, address.having(status=name), f"{counts[name]:,}" if counts[name] else "", name == status)
            for name, words in TABS.items()
        ]
        self.sort = address.sort_links(SORTS, current=chosen)
        self.pager = address.pager(found)
        self.loading = False
