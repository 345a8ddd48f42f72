"""Plain statements over one connection, with `?` for parameters on both databases."""

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection


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

    def _adapt(self, statement: str) -> str:
        # psycopg takes %s for parameters, so a plain per cent sign is doubled first.
        return statement if self.sqlite else statement.replace("%", "%%").replace("?", "%s")
