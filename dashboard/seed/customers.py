"""The demo company's Stripe account, billing profiles, customers with their cards, and subscriptions."""

import aiohttp
from pydantic import SecretStr

from dashboard.billing.inputs import CreateBillingProfile, SetCustomerOverride, SupplierInput, WorkflowInput
from dashboard.billing.overrides import customer_billing
from dashboard.billing.profiles import all_billing_profiles
from dashboard.billing.service import create_billing_profile, set_customer_override
from dashboard.billing.views import BillingProfile, CollectionMethod
from dashboard.customers.errors import CustomerNotFound
from dashboard.customers.inputs import AddressInput, CreateCustomer
from dashboard.customers.queries import live_customer
from dashboard.customers.service import create_customer
from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.kit.errors import Unavailable
from dashboard.kit.paging import PageRequest
from dashboard.seed.company import AUTO_PROFILE, CUSTOMERS, DEMO, MAIL_PROFILE, SANDBOX_KEY, DemoCustomer
from dashboard.seed.report import SEED, Seeding
from dashboard.stripe_app.apps import is_installed
from dashboard.stripe_app.customer_link import create_stripe_customer, link_stripe_customer
from dashboard.stripe_app.inputs import InstallStripeApp, LinkStripeCustomer
from dashboard.stripe_app.install import check_key, install_stripe_app
from dashboard.stripe_app.links import get_link
from dashboard.stripe_app.readiness import readiness
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.queries import list_subscriptions
from dashboard.subscriptions.service import SubscriptionDesk, create_subscription

PROFILE_NAMES = {CollectionMethod.CHARGE_AUTOMATICALLY: AUTO_PROFILE, CollectionMethod.SEND_INVOICE: MAIL_PROFILE}
ANSWER_SECONDS = 10


class SandboxDoesNotAnswer(Unavailable):
    code = "sandbox_does_not_answer"
    remedy = "Start it with `meterdesk up`, or alone with `meterdesk sandbox`, and seed again."


async def connect_sandbox(seeding: Seeding) -> str:
    """The app of the demo account, installed if it was not. Raises SandboxDoesNotAnswer."""
    backend = seeding.backend
    await _check_sandbox(backend.settings.sandbox_url)
    found = (await check_key(backend.stripe, SecretStr(SANDBOX_KEY))).installed_app_id
    if found is not None:
        seeding.tell("Stripe sandbox account", 0, 1)
        return found
    wanted = InstallStripeApp(api_key=SecretStr(SANDBOX_KEY), name="Stripe sandbox")
    app = await install_stripe_app(backend.stripe, SEED, wanted)
    seeding.tell("Stripe sandbox account", 1, 1)
    return app.id


async def make_profiles(seeding: Seeding, app_id: str) -> dict[CollectionMethod, BillingProfile]:
    """One profile that charges by itself, one that sends invoices. A default that was there before stays it."""
    made = 0
    async with seeding.backend.database.transaction(SEED) as work:
        profiles = {
            profile.workflow.collection_method: profile
            for profile in await all_billing_profiles(work.session)
            if profile.metadata == DEMO
        }
        for method, name in PROFILE_NAMES.items():
            if method not in profiles:
                profiles[method] = await create_billing_profile(work, _profile(app_id, name, method), apps=is_installed)
                made += 1
    seeding.tell("Billing profiles", made, len(PROFILE_NAMES))
    return profiles


async def make_customers(
    seeding: Seeding, app_id: str, profiles: dict[CollectionMethod, BillingProfile]
) -> dict[str, Customer]:
    """Customers by key, each as ready as the company's list says: linked or not, with or without a card."""
    made = linked = 0
    customers: dict[str, Customer] = {}
    async with aiohttp.ClientSession(seeding.backend.settings.sandbox_url) as http:
        for demo in CUSTOMERS:
            async with seeding.backend.database.transaction(SEED) as work:
                customers[demo.key], is_new = await _make_customer(work, demo, profiles)
            made += is_new
            linked += demo.linked and await _link(seeding, http, app_id, customers[demo.key], demo)
    seeding.tell("Customers", made, len(CUSTOMERS))
    seeding.tell("Customers linked in Stripe", linked, sum(demo.linked for demo in CUSTOMERS))
    return customers


