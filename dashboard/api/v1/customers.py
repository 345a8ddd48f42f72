"""v1 customers, by id or by key."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import IdOrKey, nothing, reply
from dashboard.api.v1.base import Order, PageQuery, page_answer
from dashboard.api.v1.customer_shapes import FIELDS, CustomerBody, customer_from_v1, customer_to_v1
from dashboard.api.v1.subscription_shapes import subscription_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers import queries, service
from dashboard.customers.inputs import CreateCustomer, UpdateCustomer
from dashboard.customers.views import Customer
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PAGE_SIZE_MAX, PageRequest
from dashboard.subscriptions.queries import customers_on_plan, list_subscriptions
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.subscriptions.views import Subscription

router = APIRouter(prefix="/api/v1/customers", tags=["Customers"])

Expand = Annotated[list[Literal["subscriptions"]], Query()]
_LIVE = (SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED)
_SORTS = {"id": "id", "name": "name", "createdAt": "created_at"}


@router.get("")
async def list_customers(
    _: Viewer,
    page: PageQuery,
    order: Order = "ASC",
    order_by: Annotated[Literal["id", "name", "createdAt"], Query(alias="orderBy")] = "name",
    include_deleted: Annotated[bool, Query(alias="includeDeleted")] = False,
    key: str | None = None,
    name: str | None = None,
    primary_email: Annotated[str | None, Query(alias="primaryEmail")] = None,
    subject: str | None = None,
    plan_key: Annotated[str | None, Query(alias="planKey")] = None,
    expand: Expand = [],
) -> Response:
    """Customers, page by page; text filters match a part, in any case."""
    async with running().database.read() as session:
        found = await queries.list_customers(
            session,
            page,
            ids=customers_on_plan(plan_key, running().clock.now()) if plan_key else None,
            key=key,
            name=name,
            primary_email=primary_email,
            subject=subject,
            include_deleted=include_deleted,
            sort=_SORTS[order_by],
            descending=order == "DESC",
        )
        subscriptions = await _subscriptions(session, found.items, expand)
    return reply(page_answer(found, lambda one: customer_to_v1(one) | subscriptions.get(one.id, {})))


@router.post("", status_code=201)
async def create_customer(actor: Operator, body: CustomerBody) -> Response:
    """Makes a customer."""
    with wire_names(FIELDS):
        wanted = parse_input(CreateCustomer, customer_from_v1(body))
        async with running().database.transaction(actor) as work:
            customer = await service.create_customer(work, wanted)
    return reply(customer_to_v1(customer), 201)


@router.get("/{customer_id_or_key}")
async def get_customer(_: Viewer, customer_id_or_key: IdOrKey, expand: Expand = []) -> Response:
    """One customer; a deleted one by its id."""
    async with running().database.read() as session:
        customer = await queries.get_customer(session, customer_id_or_key)
        subscriptions = await _subscriptions(session, [customer], expand)
    return reply(customer_to_v1(customer) | subscriptions.get(customer.id, {}))


@router.put("/{customer_id_or_key}")
async def update_customer(actor: Operator, customer_id_or_key: IdOrKey, body: CustomerBody) -> Response:
    """Replaces everything about a customer; what is left out is emptied."""
    with wire_names(FIELDS):
        wanted = parse_input(UpdateCustomer, customer_from_v1(body))
        async with running().database.transaction(actor) as work:
            customer = await service.update_customer(work, customer_id_or_key, wanted)
    return reply(customer_to_v1(customer))


@router.delete("/{customer_id_or_key}", status_code=204)
async def delete_customer(actor: Operator, customer_id_or_key: IdOrKey) -> Response:
    """Takes a customer out of use, unless something unfinished hangs on them."""
    backend = running()
    async with backend.database.transaction(actor) as work:
        await service.delete_customer(work, customer_id_or_key, guards=backend.customer_guards)
    return nothing()


async def _subscriptions(
    session: AsyncSession, customers: Sequence[Customer], expand: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By customer id, what `expand=subscriptions` adds: those that run, and which of them is the present one."""
    if not expand or not customers:
        return {}
    ids = [customer.id for customer in customers]
    found = await _running(session, ids)
    added: dict[str, dict[str, Any]] = {id_: {"subscriptions": []} for id_ in ids}
    for one in found:
        added[one.customer_id]["subscriptions"].append(subscription_to_v1(one))
        added[one.customer_id]["currentSubscriptionId"] = one.id
    return added


async def _running(session: AsyncSession, customer_ids: Sequence[str]) -> list[Subscription]:
    now = running().clock.now()
    found: list[Subscription] = []
    number, more = 1, True
    while more:
        page = await list_subscriptions(
            session, PageRequest(number, PAGE_SIZE_MAX), now=now, customer_ids=customer_ids, statuses=_LIVE, sort="id"
        )
        found += page.items
        number, more = number + 1, number < page.page_count
    return found
