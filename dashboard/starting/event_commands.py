"""`meterdesk events …`: old usage events into files and back. Nothing here ever happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from dashboard.backend import Backend, open_backend
from dashboard.billing.usage_needed import UsageNotInvoiced
from dashboard.settings import Settings
from dashboard.starting.commands import prepared_settings
from dashboard.usage.archive import EventArchive
from dashboard.usage.errors import NoArchiveHere
from dashboard.usage.months import month_from_text, month_of, month_text

KEPT_MONTHS = 13
Answer = TypeVar("Answer")


@click.group()
def events() -> None:
    """Old usage events: archive them to files, and bring them back."""


@events.command()
@click.option("--before", metavar="YYYY-MM", help=f"Months before this one. Without it, {KEPT_MONTHS} months are kept.")
def archive(before: str | None) -> None:
    """Write old months to files in the data directory and take them out of the database.

    Refused as a whole while a gathering invoice, a draft or a subscription still needs one of them. Months that are
    archived can be invoiced and charted no more until they are restored; what was invoiced stays as it is.
    """

    async def run(backend: Backend) -> None:
        month = month_from_text(before) if before else month_of(backend.clock.now()) - KEPT_MONTHS
        kept = archive_of(backend)
        done = await kept.archive_before(month, UsageNotInvoiced(backend.database))
        for one in done:
            click.echo(f"{one.month}: {one.events} events in {kept.folder / one.file}")
        if not done:
            click.echo(f"There are no events before {month_text(month)}.")

    _with_backend(run)


@events.command()
@click.argument("month", metavar="YYYY-MM")
def restore(month: str) -> None:
    """Bring an archived MONTH back into the database. Its files stay where they are."""

    async def run(backend: Backend) -> None:
        count = await archive_of(backend).restore(month_from_text(month))
        click.echo(f"{month}: {count} events are back.")

    _with_backend(run)


@events.command("archived")
def list_archived() -> None:
    """Say which months are archived, and in which files."""

    async def run(backend: Backend) -> None:
        for one in await archive_of(backend).archived():
            unfinished = "" if one.removed else " (not finished: run archive again)"
            click.echo(f"{one.month}: {one.events} events in {one.file}{unfinished}")

    _with_backend(run)


def archive_of(backend: Backend) -> EventArchive:
    """The archive of usage events. Raises NoArchiveHere where they are in ClickHouse."""
    if backend.event_archive is None:
        raise NoArchiveHere("Usage events are in ClickHouse, and months stay there.")
    return backend.event_archive


def _with_backend(run: Callable[[Backend], Awaitable[Answer]]) -> Answer:
    async def main(settings: Settings) -> Answer:
        async with open_backend(settings) as backend:
            return await run(backend)

    return asyncio.run(main(prepared_settings()))
