"""`python -m dashboard.starting.web`: builds the screens if their sources changed, then serves until told to stop."""

import sys

import click

from dashboard.kit.errors import MeterdeskError
from dashboard.ui.serving import build_if_needed, project_dir, serve


@click.command()
@click.option("--host", required=True)
@click.option("--port", required=True, type=int)
@click.option("--ui/--no-ui", default=True)
def main(host: str, port: int, ui: bool) -> None:
    """Serves the REST API, and the screens unless there shall be none."""
    try:
        if ui:
            build_if_needed(project_dir(), lambda line: click.echo(line))
        serve(host, port, ui=ui)
    except MeterdeskError as error:
        click.echo(f"Error: {error.for_people()}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
