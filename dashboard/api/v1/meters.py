"""v1 meters. What they measured is asked in `meter_usage.py`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Name,
    ResourceKey,
    Time,
    nothing,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.base import Order, PageQuery, V1Model
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog.features import features_of_meter
from dashboard.kit.inputs import parse_input
from dashboard.usage import queries, service
from dashboard.usage.errors import QueryInvalid
from dashboard.usage.inputs import CreateMeter, UpdateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.views import Meter

router = APIRouter(prefix="/api/v1/meters", tags=["Meters"])

_SORTS = {
    "key": "key",
    "name": "name",
    "aggregation": "aggregation",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}


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


@router.get("")
async def list_meters(
    _: Viewer,
    page: PageQuery,
    order: Order = "ASC",
    order_by: Annotated[
        Literal["key", "name", "aggregation", "createdAt", "updatedAt"], Query(alias="orderBy")
    ] = "key",
    include_deleted: Annotated[bool, Query(alias="includeDeleted")] = False,
) -> Response:
    """All meters, as a plain array."""
    async with running().database.read() as session:
        found = await queries.list_meters(
            session, page, sort=_SORTS[order_by], descending=order == "DESC", include_deleted=include_deleted
        )
    return reply([meter_to_v1(meter) for meter in found.items])


@router.post("", status_code=201)
async def create_meter(actor: Admin, body: MeterCreate) -> Response:
    """Makes a meter; events that are already stored count for it too."""
    backend = running()
    wanted = {
        "key": body.slug,
        "name": body.name,
        "description": body.description,
        "event_type": body.event_type,
        "event_from": body.event_from,
        "aggregation": body.aggregation,
        # The contract says that COUNT ignores it; our own screens refuse it instead.
        "value_property": None if body.aggregation is Aggregation.COUNT else body.value_property,
        "group_by": body.group_by or {},
        "metadata": body.metadata or {},
    }
    with wire_names({"key": "slug"}):
        request = parse_input(CreateMeter, wanted)
        made = await service.create_meter(backend.database, backend.event_store, actor, request)
    return reply(meter_to_v1(made), 201)


@router.get("/{meter_id_or_slug}")
async def get_meter(_: Viewer, meter_id_or_slug: str) -> Response:
    """One meter by its id or slug."""
    async with running().database.read() as session:
        return reply(meter_to_v1(await queries.get_meter(session, meter_id_or_slug)))


@router.put("/{meter_id_or_slug}")
async def update_meter(actor: Admin, meter_id_or_slug: str, body: MeterUpdate) -> Response:
    """Replaces name, description, metadata and dimensions."""
    backend = running()
    wanted = {
        "name": body.name,
        "description": body.description,
        "group_by": body.group_by or {},
        "metadata": body.metadata or {},
    }
    request = parse_input(UpdateMeter, wanted)
    meter = await service.update_meter(backend.database, backend.event_store, actor, meter_id_or_slug, request)
    return reply(meter_to_v1(meter))


@router.delete("/{meter_id_or_slug}", status_code=204)
async def delete_meter(actor: Admin, meter_id_or_slug: str) -> Response:
    """Deletes a meter that no feature uses; the events stay."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
        used_by = await features_of_meter(session, meter.id)
    await service.delete_meter(backend.database, backend.event_store, actor, meter.id, used_by=used_by)
    return nothing()


@router.get("/{meter_id_or_slug}/subjects")
async def list_meter_subjects(
    _: Viewer,
    meter_id_or_slug: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
) -> Response:
    """The subjects that have events for the meter."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
    return reply(await backend.event_store.subjects(meter.id, from_at, to))


@router.get("/{meter_id_or_slug}/group-by/{group_by_key}/values")
async def list_meter_group_by_values(
    _: Viewer,
    meter_id_or_slug: str,
    group_by_key: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
) -> Response:
    """The values a dimension takes."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
    if group_by_key not in meter.group_by:
        raise QueryInvalid(f"The meter {meter.key} has no dimension {group_by_key!r}.", field="groupByKey")
    return reply(await backend.event_store.dimension_values(meter.id, group_by_key, from_at, to))


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
