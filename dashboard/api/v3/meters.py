"""v3 meters and their queries. Values are decimals as text here."""

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.meter_queries import CUSTOMER, RESERVED, SUBJECT, UsageQuestion, UsageRow, usage_rows
from dashboard.api.shapes import (
    Description,
    Name,
    ResourceKey,
    Time,
    UlidUpperCase,
    decimal_text,
    nothing,
    optional_time,
    page_of,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer, sort_of
from dashboard.api.v3.filters import TEXT_OPERATORS, all_that_fit, filters_of
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog.features import features_of_meter
from dashboard.kit.inputs import parse_input
from dashboard.usage import queries, service
from dashboard.usage.errors import QueryInvalid
from dashboard.usage.inputs import CreateMeter, UpdateMeter
from dashboard.usage.meter_rules import Aggregation
from dashboard.usage.views import Meter, Window

router = APIRouter(prefix="/meters", tags=["v3 meters"])

_SORTS = {name: name for name in ("key", "name", "aggregation", "created_at", "updated_at")}
_FILTERS = {"key": TEXT_OPERATORS, "name": TEXT_OPERATORS}
_GRANULARITIES = {"PT1M": Window.MINUTE, "PT1H": Window.HOUR, "P1D": Window.DAY, "P1M": Window.MONTH}
_FIELDS = {"group_by": "dimensions", "event_from": "events_from", "metadata": "labels"}
EventType = Annotated[str, Field(min_length=1, max_length=1024)]


class NewMeterBody(V3Model):
    """`CreateMeterRequest`."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    key: ResourceKey
    aggregation: Literal["sum", "count", "unique_count", "avg", "min", "max", "latest"]
    event_type: EventType
    events_from: Time | None = None
    value_property: EventType | None = None
    dimensions: dict[str, str] | None = None


class MeterBody(V3Model):
    """`UpdateMeterRequest`."""

    name: Name | None = None
    description: Description | None = None
    labels: Labels | None = None
    dimensions: dict[str, str] | None = None


class ValueFilter(V3Model):
    """`QueryFilterStringMapItem`, as far as usage can be filtered: one value, or one of several."""

    eq: str | None = None
    in_: Annotated[list[str] | None, Field(alias="in", min_length=1, max_length=100)] = None

    def values(self, name: str) -> tuple[str, ...]:
        """The values that count. Raises QueryInvalid when none is named."""
        found = (*([self.eq] if self.eq is not None else []), *(self.in_ or []))
        if not found:
            raise QueryInvalid(f"Filter {name} with eq or in.", field=f"filters.dimensions.{name}")
        return found


class QueryFilters(V3Model):
    dimensions: dict[str, ValueFilter] | None = None


class QueryBody(V3Model):
    """`MeterQueryRequest`."""

    from_: Annotated[Time | None, Field(alias="from")] = None
    to: Time | None = None
    granularity: Literal["PT1M", "PT1H", "P1D", "P1M"] | None = None
    time_zone: str = "UTC"
    group_by_dimensions: Annotated[list[str], Field(max_length=100)] = []
    filters: QueryFilters | None = None


@router.get("")
async def list_meters(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Meters, page by page."""
    sort, descending = sort_of(request, _SORTS, "created_at")
    conditions = filters_of(request, _FILTERS)
    async with running().database.read() as session:
        fitting = await all_that_fit(
            lambda one: queries.list_meters(session, one, sort=sort, descending=descending),
            lambda meter: all(one.holds(getattr(meter, one.field)) for one in conditions),
        )
    return reply(page_answer(page_of(fitting, page), meter_to_v3))


@router.post("", status_code=201)
async def create_meter(actor: Admin, body: NewMeterBody) -> Response:
    """Makes a meter; events that are already stored count for it too."""
    backend = running()
    with wire_names(_FIELDS):
        wanted = parse_input(
            CreateMeter,
            {
                "key": body.key,
                "name": body.name,
                "description": body.description,
                "event_type": body.event_type,
                "event_from": body.events_from,
                "aggregation": Aggregation(body.aggregation.upper()),
                # The contract says that counting ignores it; our own screens refuse it instead.
                "value_property": None if body.aggregation == "count" else body.value_property,
                "group_by": body.dimensions or {},
                "metadata": body.labels or {},
            },
        )
        made = await service.create_meter(backend.database, backend.event_store, actor, wanted)
    return reply(meter_to_v3(made), 201)


@router.get("/{meter_id}")
async def get_meter(_: Viewer, meter_id: UlidUpperCase) -> Response:
    """One meter."""
    async with running().database.read() as session:
        return reply(meter_to_v3(await queries.get_meter(session, meter_id)))


@router.put("/{meter_id}")
async def update_meter(actor: Admin, meter_id: UlidUpperCase, body: MeterBody) -> Response:
    """Replaces name, description, labels and dimensions."""
    backend = running()
    wanted = {
        "name": body.name,
        "description": body.description,
        "group_by": body.dimensions or {},
        "metadata": body.labels or {},
    }
    with wire_names(_FIELDS):
        request = parse_input(UpdateMeter, wanted)
        changed = await service.update_meter(backend.database, backend.event_store, actor, meter_id, request)
    return reply(meter_to_v3(changed))


@router.delete("/{meter_id}", status_code=204)
async def delete_meter(actor: Admin, meter_id: UlidUpperCase) -> Response:
    """Deletes a meter that no feature uses; the events stay."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id)
        used_by = await features_of_meter(session, meter.id)
    await service.delete_meter(backend.database, backend.event_store, actor, meter.id, used_by=used_by)
    return nothing()


@router.post("/{meter_id}/query")
async def query_meter(
    _: Viewer,
    meter_id: UlidUpperCase,
    body: QueryBody,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Usage as JSON, or as CSV where the caller asks for it."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id)
    asked = _question(body)
    with wire_names({"groupBy": "group_by_dimensions"}):
        rows = await usage_rows(backend, meter, asked)
    if accept.startswith("text/csv"):
        return Response(_csv(rows, asked), media_type="text/csv")
    return reply(
        without_none(
            [
                ("from", optional_time(body.from_)),
                ("to", optional_time(body.to)),
                ("data", [_row_to_v3(row) for row in rows]),
            ]
        )
    )


def meter_to_v3(meter: Meter) -> dict[str, Any]:
    """v3's `Meter`."""
    return without_none(
        [
            ("id", meter.id),
            ("key", meter.key),
            ("name", meter.name),
            ("description", meter.description),
            ("labels", labels_of(meter.metadata)),
            ("aggregation", meter.aggregation.value.lower()),
            ("event_type", meter.event_type),
            ("events_from", optional_time(meter.event_from)),
            ("value_property", meter.value_property),
            ("dimensions", meter.group_by),
            ("created_at", time_text(meter.created_at)),
            ("updated_at", time_text(meter.updated_at)),
            ("deleted_at", optional_time(meter.deleted_at)),
        ]
    )


def _question(body: QueryBody) -> UsageQuestion:
    chosen = (body.filters.dimensions if body.filters else None) or {}
    filters = {name: condition.values(name) for name, condition in chosen.items()}
    return UsageQuestion(
        from_at=body.from_,
        to_at=body.to,
        window=_GRANULARITIES[body.granularity] if body.granularity else None,
        time_zone=body.time_zone,
        subjects=filters.get(SUBJECT, ()),
        customers=filters.get(CUSTOMER, ()),
        group_by=tuple(body.group_by_dimensions),
        filters={name: values for name, values in filters.items() if name not in RESERVED},
    )


def _dimensions(row: UsageRow) -> dict[str, str]:
    measured = row.measurement
    found = without_none([(SUBJECT, measured.subject), (CUSTOMER, row.customer_id)])
    return found | {name: value or "" for name, value in measured.group_by.items()}


def _row_to_v3(row: UsageRow) -> dict[str, Any]:
    measured = row.measurement
    return {
        "value": decimal_text(measured.value),
        "from": time_text(measured.from_at),
        "to": time_text(measured.to_at),
        "dimensions": _dimensions(row),
    }


def _csv(rows: list[UsageRow], asked: UsageQuestion) -> str:
    names = [SUBJECT, CUSTOMER, *asked.dimensions]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["from", "to", *names, "value"])
    for row in rows:
        measured, dimensions = row.measurement, _dimensions(row)
        times = [time_text(measured.from_at), time_text(measured.to_at)]
        writer.writerow([*times, *(dimensions.get(name, "") for name in names), decimal_text(measured.value)])
    return text.getvalue()