async def make_subscriptions(seeding: Seeding, app_id: str, customers: dict[str, Customer]) -> None:
    """Puts customers on the plans they have, from now on; never one who had a subscription before."""
    backend = seeding.backend

    async def what_is_missing(customer_id: str) -> tuple[str, str] | None:
        async with backend.database.read() as session:
            billing = await customer_billing(session, customer_id)
        issues = await readiness(backend.stripe, app_id, billing)
        return next(((issue.message, issue.remedy) for issue in issues if issue.severity == "critical"), None)

    desk = SubscriptionDesk(backend.database, what_is_missing)
    wanted = [(customers[demo.key], demo.plan) for demo in CUSTOMERS if demo.plan]
    made = 0
    for customer, plan in wanted:
        async with backend.database.read() as session:
            now = backend.database.clock.now()
            found = await list_subscriptions(session, PageRequest(1, 1), now=now, customer_ids=[customer.id])
        if not found.items:
            await create_subscription(desk, SEED, CreateSubscription(customer_id=customer.id, plan=plan))
            made += 1
    seeding.tell("Subscriptions", made, len(wanted))


async def _check_sandbox(url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise SandboxDoesNotAnswer(f"The Stripe sandbox does not answer at {url}.") from None


def _profile(app_id: str, name: str, method: CollectionMethod) -> CreateBillingProfile:
    return CreateBillingProfile(
        name=name,
        app_id=app_id,
        supplier=SupplierInput(name="Meterdesk Demo Company", country="US"),
        # Without tax the totals can be checked in the head.
        workflow=WorkflowInput(collection_method=method, tax_enabled=False),
        default_currency="USD",
        metadata=DEMO,
    )


async def _make_customer(
    work: Work, demo: DemoCustomer, profiles: dict[CollectionMethod, BillingProfile]
) -> tuple[Customer, bool]:
    try:
        return await live_customer(work.session, demo.key), False
    except CustomerNotFound:
        customer = await create_customer(work, _customer(demo))
    await set_customer_override(work, customer.id, _override(demo, profiles))
    return customer, True


def _customer(demo: DemoCustomer) -> CreateCustomer:
    return CreateCustomer(
        name=demo.name,
        key=demo.key,
        currency="USD",
        primary_email=f"billing@{demo.key}.test" if demo.email else None,
        billing_address=AddressInput(country=demo.country, city=demo.city),
        subject_keys=(f"{demo.key}-api",) if demo.calls else (),
        metadata=DEMO,
    )


def _override(demo: DemoCustomer, profiles: dict[CollectionMethod, BillingProfile]) -> SetCustomerOverride:
    """Pinned to one of the demo's own profiles: the default one may lead to a real account."""
    method = CollectionMethod.SEND_INVOICE if demo.by_mail else CollectionMethod.CHARGE_AUTOMATICALLY
    return SetCustomerOverride(
        billing_profile_id=profiles[method].id,
        auto_advance=False if demo.approval else None,
        draft_period=f"P{demo.draft_days}D" if demo.draft_days else None,
        due_after=None if demo.due_days is None else f"P{demo.due_days}D",
    )


async def _link(
    seeding: Seeding, http: aiohttp.ClientSession, app_id: str, customer: Customer, demo: DemoCustomer
) -> bool:
    """Links a customer and gives them their card; false when both were done."""
    stripe = seeding.backend.stripe
    async with seeding.backend.database.read() as session:
        link = await get_link(session, app_id, customer.id)
    if link is not None and (demo.card is None or link.payment_method is not None):
        return False
    link = link or await create_stripe_customer(stripe, SEED, customer.id, app_id)
    if demo.card is not None:
        wanted = LinkStripeCustomer(
            customer_id=customer.id,
            app_id=app_id,
            stripe_customer_id=link.stripe_customer_id,
            default_payment_method_id=await _attach(http, demo.card, link.stripe_customer_id),
        )
        await link_stripe_customer(stripe, SEED, wanted)
    return True


async def _attach(http: aiohttp.ClientSession, card: str, stripe_customer_id: str) -> str:
    """Does what a customer does on a checkout page. This is the sandbox's own API, which we speak only here."""
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}", "Idempotency-Key": f"demo-card-{stripe_customer_id}"}
    path = f"/v1/payment_methods/{card}/attach"
    async with http.post(path, data={"customer": stripe_customer_id}, headers=headers) as answer:
        answer.raise_for_status()
        return (await answer.json())["id"]
