"""`python -m dashboard.seed`: fills in the demo company, or with `--remove` takes it out again. Safe to run twice."""

import asyncio
import sys

import click

from dashboard.backend import open_backend
from dashboard.kit.errors import MeterdeskError
from dashboard.seed.making import make_company
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


if __name__ == "__main__":
    sys.exit(main())
