"""The counters behind invoice numbers. A number belongs to the caller's transaction: rolled back, it is free again."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.tables import SequenceRow
from dashboard.kit.locks import lock_until_commit

GATHERING = "gathering"
DRAFT = "draft"
ISSUED = "issued"


async def next_number(session: AsyncSession, name: str) -> int:
    """The next number of a counter, from 1; whoever asks meanwhile waits until this transaction ends."""
    await lock_until_commit(session, f"billing_sequence:{name}")
    row = await session.scalar(
        select(SequenceRow).where(col(SequenceRow.name) == name).execution_options(populate_existing=True)
    )
    if row is None:
        row = SequenceRow(name=name, last=0)
        session.add(row)
    row.last += 1
    await session.flush()
    return row.last
