"""v1 plans: a row of versions under one key; only drafts change."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    CurrencyCode,
    Description,
    Flag,
    Name,
    ResourceKey,
    UlidAnyCase,
    nothing,
    optional_time,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.base import Order, PageQuery, V1Model, page_answer
from dashboard.api.v1.rate_card_shapes import RateCardBody, rate_card_from_v1, rate_card_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog import plans
from dashboard.catalog.plan_inputs import CreatePlan, UpdatePlan
from dashboard.catalog.plan_views import Phase, Plan
from dashboard.catalog.status import PlanStatus
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions.queries import subscriptions_of_plan

router = APIRouter(prefix="/api/v1/plans", tags=["Plans"])

_SORTS = {name: name for name in ("id", "key", "version", "created_at", "updated_at")}
_FIELDS = {"pro_rating_enabled": "proRatingConfig.enabled"}


class ProRating(V1Model):
    enabled: Flag = True
    mode: Literal["prorate_prices"] = "prorate_prices"


class PhaseBody(V1Model):
    key: ResourceKey
    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    duration: str | None
    rate_cards: Annotated[list[RateCardBody], Field(max_length=500)]


class PlanBody(V1Model):
    """`PlanReplaceUpdate`."""

    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    billing_cadence: str
    pro_rating_config: ProRating = ProRating()
    settlement_mode: Literal["credit_then_invoice", "credit_only"] = "credit_then_invoice"
    phases: Annotated[list[PhaseBody], Field(min_length=1, max_length=100)]


class CustomPlanBody(PlanBody):
    """`CustomPlanInput`."""

    currency: CurrencyCode = "USD"


class NewPlanBody(CustomPlanBody):
    """`PlanCreate`."""

    key: ResourceKey


@router.get("")
async def list_plans(
    _: Viewer,
    page: PageQuery,
    include_deleted: Annotated[bool, Query(alias="includeDeleted")] = False,
    id: Annotated[list[UlidAnyCase], Query()] = [],
    key: Annotated[list[str], Query()] = [],
    status: Annotated[list[Literal["draft", "active", "archived", "scheduled"]], Query()] = [],
    currency: Annotated[list[str], Query()] = [],
    order: Order = "ASC",
    order_by: Annotated[Literal["id", "key", "version", "created_at", "updated_at"], Query(alias="orderBy")] = "key",
) -> Response:
    """Versions of plans, page by page."""
    backend = running()
    async with backend.database.read() as session:
        found = await plans.list_plans(
            session,
            page,
            now=backend.clock.now(),
            ids=id,
            keys=key,
            currencies=currency,
            statuses=[PlanStatus(one) for one in status],
            sort=_SORTS[order_by],
            descending=order == "DESC",
            include_deleted=include_deleted,
        )
    return reply(page_answer(found, plan_to_v1))


@router.post("", status_code=201)
async def create_plan(actor: Admin, body: NewPlanBody) -> Response:
    """Makes a draft: the first version of its key, or the next one."""
    with wire_names(_FIELDS):
        wanted = parse_input(CreatePlan, plan_from_v1(body) | {"key": body.key, "currency": body.currency})
        async with running().database.transaction(actor) as work:
            plan = await plans.create_plan(work, wanted)
    return reply(plan_to_v1(plan), 201)


@router.get("/{plan_id}")
async def get_plan(
    _: Viewer, plan_id: str, include_latest: Annotated[bool, Query(alias="includeLatest")] = False
) -> Response:
    """A version by its id; by key the active one, or the latest."""
    backend = running()
    async with backend.database.read() as session:
        plan = await plans.get_plan(session, plan_id, now=backend.clock.now(), latest=include_latest)
    return reply(plan_to_v1(plan))


@router.put("/{plan_id}")
async def update_plan(actor: Admin, plan_id: str, body: PlanBody) -> Response:
    """Replaces a draft."""
    with wire_names(_FIELDS):
        wanted = parse_input(UpdatePlan, plan_from_v1(body))
        async with running().database.transaction(actor) as work:
            plan = await plans.update_plan(work, plan_id, wanted)
    return reply(plan_to_v1(plan))


@router.delete("/{plan_id}", status_code=204)
async def delete_plan(actor: Admin, plan_id: str) -> Response:
    """Deletes a version that nobody subscribed to."""
    async with running().database.transaction(actor) as work:
        plan = await plans.get_plan(work.session, plan_id, now=work.now)
        await plans.delete_plan(work, plan.id, used_by=await subscriptions_of_plan(work.session, plan.id))
    return nothing()


@router.post("/{plan_id}/publish")
async def publish_plan(actor: Admin, plan_id: str) -> Response:
    """Puts a draft into effect now; the version before it is archived."""
    async with running().database.transaction(actor) as work:
        return reply(plan_to_v1(await plans.publish_plan(work, plan_id)))


@router.post("/{plan_id}/archive")
async def archive_plan(actor: Admin, plan_id: str) -> Response:
    """Takes a version out of use; subscriptions keep it."""
    async with running().database.transaction(actor) as work:
        return reply(plan_to_v1(await plans.archive_plan(work, plan_id)))


@router.post("/{plan_id_or_key}/next", status_code=201, deprecated=True)
async def next_plan(actor: Admin, plan_id_or_key: str) -> Response:
    """Copies the latest version into a new draft."""
    async with running().database.transaction(actor) as work:
        return reply(plan_to_v1(await plans.next_plan_version(work, plan_id_or_key)), 201)


def plan_to_v1(plan: Plan) -> dict[str, Any]:
    """v1's `Plan`."""
    issues = [{"field": _place(issue.field), "code": issue.code, "message": issue.message} for issue in plan.issues]
    return without_none(
        [
            ("id", plan.id),
            ("key", plan.key),
            ("version", plan.version),
            ("name", plan.name),
            ("description", plan.description),
            ("metadata", plan.metadata),
            ("currency", plan.currency),
            ("billingCadence", plan.billing_cadence),
            ("proRatingConfig", {"enabled": plan.pro_rating_enabled, "mode": "prorate_prices"}),
            ("settlementMode", plan.settlement_mode),
            ("effectiveFrom", optional_time(plan.effective_from)),
            ("effectiveTo", optional_time(plan.effective_to)),
            ("status", plan.status.value if plan.status is not PlanStatus.INVALID else "archived"),
            ("phases", [phase_to_v1(phase) for phase in plan.phases]),
            ("createdAt", time_text(plan.created_at)),
            ("updatedAt", time_text(plan.updated_at)),
            ("deletedAt", optional_time(plan.deleted_at)),
        ]
    ) | {"validationErrors": issues or None}


def phase_to_v1(phase: Phase) -> dict[str, Any]:
    """v1's `PlanPhase`."""
    return without_none(
        [
            ("key", phase.key),
            ("name", phase.name),
            ("description", phase.description),
            ("metadata", phase.metadata),
            ("rateCards", [rate_card_to_v1(card) for card in phase.rate_cards]),
        ]
    ) | {"duration": phase.duration}


def _place(field: str) -> str:
    return field.replace("rate_cards", "rateCards").replace("billing_cadence", "billingCadence")


def plan_from_v1(body: PlanBody) -> dict[str, Any]:
    """A plan as the catalog's inputs have it."""
    return {
        "name": body.name,
        "description": body.description,
        "metadata": body.metadata or {},
        "billing_cadence": body.billing_cadence,
        "pro_rating_enabled": body.pro_rating_config.enabled,
        "settlement_mode": body.settlement_mode,
        "phases": [
            {
                "key": phase.key,
                "name": phase.name,
                "description": phase.description,
                "metadata": phase.metadata or {},
                "duration": phase.duration,
                "rate_cards": [rate_card_from_v1(card) for card in phase.rate_cards],
            }
            for phase in body.phases
        ],
    }
