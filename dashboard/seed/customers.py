"""The demo company's Stripe account, billing profiles, customers with their cards, and subscriptions."""

import aiohttp
from pydantic import SecretStr

from dashboard.billing.inputs import CreateBillingProfile, SetCustomerOverride, SupplierInput, WorkflowInput
from dashboard.billing.overrides import customer_billing, find_customer_override
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
from dashboard.seed.company import AUTO_PROFILE, CUSTOMERS, MAIL_PROFILE, SANDBOX_KEY, DemoCustomer
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
from dashboard.subscriptions.status import SubscriptionStatus

DEMO = {"demo": "yes"}
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


async def make_profiles(seeding: Seeding, app_id: str) -> tuple[BillingProfile, BillingProfile]:
    """One profile that charges by itself and one that sends invoices. A default that was there stays the default."""
    async with seeding.backend.database.transaction(SEED) as work:
        there = {profile.name: profile for profile in await all_billing_profiles(work.session) if profile.metadata == DEMO}
        wanted = {
            AUTO_PROFILE: CollectionMethod.CHARGE_AUTOMATICALLY,
            MAIL_PROFILE: CollectionMethod.SEND_INVOICE,
        }
        for name in wanted.keys() - there.keys():
            there[name] = await _make_profile(work, app_id, name, wanted[name])
    seeding.tell("Billing profiles", sum(p.created_at == p.updated_at and p.id not in () for p in ()), 2)
    return there[AUTO_PROFILE], there[MAIL_PROFILE]
