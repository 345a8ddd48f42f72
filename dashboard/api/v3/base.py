"""v3's manners: snake_case models that refuse what they do not know, `page[number]`, `sort`, `filter[…]`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from dashboard.kit.paging import Page, PageRequest

Item = TypeVar("Item")


class V3Model(BaseModel):
    """A v3 shape: snake_case, unknown properties refused."""

    model_config = ConfigDict(extra="forbid")


def page_request(
    number: Annotated[int, Query(ge=1, alias="page[number]")] = 1,
    size: Annotated[int, Query(ge=1, le=1000, alias="page[size]")] = 20,
) -> PageRequest:
    """`page[number]` and `page[size]` of the query."""
    return PageRequest(number, size)


PageQuery = Annotated[PageRequest, Depends(page_request)]


def page_answer(page: Page[Item], shape: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """v3's page: `{data, meta: {page: {number, size, total}}}`."""
    return {
        "data": [shape(item) for item in page.items],
        "meta": {"page": {"number": page.number, "size": page.size, "total": page.total_count}},
    }
