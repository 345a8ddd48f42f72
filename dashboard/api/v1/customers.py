"""v1 customers, by id or by key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import IdOrKey, nothing, reply
from dashboard.api.v1.base import Order, PageQuery, page_answer
from dashboard.api.v1.customer_shapes import FIELDS, CustomerBody, customer_from_v1, customer_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers import queries, service
from dashboard.customers.inputs import CreateCustomer, UpdateCustomer
from dashboard.kit.inputs import parse_input

router = APIRouter(prefix="/api/v1/customers", tags=["Customers"])

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
) -> Response:
    """Customers, page by page; text filters match a part, in any case."""
    async with running().database.read() as session:
        found = await queries.list_customers(
            session,
            page,
            key=key,
            name=name,
            primary_email=primary_email,
            subject=subject,
            include_deleted=include_deleted,
            sort=_SORTS[order_by],
            descending=order == "DESC",
        )
    return reply(page_answer(found, customer_to_v1))


@router.post("", status_code=201)
async def create_customer(actor: Operator, body: CustomerBody) -> Response:
    """Makes a customer."""
    with wire_names(FIELDS):
        wanted = parse_input(CreateCustomer, customer_from_v1(body))
        async with running().database.transaction(actor) as work:
            customer = await service.create_customer(work, wanted)
    return reply(customer_to_v1(customer), 201)


@router.get("/{customer_id_or_key}")
async def get_customer(_: Viewer, customer_id_or_key: IdOrKey) -> Response:
    """One customer; a deleted one by its id."""
    async with running().database.read() as session:
        return reply(customer_to_v1(await queries.get_customer(session, customer_id_or_key)))


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
