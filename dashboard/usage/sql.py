"""Plain statements over one connection, with `?` for parameters, and the few words in which databases differ."""

from collections.abc import Sequence
from typing import Any, Protocol

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection


class ValueSql(Protocol):
    """Questions about `usage_value`, in the words of one database."""

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """What a query answers."""
        ...

    def quotient(self, dividend: str, divisor: int) -> str:
        """Whole numbers divided, without the rest."""
        ...

    def total(self, expression: str) -> str:
        """The sum of whole numbers."""
        ...

    def dimension(self, name: str) -> str:
        """The value of a dimension; NULL or empty where it is missing."""
        ...

    def kept_to(self, from_time: int | None, to_time: int | None) -> tuple[list[str], list[Any]]:
        """More conditions (and their parameters) for values of [from_time, to_time)."""
        ...


class Sql:
    """Runs statements for the event store, where the ORM would cost more than the work itself."""

    def __init__(self, connection: AsyncConnection, *, sqlite: bool) -> None:
        self._connection = connection
        self.sqlite = sqlite

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """What a query answers, or a statement returns."""
        return list((await self._connection.exec_driver_sql(self._adapt(statement), parameters)).all())

    async def row(self, statement: str, *parameters: Any) -> Any:
        """The first row of the answer, or None."""
        found = await self.rows(statement, *parameters)
        return found[0] if found else None

    async def run(self, statement: str, *parameters: Any) -> None:
        """A statement without an answer."""
        await self._connection.exec_driver_sql(self._adapt(statement) if parameters else statement, parameters)

    async def copy(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Many rows at once into `table (columns…)`; PostgreSQL only."""
        if not rows:
            return
        raw = (await self._connection.get_raw_connection()).driver_connection
        if not isinstance(raw, psycopg.AsyncConnection):
            raise TypeError("COPY is PostgreSQL's")
        async with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                await copy.write_row(row)

    def quotient(self, dividend: str, divisor: int) -> str:
        """See `ValueSql`."""
        return f"{dividend} / {divisor}"

    def total(self, expression: str) -> str:
        """See `ValueSql`."""
        return f"SUM({expression})"

    def dimension(self, name: str) -> str:
        """See `ValueSql`."""
        if self.sqlite:
            return f"json_extract(NULLIF(dimensions, ''), '$.\"{name}\"')"
        return f"(NULLIF(dimensions, '')::json ->> '{name}')"

    def kept_to(self, from_time: int | None, to_time: int | None) -> tuple[list[str], list[Any]]:
        """See `ValueSql`."""
        return [], []

    def _adapt(self, statement: str) -> str:
        return statement if self.sqlite else with_percent_marks(statement)


def with_percent_marks(statement: str) -> str:
    """`statement` for a driver that takes `%s` for parameters, so that a plain per cent sign is doubled first."""
    return statement.replace("%", "%%").replace("?", "%s")
