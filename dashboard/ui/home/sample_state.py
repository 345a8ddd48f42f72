"""The demo company on the home page: offered on an empty desk, followed while it is made, removable afterwards."""

import reflex as rx

from dashboard.backend import running
from dashboard.billing.invoice_list import InvoiceFilter, tab_counts
from dashboard.customers.queries import count_customers
from dashboard.kit.errors import MeterdeskError
from dashboard.seed.sample_data import TOPIC, Verb, begin_sample_data, has_sample_data, sample_data_run
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs


class SampleDataState(LiveState, rx.State):
    """`offered` on a desk where nothing is yet, `present` when the demo company is here. `done` of `total` steps."""

    offered: bool = False
    present: bool = False
    loading: bool = False
    removing: bool = False
    step: str = ""
    done: int = 0
    total: int = 1
    problem: str = ""
    remedy: str = ""
    left: list[str] = []

    @rx.event
    @needs("admin")
    async def load_sample_data(self):
        await self._begin("load")

    @rx.event
    @needs("admin")
    async def remove_sample_data(self):
        await self._begin("remove")

    async def _begin(self, verb: Verb):
        try:
            await begin_sample_data(running(), verb)
        except MeterdeskError as error:
            self.problem, self.remedy = error.message, error.what_to_do
            return
        await self._refresh()

    def _topics(self):
        return (TOPIC, "customers")

    async def _refresh(self):
        backend = running()
        async with backend.database.read() as session:
            self.present = await has_sample_data(session)
            is_empty = not self.present and await count_customers(session) == 0
            counts = await tab_counts(session, InvoiceFilter()) if is_empty else []
        self.offered = is_empty and not any(count.count for count in counts if count.tab == "all")
        run = sample_data_run(backend)
        is_running = run is not None and run.is_running
        self.loading = is_running and run.verb == "load"
        self.removing = is_running and run.verb == "remove"
        self.problem = self.remedy = ""
        if run is not None:
            self.step, self.done, self.total, self.left = run.step, run.done, run.total, list(run.left)
            if run.problem is not None:
                self.problem, self.remedy = run.problem.message, run.problem.what_to_do
