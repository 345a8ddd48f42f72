"""The dialog of a rate card: its form, and the price preview."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog.features import list_features
from dashboard.catalog.plan_inputs import RateCardInput
from dashboard.catalog.plan_views import Plan, RateCard
from dashboard.catalog.plans import get_plan
from dashboard.catalog.tax_codes import list_tax_codes
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.ui import components as ui
from dashboard.ui.plans.card_form import (
    FLAT_FEE,
    MODEL_WORDS,
    MODELS,
    NEW_TIERS,
    ONCE,
    USAGE_BASED,
    CardForm,
    TierRow,
    document_of,
    errors_of,
    form_of,
)
from dashboard.ui.plans.editing import Json, PlanMovedOn, card_at, edit_plan
from dashboard.ui.plans.plan_state import PlanState
from dashboard.ui.plans.price_preview import DEFAULT_QUANTITY, PreviewLine, price_preview
from dashboard.ui.plans.words import CARD_CADENCES, cadence_options
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting

CHOICES_MAX = 500


class CardState(rx.State):
    """`place` is `phase.card` of the card that is open, `phase.` for a new one."""

    open: bool = False
    place: str = ""
    form: CardForm = CardForm()
    kind: str = FLAT_FEE
    model: str = "flat"
    models: list[ui.Option] = []
    cadences: list[ui.Option] = []
    feature_key: str = ""
    tiers: list[TierRow] = []
    features: list[ui.Option] = []
    tax_codes: list[ui.Option] = []
    errors: dict[str, str] = {}
    intent: str = "save"
    chosen_name: str = ""
    preview_open: bool = False
    quantity: str = DEFAULT_QUANTITY
    preview_sentence: str = ""
    preview_lines: list[PreviewLine] = []
    preview_steps: list[str] = []
    preview_problem: str = ""

    @rx.event
    @needs("admin")
    async def add(self, phase: str, kind: str):
        self.place = f"{phase}."
        flat = kind != USAGE_BASED
        form = CardForm() if flat else CardForm(kind=USAGE_BASED, model="unit")
        await self._open(form)

    @rx.event
    @needs("admin")
    async def edit(self, place: str):
        found = _card(await self._plan(), str(place))
        if found is None:
            return
        self.place = str(place)
        await self._open(form_of(found))

    @rx.event
    @needs("admin")
    async def close(self):
        self.open = False

    @rx.event
    @needs("admin")
    async def choose_kind(self, kind: str):
        if kind in MODELS:
            self.kind = kind
            self._offer(MODELS[kind][0])

    @rx.event
    @needs("admin")
    async def choose_model(self, model: str):
        if model in MODELS[self.kind]:
            self._offer(model)

    @rx.event
    @needs("admin")
    async def choose_feature(self, key: str):
        self.feature_key = str(key)

    @rx.event
    @needs("admin")
    async def add_tier(self):
        numbers = [int(tier.id) for tier in self.tiers]
        self.tiers = [*self.tiers, TierRow(str(max(numbers, default=0) + 1))]

    @rx.event
    @needs("admin")
    async def remove_tier(self, tier_id: str):
        self.tiers = [tier for tier in self.tiers if tier.id != str(tier_id)]

    @rx.event
    @needs("admin")
    async def intend(self, intent: str):
        """Which of the form's two buttons was pressed; the browser sends this before the form itself."""
        self.intent = "preview" if intent == "preview" else "save"

    @rx.event
    @needs("admin")
    async def submit(self, form: dict[str, Any]):
        """Saves the rate card into the draft, or only shows what it would charge."""
        self.errors = {}
        if self.intent == "preview":
            await self._preview_form(form)
            return None
        tier_ids = [tier.id for tier in self.tiers]
        phase, _, number = self.place.partition(".")
        shown_key, placed = self.form.key, [""]

        def change(document: Json) -> None:
            if number:
                at, card = card_at(document, self.place, shown_key)
            elif phase.isdecimal() and int(phase) < len(document["phases"]):
                at = int(phase)
                card = len(document["phases"][at]["rate_cards"])
            else:
                raise PlanMovedOn("Somebody removed this phase meanwhile.")
            placed[0] = f"phases.{at}.rate_cards.{card}."
            cards = document["phases"][at]["rate_cards"]
            before = cards[card] if number else None
            cards[card : card + 1] = [document_of(form, self.kind, self.model, tier_ids, before)]

        try:
            await edit_plan(await acting(self), self.plan_id, change)
        except MeterdeskError as error:
            self.errors = errors_of(error.fields, placed[0] or "-", tier_ids, error.for_people())
            return None
        self.open = False
        await self._show_plan()
        return ui.toast_success("Rate card saved")

    @rx.event
    @needs("admin")
    async def choose(self, place: str):
        """Which rate card the confirmation is about."""
        found = _card(await self._plan(), str(place))
        if found is not None:
            self.place, self.chosen_name, self.form = str(place), found.name, form_of(found)

    @rx.event
    @needs("admin")
    async def remove(self):
        place, key = self.place, self.form.key

        def change(document: Json) -> None:
            phase, card = card_at(document, place, key)
            del document["phases"][phase]["rate_cards"][card]

        try:
            await edit_plan(await acting(self), self.plan_id, change)
        except MeterdeskError as error:
            return ui.toast_error(error)
        await self._show_plan()
        return ui.toast_success("Rate card removed")

    @rx.event
    @needs("viewer")
    async def open_preview(self, place: str):
        found = _card(await self._plan(), str(place))
        if found is None:
            return
        self.place, self.chosen_name, self.preview_open = str(place), found.name, True
        self.quantity = DEFAULT_QUANTITY
        await self._preview_saved()

    @rx.event
    @needs("viewer")
    async def close_preview(self):
        self.preview_open = False

    @rx.event
    @needs("viewer")
    async def try_quantity(self, text: str):
        self.quantity = str(text)[:40]
        await self._preview_saved()

    async def _preview_saved(self):
        plan = await self._plan()
        found = _card(plan, self.place)
        if found is not None:
            self._show_preview(found, plan.currency, self.quantity)

    async def _preview_form(self, form: dict[str, Any]):
        tier_ids = [tier.id for tier in self.tiers]
        plan = await self._plan()
        document = document_of(form, self.kind, self.model, tier_ids)
        # A name or key that is still missing says nothing about the price.
        document |= {"key": document["key"] or "preview", "name": document["name"] or "Preview"}
        try:
            card = parse_input(RateCardInput, document).to_rate_card()
            self._show_preview(card, plan.currency, str(form.get("preview_quantity") or DEFAULT_QUANTITY))
        except MeterdeskError as error:
            self._refuse_preview(error, tier_ids)

    def _refuse_preview(self, error: MeterdeskError, tier_ids: Sequence[str]):
        self.errors = errors_of(error.fields, "", tier_ids)
        self.preview_sentence, self.preview_lines, self.preview_steps = "", [], []
        self.preview_problem = error.for_people()

    def _show_preview(self, card: RateCard, currency: str, quantity: str):
        try:
            found = price_preview(card, currency, quantity)
        except MeterdeskError as error:
            self._refuse_preview(error, [tier.id for tier in self.tiers])
            return
        self.preview_problem = ""
        self.preview_sentence, self.preview_lines, self.preview_steps = found.sentence, found.lines, found.steps

    async def _open(self, form: CardForm):
        async with running().database.read() as session:
            features = await list_features(session, PageRequest(size=CHOICES_MAX))
            codes = await list_tax_codes(session, PageRequest(size=CHOICES_MAX))
        self.features = [
            ui.Option(one.key, f"{one.name} ({one.key}){'' if one.meter_key else ', not counted'}")
            for one in features.items
        ]
        self.tax_codes = [ui.Option(code.id, f"{code.name} ({code.key})") for code in codes.items]
        _keep(self.features, form.feature_key, "no longer there")
        _keep(self.tax_codes, form.tax_code_id, "deleted")
        self.form, self.kind, self.feature_key = form, form.kind, form.feature_key
        self.tiers = form.tiers or list(NEW_TIERS)
        self._offer(form.model)
        self.intent, self.open = "save", True
        self.preview_sentence, self.preview_problem, self.preview_lines, self.preview_steps = "", "", [], []
        self.errors = await self._issues()

    def _offer(self, model: str):
        offered = MODELS[self.kind] if model in MODELS[self.kind] else (*MODELS[self.kind], model)
        self.model = model
        self.models = [ui.Option(name, MODEL_WORDS[name]) for name in offered]
        known = {ONCE: "Once", **CARD_CADENCES} if self.kind == FLAT_FEE else CARD_CADENCES
        current = "" if self.form.billing_cadence == ONCE else self.form.billing_cadence
        self.cadences = cadence_options(known, current)

    async def _issues(self) -> dict[str, str]:
        """What keeps this card from being published, on the fields of its form."""
        phase, _, number = self.place.partition(".")
        if not number:
            return {}
        plan = await self._plan()
        complaints = {issue.field: issue.message for issue in reversed(plan.issues)}
        return errors_of(complaints, f"phases.{phase}.rate_cards.{number}.", [tier.id for tier in self.tiers])

    async def _plan(self) -> Plan:
        backend = running()
        async with backend.database.read() as session:
            return await get_plan(session, self.plan_id, now=backend.clock.now())

    async def _show_plan(self):
        page = await self.get_state(PlanState)
        await page._refresh()


def _card(plan: Plan, place: str) -> RateCard | None:
    phase, _, number = place.partition(".")
    if not (phase.isdecimal() and number.isdecimal()) or int(phase) >= len(plan.phases):
        return None
    cards = plan.phases[int(phase)].rate_cards
    return cards[int(number)] if int(number) < len(cards) else None


def _keep(options: list[ui.Option], value: str, why: str) -> None:
    """A choice that was made stays on the list, even when nobody would be offered it today."""
    if value and all(option.value != value for option in options):
        options.append(ui.Option(value, f"{value} ({why})"))
