"""The list of subscriptions, and putting a customer on a plan."""

from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog.plans import list_plans
from dashboard.catalog.status import PlanStatus
from dashboard.customers.queries import customers_by_id, list_customers, live_customer
from dashboard.customers.views import Customer
from dashboard.kit.errors import InvalidInput, MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.queries import count_subscriptions, list_subscriptions
from dashboard.subscriptions.service import create_subscription
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.subscriptions.views import Subscription
from dashboard.ui import components as ui
from dashboard.ui.listing import Address, CreatingState, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.subscriptions.views import CustomerHit, SubscriptionRow
from dashboard.ui.subscriptions.words import moment_from, plan_in_words
from dashboard.ui.views import day

SORTS = ["name", "active_from", "created_at"]
TABS = {"": "All", "active": "Active", "canceled": "Ends soon", "scheduled": "Scheduled", "inactive": "Ended"}
HITS = 6
PLANS_OFFERED = 500
CUSTOM = "custom:"
"""Before the id of a draft whose terms are for one customer alone."""


class SubscriptionsState(CreatingState, ListState, rx.State):
    rows: list[SubscriptionRow] = []
    customer_name: str = ""
    busy: bool = False
    plans: list[ui.Option] = []
    hits: list[CustomerHit] = []
    chosen: CustomerHit = CustomerHit("", "", "")

    @rx.event
    @needs("viewer")
    async def clear(self):
        return rx.redirect(Address.of(self).having(q=None, customer=None, status=None), replace=True)

    @rx.event
    @needs("operator")
    async def start_creating(self):
        backend = running()
        wanted = Address.of(self).text("customer")
        async with backend.database.read() as session:
            now, many = backend.clock.now(), PageRequest(size=PLANS_OFFERED)
            active = await list_plans(session, many, now=now, statuses=[PlanStatus.ACTIVE])
            drafts = await list_plans(session, many, now=now, statuses=[PlanStatus.DRAFT])
        self.plans = [ui.Option(one.id, plan_in_words(one)) for one in active.items]
        self.plans += [
            ui.Option(CUSTOM + one.id, f"Custom: draft of {plan_in_words(one)}")
            for one in drafts.items
            if not one.issues
        ]
        self.chosen, self.errors, self.creating = CustomerHit("", "", ""), {}, True
        await self._find_customers("")
        if wanted:
            await self._choose(wanted)

    @rx.event(supersedes=True)
    @needs("operator")
    async def find_customers(self, text: str):
        await self._find_customers(str(text)[:100])

    @rx.event
    @needs("operator")
    async def choose_customer(self, customer_id: str):
        await self._choose(str(customer_id))

    @rx.event
    @needs("operator")
    async def choose_another(self):
        self.chosen = CustomerHit("", "", "")

    @rx.event(background=True)
    @needs("operator")
    async def create(self, form: dict[str, Any]):
        async with self:
            self.busy, self.errors = True, {}
            actor, customer_id = await acting(self), self.chosen.id
        made: Subscription | None = None
        errors: dict[str, str] = {}
        try:
            wanted = wanted_from(form, customer_id)
            made = await create_subscription(running().subscriptions, actor, wanted)
        except MeterdeskError as error:
            errors = _on_form(error)
        finally:
            async with self:
                self.busy, self.errors = False, errors
                self.creating = made is None
        if made is not None:
            yield ui.toast_success("Subscription created")
            yield rx.redirect(f"/subscriptions/{made.id}")

    async def _choose(self, customer_id: str):
        async with running().database.read() as session:
            try:
                self.chosen = _hit(await live_customer(session, customer_id))
            except MeterdeskError:
                self.chosen = CustomerHit("", "", "")

    async def _find_customers(self, text: str):
        async with running().database.read() as session:
            found = await list_customers(session, PageRequest(size=HITS), search=text or None)
        self.hits = [_hit(customer) for customer in found.items]

    def _enter(self):
        super()._enter()
        self.busy = False

    def _topics(self):
        return ("subscriptions", "customers")

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        now = backend.clock.now()
        order, search = address.order(SORTS, "-created_at"), address.search()
        status, customer_id = address.choice("status", TABS, ""), address.text("customer")
        customer_ids = [customer_id] if customer_id else []
        async with backend.database.read() as session:
            found = await list_subscriptions(
                session,
                address.page_request(),
                now=now,
                customer_ids=customer_ids,
                statuses=[SubscriptionStatus(status)] if status else (),
                search=search,
                sort=order.key,
                descending=order.descending,
            )
            counts = await count_subscriptions(session, now=now, customer_ids=customer_ids, search=search)
            customers = await customers_by_id(session, {customer_id, *(one.customer_id for one in found.items)})
        self.customer_name = customers[customer_id].name if customer_id in customers else ""
        self.rows = [_row(one, customers, now) for one in found.items]
        self.tabs = address.tabs("status", TABS, {"": sum(counts.values()), **counts})
        self._show(address, address.pager(found), order, filtered=bool(status or customer_id))


def wanted_from(form: dict[str, Any], customer_id: str) -> CreateSubscription:
    """What the form asks for. Raises InvalidInput with the fields of the form."""
    if not customer_id:
        raise InvalidInput("Choose a customer.", field="customer_id")
    plan = str(form.get("plan") or "")
    document = {
        "customer_id": customer_id,
        "plan": plan.removeprefix(CUSTOM),
        "is_custom": plan.startswith(CUSTOM),
        "timing": moment_from(form.get("timing"), "timing") or "immediate",
        "billing_anchor": moment_from(form.get("billing_anchor"), "billing_anchor"),
        "name": str(form.get("name") or "").strip() or None,
    }
    return parse_input(CreateSubscription, document)


def _on_form(error: MeterdeskError) -> dict[str, str]:
    names = ("customer_id", "plan", "timing", "billing_anchor", "name")
    return {name: text for name, text in error.fields.items() if name in names} or {"form": error.for_people()}


def _hit(customer: Customer) -> CustomerHit:
    return CustomerHit(customer.id, customer.name, customer.primary_email or customer.key or "")


def _row(one: Subscription, customers: dict[str, Customer], now: datetime) -> SubscriptionRow:
    customer = customers.get(one.customer_id)
    return SubscriptionRow(
        href=f"/subscriptions/{one.id}",
        name=one.name,
        plan=f"{one.plan_key} v{one.plan_version}" if one.plan_key else "custom",
        customer=customer.name if customer else one.customer_id,
        customer_href=f"/customers/{one.customer_id}",
        status=one.status.value,
        since=day(one.active_from, now),
        until=day(one.active_to, now),
    )
