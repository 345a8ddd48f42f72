"""`python -m dashboard.seed`: fills in the demo company, or with `--remove` takes it out again. Safe to run twice."""

import asyncio
import sys

import click

from dashboard.backend import open_backend
from dashboard.kit.errors import MeterdeskError
from dashboard.seed.catalog import make_catalog, make_usage
from dashboard.seed.customers import connect_sandbox, make_customers, make_profiles, make_subscriptions
from dashboard.seed.invoices import make_invoices
from dashboard.seed.names import check_names_free
from dashboard.seed.removing import remove_company
from dashboard.seed.report import Seeding
from dashboard.settings import Settings


@click.command()
@click.option("--remove", is_flag=True, help="Take the demo company out again, as far as its papers allow.")
def main(remove: bool) -> None:
    """Fill in a demo company: customers, plans, usage and invoices, in the Stripe sandbox."""
    try:
        asyncio.run(_run(Settings(), remove))
    except MeterdeskError as error:
        raise click.ClickException(error.for_people()) from None


async def _run(settings: Settings, remove: bool) -> None:
    async with open_backend(settings) as backend:
        seeding = Seeding(backend, click.echo)
        await (remove_company(seeding) if remove else make_company(seeding))


async def make_company(seeding: Seeding) -> None:
    """Everything of the demo company that is not there yet."""
    await check_names_free(seeding)
    app_id = await connect_sandbox(seeding)
    profiles = await make_profiles(seeding, app_id)
    await make_catalog(seeding)
    customers = await make_customers(seeding, app_id, profiles)
    await make_usage(seeding)
    await make_invoices(seeding, app_id, customers)
    await make_subscriptions(seeding, app_id, customers)
    seeding.say("The demo company is there.")


if __name__ == "__main__":
    sys.exit(main())
