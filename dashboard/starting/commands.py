"""The commands that do one thing and end."""

import secrets
import sys

import click

from dashboard.access.views import Role
from dashboard.settings import Settings
from dashboard.starting import accounts
from dashboard.starting.checks import prepare_data_dir, read_settings
from dashboard.starting.doctor import examine
from dashboard.starting.migrations import database_url, migrate, ready_or_empty
from dashboard.starting.processes import become

ROLES = [role.value for role in Role]
KEY_ROLES = [role.value for role in Role if role is not Role.OWNER]


@click.command()
def worker() -> None:
    """Only the worker (scale-out)."""
    prepared_settings()
    become("dashboard.worker")


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database to this version's schema."""
    settings = read_settings()
    prepare_data_dir(settings.data_dir)
    changed = migrate(database_url(settings))
    click.echo("The database is up to date." if changed else "The database was up to date already.")


@click.command()
@click.option("--remove", is_flag=True, help="Take the demo company away again, as far as that is possible.")
def seed(remove: bool) -> None:
    """Fill in a demo company: customers, plans, usage and invoices."""
    prepared_settings()
    become("dashboard.seed", *(["--remove"] if remove else []))


@click.command()
def doctor() -> None:
    """Check database, secret key, public URL and Stripe, and say what to do."""
    anything_wrong = False
    for finding in examine(read_settings()):
        click.echo(f"{finding.mark} {finding.subject}: {finding.sentence}")
        if finding.what_to_do:
            click.echo(f"    {finding.what_to_do}")
        anything_wrong |= finding.good is False
    sys.exit(1 if anything_wrong else 0)


@click.group()
def apikey() -> None:
    """Keys for programs."""


@apikey.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(KEY_ROLES), default=Role.ADMIN.value, show_default=True)
def create_api_key(name: str, role: str) -> None:
    """Make an API key called NAME and print it, this one time."""
    made = accounts.create_api_key(prepared_settings(), name, role)
    click.echo(f"API key {made.key.name!r} ({made.key.role}), shown this one time:", err=True)
    click.echo(made.token)


@click.group()
def user() -> None:
    """People who sign in."""


password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Take the first line of standard input instead of making a password."
)


@user.command("create")
@click.argument("email")
@click.option("--name", help="Shown to others; otherwise the part of EMAIL before the @.")
@click.option("--role", type=click.Choice(ROLES), help="Otherwise: the first person is owner, others operator.")
@password_stdin_option
def create_user(email: str, name: str | None, role: str | None, password_stdin: bool) -> None:
    """Add EMAIL to the team and print their password, this one time."""
    password = _password(password_stdin)
    name = name or email.partition("@")[0] or email
    person = accounts.create_person(prepared_settings(), email, name, role, password)
    click.echo(f"{person.email} is on the team ({person.role}).", err=True)
    _show(password, password_stdin)


@user.command("password")
@click.argument("email")
@password_stdin_option
def reset_password(email: str, password_stdin: bool) -> None:
    """Give EMAIL another password, for somebody who is locked out, and print it."""
    password = _password(password_stdin)
    person = accounts.reset_password(prepared_settings(), email, password)
    click.echo(f"{person.email} has a new password and is signed out everywhere.", err=True)
    _show(password, password_stdin)


def prepared_settings() -> Settings:
    """The settings, once the data directory and the database they name can be used."""
    settings = read_settings()
    prepare_data_dir(settings.data_dir)
    ready_or_empty(database_url(settings))
    return settings


def _password(from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\n") if from_stdin else secrets.token_urlsafe(12)


def _show(password: str, from_stdin: bool) -> None:
    if not from_stdin:
        click.echo("Password, shown this one time:", err=True)
        click.echo(password)
