"""The `meterdesk` command. Without a command it does `up`."""

from importlib import import_module
from typing import Any

import click

from dashboard.kit.errors import MeterdeskError

COMMANDS = {
    "up": ("dashboard.starting.up:up", "Start everything: dashboard, REST API, worker, sandbox."),
    "worker": ("dashboard.starting.commands:worker", "Only the worker (scale-out)."),
    "sandbox": ("dashboard.starting.up:sandbox", "Only the Stripe sandbox."),
    "migrate": ("dashboard.starting.commands:migrate_command", "Bring the database to this version's schema."),
    "seed": ("dashboard.starting.commands:seed", "Fill in a demo company."),
    "apikey": ("dashboard.starting.commands:apikey", "Keys for programs."),
    "user": ("dashboard.starting.commands:user", "People who sign in."),
    "events": ("dashboard.starting.event_commands:events", "Archive old usage events, and bring them back."),
    "doctor": ("dashboard.starting.commands:doctor", "Check this installation and say what to do."),
}
"""Where each command lives. Loaded by name: the one that watches over a running Meterdesk shall weigh little."""


class Commands(click.Group):
    """Options without a command belong to `up`; a refusal is one sentence and a non-zero exit, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help text."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in COMMANDS.items()])

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


@click.group(cls=Commands)
@click.version_option(package_name="meterdesk")
def main() -> None:
    """The operator's desk for usage billing on Stripe. Without a command: up."""


if __name__ == "__main__":
    main()
