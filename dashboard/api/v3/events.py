"""v3 usage events: taking them in, and looking at the newest, page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import Time, reply, time_text
from dashboard.api.v1.events import cloud_event, owners_of, place_of, take_in
from dashboard.api.v3.filters import Condition, filters_of
from dashboard.backend import running
from dashboard.customers.queries import subjects_of_customers
from dashboard.kit.errors import InvalidInput
from dashboard.usage.views import EventFilter, StoredEvent

router = APIRouter(prefix="/events", tags=["v3 events"])

_EXACT = frozenset({"eq"})
_SPAN = frozenset({"gte", "lt"})
_FILTERS = {
    "id": _EXACT,
    "subject": frozenset({"eq", "oeq"}),
    "type": _EXACT,
    "customer_id": frozenset({"eq", "oeq"}),
    "time": _SPAN,
    "ingested_at": _SPAN,
    "stored_at": _SPAN,
}
_TIME = TypeAdapter(Time)


@router.post("", status_code=202)
async def ingest(_: Operator, request: Request) -> Response:
    """Takes in one CloudEvent or an array of them, all or none."""
    await take_in(request)
    return Response(status_code=202)


@router.get("")
async def list_events(
    _: Viewer,
    request: Request,
    size: Annotated[int, Query(alias="page[size]", ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(alias="page[after]", max_length=64)] = None,
    sort: Annotated[str, Query(pattern=r"^(time|ingested_at|stored_at)( desc)?$")] = "time desc",
) -> Response:
    """Events in the order they came in, the newest first; `page[after]` is `meta.page.next` of the page before."""
    conditions = filters_of(request, _FILTERS)
    found = await running().event_store.list_events(await _wanted(conditions, size, after))
    owners = await owners_of(found)
    more = str(found[-1].place) if len(found) == size else None
    page = {"next": more, "previous": None, "size": size}
    return reply({"data": [_event_to_v3(one, owners) for one in found], "meta": {"page": page}})


async def _wanted(conditions: Sequence[Condition], size: int, after: str | None) -> EventFilter:
    by_field = {one.field: one for one in conditions if one.operator in ("eq", "oeq")}
    subjects = by_field["subject"].choices if "subject" in by_field and by_field["subject"].operator == "oeq" else None
    if "customer_id" in by_field:
        one = by_field["customer_id"]
        ids = one.choices if one.operator == "oeq" else [one.value]
        async with running().database.read() as session:
            owned = [name for names in (await subjects_of_customers(session, ids)).values() for name in names]
        subjects = owned if subjects is None else [name for name in subjects if name in owned]
    return EventFilter(
        id=_value(by_field, "id"),
        type=_value(by_field, "type"),
        subject=_value(by_field, "subject") if "subject" in by_field and by_field["subject"].operator == "eq" else None,
        subjects=tuple(subjects) if subjects is not None else None,
        from_at=_time(conditions, "time", "gte"),
        to_at=_time(conditions, "time", "lt"),
        ingested_from=_time(conditions, "ingested_at", "gte") or _time(conditions, "stored_at", "gte"),
        ingested_to=_time(conditions, "ingested_at", "lt") or _time(conditions, "stored_at", "lt"),
        before=place_of(after),
        limit=size,
    )


def _value(by_field: dict[str, Condition], field: str) -> str | None:
    return by_field[field].value if field in by_field else None


def _time(conditions: Sequence[Condition], field: str, operator: str) -> datetime | None:
    for one in conditions:
        if (one.field, one.operator) == (field, operator):
            try:
                return _TIME.validate_python(one.value)
            except ValidationError:
                raise InvalidInput("A time is sent with its zone.", field=f"filter[{field}][{operator}]") from None
    return None


def _event_to_v3(stored: StoredEvent, owners: dict[str, str]) -> dict[str, Any]:
    owner = owners.get(stored.event.subject)
    return {
        "event": cloud_event(stored),
        "ingested_at": time_text(stored.stored_at),
        "stored_at": time_text(stored.stored_at),
    } | ({"customer": {"id": owner}} if owner else {})
