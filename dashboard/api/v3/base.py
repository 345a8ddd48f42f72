"""v3's manners: snake_case models that refuse what they do not know, `page[number]`, `sort`, labels."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from dashboard.kit.errors import InvalidInput
from dashboard.kit.paging import Page, PageRequest

Item = TypeVar("Item")

LABELS_MAX = 50
_LABEL_KEY = re.compile(r".{1,63}", re.DOTALL)
_RESERVED_LABEL = re.compile(r"(kong|konnect|mesh|kic|_)")
_LABEL_VALUE = re.compile(r"[a-z0-9A-Z]([a-z0-9A-Z\-._]*[a-z0-9A-Z]+)?")


class V3Model(BaseModel):
    """A v3 shape: snake_case, unknown properties refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, allow_inf_nan=False)


def _fit(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > LABELS_MAX:
        raise ValueError(f"at most {LABELS_MAX} labels")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or _RESERVED_LABEL.match(key):
            raise ValueError(f"{key[:70]!r} is no name for a label: 1 to 63 letters, none of the reserved beginnings")
        if not _is_label(value):
            raise ValueError(f"the value of {key!r} is no label: 1 to 63 of A-Z a-z 0-9 . _ -")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_fit)]
"""Labels of v3. They are the metadata of v1, as far as they fit."""
UrlText = Annotated[str, StringConstraints(max_length=2048)]


def labels_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """What of `metadata` v3 can show: v1 and the screens allow any text, a label does not."""
    fitting = {key: value for key, value in metadata.items() if _LABEL_KEY.fullmatch(key) and _is_label(value)}
    return dict(list(fitting.items())[:LABELS_MAX])


async def page_request(
    number: Annotated[int, Query(ge=1, le=1_000_000, alias="page[number]")] = 1,
    size: Annotated[int, Query(ge=1, le=1000, alias="page[size]")] = 20,
) -> PageRequest:
    """`page[number]` and `page[size]` of the query."""
    # Not a plain function: FastAPI would send each call to a thread.
    return PageRequest(number, size)


PageQuery = Annotated[PageRequest, Depends(page_request)]


def page_answer(page: Page[Item], shape: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """v3's page: `{data, meta: {page: {number, size, total}}}`."""
    return {
        "data": [shape(item) for item in page.items],
        "meta": {"page": {"number": page.number, "size": page.size, "total": page.total_count}},
    }


def sort_of(request: Request, known: Mapping[str, str], default: str) -> tuple[str, bool]:
    """Our name of the field of `sort=field`, `field asc` or `field desc`, and whether it descends."""
    text = request.query_params.get("sort", default)
    field, _, direction = text.strip().partition(" ")
    if field not in known or direction.strip().lower() not in ("", "asc", "desc"):
        raise InvalidInput(f"Sort by one of {', '.join(known)}, with asc or desc behind it.", field="sort")
    return known[field], direction.strip().lower() == "desc"


def _is_label(value: str) -> bool:
    return len(value) <= 63 and _LABEL_VALUE.fullmatch(value) is not None
