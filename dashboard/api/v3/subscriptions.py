"""v3 subscriptions: who is on which plan, since when."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Operator, Viewer
from dashboard.api.refusals import AnchorStays
from dashboard.api.shapes import (
    CustomerKey,
    ResourceKey,
    Time,
    UlidUpperCase,
    optional_time,
    page_of,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer, sort_of
from dashboard.api.v3.filters import EXACT_OPERATORS, all_that_fit, filters_of
from dashboard.api.v3.rate_card_shapes import rate_card_to_v3
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_views import Feature
from dashboard.customers.queries import live_customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions import queries, service
from dashboard.subscriptions.inputs import ChangeSubscription, CreateSubscription
from dashboard.subscriptions.views import Subscription, SubscriptionPhase

router = APIRouter(prefix="/subscriptions", tags=["v3 subscriptions"])

_SORTS = {name: name for name in ("id", "active_from", "active_to")}
_FILTERS = {name: EXACT_OPERATORS for name in ("id", "customer_id", "status", "plan_id", "plan_key")}
_FIELDS = {"plan_version": "plan.version", "plan": "plan.key", "metadata": "labels"}
Timing = Literal["immediate", "next_billing_cycle"] | Time


class CustomerReference(V3Model):
    id: UlidUpperCase | None = None
    key: CustomerKey | None = None


class PlanReference(V3Model):
    id: UlidUpperCase | None = None
    key: ResourceKey | None = None
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None


class NewSubscriptionBody(V3Model):
    """`BillingSubscriptionCreate`. How it is settled is the plan's; there is one way of pricing currencies."""

    labels: Labels | None = None
    settlement_mode: Literal["credit_then_invoice", "credit_only"] | None = None
    customer: CustomerReference
    plan: PlanReference
    billing_anchor: Time | None = None
    cost_basis_mode: Literal["dynamic"] = "dynamic"


class ChangeBody(NewSubscriptionBody):
    """`BillingSubscriptionChange`."""

    timing: Timing


class CancelBody(V3Model):
    timing: Timing = "immediate"


