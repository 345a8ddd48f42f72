"""`python -m dashboard.stripe_sandbox`: the sandbox by itself."""

from pathlib import Path

import click

from dashboard.stripe_sandbox.server import serve


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=12111, show_default=True)
@click.option("--data-dir", default=".meterdesk", show_default=True, type=click.Path(path_type=Path))
def main(host: str, port: int, data_dir: Path) -> None:
    """A Stripe for this machine. Keys: sk_test_sandbox_<any name>; console: http://HOST:PORT/"""
    click.echo(f"Stripe sandbox on http://{host}:{port} (data in {data_dir})")
    try:
        serve(host, port, data_dir)
    except OSError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
