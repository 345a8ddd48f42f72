"""v1 subscriptions: who is on which plan, since when."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from dashboard.api.auth import Operator, Viewer
from dashboard.api.refusals import AnchorStays
from dashboard.api.shapes import IdOrKey, UlidAnyCase, nothing, reply
from dashboard.api.v1.base import Order, PageQuery, page_answer
from dashboard.api.v1.plans import plan_from_v1
from dashboard.api.v1.subscription_shapes import (
    CancelBody,
    ChangeBody,
    EditBody,
    MigrateBody,
    NewSubscriptionBody,
    edit_from_v1,
    expanded_to_v1,
    subscription_to_v1,
)
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers.queries import get_customer, live_customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.subscriptions import queries, service
from dashboard.subscriptions.inputs import ChangeSubscription, CreateSubscription, EditSubscription
from dashboard.subscriptions.status import SubscriptionStatus

router = APIRouter(prefix="/api/v1", tags=["Subscriptions"])

_FIELDS = {"plan_version": "plan.version", "plan": "plan.key"}
Status = Literal["active", "inactive", "canceled", "scheduled"]


@router.get("/customers/{customer_id_or_key}/subscriptions")
async def list_customer_subscriptions(
    _: Viewer,
    customer_id_or_key: IdOrKey,
    page: PageQuery,
    status: Annotated[list[Status], Query()] = [],
    order: Order = "ASC",
    order_by: Annotated[Literal["activeFrom", "activeTo"], Query(alias="orderBy")] = "activeFrom",
) -> Response:
    """The subscriptions of a customer."""
    backend = running()
    async with backend.database.read() as session:
        customer = await get_customer(session, customer_id_or_key)
        found = await queries.list_subscriptions(
            session,
            page,
            now=backend.clock.now(),
            customer_ids=[customer.id],
            statuses=[SubscriptionStatus(one) for one in status],
            sort="active_from" if order_by == "activeFrom" else "active_to",
            descending=order == "DESC",
        )
    return reply(page_answer(found, subscription_to_v1))


@router.post("/subscriptions", status_code=201)
async def create_subscription(actor: Operator, body: NewSubscriptionBody) -> Response:
    """Puts a customer on a plan."""
    backend = running()
    who = body.customer_id or body.customer_key
    if who is None:
        raise InvalidInput("Name the customer by customerId or customerKey.", field="customerId")
    async with backend.database.read() as session:
        customer = await live_customer(session, who)
    wanted = {
        "customer_id": customer.id,
        **_plan(body),
        "timing": body.timing,
        "billing_anchor": body.billing_anchor,
    }
    with wire_names(_FIELDS):
        made = await service.create_subscription(backend.subscriptions, actor, parse_input(CreateSubscription, wanted))
    return reply(subscription_to_v1(made), 201)


@router.get("/subscriptions/{subscription_id}")
async def get_subscription(_: Viewer, subscription_id: UlidAnyCase) -> Response:
    """One subscription with its phases and items."""
    backend = running()
    now = backend.clock.now()
    async with backend.database.read() as session:
        return reply(expanded_to_v1(await queries.get_subscription(session, subscription_id, now), now))


@router.patch("/subscriptions/{subscription_id}")
async def edit_subscription(actor: Operator, subscription_id: UlidAnyCase, body: EditBody) -> Response:
    """Changes items and phases of a running subscription, now or with the next billing cycle; all or nothing."""
    with wire_names({"operations": "customizations"}):
        wanted = parse_input(EditSubscription, edit_from_v1(body))
        edited = await service.edit_subscription(running().subscriptions, actor, subscription_id, wanted)
    return reply(subscription_to_v1(edited))


@router.delete("/subscriptions/{subscription_id}", status_code=204)
async def delete_subscription(actor: Operator, subscription_id: UlidAnyCase) -> Response:
    """Deletes a subscription that has not begun."""
    async with running().database.transaction(actor) as work:
        await service.delete_subscription(work, subscription_id)
    return nothing()


@router.post("/subscriptions/{subscription_id}/cancel")
async def cancel_subscription(actor: Operator, subscription_id: UlidAnyCase, body: CancelBody) -> Response:
    """Ends a subscription now, with its billing period, or at a time."""
    async with running().database.transaction(actor) as work:
        return reply(subscription_to_v1(await service.cancel_subscription(work, subscription_id, body.timing)))


@router.post("/subscriptions/{subscription_id}/change")
async def change_subscription(actor: Operator, subscription_id: UlidAnyCase, body: ChangeBody) -> Response:
    """Ends a subscription and starts another plan at the same instant."""
    if body.billing_anchor is not None:
        raise AnchorStays("The billing anchor cannot change with the plan.", field="billingAnchor")
    wanted = {**_plan(body), "timing": body.timing}
    backend = running()
    with wire_names(_FIELDS):
        request = parse_input(ChangeSubscription, wanted)
        old, new = await service.change_subscription(backend.subscriptions, actor, subscription_id, request)
    return reply({"current": subscription_to_v1(old), "next": expanded_to_v1(new, backend.clock.now())})


@router.post("/subscriptions/{subscription_id}/migrate")
async def migrate_subscription(actor: Operator, subscription_id: UlidAnyCase, body: MigrateBody) -> Response:
    """Moves a subscription to another version of its plan, by default the one in effect."""
    if body.billing_anchor is not None:
        raise AnchorStays("The billing anchor cannot change with the plan.", field="billingAnchor")
    backend = running()
    async with backend.database.read() as session:
        subscription = await queries.get_subscription(session, subscription_id, backend.clock.now())
    if subscription.plan_key is None:
        raise InvalidInput("This subscription follows no plan.", field="plan")
    wanted = {
        "plan": subscription.plan_key,
        "plan_version": body.target_version,
        "starting_phase": body.starting_phase,
        "timing": body.timing,
        "name": subscription.name,
        "description": subscription.description,
        "metadata": subscription.metadata,
    }
    with wire_names({"plan_version": "targetVersion"}):
        request = parse_input(ChangeSubscription, wanted)
        old, new = await service.change_subscription(backend.subscriptions, actor, subscription_id, request)
    return reply({"current": subscription_to_v1(old), "next": expanded_to_v1(new, backend.clock.now())})


@router.post("/subscriptions/{subscription_id}/restore", deprecated=True)
async def restore_subscription(actor: Operator, subscription_id: UlidAnyCase) -> Response:
    """Deletes the scheduled follower and lets this one go on."""
    async with running().database.transaction(actor) as work:
        return reply(subscription_to_v1(await service.restore_subscription(work, subscription_id)))


@router.post("/subscriptions/{subscription_id}/unschedule-cancelation")
async def unschedule_cancelation(actor: Operator, subscription_id: UlidAnyCase) -> Response:
    """Takes a cancelation back that has not come yet."""
    async with running().database.transaction(actor) as work:
        return reply(subscription_to_v1(await service.unschedule_cancelation(work, subscription_id)))


def _plan(body: NewSubscriptionBody | ChangeBody) -> dict[str, Any]:
    custom = body.custom_plan
    return {
        "plan": body.plan.key if body.plan else None,
        "plan_version": body.plan.version if body.plan else None,
        "custom_plan": plan_from_v1(custom) | {"currency": custom.currency} if custom else None,
        "starting_phase": body.starting_phase,
        "name": body.name,
        "description": body.description,
        "metadata": body.metadata or {},
    }
