"""v3 plans: a row of versions under one key; only drafts change."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    CurrencyCode,
    Description,
    Flag,
    Name,
    ResourceKey,
    UlidUpperCase,
    nothing,
    optional_time,
    page_of,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer, sort_of
from dashboard.api.v3.filters import EXACT_OPERATORS, TEXT_OPERATORS, all_that_fit, filters_of
from dashboard.api.v3.rate_card_shapes import RateCardBody, rate_card_from_v3, rate_card_to_v3
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog import plans
from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_inputs import CreatePlan, UpdatePlan
from dashboard.catalog.plan_views import Feature, Phase, Plan
from dashboard.catalog.status import PlanStatus
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions.queries import subscriptions_of_plan

router = APIRouter(prefix="/plans", tags=["v3 plans"])

_SORTS = {name: name for name in ("id", "key", "version", "created_at", "updated_at")}
_FILTERS = {"key": TEXT_OPERATORS, "name": TEXT_OPERATORS, "status": EXACT_OPERATORS, "currency": EXACT_OPERATORS}


class PhaseBody(V3Model):
    key: ResourceKey
    name: Name
    description: Description | None = None
    labels: Labels | None = None
    duration: str | None = None
    rate_cards: Annotated[list[RateCardBody], Field(max_length=500)]


class PlanBody(V3Model):
    """`UpsertPlanRequest`."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    pro_rating_enabled: Flag = True
    phases: Annotated[list[PhaseBody], Field(min_length=1, max_length=100)]


class NewPlanBody(PlanBody):
    """`CreatePlanRequest`."""

    key: ResourceKey
    currency: CurrencyCode
    billing_cadence: str


@router.get("")
async def list_plans(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Versions of plans, page by page."""
    backend = running()
    sort, descending = sort_of(request, _SORTS, "created_at")
    conditions = filters_of(request, _FILTERS)
    async with backend.database.read() as session:
        now = backend.clock.now()
        fitting = await all_that_fit(
            lambda one: plans.list_plans(session, one, now=now, sort=sort, descending=descending),
            lambda plan: all(one.holds(str(getattr(plan, one.field))) for one in conditions),
        )
        shown = page_of(fitting, page)
        features = await _features(session, shown.items)
    return reply(page_answer(shown, lambda plan: plan_to_v3(plan, features)))


@router.post("", status_code=201)
async def create_plan(actor: Admin, body: NewPlanBody) -> Response:
    """Makes a draft: the first version of its key, or the next one."""
    own = {"key": body.key, "currency": body.currency, "billing_cadence": body.billing_cadence}
    async with running().database.transaction(actor) as work:
        with wire_names({"metadata": "labels"}):
            wanted = parse_input(CreatePlan, await _plan_from_v3(work.session, body) | own)
            document = await _answer(work.session, await plans.create_plan(work, wanted))
    return reply(document, 201)


@router.get("/{plan_id}")
async def get_plan(_: Viewer, plan_id: UlidUpperCase) -> Response:
    """One version."""
    backend = running()
    async with backend.database.read() as session:
        return reply(await _answer(session, await plans.get_plan(session, plan_id, now=backend.clock.now())))


@router.put("/{plan_id}")
async def update_plan(actor: Admin, plan_id: UlidUpperCase, body: PlanBody) -> Response:
    """Replaces a draft."""
    async with running().database.transaction(actor) as work:
        with wire_names({"metadata": "labels"}):
            wanted = parse_input(UpdatePlan, await _plan_from_v3(work.session, body))
            return reply(await _answer(work.session, await plans.update_plan(work, plan_id, wanted)))


@router.delete("/{plan_id}", status_code=204)
async def delete_plan(actor: Admin, plan_id: UlidUpperCase) -> Response:
    """Deletes a version that nobody subscribed to."""
    async with running().database.transaction(actor) as work:
        await plans.delete_plan(work, plan_id, used_by=await subscriptions_of_plan(work.session, plan_id))
    return nothing()


@router.post("/{plan_id}/publish")
async def publish_plan(actor: Admin, plan_id: UlidUpperCase) -> Response:
    """Puts a draft into effect now; the version before it is archived."""
    async with running().database.transaction(actor) as work:
        return reply(await _answer(work.session, await plans.publish_plan(work, plan_id)))


@router.post("/{plan_id}/archive")
async def archive_plan(actor: Admin, plan_id: UlidUpperCase) -> Response:
    """Takes a version out of use; subscriptions keep it."""
    async with running().database.transaction(actor) as work:
        return reply(await _answer(work.session, await plans.archive_plan(work, plan_id)))


def plan_to_v3(plan: Plan, features: Mapping[str, Feature]) -> dict[str, Any]:
    """v3's `BillingPlan`; `features` are those of its rate cards, by key."""
    issues = [{"field": issue.field, "code": issue.code, "message": issue.message} for issue in plan.issues]
    return without_none(
        [
            ("id", plan.id),
            ("key", plan.key),
            ("version", plan.version),
            ("name", plan.name),
            ("description", plan.description),
            ("labels", labels_of(plan.metadata)),
            ("currency", plan.currency),
            ("billing_cadence", plan.billing_cadence),
            ("pro_rating_enabled", plan.pro_rating_enabled),
            ("settlement_mode", plan.settlement_mode),
            ("effective_from", optional_time(plan.effective_from)),
            ("effective_to", optional_time(plan.effective_to)),
            ("status", plan.status.value if plan.status is not PlanStatus.INVALID else "archived"),
            ("phases", [_phase_to_v3(phase, features) for phase in plan.phases]),
            ("validation_errors", issues or None),
            ("created_at", time_text(plan.created_at)),
            ("updated_at", time_text(plan.updated_at)),
            ("deleted_at", optional_time(plan.deleted_at)),
        ]
    )


def _phase_to_v3(phase: Phase, features: Mapping[str, Feature]) -> dict[str, Any]:
    return without_none(
        [
            ("key", phase.key),
            ("name", phase.name),
            ("description", phase.description),
            ("labels", labels_of(phase.metadata)),
            ("duration", phase.duration),
            ("rate_cards", [rate_card_to_v3(card, features) for card in phase.rate_cards]),
        ]
    )


async def _answer(session: AsyncSession, plan: Plan) -> dict[str, Any]:
    return plan_to_v3(plan, await _features(session, [plan]))


async def _features(session: AsyncSession, shown: Iterable[Plan]) -> dict[str, Feature]:
    cards = [card for plan in shown for phase in plan.phases for card in phase.rate_cards]
    return await features_by_key(session, [card.feature_key for card in cards if card.feature_key])


async def _plan_from_v3(session: AsyncSession, body: PlanBody) -> dict[str, Any]:
    return {
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "pro_rating_enabled": body.pro_rating_enabled,
        "phases": [
            {
                "key": phase.key,
                "name": phase.name,
                "description": phase.description,
                "metadata": phase.labels or {},
                "duration": phase.duration,
                "rate_cards": [await rate_card_from_v3(session, card) for card in phase.rate_cards],
            }
            for phase in body.phases
        ],
    }
