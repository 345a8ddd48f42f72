"""Takes the demo company out again, through the services that people use.

What stays, because papers stay: invoices that were issued (paid, voided, uncollectible) and their customers' names on
them, usage events, plan versions that somebody was on, and everything in the sandbox. A default billing profile and the
app below it stay until another profile is the default.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from dashboard.billing.invoice_list import InvoiceFilter
from dashboard.billing.profiles import all_billing_profiles
from dashboard.billing.queries import available_actions, page_of_invoices, tax_code_uses
from dashboard.billing.service import delete_billing_profile, delete_pending_line, perform_action
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus
from dashboard.catalog.features import archive_feature, features_of_meter, list_features
from dashboard.catalog.plans import archive_plan, delete_plan, list_plans
from dashboard.catalog.status import PlanStatus
from dashboard.catalog.tax_codes import delete_tax_code, list_tax_codes
from dashboard.customers.queries import list_customers
from dashboard.customers.service import delete_customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.paging import PageRequest
from dashboard.seed.company import DEMO
from dashboard.seed.report import SEED, Seeding
from dashboard.stripe_app.app_life import uninstall_stripe_app
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.subscriptions.queries import list_subscriptions, subscriptions_of_plan
from dashboard.subscriptions.service import cancel_subscription
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.usage.queries import list_meters
from dashboard.usage.service import delete_meter

MANY = PageRequest(1, 1000)


class _Removal:
    """Counts what goes and keeps the sentence of each refusal."""

    def __init__(self) -> None:
        self.gone = 0
        self.left: list[str] = []

    async def attempt(self, verb: Awaitable[Any]) -> None:
        try:
            await verb
            self.gone += 1
        except MeterdeskError as refusal:
            self.left.append(refusal.message)


async def remove_company(seeding: Seeding) -> list[str]:
    """Removes what bears the demo company's mark; says and answers what had to stay and why.

    It goes over everything twice: what a worker makes of the cancelations meanwhile goes the second time.
    """
    app_ids = {profile.app_id for profile in await _demo_profiles(seeding)}
    steps: dict[str, Callable[[], Awaitable[list[Awaitable[Any]]]]] = {
        "Subscriptions canceled": lambda: _subscriptions(seeding),
        "Invoices voided, deleted or emptied": lambda: _invoices(seeding),
        "Customers deleted": lambda: _customers(seeding),
        "Plans archived or deleted": lambda: _plans(seeding),
        "Features archived": lambda: _features(seeding),
        "Meters deleted": lambda: _meters(seeding),
        "Tax codes deleted": lambda: _tax_codes(seeding),
        "Billing profiles deleted": lambda: _profiles(seeding),
        "Stripe accounts uninstalled": lambda: _apps(seeding, app_ids),
    }
    removals = {what: _Removal() for what in steps}
    for again in (0, 1):
        for done, (what, find) in enumerate(steps.items()):
            seeding.begin(what, again * len(steps) + done, 2 * len(steps))
            removals[what].left = []
            for verb in await find():
                await removals[what].attempt(verb)
    for what, removal in removals.items():
        seeding.say(f"{what}: {removal.gone}")
    left = list(dict.fromkeys(sentence for removal in removals.values() for sentence in removal.left))
    for sentence in left:
        seeding.say(f"Stays: {sentence}")
    return left


async def _in_transaction(seeding: Seeding, verb: Any, *arguments: Any, **more: Any) -> None:
    async with seeding.backend.database.transaction(SEED) as work:
        await verb(work, *arguments, **more)


async def _customers(seeding: Seeding) -> list[Awaitable[None]]:
    async def delete(work: Any, customer_id: str) -> None:
        await delete_customer(work, customer_id, guards=seeding.backend.customer_guards)

    return [_in_transaction(seeding, delete, one) for one in await _customer_ids(seeding)]


async def _profiles(seeding: Seeding) -> list[Awaitable[None]]:
    return [_in_transaction(seeding, delete_billing_profile, one.id) for one in await _demo_profiles(seeding)]


async def _demo_profiles(seeding: Seeding) -> list[Any]:
    async with seeding.backend.database.read() as session:
        return [profile for profile in await all_billing_profiles(session) if profile.metadata == DEMO]


async def _customer_ids(seeding: Seeding) -> list[str]:
    async with seeding.backend.database.read() as session:
        return [one.id for one in (await list_customers(session, MANY)).items if one.metadata == DEMO]


async def _subscriptions(seeding: Seeding) -> list[Awaitable[None]]:
    customer_ids = await _customer_ids(seeding)
    if not customer_ids:
        return []
    now = seeding.backend.database.clock.now()
    async with seeding.backend.database.read() as session:
        found = await list_subscriptions(
            session, MANY, now=now, customer_ids=customer_ids, statuses=[SubscriptionStatus.ACTIVE]
        )
    return [_in_transaction(seeding, cancel_subscription, one.id) for one in found.items]


async def _invoices(seeding: Seeding) -> list[Awaitable[None]]:
    # What a cancelation still charges for is made into lines first, so that it goes with the rest.
    await sync_due_subscriptions(seeding.backend.billing)
    customer_ids = await _customer_ids(seeding)
    if not customer_ids:
        return []
    now = seeding.backend.database.clock.now()
    async with seeding.backend.database.read() as session:
        found = await page_of_invoices(session, MANY, InvoiceFilter(), now, customer_ids=customer_ids, with_lines=True)
    wanted = (InvoiceAction.DELETE, InvoiceAction.VOID)
    return [
        _end(seeding, one)
        for one in found.items
        if one.status is InvoiceStatus.GATHERING
        or (not one.status.is_final and any(action in available_actions(one, now) for action in wanted))
    ]


async def _end(seeding: Seeding, invoice: Invoice) -> None:
    if invoice.status is InvoiceStatus.GATHERING:
        for line in invoice.lines:
            await _in_transaction(seeding, delete_pending_line, line.id)
        return
    possible = available_actions(invoice, seeding.backend.database.clock.now())
    action = InvoiceAction.DELETE if InvoiceAction.DELETE in possible else InvoiceAction.VOID
    await perform_action(seeding.backend.billing, SEED, invoice.id, action, reason="The demo company is removed")


async def _plans(seeding: Seeding) -> list[Awaitable[None]]:
    now = seeding.backend.database.clock.now()
    async with seeding.backend.database.read() as session:
        plans = [plan for plan in (await list_plans(session, MANY, now=now)).items if plan.metadata == DEMO]
        users = {plan.id: await subscriptions_of_plan(session, plan.id) for plan in plans}

    async def end(work: Any, plan: Any) -> None:
        if plan.status in (PlanStatus.ACTIVE, PlanStatus.SCHEDULED):
            await archive_plan(work, plan.id)
        if not users[plan.id]:
            await delete_plan(work, plan.id)

    return [
        _in_transaction(seeding, end, plan)
        for plan in plans
        if plan.status is not PlanStatus.ARCHIVED or not users[plan.id]
    ]


async def _features(seeding: Seeding) -> list[Awaitable[None]]:
    async with seeding.backend.database.read() as session:
        found = [one for one in (await list_features(session, MANY)).items if one.metadata == DEMO]
    return [_in_transaction(seeding, archive_feature, one.id) for one in found]


async def _meters(seeding: Seeding) -> list[Awaitable[None]]:
    async with seeding.backend.database.read() as session:
        found = [one for one in (await list_meters(session, MANY)).items if one.metadata == DEMO]

    async def delete(meter: Any) -> None:
        async with seeding.backend.database.read() as session:
            used_by = await features_of_meter(session, meter.id)
        await delete_meter(seeding.backend.database, seeding.backend.event_store, SEED, meter.id, used_by=used_by)

    return [delete(meter) for meter in found]


async def _tax_codes(seeding: Seeding) -> list[Awaitable[None]]:
    async with seeding.backend.database.read() as session:
        found = [one for one in (await list_tax_codes(session, MANY)).items if one.metadata == DEMO]
    return [_in_transaction(seeding, delete_tax_code, one.id, uses=[tax_code_uses]) for one in found]


async def _apps(seeding: Seeding, app_ids: Iterable[str]) -> list[Awaitable[Any]]:
    async with seeding.backend.database.read() as session:
        installed = {app.id for app in await list_stripe_apps(session)}
    return [uninstall_stripe_app(seeding.backend.stripe, SEED, one) for one in app_ids if one in installed]
