"""The door to a ClickHouse database: statements and inserts through `clickhouse-connect`, each in a thread.

The library is an extra (`meterdesk[clickhouse]`), so it is imported when an address asks for it.
"""

import asyncio
import importlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from dashboard.kit.errors import InvalidInput, Unavailable
from dashboard.usage.sql import with_percent_marks

ADDRESSES = ("clickhouse", "clickhouses")
_SETTINGS = {
    # As in every other database: the least of nothing is nothing, not 0.
    "aggregate_functions_null_for_empty": 1,
    # The answer to an insert comes when the rows are there.
    "async_insert": 0,
}
Answer = TypeVar("Answer")


class EventsUnavailable(Unavailable, ConnectionError):
    """ClickHouse could not be reached, or could not do it now; nothing counts of what was being stored."""

    code = "events_unavailable"
    remedy = "Try again in a moment; events that were stored are not counted twice."


class BadEventsAddress(InvalidInput):
    code = "bad_events_address"
    remedy = "Write clickhouse://user:password@host:8123/database, or clickhouses:// for TLS."


class ClickHouse:
    """Runs statements, with `?` for parameters. Whatever the server refuses is an EventsUnavailable."""

    def __init__(self, client: Any, failures: tuple[type[Exception], ...]) -> None:
        self._client = client
        self._failures = failures

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """What a query answers."""

        def ask() -> list[Any]:
            text = with_percent_marks(statement) if parameters else statement
            return list(self._client.query(text, parameters=parameters or None, settings=_SETTINGS).result_rows)

        return await self._in_thread(ask)

    async def run(self, statement: str) -> None:
        """A statement without an answer."""
        await self._in_thread(lambda: self._client.command(statement))

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        """Stores rows, all at once. Sent again with the same `token`, nothing is stored twice."""
        if not rows:
            return
        settings = _SETTINGS | {"insert_deduplication_token": token}
        by_column = [list(column) for column in zip(*rows, strict=True)]
        await self._in_thread(
            lambda: self._client.insert(
                table, by_column, column_names=list(columns), column_oriented=True, settings=settings
            )
        )

    async def close(self) -> None:
        """Lets the connections go."""
        await asyncio.to_thread(self._client.close)

    async def _in_thread(self, do: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(do)
        except self._failures as error:
            raise EventsUnavailable(f"ClickHouse did not do it: {str(error)[:300]}") from error


def open_clickhouse(address: str) -> ClickHouse:
    """The database at `clickhouse://user:password@host:8123/database` (`clickhouses://` with TLS).

    Raises BadEventsAddress, also where the library is not installed, and EventsUnavailable.
    """
    parts = urlsplit(address)
    if parts.scheme not in ADDRESSES or not parts.hostname:
        raise BadEventsAddress("That is no address of a ClickHouse database.", field="events_url")
    try:
        library = importlib.import_module("clickhouse_connect")
    except ModuleNotFoundError:
        raise BadEventsAddress(
            "clickhouse-connect is not installed.", remedy="Install meterdesk[clickhouse].", field="events_url"
        ) from None
    secure = parts.scheme == "clickhouses"
    failures = failures_of(library)
    try:
        client = library.get_client(
            dsn=address,
            interface="https" if secure else "http",
            # Statements run side by side, which a session would not let them.
            autogenerate_session_id=False,
        )
    except failures as error:
        raise EventsUnavailable(f"ClickHouse at {parts.hostname} does not answer: {str(error)[:300]}") from error
    return ClickHouse(client, failures)


def failures_of(library: Any) -> tuple[type[Exception], ...]:
    """What `clickhouse_connect` raises when the server is away or refuses. Data that cannot be sent is not among it."""
    errors = library.driver.exceptions
    return (errors.DatabaseError, errors.InterfaceError)
