"""v1 usage events: taking them in (three media types, one way of reading) and looking at the newest."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from dashboard.api.auth import Operator, Viewer
from dashboard.api.bodies import read_body
from dashboard.api.shapes import Time, reply, time_text
from dashboard.backend import running
from dashboard.customers.queries import customers_of_subjects, subjects_of_customers
from dashboard.kit.errors import InvalidInput
from dashboard.usage.cloudevents import read_events
from dashboard.usage.service import ingest_events
from dashboard.usage.views import EventFilter, StoredEvent

INGEST_BODY_BYTES_MAX = 16 * 1024 * 1024
LOOKED_BACK = timedelta(hours=72)

router = APIRouter(tags=["Events"])


async def take_in(request: Request) -> int:
    """Stores the events of a request's body, each once; answers after the commit with how many were new."""
    backend = running()
    body = await read_body(request, INGEST_BODY_BYTES_MAX)
    return await ingest_events(backend.database, backend.event_store, read_events(body, backend.clock.now()))


@router.post("/api/v1/events", status_code=204)
async def ingest(_: Operator, request: Request) -> Response:
    """Takes in one CloudEvent or an array of them, all or none."""
    await take_in(request)
    return Response(status_code=204)


@router.get("/api/v1/events")
async def list_events(
    _: Viewer,
    ingested_at_from: Annotated[Time | None, Query(alias="ingestedAtFrom")] = None,
    ingested_at_to: Annotated[Time | None, Query(alias="ingestedAtTo")] = None,
    id: str | None = None,
    subject: str | None = None,
    customer_id: Annotated[list[str], Query(alias="customerId")] = [],
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """The newest events, of the last 72 hours unless `from` says otherwise."""
    backend = running()
    wanted = EventFilter(
        subject=subject,
        subjects=await _subjects(customer_id),
        id=id,
        from_at=from_at or backend.clock.now() - LOOKED_BACK,
        to_at=to,
        ingested_from=ingested_at_from,
        ingested_to=ingested_at_to,
        limit=limit,
    )
    return reply(await events_to_v1(await backend.event_store.list_events(wanted)))


@router.get("/api/v2/events")
async def list_events_v2(
    _: Viewer,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    filter: str | None = None,
) -> Response:
    """Events page by page; `filter` is JSON such as `{"subject": {"$eq": "acme"}}`."""
    chosen = _exact_filter(filter)
    wanted = EventFilter(
        subject=chosen.get("subject"),
        type=chosen.get("type"),
        id=chosen.get("id"),
        before=place_of(cursor),
        limit=limit,
    )
    found = await running().event_store.list_events(wanted)
    document: dict[str, Any] = {"items": await events_to_v1(found)}
    if len(found) == limit:
        document["nextCursor"] = str(found[-1].place)
    return reply(document)


def place_of(cursor: str | None) -> int | None:
    """The place a page marker stands for. Raises InvalidInput for a forged one."""
    if cursor is None:
        return None
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidInput("This page marker is not one of ours.", field="cursor")
    return int(cursor)


def cloud_event(stored: StoredEvent) -> dict[str, Any]:
    """The event as it was sent."""
    event = stored.event
    document: dict[str, Any] = {
        "id": event.id,
        "source": event.source,
        "specversion": "1.0",
        "type": event.type,
        "subject": event.subject,
        "time": time_text(event.time),
    }
    if event.data_json is not None:
        document["data"] = msgspec.Raw(event.data_json.encode())
    return document


async def owners_of(stored: list[StoredEvent]) -> dict[str, str]:
    """The customer each subject counts for."""
    async with running().database.read() as session:
        return await customers_of_subjects(session, sorted({one.event.subject for one in stored}))


async def events_to_v1(stored: list[StoredEvent]) -> list[dict[str, Any]]:
    """v1's `IngestedEvent`s."""
    owners = await owners_of(stored)
    return [
        {
            "event": cloud_event(one),
            "ingestedAt": time_text(one.stored_at),
            "storedAt": time_text(one.stored_at),
        }
        | ({"customerId": owners[one.event.subject]} if one.event.subject in owners else {})
        for one in stored
    ]


async def _subjects(customer_ids: list[str]) -> tuple[str, ...] | None:
    if not customer_ids:
        return None
    async with running().database.read() as session:
        found = await subjects_of_customers(session, [id_.upper() for id_ in customer_ids])
    return tuple(subject for subjects in found.values() for subject in subjects)


def _exact_filter(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        document = msgspec.json.decode(text, type=dict[str, dict[str, str]])
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise InvalidInput("The filter is a JSON object of fields and operators.", field="filter") from None
    chosen: dict[str, str] = {}
    for name, operators in document.items():
        if name not in ("id", "subject", "type") or set(operators) != {"$eq"}:
            raise InvalidInput(
                f"Events cannot be filtered by {name} with {', '.join(operators)}.",
                remedy="Filter id, subject or type with $eq.",
                field="filter",
            )
        chosen[name] = operators["$eq"]
    return chosen
