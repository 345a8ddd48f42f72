"""Makes the demo company, step by step, each through the services that people use."""

from dashboard.seed.catalog import make_catalog, make_usage
from dashboard.seed.customers import connect_sandbox, make_customers, make_profiles, make_subscriptions
from dashboard.seed.invoices import make_invoices
from dashboard.seed.names import check_names_free
from dashboard.seed.report import Seeding

SANDBOX, CATALOG, CUSTOMERS, USAGE, INVOICES, SUBSCRIPTIONS = STEPS = (
    "Stripe sandbox",
    "Tax codes, meters, features, plans",
    "Customers and their cards",
    "Usage of 90 days",
    "Invoices",
    "Subscriptions",
)


async def make_company(seeding: Seeding) -> None:
    """Everything of the demo company that is not there yet.

    Raises NamesTaken and SandboxDoesNotAnswer before anything is made.
    """
    _begin(seeding, SANDBOX)
    await check_names_free(seeding)
    app_id = await connect_sandbox(seeding)
    profiles = await make_profiles(seeding, app_id)
    _begin(seeding, CATALOG)
    await make_catalog(seeding)
    _begin(seeding, CUSTOMERS)
    made = await make_customers(seeding, app_id, profiles)
    _begin(seeding, USAGE)
    await make_usage(seeding)
    _begin(seeding, INVOICES)
    await make_invoices(seeding, app_id, made)
    _begin(seeding, SUBSCRIPTIONS)
    await make_subscriptions(seeding, app_id, made)
    seeding.say("The demo company is there.")


def _begin(seeding: Seeding, step: str) -> None:
    seeding.begin(step, STEPS.index(step), len(STEPS))
