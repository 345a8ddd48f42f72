"""v1's manners: camelCase models that ignore what they do not know, and numbered pages."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dashboard.kit.paging import Page, PageRequest

Item = TypeVar("Item")


class V1Model(BaseModel):
    """A v1 shape: camelCase on the wire, either name in Python, unknown properties ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


def page_request(
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=1000, alias="pageSize")] = 100,
) -> PageRequest:
    """`page` and `pageSize` of the query."""
    return PageRequest(page, page_size)


PageQuery = Annotated[PageRequest, Depends(page_request)]


def page_answer(page: Page[Item], shape: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """v1's page: `{items, totalCount, page, pageSize}`."""
    return {
        "items": [shape(item) for item in page.items],
        "totalCount": page.total_count,
        "page": page.number,
        "pageSize": page.size,
    }


def without_none(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs that have a value: an optional property is left out, never null."""
    return {name: value for name, value in pairs if value is not None}
