"""Batches: what makes several inserts into ClickHouse, which has no transactions, one.

Each batch has a number, and its rows carry it. It begins as a fact in a table, its rows are inserted, it is committed
as another fact; readers see rows of committed batches only. One writer at a time writes (a lock outside of
ClickHouse). A writer that finds the last batch without its commit takes it for broken off: it gives the batch up for
good, so that rows which still arrive never count, and begins the next.

Should a writer lose its lock without noticing, the batch it is about to commit may be given up by another. So whoever
gives up says that he doubts, then looks for the commit once more; and whoever commits looks for a doubt afterwards.
One of the two sees the other, whatever the order, and nobody is told that events are stored which are not.
"""

from dataclasses import dataclass
from typing import Any

from dashboard.usage.clickhouse import ClickHouse, EventsUnavailable

PLACES = 20
"""How many bits of a place count within its batch."""

# Sorted so that the first fact of a batch tells whether it was committed.
_COMMITTED, _BEGUN, _DOUBTED = 0, 1, 2
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Visible:
    """What counts at one moment: batches up to `last`, without those given up."""

    last: int
    given_up: tuple[int, ...]

    def conditions(self) -> tuple[list[str], list[Any]]:
        """Conditions (and their parameters) on `seq` for rows that count."""
        conditions, parameters = ["seq < ?"], [(self.last + 1) << PLACES]
        if self.given_up:
            conditions.append(f"bitShiftRight(seq, {PLACES}) NOT IN ({', '.join('?' * len(self.given_up))})")
            parameters += self.given_up
        return conditions, parameters


class Batches:
    """The batches of one store. `settle` and `begin` need the lock."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def visible(self) -> Visible:
        """What counts now."""
        batch, fact = await self._last()
        return Visible(batch if fact == _COMMITTED else batch - 1, await self._given_up())

    async def settle(self) -> Visible:
        """Decides about a batch that was broken off, and says what counts then."""
        batch, fact = await self._last()
        if fact != _COMMITTED:
            await self._note(batch, _DOUBTED)
            if (await self._last())[1] != _COMMITTED:
                await self._clickhouse.insert("usage_batch_given_up", ["batch"], [[batch]], f"given up {batch}")
        return Visible(batch, await self._given_up())

    async def begin(self, seen: Visible) -> int:
        """The number of a new batch, after `seen`, which `settle` answered."""
        number = seen.last + 1
        await self._note(number, _BEGUN)
        if number % _KEPT == 0:
            await self._clickhouse.run(f"ALTER TABLE usage_batch DELETE WHERE batch < {number - 1}")
        return number

    async def commit(self, number: int) -> None:
        """Makes the rows of a batch count. Raises EventsUnavailable when somebody doubted that this would come."""
        await self._note(number, _COMMITTED)
        if await self._clickhouse.rows("SELECT 1 FROM usage_batch WHERE batch = ? AND fact = ?", number, _DOUBTED):
            raise EventsUnavailable("Another process took over while these events were being stored.")

    async def _last(self) -> tuple[int, int]:
        found = await self._clickhouse.rows("SELECT batch, fact FROM usage_batch ORDER BY batch DESC, fact LIMIT 1")
        return found[0] if found else (0, _COMMITTED)

    async def _given_up(self) -> tuple[int, ...]:
        rows = await self._clickhouse.rows("SELECT DISTINCT batch FROM usage_batch_given_up ORDER BY batch")
        return tuple(batch for (batch,) in rows)

    async def _note(self, batch: int, fact: int) -> None:
        await self._clickhouse.insert("usage_batch", ["batch", "fact"], [[batch, fact]], f"batch {batch} {fact}")
