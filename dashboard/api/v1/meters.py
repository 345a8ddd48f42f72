"""v1 meters and their queries. Values are JSON numbers here, written digit for digit."""

import csv
import io
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Name,
    ResourceKey,
    Time,
    decimal_text,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.base import PageQuery, V1Model
from dashboard.backend import running
from dashboard.catalog.features import features_of_meter
from dashboard.customers.queries import subjects_of_customers
from dashboard.usage import queries, service
from dashboard.usage.errors import QueryInvalid
from dashboard.usage.inputs import CreateMeter, UpdateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.views import Measurement, Meter, MeterQuery, Window

router = APIRouter(prefix="/api/v1/meters", tags=["Meters"])

_SORTS = {
    "key": "key",
    "name": "name",
    "aggregation": "aggregation",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
_RESERVED = ("subject", "customer_id")


class MeterCreate(V1Model):
    slug: ResourceKey
    name: Name | None = None
    description: Description | None = None
    metadata: dict[str, str] | None = None
    aggregation: Aggregation
    event_type: Annotated[str, Field(min_length=1)]
    event_from: Time | None = None
    value_property: Annotated[str, Field(min_length=1)] | None = None
    group_by: dict[str, str] | None = None


class MeterUpdate(V1Model):
    name: Name | None = None
    description: Description | None = None
    metadata: dict[str, str] | None = None
    group_by: dict[str, str] | None = None


class MeterQueryRequest(V1Model):
    client_id: str | None = None
    from_: Annotated[Time | None, Field(alias="from")] = None
    to: Time | None = None
    window_size: Window | None = None
    window_time_zone: str = "UTC"
    subject: Annotated[list[str], Field(max_length=100)] = []
    filter_customer_id: Annotated[list[str], Field(max_length=100)] = []
    filter_group_by: dict[str, list[str]] = {}
    group_by: list[str] = []


@router.get("")
async def list_meters(
    _: Viewer,
    page: PageQuery,
    order: str = "ASC",
    order_by: Annotated[str, Query(alias="orderBy")] = "key",
    include_deleted: Annotated[bool, Query(alias="includeDeleted")] = False,
) -> list[dict[str, Any]]:
    """All meters, as a plain array."""
    if order_by not in _SORTS:
        raise QueryInvalid(f"Meters cannot be ordered by {order_by!r}.", field="orderBy")
    async with running().database.read() as session:
        found = await queries.list_meters(
            session, page, sort=_SORTS[order_by], descending=order.upper() == "DESC", include_deleted=include_deleted
        )
    return [meter_to_v1(meter) for meter in found.items]


@router.post("", status_code=201)
async def create_meter(actor: Admin, body: MeterCreate) -> dict[str, Any]:
    """Makes a meter; events that are already stored count for it too."""
    backend = running()
    wanted = CreateMeter(
        key=body.slug,
        name=body.name,
        description=body.description,
        event_type=body.event_type,
        event_from=body.event_from,
        aggregation=body.aggregation,
        # The contract says that COUNT ignores it; our own screens refuse it instead.
        value_property=None if body.aggregation is Aggregation.COUNT else body.value_property,
        group_by=body.group_by or {},
        metadata=body.metadata or {},
    )
    return meter_to_v1(await service.create_meter(backend.database, backend.event_store, actor, wanted))


@router.get("/{meter_id_or_slug}")
async def get_meter(_: Viewer, meter_id_or_slug: str) -> dict[str, Any]:
    """One meter by its id or slug."""
    async with running().database.read() as session:
        return meter_to_v1(await queries.get_meter(session, meter_id_or_slug))


@router.put("/{meter_id_or_slug}")
async def update_meter(actor: Admin, meter_id_or_slug: str, body: MeterUpdate) -> dict[str, Any]:
    """Replaces name, description, metadata and dimensions."""
    backend = running()
    wanted = UpdateMeter(
        name=body.name, description=body.description, group_by=body.group_by or {}, metadata=body.metadata or {}
    )
    meter = await service.update_meter(backend.database, backend.event_store, actor, meter_id_or_slug, wanted)
    return meter_to_v1(meter)


@router.delete("/{meter_id_or_slug}", status_code=204)
async def delete_meter(actor: Admin, meter_id_or_slug: str) -> None:
    """Deletes a meter that no feature uses; the events stay."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
        used_by = await features_of_meter(session, meter.id)
    await service.delete_meter(backend.database, backend.event_store, actor, meter.id, used_by=used_by)


@router.get("/{meter_id_or_slug}/subjects")
async def list_meter_subjects(
    _: Viewer,
    meter_id_or_slug: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
) -> list[str]:
    """The subjects that have events for the meter."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
    return await backend.event_store.subjects(meter.id, from_at, to)


@router.get("/{meter_id_or_slug}/group-by/{group_by_key}/values")
async def list_meter_group_by_values(
    _: Viewer,
    meter_id_or_slug: str,
    group_by_key: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
) -> list[str]:
    """The values a dimension takes."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
    if group_by_key not in meter.group_by:
        raise QueryInvalid(f"The meter {meter.key} has no dimension {group_by_key!r}.", field="groupByKey")
    return await backend.event_store.dimension_values(meter.id, group_by_key, from_at, to)


@router.get("/{meter_id_or_slug}/query")
async def query_meter(
    caller: Viewer,
    meter_id_or_slug: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
    window_size: Annotated[Window | None, Query(alias="windowSize")] = None,
    window_time_zone: Annotated[str, Query(alias="windowTimeZone")] = "UTC",
    subject: Annotated[list[str], Query()] = [],
    filter_customer_id: Annotated[list[str], Query(alias="filterCustomerId", max_length=100)] = [],
    group_by: Annotated[list[str], Query(alias="groupBy")] = [],
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Usage as JSON, or as CSV where the caller asks for it."""
    body = MeterQueryRequest.model_validate(
        {
            "from": from_at,
            "to": to,
            "windowSize": window_size,
            "windowTimeZone": window_time_zone,
            "subject": subject,
            "filterCustomerId": filter_customer_id,
            "groupBy": group_by,
        }
    )
    return await query_meter_post(caller, meter_id_or_slug, body, accept)


@router.post("/{meter_id_or_slug}/query")
async def query_meter_post(
    _: Viewer,
    meter_id_or_slug: str,
    body: Annotated[MeterQueryRequest, Body()],
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Usage with the question in the body."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
        customers = await subjects_of_customers(session, [id_.upper() for id_ in body.filter_customer_id])
    rows = await _measure(meter, body, customers)
    if accept.startswith("text/csv"):
        return Response(_csv(rows, body), media_type="text/csv")
    document = without_none(
        [
            ("from", body.from_ and time_text(body.from_)),
            ("to", body.to and time_text(body.to)),
            ("windowSize", body.window_size and body.window_size.value),
            ("data", [_row_to_v1(row, customer) for customer, row in rows]),
        ]
    )
    return reply(document)


Rows = list[tuple[str | None, Measurement]]


async def _measure(meter: Meter, body: MeterQueryRequest, customers: dict[str, tuple[str, ...]]) -> Rows:
    """Rows with the customer they belong to. Filtering by subject or customer also groups by it, as at OpenMeter."""
    query = MeterQuery(
        from_at=body.from_,
        to_at=body.to,
        window=body.window_size,
        time_zone=body.window_time_zone,
        subjects=tuple(body.subject) or None,
        group_by=tuple(name for name in body.group_by if name not in _RESERVED),
        by_subject=bool(body.subject) or "subject" in body.group_by,
        filters={name: tuple(values) for name, values in body.filter_group_by.items()},
    )
    store = running().event_store
    if not body.filter_customer_id:
        return [(None, row) for row in await queries.query_meter(store, meter, query)]
    rows: Rows = []
    for customer, subjects in customers.items():
        wanted = [subject for subject in subjects if query.subjects is None or subject in query.subjects]
        for row in await queries.query_meter(store, meter, _for_subjects(query, tuple(wanted))):
            rows.append((customer, row))
    return rows


def _for_subjects(query: MeterQuery, subjects: tuple[str, ...]) -> MeterQuery:
    return MeterQuery(
        query.from_at,
        query.to_at,
        query.window,
        query.time_zone,
        subjects,
        query.group_by,
        query.by_subject,
        query.filters,
    )


def _row_to_v1(row: Measurement, customer: str | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "value": row.value,
        "windowStart": time_text(row.from_at),
        "windowEnd": time_text(row.to_at),
        "subject": row.subject,
        "groupBy": row.group_by,
    }
    return document | ({"customerId": customer} if customer else {})


def _csv(rows: Rows, body: MeterQueryRequest) -> str:
    dimensions = [name for name in body.group_by if name not in _RESERVED]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["window_start", "window_end", "subject", "customer_id", *dimensions, "value"])
    for customer, row in rows:
        writer.writerow(
            [
                time_text(row.from_at),
                time_text(row.to_at),
                row.subject or "",
                customer or "",
                *(row.group_by.get(name, "") for name in dimensions),
                decimal_text(row.value),
            ]
        )
    return text.getvalue()


def meter_to_v1(meter: Meter) -> dict[str, Any]:
    """v1's `Meter`."""
    return without_none(
        [
            ("id", meter.id),
            ("slug", meter.key),
            ("name", meter.name),
            ("description", meter.description),
            ("metadata", meter.metadata),
            ("aggregation", meter.aggregation.value),
            ("eventType", meter.event_type),
            ("eventFrom", meter.event_from and time_text(meter.event_from)),
            ("valueProperty", meter.value_property),
            ("groupBy", meter.group_by),
            ("createdAt", time_text(meter.created_at)),
            ("updatedAt", time_text(meter.updated_at)),
            ("deletedAt", meter.deleted_at and time_text(meter.deleted_at)),
        ]
    )