@router.get("")
async def list_subscriptions(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Subscriptions, page by page."""
    backend = running()
    sort, descending = sort_of(request, _SORTS, "active_from")
    conditions = filters_of(request, _FILTERS)
    customers = [one.value for one in conditions if (one.field, one.operator) == ("customer_id", "eq")]
    async with backend.database.read() as session:
        now = backend.clock.now()
        fitting = await all_that_fit(
            lambda one: queries.list_subscriptions(
                session, one, now=now, customer_ids=customers, sort=sort, descending=descending
            ),
            lambda subscription: all(one.holds(_field(subscription, one.field)) for one in conditions),
        )
        shown = page_of(fitting, page)
        features = await _features(session, shown.items)
    return reply(page_answer(shown, lambda one: subscription_to_v3(one, features)))


@router.post("", status_code=201)
async def create_subscription(actor: Operator, body: NewSubscriptionBody) -> Response:
    """Puts a customer on a plan."""
    backend = running()
    who = body.customer.id or body.customer.key
    if who is None:
        raise InvalidInput("Name the customer by id or key.", field="customer")
    async with backend.database.read() as session:
        customer = await live_customer(session, who)
    wanted = {
        "customer_id": customer.id,
        "plan": _plan(body.plan),
        "plan_version": body.plan.version,
        "billing_anchor": body.billing_anchor,
        "metadata": body.labels or {},
    }
    with wire_names(_FIELDS):
        request = parse_input(CreateSubscription, wanted)
        made = await service.create_subscription(backend.subscriptions, actor, request)
    return reply(await _answer(made), 201)


@router.get("/{subscription_id}")
async def get_subscription(_: Viewer, subscription_id: UlidUpperCase) -> Response:
    """One subscription with its phases and items."""
    backend = running()
    async with backend.database.read() as session:
        found = await queries.get_subscription(session, subscription_id, backend.clock.now())
    return reply(await _answer(found))


@router.post("/{subscription_id}/cancel")
async def cancel_subscription(actor: Operator, subscription_id: UlidUpperCase, body: CancelBody) -> Response:
    """Ends a subscription now, with its billing period, or at a time."""
    async with running().database.transaction(actor) as work:
        changed = await service.cancel_subscription(work, subscription_id, body.timing)
    return reply(await _answer(changed))


@router.post("/{subscription_id}/change")
async def change_subscription(actor: Operator, subscription_id: UlidUpperCase, body: ChangeBody) -> Response:
    """Ends a subscription and starts another plan at the same instant."""
    backend = running()
    if body.billing_anchor is not None:
        raise AnchorStays("The billing anchor cannot change with the plan.", field="billing_anchor")
    async with backend.database.read() as session:
        before = await queries.get_subscription(session, subscription_id, backend.clock.now())
        who = body.customer.id or body.customer.key
        if who is not None and (await live_customer(session, who)).id != before.customer_id:
            raise InvalidInput("A subscription keeps its customer.", field="customer")
    wanted = {
        "plan": _plan(body.plan),
        "plan_version": body.plan.version,
        "timing": body.timing,
        "metadata": body.labels or {},
    }
    with wire_names(_FIELDS):
        request = parse_input(ChangeSubscription, wanted)
        old, new = await service.change_subscription(backend.subscriptions, actor, subscription_id, request)
    return reply({"current": await _answer(old), "next": await _answer(new)})


@router.post("/{subscription_id}/unschedule-cancelation")
async def unschedule_cancelation(actor: Operator, subscription_id: UlidUpperCase) -> Response:
    """Takes a cancelation back that has not come yet."""
    async with running().database.transaction(actor) as work:
        changed = await service.unschedule_cancelation(work, subscription_id)
    return reply(await _answer(changed))


def subscription_to_v3(subscription: Subscription, features: Mapping[str, Feature]) -> dict[str, Any]:
    """v3's `BillingSubscription`; `features` are those of its rate cards, by key."""
    plan = None
    if subscription.plan_id and subscription.plan_key and subscription.plan_version:
        plan = {"id": subscription.plan_id, "key": subscription.plan_key, "version": subscription.plan_version}
    period = subscription.current_period
    mode = "prorate_prices" if subscription.pro_rating_enabled else "no_proration"
    return without_none(
        [
            ("id", subscription.id),
            ("name", subscription.name),
            ("description", subscription.description),
            ("labels", labels_of(subscription.metadata)),
            ("customer_id", subscription.customer_id),
            ("plan_id", subscription.plan_id),
            ("plan", plan),
            ("status", subscription.status.value),
            ("invoice_currency", subscription.currency),
            ("cost_basis_mode", "dynamic"),
            ("cost_basis_pins", []),
            ("billing_cadence", subscription.billing_cadence),
            ("billing_anchor", time_text(subscription.billing_anchor)),
            ("pro_rating_config", {"enabled": subscription.pro_rating_enabled, "mode": mode}),
            ("settlement_mode", subscription.settlement_mode),
            ("current_period", {"from": time_text(period.start), "to": time_text(period.end)} if period else None),
            ("active_from", time_text(subscription.active_from)),
            ("active_to", optional_time(subscription.active_to)),
            ("phases", [_phase_to_v3(phase, subscription, features) for phase in subscription.phases]),
            ("created_at", time_text(subscription.created_at)),
            ("updated_at", time_text(subscription.updated_at)),
            ("deleted_at", optional_time(subscription.deleted_at)),
        ]
    )


def _phase_to_v3(
    phase: SubscriptionPhase, subscription: Subscription, features: Mapping[str, Feature]
) -> dict[str, Any]:
    items = [
        without_none(
            [
                ("id", item.id),
                ("active_from", time_text(item.active_from)),
                ("active_to", optional_time(item.active_to)),
                ("rate_card", rate_card_to_v3(item.rate_card, features)),
            ]
        )
        for item in phase.items
    ]
    return without_none(
        [
            ("id", phase.id),
            ("key", phase.key),
            ("name", phase.name),
            ("description", phase.description),
            ("active_from", time_text(phase.active_from)),
            ("active_to", optional_time(phase.active_to)),
            ("items", items),
            ("created_at", time_text(subscription.created_at)),
            ("updated_at", time_text(subscription.updated_at)),
        ]
    )


async def _answer(subscription: Subscription) -> dict[str, Any]:
    async with running().database.read() as session:
        return subscription_to_v3(subscription, await _features(session, [subscription]))


async def _features(session: AsyncSession, shown: Iterable[Subscription]) -> dict[str, Feature]:
    cards = [item.rate_card for one in shown for phase in one.phases for item in phase.items]
    return await features_by_key(session, [card.feature_key for card in cards if card.feature_key])


def _field(subscription: Subscription, field: str) -> str | None:
    value = getattr(subscription, field)
    return None if value is None else str(value)


def _plan(plan: PlanReference) -> str:
    named = plan.id or plan.key
    if named is None:
        raise InvalidInput("Name the plan by id or key.", field="plan")
    return named
