"""One subscription: phases, what falls due, canceling, changing, taking back."""

from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.overrides import customer_billing
from dashboard.catalog.plans import list_plans
from dashboard.catalog.price_text import price_in_words
from dashboard.catalog.status import PlanStatus
from dashboard.customers.queries import get_customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions import service
from dashboard.subscriptions.inputs import ChangeSubscription
from dashboard.subscriptions.proration import SubscriptionEndMode
from dashboard.subscriptions.queries import get_subscription
from dashboard.subscriptions.views import Subscription, SubscriptionItem, SubscriptionPhase
from dashboard.ui import components as ui
from dashboard.ui.live import LiveState
from dashboard.ui.plans.words import cadence_in_words
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.subscriptions.falling_due import coming_lines, due_dates, used_so_far
from dashboard.ui.subscriptions.state import PLANS_OFFERED
from dashboard.ui.subscriptions.views import DueDate, ItemRow, PhaseRow, SubscriptionDetails
from dashboard.ui.subscriptions.words import plan_in_words
from dashboard.ui.views import day, day_text, exact_text, span_text


class SubscriptionState(LiveState, rx.State):
    loading: bool = True
    missing: bool = False
    subscription: SubscriptionDetails = SubscriptionDetails()
    phases: list[PhaseRow] = []
    due: list[DueDate] = []
    problem: str = ""
    changing: bool = False
    busy: bool = False
    errors: dict[str, str] = {}
    plans: list[ui.Option] = []

    @rx.event
    @needs("operator")
    async def cancel_now(self):
        return await self._cancel("immediate", "Subscription ended")

    @rx.event
    @needs("operator")
    async def cancel_at_period_end(self):
        return await self._cancel("next_billing_cycle", "It ends with its billing period")

    @rx.event
    @needs("operator")
    async def take_back(self):
        """Takes a cancelation back; with a plan change that has not come, the follower goes too."""
        verb = service.restore_subscription if self.subscription.next_href else service.unschedule_cancelation
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                await verb(work, self.subscription.id)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        await self._refresh()
        return ui.toast_success("The subscription goes on")

    @rx.event
    @needs("operator")
    async def delete(self):
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                await service.delete_subscription(work, self.subscription.id)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success("Subscription deleted"), rx.redirect("/subscriptions")]

    @rx.event
    @needs("operator")
    async def start_changing(self):
        backend = running()
        async with backend.database.read() as session:
            active = await list_plans(
                session, PageRequest(size=PLANS_OFFERED), now=backend.clock.now(), statuses=[PlanStatus.ACTIVE]
            )
        self.plans = [ui.Option(one.id, plan_in_words(one)) for one in active.items]
        self.errors, self.changing = {}, True

    @rx.event
    @needs("operator")
    async def stop_changing(self):
        self.changing = False

    @rx.event(background=True)
    @needs("operator")
    async def change(self, form: dict[str, Any]):
        async with self:
            self.busy, self.errors = True, {}
            actor, subscription_id = await acting(self), self.subscription.id
        made: Subscription | None = None
        errors: dict[str, str] = {}
        try:
            timing = "immediate" if form.get("timing") == "immediate" else "next_billing_cycle"
            wanted = parse_input(ChangeSubscription, {"plan": str(form.get("plan") or ""), "timing": timing})
            _, made = await service.change_subscription(running().subscriptions, actor, subscription_id, wanted)
        except MeterdeskError as error:
            found = {name: text for name, text in error.fields.items() if name in ("plan", "timing")}
            errors = found or {"form": error.for_people()}
        finally:
            async with self:
                self.busy, self.errors = False, errors
                self.changing = made is None
        if made is not None:
            yield ui.toast_success("Plan changed")
            yield rx.redirect(f"/subscriptions/{made.id}")

    async def _cancel(self, timing: str, done: str):
        self.problem = ""
        try:
            async with running().database.transaction(await acting(self)) as work:
                await service.cancel_subscription(work, self.subscription.id, timing)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        await self._refresh()
        return ui.toast_success(done)

    def _enter(self):
        self.errors, self.problem, self.changing, self.busy = {}, "", False, False

    def _topics(self):
        return ("subscriptions", "invoices")

    async def _refresh(self):
        # `subscription_id` is the page's part of the address.
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                found = await get_subscription(session, self.subscription_id, now)
                customer = await get_customer(session, found.customer_id)
                try:
                    workflow = (await customer_billing(session, found.customer_id)).workflow
                    end_mode = SubscriptionEndMode(workflow.subscription_end_proration_mode)
                except NoBillingProfile:
                    end_mode = SubscriptionEndMode.BILL_ACTUAL_PERIOD
        except MeterdeskError:
            self.missing, self.loading = True, False
            return
        lines = coming_lines(found, now, end_mode)
        used = await used_so_far(backend, found, lines, now)
        self.subscription = _details(found, customer.name, now)
        self.phases = [_phase(phase, found.currency, now) for phase in found.phases]
        self.due = due_dates(lines, used, found.currency, now)
        self.missing, self.loading = False, False


def _details(one: Subscription, customer: str, now: datetime) -> SubscriptionDetails:
    period = one.current_period
    return SubscriptionDetails(
        id=one.id,
        name=one.name,
        customer=customer,
        customer_href=f"/customers/{one.customer_id}",
        plan=f"{one.plan_key}, version {one.plan_version}" if one.plan_key else "",
        plan_href=f"/plans/{one.plan_id}" if one.plan_id else "",
        status=one.status.value,
        currency=one.currency,
        cadence=cadence_in_words(one.billing_cadence),
        anchor=exact_text(one.billing_anchor),
        proration="flat fees are prorated" if one.pro_rating_enabled else "flat fees are charged in full",
        since=day(one.active_from, now),
        until=day(one.active_to, now),
        period=span_text(period.start, period.end) if period else "",
        period_end=exact_text(period.end) if period else "",
        previous_href=f"/subscriptions/{one.previous_id}" if one.previous_id else "",
        next_href=f"/subscriptions/{one.next_id}" if one.next_id else "",
        is_priced=one.is_priced,
        is_deleted=one.deleted_at is not None,
    )


def _phase(phase: SubscriptionPhase, currency: str, now: datetime) -> PhaseRow:
    return PhaseRow(
        name=phase.name,
        dates=_dates(phase.active_from, phase.active_to),
        is_now=phase.active_from <= now and (phase.active_to is None or now < phase.active_to),
        cards=[_item(item, phase, currency) for item in phase.items],
    )


def _item(item: SubscriptionItem, phase: SubscriptionPhase, currency: str) -> ItemRow:
    card = item.rate_card
    same = (item.active_from, item.active_to) == (phase.active_from, phase.active_to)
    return ItemRow(
        name=card.name,
        price=price_in_words(card.price, currency, card.discounts, card.unit_conversion),
        cadence=cadence_in_words(card.billing_cadence),
        dates="" if same else _dates(item.active_from, item.active_to),
    )


def _dates(start: datetime, end: datetime | None) -> str:
    return f"from {day_text(start)}" if end is None else span_text(start, end)
