"""`python -m dashboard.starting.web`: brings database and screens up to date, then serves until told to stop."""

import sys

import click

from dashboard.kit.errors import MeterdeskError
from dashboard.starting.checks import read_settings
from dashboard.starting.first_start import ensure_owner, ensure_secret_key
from dashboard.starting.migrations import database_url, migrate
from dashboard.starting.processes import REFUSED
from dashboard.ui.serving import WEB_APP, build_if_needed, project_dir, serve

API_ONLY = "dashboard.starting.api_only:create"


@click.command()
@click.option("--host", required=True)
@click.option("--port", required=True, type=int)
@click.option("--ui/--no-ui", default=True)
def main(host: str, port: int, ui: bool) -> None:
    """Serves the REST API, and the screens unless there shall be none."""
    try:
        _prepare(ui)
        serve(host, port, app=WEB_APP if ui else API_ONLY)
    except MeterdeskError as error:
        click.echo(f"Error: {error.for_people()}", err=True)
        sys.exit(REFUSED)


def _prepare(ui: bool) -> None:
    settings = read_settings()
    if migrate(database_url(settings)):
        click.echo("The database is up to date.")
    ensure_secret_key(settings)
    ensure_owner(settings)
    if ui:
        build_if_needed(project_dir(), click.echo)


if __name__ == "__main__":
    main()
