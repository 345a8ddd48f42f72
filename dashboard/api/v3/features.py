"""v3 features. They refer to their meter by id."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    DecimalText,
    Description,
    Name,
    ResourceKey,
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
from dashboard.api.v3.filters import EXACT_OPERATORS, TEXT_OPERATORS, all_that_fit, filters_of
from dashboard.api.v3.meters import ValueFilter
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog import features
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.catalog.plan_views import Feature
from dashboard.kit.inputs import parse_input

router = APIRouter(prefix="/features", tags=["v3 features"])

_SORTS = {name: name for name in ("key", "name", "created_at", "updated_at")}
_FILTERS = {"meter_id": EXACT_OPERATORS, "key": TEXT_OPERATORS, "name": TEXT_OPERATORS}
_FIELDS = {"meter": "meter.id", "filters": "meter.filters", "metadata": "labels"}


class MeterReference(V3Model):
    id: UlidUpperCase
    filters: Annotated[dict[str, ValueFilter] | None, Field(max_length=50)] = None


class ManualUnitCost(V3Model):
    type: Literal["manual"]
    amount: DecimalText


class FeatureBody(V3Model):
    """`CreateFeatureRequest`; the cost of a unit is an amount here."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    key: ResourceKey
    meter: MeterReference | None = None
    unit_cost: ManualUnitCost | None = None


class FeatureChangeBody(V3Model):
    """`UpdateFeatureRequest`: null clears the cost, leaving it out leaves it."""

    unit_cost: ManualUnitCost | None = None


@router.get("")
async def list_features(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Features, page by page."""
    sort, descending = sort_of(request, _SORTS, "created_at")
    conditions = filters_of(request, _FILTERS)
    async with running().database.read() as session:
        fitting = await all_that_fit(
            lambda one: features.list_features(session, one, sort=sort, descending=descending),
            lambda feature: all(one.holds(getattr(feature, one.field)) for one in conditions),
        )
    return reply(page_answer(page_of(fitting, page), feature_to_v3))


@router.post("", status_code=201)
async def create_feature(actor: Admin, body: FeatureBody) -> Response:
    """Makes a feature."""
    filters = (body.meter.filters if body.meter else None) or {}
    wanted = {
        "key": body.key,
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "meter": body.meter.id if body.meter else None,
        "filters": {name: condition.values(name) for name, condition in filters.items()},
        "unit_cost": body.unit_cost.amount if body.unit_cost else None,
    }
    with wire_names(_FIELDS):
        request = parse_input(CreateFeature, wanted)
        async with running().database.transaction(actor) as work:
            made = await features.create_feature(work, request)
    return reply(feature_to_v3(made), 201)


@router.get("/{feature_id}")
async def get_feature(_: Viewer, feature_id: UlidUpperCase) -> Response:
    """One feature; an archived one has its `deleted_at`."""
    async with running().database.read() as session:
        return reply(feature_to_v3(await features.get_feature(session, feature_id)))


@router.patch("/{feature_id}")
async def update_feature(actor: Admin, feature_id: UlidUpperCase, body: FeatureChangeBody) -> Response:
    """Sets or clears what a unit costs."""
    async with running().database.transaction(actor) as work:
        if "unit_cost" in body.model_fields_set:
            cost = body.unit_cost.amount if body.unit_cost else None
            changed = await features.set_unit_cost(work, feature_id, cost)
        else:
            changed = await features.get_feature(work.session, feature_id)
    return reply(feature_to_v3(changed))


@router.delete("/{feature_id}", status_code=204)
async def delete_feature(actor: Admin, feature_id: UlidUpperCase) -> Response:
    """Archives a feature."""
    async with running().database.transaction(actor) as work:
        await features.archive_feature(work, feature_id)
    return nothing()


def feature_to_v3(feature: Feature) -> dict[str, Any]:
    """v3's `Feature`."""
    meter = None
    if feature.meter_id is not None:
        filters = {name: {"in": list(values)} for name, values in feature.filters.items()}
        meter = {"id": feature.meter_id} | ({"filters": filters} if filters else {})
    cost = None if feature.unit_cost is None else {"type": "manual", "amount": decimal_text(feature.unit_cost)}
    return without_none(
        [
            ("id", feature.id),
            ("key", feature.key),
            ("name", feature.name),
            ("description", feature.description),
            ("labels", labels_of(feature.metadata)),
            ("meter", meter),
            ("unit_cost", cost),
            ("created_at", time_text(feature.created_at)),
            ("updated_at", time_text(feature.updated_at)),
            ("deleted_at", optional_time(feature.archived_at)),
        ]
    )
