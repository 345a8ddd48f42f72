"""Pages of long lists: by number where an API demands it, by key where the list may be millions long."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.kit.errors import InvalidInput

PAGE_SIZE_DEFAULT = 25
PAGE_SIZE_MAX = 1000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list: numbers start at 1. Raises InvalidInput outside 1..PAGE_SIZE_MAX."""

    number: int = 1
    size: int = PAGE_SIZE_DEFAULT

    def __post_init__(self) -> None:
        if self.number < 1:
            raise InvalidInput("Pages are numbered from 1.", field="page")
        if not 1 <= self.size <= PAGE_SIZE_MAX:
            raise InvalidInput(f"A page holds 1 to {PAGE_SIZE_MAX} entries.", field="page_size")

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list, with how many entries the whole list has."""

    items: tuple[Item, ...]
    total_count: int
    number: int
    size: int

    @property
    def page_count(self) -> int:
        return max(1, -(-self.total_count // self.size))


async def fetch_page(session: AsyncSession, statement: Select[Any], request: PageRequest) -> tuple[list[Any], int]:
    """The rows of one page of `statement` (which must be ordered), and the count of all of them."""
    rows = await session.scalars(statement.limit(request.size).offset(request.offset))
    return list(rows), await _count(session, statement)


async def fetch_page_of_columns(
    session: AsyncSession, statement: Select[Any], request: PageRequest
) -> tuple[Sequence[Any], int]:
    """Like `fetch_page` for a statement about columns instead of objects: for long pages, at half the price."""
    rows = await session.execute(statement.limit(request.size).offset(request.offset))
    count = statement.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    return rows.all(), await session.scalar(count) or 0


async def _count(session: AsyncSession, statement: Select[Any]) -> int:
    return await session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list ordered by time and id. Travels as opaque text."""

    at: datetime
    id: str

    def to_text(self) -> str:
        document = json.dumps([self.at.isoformat(), self.id])
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """What `to_text` gave. Raises InvalidInput for anything else."""
        try:
            at, id_ = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(datetime.fromisoformat(at), str(id_))
        except (ValueError, TypeError, binascii.Error):
            raise InvalidInput("This page marker is not one of ours.", field="cursor") from None


def older_than(cursor: Cursor, at: SQLColumnExpression[Any], id_: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    """The condition for rows that come after `cursor` in a newest-first list."""
    # The first bound says nothing new, but it is the one an index can start from.
    return and_(at <= cursor.at, or_(at < cursor.at, id_ < cursor.id))


def newer_than(cursor: Cursor, at: SQLColumnExpression[Any], id_: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    """The condition for rows that come before `cursor` in a newest-first list."""
    return and_(at >= cursor.at, or_(at > cursor.at, id_ > cursor.id))
