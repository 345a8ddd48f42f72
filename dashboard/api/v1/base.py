"""v1's manners: camelCase models that ignore what they do not know, and numbered pages."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dashboard.kit.paging import Page, PageRequest

Item = TypeVar("Item")

NAMESPACE_ID = "0" * 26
"""OpenMeter answers webhooks with the tenant's id. There is one tenant here, and this stands for it."""


class V1Model(BaseModel):
    """A v1 shape: camelCase on the wire, either name in Python, unknown properties ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", allow_inf_nan=False)


async def page_request(
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=1000, alias="pageSize")] = 100,
) -> PageRequest:
    """`page` and `pageSize` of the query."""
    # Not a plain function: FastAPI would send each call to a thread.
    return PageRequest(page, page_size)


PageQuery = Annotated[PageRequest, Depends(page_request)]
Order = Annotated[Literal["ASC", "DESC"], Query()]


def page_answer(page: Page[Item], shape: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """v1's page: `{items, totalCount, page, pageSize}`."""
    return {
        "items": [shape(item) for item in page.items],
        "totalCount": page.total_count,
        "page": page.number,
        "pageSize": page.size,
    }
