"""The `meterdesk` command. Without a command it does `up`."""

import os
import secrets
import sys
from typing import Any, NoReturn

import click
from sqlalchemy.engine import make_url

from dashboard.access.views import Role
from dashboard.kit.errors import MeterdeskError
from dashboard.settings import Settings
from dashboard.starting import accounts
from dashboard.starting.checks import Address, address_of, check_port_free, prepare_data_dir, read_settings
from dashboard.starting.doctor import examine
from dashboard.starting.migrations import migrate, ready_or_empty
from dashboard.starting.up import Wanted, start_and_watch


class UpByDefault(click.Group):
    """Options without a command belong to `up`; a refusal is one sentence and a non-zero exit, never a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `up` before options that come without a command."""
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["up", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command and turns our refusals into click's."""
        try:
            return super().invoke(ctx)
        except MeterdeskError as error:
            raise click.ClickException(error.for_people()) from None


@click.group(cls=UpByDefault)
@click.version_option(package_name="meterdesk")
def main() -> None:
    """The operator's desk for usage billing on Stripe. Without a command: up."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--no-ui", is_flag=True, help="Only the REST API; needs no node.")
@click.option("--no-worker", is_flag=True, help="Run no jobs here; `meterdesk worker` does it elsewhere.")
@click.option("--no-sandbox", is_flag=True, help="Start no Stripe sandbox.")
def up(host: str, port: int, no_ui: bool, no_worker: bool, no_sandbox: bool) -> None:
    """Start everything on one port: dashboard, REST API, worker, and the Stripe sandbox beside them."""
    wanted = Wanted(Address(host, port), ui=not no_ui, worker=not no_worker, sandbox=not no_sandbox)
    start_and_watch(read_settings(), wanted, click.echo)


@main.command()
def worker() -> None:
    """Only the worker (scale-out)."""
    _prepared_settings()
    _become("dashboard.worker")


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen instead of METERDESK_SANDBOX_URL.")
def sandbox(port: int | None) -> None:
    """Only the Stripe sandbox."""
    settings = read_settings()
    data_dir = prepare_data_dir(settings.data_dir)
    address = address_of(settings.sandbox_url)
    address = Address(address.host, port or address.port)
    check_port_free(address, "Choose another with --port, or stop that program.")
    place = ("--host", address.host, "--port", str(address.port))
    _become("dashboard.stripe_sandbox", *place, "--data-dir", str(data_dir))


@main.command("migrate")
def migrate_command() -> None:
    """Bring the database to this version's schema."""
    settings = read_settings()
    prepare_data_dir(settings.data_dir)
    changed = migrate(make_url(settings.effective_database_url))
    click.echo("The database is up to date." if changed else "The database was up to date already.")


@main.command()
def seed() -> None:
    """Fill in a demo company: customers, plans, usage and invoices."""
    _prepared_settings()
    _become("dashboard.seed")


@main.command()
def doctor() -> None:
    """Check database, secret key, public URL and Stripe, and say what to do."""
    anything_wrong = False
    for finding in examine(read_settings()):
        click.echo(f"{finding.mark} {finding.subject}: {finding.sentence}")
        if finding.what_to_do:
            click.echo(f"    {finding.what_to_do}")
        anything_wrong |= finding.good is False
    sys.exit(1 if anything_wrong else 0)


@main.group()
def apikey() -> None:
    """Keys for programs."""


@apikey.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice([Role.VIEWER, Role.OPERATOR, Role.ADMIN]), default=Role.ADMIN)
def create_api_key(name: str, role: str) -> None:
    """Make an API key called NAME and print it, this one time."""
    made = accounts.create_api_key(_prepared_settings(), name, role)
    click.echo(f"API key {made.key.name!r} ({made.key.role}), shown this one time:", err=True)
    click.echo(made.token)


@main.group()
def user() -> None:
    """People who sign in."""


password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Take the first line of standard input instead of making a password."
)


@user.command("create")
@click.argument("email")
@click.option("--name", help="Shown to others; otherwise the part of EMAIL before the @.")
@click.option("--role", type=click.Choice(list(Role)), help="Otherwise: the first person is owner, others operator.")
@password_stdin_option
def create_user(email: str, name: str | None, role: str | None, password_stdin: bool) -> None:
    """Add EMAIL to the team and print their password, this one time."""
    password = _password(password_stdin)
    name = name or email.partition("@")[0] or email
    person = accounts.create_person(_prepared_settings(), email, name, role, password)
    click.echo(f"{person.email} is on the team ({person.role}).", err=True)
    _show(password, password_stdin)


@user.command("password")
@click.argument("email")
@password_stdin_option
def reset_password(email: str, password_stdin: bool) -> None:
    """Give EMAIL another password, for somebody who is locked out, and print it."""
    password = _password(password_stdin)
    person = accounts.reset_password(_prepared_settings(), email, password)
    click.echo(f"{person.email} has a new password and is signed out everywhere.", err=True)
    _show(password, password_stdin)


def _prepared_settings() -> Settings:
    """The settings, once the data directory and the database they name can be used."""
    settings = read_settings()
    prepare_data_dir(settings.data_dir)
    ready_or_empty(make_url(settings.effective_database_url))
    return settings


def _password(from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\n") if from_stdin else secrets.token_urlsafe(12)


def _show(password: str, from_stdin: bool) -> None:
    if not from_stdin:
        click.echo("Password, shown this one time:", err=True)
        click.echo(password)


def _become(module: str, *arguments: str) -> NoReturn:
    """Replaces this process by `python -m module`: signals and exit code are then the program's own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


if __name__ == "__main__":
    main()
