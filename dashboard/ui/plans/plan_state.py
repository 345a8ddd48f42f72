"""One version of a plan: its general fields, its phases, and its life from draft to archive."""

from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog import plans
from dashboard.catalog.plan_views import Plan
from dashboard.catalog.status import PlanStatus
from dashboard.catalog.tax_codes import tax_codes_by_id
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.queries import subscriptions_of_plan
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.waits import text_from_wait, wait_from_text
from dashboard.ui.live import LiveState
from dashboard.ui.plans.editing import Json, edit_plan, phase_at
from dashboard.ui.plans.picture import picture_of
from dashboard.ui.plans.views import PhaseForm, PhaseRow, PlanDetails, VersionRow
from dashboard.ui.plans.words import PLAN_CADENCES, cadence_options
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import moment

VERSIONS_SHOWN = 20


class PlanState(LiveState, rx.State):
    loading: bool = True
    missing: bool = False
    plan: PlanDetails = PlanDetails()
    phases: list[PhaseRow] = []
    issues: dict[str, str] = {}
    issue_count: int = 0
    versions: list[VersionRow] = []
    replaces: str = ""
    open_draft: str = ""
    cadences: list[ui.Option] = []
    errors: dict[str, str] = {}
    problem: str = ""
    editing: bool = False
    phase_open: bool = False
    phase_form: PhaseForm = PhaseForm()
    phase_errors: dict[str, str] = {}
    chosen_place: str = ""
    chosen_key: str = ""
    chosen_name: str = ""

    @rx.event
    @needs("admin")
    async def start_editing(self):
        self.errors, self.editing = {}, True

    @rx.event
    @needs("admin")
    async def stop_editing(self):
        self.editing = False

    @rx.event
    @needs("admin")
    async def save(self, form: dict[str, Any]):
        """The general fields."""
        self.errors = {}

        def change(document: Json) -> None:
            document["name"] = str(form.get("name") or "")
            document["description"] = str(form.get("description") or "").strip() or None
            document["billing_cadence"] = str(form.get("billing_cadence") or "")
            document["pro_rating_enabled"] = form.get("pro_rating") == "on"

        try:
            await edit_plan(await acting(self), self.plan.id, change)
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
            return None
        self.editing = False
        await self._refresh()
        return ui.toast_success("Saved")

    @rx.event
    @needs("admin")
    async def add_phase(self):
        self.phase_form, self.phase_errors, self.phase_open = PhaseForm(), {}, True

    @rx.event
    @needs("admin")
    async def edit_phase(self, place: str):
        plan = await self._read()
        if not str(place).isdecimal() or int(place) >= len(plan.phases):
            return None
        phase = plan.phases[int(place)]
        wait = wait_from_text(phase.duration) if phase.duration else None
        self.phase_form = PhaseForm(
            place=str(place),
            name=phase.name,
            key=phase.key,
            duration_amount=wait.amount if wait else "",
            duration_unit=wait.unit if wait else "",
        )
        self.phase_errors, self.phase_open = {}, True
        return None

    @rx.event
    @needs("admin")
    async def close_phase(self):
        self.phase_open = False

    @rx.event
    @needs("admin")
    async def save_phase(self, form: dict[str, Any]):
        self.phase_errors = {}
        shown = self.phase_form
        place = f"phases.{shown.place or len(self.phases)}."
        try:
            fields = _phase_fields(form)

            def change(document: Json) -> None:
                if shown.place:
                    document["phases"][phase_at(document, shown.place, shown.key)].update(fields)
                else:
                    document["phases"].append({**fields, "rate_cards": []})

            await edit_plan(await acting(self), self.plan.id, change)
        except MeterdeskError as error:
            found = {name.removeprefix(place): sentence for name, sentence in error.fields.items()}
            self.phase_errors = found or {"form": error.for_people()}
            return None
        self.phase_open = False
        await self._refresh()
        return ui.toast_success("Phase saved")

    @rx.event
    @needs("admin")
    async def move_phase_up(self, place: str):
        shown = next((phase for phase in self.phases if phase.place == str(place)), None)
        if shown is None or shown.is_first:
            return None

        def change(document: Json) -> None:
            at = phase_at(document, shown.place, shown.key)
            phases = document["phases"]
            phases[at - 1], phases[at] = phases[at], phases[at - 1]

        return await self._edit(change)

    @rx.event
    @needs("admin")
    async def choose_phase(self, place: str):
        """Which phase the confirmation is about."""
        shown = next((phase for phase in self.phases if phase.place == str(place)), None)
        if shown is not None:
            self.chosen_place, self.chosen_key, self.chosen_name = shown.place, shown.key, shown.name

    @rx.event
    @needs("admin")
    async def remove_phase(self):
        place, key = self.chosen_place, self.chosen_key

        def change(document: Json) -> None:
            del document["phases"][phase_at(document, place, key)]

        return await self._edit(change)

    @rx.event
    @needs("admin")
    async def publish(self):
        return await self._do(plans.publish_plan, f"Version {self.plan.version} is in effect")

    @rx.event
    @needs("admin")
    async def archive(self):
        return await self._do(plans.archive_plan, "Version archived")

    @rx.event
    @needs("admin")
    async def next_version(self):
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                made = await plans.next_plan_version(work, self.plan.id)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success(f"Draft of version {made.version} created"), rx.redirect(f"/plans/{made.id}")]

    @rx.event
    @needs("admin")
    async def delete(self):
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                used_by = await subscriptions_of_plan(work.session, self.plan.id)
                await plans.delete_plan(work, self.plan.id, used_by=used_by)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success("Version deleted"), rx.redirect("/plans")]

    async def _do(self, verb: Any, done: str):
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                await verb(work, self.plan.id)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        await self._refresh()
        return ui.toast_success(done)

    async def _edit(self, change: Any):
        self.problem = ""
        try:
            await edit_plan(await acting(self), self.plan.id, change)
        except MeterdeskError as error:
            self.problem = error.for_people()
        await self._refresh()

    async def _read(self) -> Plan:
        backend = running()
        async with backend.database.read() as session:
            return await plans.get_plan(session, self.plan_id, now=backend.clock.now())

    def _enter(self):
        self.errors, self.phase_errors, self.problem = {}, {}, ""
        self.editing, self.phase_open = False, False

    def _topics(self):
        return ("plans", "features", "tax_codes", "subscriptions")

    async def _refresh(self):
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                plan = await plans.get_plan(session, self.plan_id, now=now)
                codes = {card.tax.tax_code_id for phase in plan.phases for card in phase.rate_cards}
                tax_codes = await tax_codes_by_id(session, [code for code in codes if code])
                used_by = await subscriptions_of_plan(session, plan.id)
                request = PageRequest(size=VERSIONS_SHOWN)
                versions = await plans.list_plans(
                    session, request, now=now, keys=[plan.key], sort="version", descending=True
                )
        except MeterdeskError:
            self.missing, self.loading = True, False
            return
        shown = picture_of(plan, len(used_by), tax_codes, now)
        self.plan, self.phases = shown.details, shown.phases
        self.issues, self.issue_count = shown.errors, shown.issue_count
        self.cadences = cadence_options(PLAN_CADENCES, plan.billing_cadence)
        self.versions = [
            VersionRow(
                f"/plans/{one.id}",
                f"Version {one.version}",
                one.status.value,
                one.id == plan.id,
                moment(one.effective_from, now),
            )
            for one in versions.items
        ]
        active = [one for one in versions.items if one.status is PlanStatus.ACTIVE and one.id != plan.id]
        self.replaces = f"version {active[0].version}" if active else ""
        drafts = [one for one in versions.items if one.status is PlanStatus.DRAFT and one.id != plan.id]
        self.open_draft = f"/plans/{drafts[0].id}" if drafts else ""
        self.missing, self.loading = False, False


def _phase_fields(form: dict[str, Any]) -> Json:
    unit, amount = str(form.get("duration_unit") or ""), str(form.get("duration_amount") or "")
    return {
        "name": str(form.get("name") or ""),
        "key": str(form.get("key") or ""),
        "duration": text_from_wait(amount, unit, field="duration") if unit else None,
    }
