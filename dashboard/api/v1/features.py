"""v1 features."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    DecimalText,
    Name,
    ResourceKey,
    decimal_text,
    nothing,
    optional_time,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.base import Order, PageQuery, V1Model, page_answer
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog import features
from dashboard.catalog.plan_inputs import CreateFeature
from dashboard.catalog.plan_views import Feature
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PAGE_SIZE_MAX, PageRequest

router = APIRouter(prefix="/api/v1/features", tags=["Features"])

_SORTS = {"id": "id", "key": "key", "name": "name", "createdAt": "created_at", "updatedAt": "updated_at"}
_FIELDS = {"meter": "meterSlug", "filters": "advancedMeterGroupByFilters", "unit_cost": "unitCost"}


class ValueFilter(V1Model):
    """`FilterString`, as far as a feature can be narrowed: one value, or one of several."""

    model_config = ConfigDict(extra="forbid")

    eq: Annotated[str | None, Field(alias="$eq")] = None
    in_: Annotated[list[str] | None, Field(alias="$in")] = None


class UnitCost(V1Model):
    type: Literal["manual", "llm"]
    amount: DecimalText | None = None


class FeatureBody(V1Model):
    """`FeatureCreateInputs`."""

    key: ResourceKey
    name: Name
    metadata: dict[str, str] | None = None
    meter_slug: ResourceKey | None = None
    meter_group_by_filters: dict[str, str] | None = None
    advanced_meter_group_by_filters: dict[str, ValueFilter] | None = None
    unit_cost: UnitCost | None = None


@router.get("")
async def list_features(
    _: Viewer,
    request: Request,
    page: PageQuery,
    meter_slug: Annotated[list[str], Query(alias="meterSlug")] = [],
    include_archived: Annotated[bool, Query(alias="includeArchived")] = False,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    order: Order = "ASC",
    order_by: Annotated[Literal["id", "key", "name", "createdAt", "updatedAt"], Query(alias="orderBy")] = "updatedAt",
) -> Response:
    """Features: a plain array, or a page when `page` or `pageSize` is given."""
    paged = "page" in request.query_params or "pageSize" in request.query_params
    async with running().database.read() as session:
        found = await features.list_features(
            session,
            page if paged else PageRequest(1, PAGE_SIZE_MAX),
            meter_keys=meter_slug,
            include_archived=include_archived,
            sort=_SORTS[order_by],
            descending=order == "DESC",
        )
    if paged:
        return reply(page_answer(found, feature_to_v1))
    return reply([feature_to_v1(feature) for feature in found.items[offset : offset + limit]])


@router.post("", status_code=201)
async def create_feature(actor: Admin, body: FeatureBody) -> Response:
    """Makes a feature."""
    with wire_names(_FIELDS):
        wanted = parse_input(
            CreateFeature,
            {
                "key": body.key,
                "name": body.name,
                "metadata": body.metadata or {},
                "meter": body.meter_slug,
                "filters": _filters(body),
                "unit_cost": _unit_cost(body.unit_cost),
            },
        )
        async with running().database.transaction(actor) as work:
            made = await features.create_feature(work, wanted)
    return reply(feature_to_v1(made), 201)


@router.get("/{feature_id}")
async def get_feature(_: Viewer, feature_id: str) -> Response:
    """One feature by id (archived ones too) or key."""
    async with running().database.read() as session:
        return reply(feature_to_v1(await features.get_feature(session, feature_id)))


@router.delete("/{feature_id}", status_code=204)
async def delete_feature(actor: Admin, feature_id: str) -> Response:
    """Archives a feature."""
    async with running().database.transaction(actor) as work:
        await features.archive_feature(work, feature_id)
    return nothing()


def feature_to_v1(feature: Feature) -> dict[str, Any]:
    """v1's `Feature`."""
    plain = all(len(values) == 1 for values in feature.filters.values())
    cost = None if feature.unit_cost is None else {"type": "manual", "amount": decimal_text(feature.unit_cost)}
    return without_none(
        [
            ("id", feature.id),
            ("key", feature.key),
            ("name", feature.name),
            ("metadata", feature.metadata),
            ("meterSlug", feature.meter_key),
            ("meterGroupByFilters", {k: v[0] for k, v in feature.filters.items()} if plain else None),
            (
                "advancedMeterGroupByFilters",
                None if plain else {name: {"$in": list(values)} for name, values in feature.filters.items()},
            ),
            ("unitCost", cost),
            ("createdAt", time_text(feature.created_at)),
            ("updatedAt", time_text(feature.updated_at)),
            ("archivedAt", optional_time(feature.archived_at)),
        ]
    )


def _filters(body: FeatureBody) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {name: (value,) for name, value in (body.meter_group_by_filters or {}).items()}
    for name, condition in (body.advanced_meter_group_by_filters or {}).items():
        values = (*([condition.eq] if condition.eq is not None else []), *(condition.in_ or []))
        if not values:
            raise InvalidInput(f"Filter {name} with $eq or $in.", field="filters")
        found[name] = values
    return found


def _unit_cost(cost: UnitCost | None) -> Any:
    if cost is None:
        return None
    if cost.type != "manual" or cost.amount is None:
        raise InvalidInput("A unit's cost is given as an amount here.", field="unit_cost")
    return cost.amount
