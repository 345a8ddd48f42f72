"""v3 customers, by id."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Operator, Viewer
from dashboard.api.pinned_profiles import profile_of_each_customer
from dashboard.api.shapes import UlidUpperCase, nothing, page_of, reply
from dashboard.api.v3.base import PageQuery, page_answer, sort_of
from dashboard.api.v3.customer_shapes import FIELDS, CustomerBody, NewCustomerBody, customer_from_v3, customer_to_v3
from dashboard.api.v3.filters import EXACT_OPERATORS, TEXT_OPERATORS, Condition, all_that_fit, filters_of
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers import queries, service
from dashboard.customers.inputs import CreateCustomer, UpdateCustomer
from dashboard.customers.views import Customer
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import Page, PageRequest

router = APIRouter(prefix="/customers", tags=["v3 customers"])

_SORTS = {"id": "id", "name": "name", "created_at": "created_at"}
_FILTERS = {
    "key": TEXT_OPERATORS,
    "name": TEXT_OPERATORS,
    "primary_email": TEXT_OPERATORS,
    "usage_attribution_subject_key": TEXT_OPERATORS,
    "billing_profile_id": EXACT_OPERATORS,
}


@router.get("")
async def list_customers(_: Viewer, request: Request, page: PageQuery) -> Response:
    """Customers, page by page."""
    sort, descending = sort_of(request, _SORTS, "name")
    conditions = filters_of(request, _FILTERS)
    async with running().database.read() as session:
        if conditions:
            fitting = await _fitting(session, conditions, sort, descending)
            found = page_of(fitting, page)
        else:
            found = await queries.list_customers(session, page, sort=sort, descending=descending)
    return reply(page_answer(found, customer_to_v3))


@router.post("", status_code=201)
async def create_customer(actor: Operator, body: NewCustomerBody) -> Response:
    """Makes a customer."""
    with wire_names(FIELDS):
        wanted = parse_input(CreateCustomer, customer_from_v3(body, body.key))
        async with running().database.transaction(actor) as work:
            customer = await service.create_customer(work, wanted)
    return reply(customer_to_v3(customer), 201)


@router.get("/{customer_id}")
async def get_customer(_: Viewer, customer_id: UlidUpperCase) -> Response:
    """One customer; a deleted one has its `deleted_at`."""
    async with running().database.read() as session:
        return reply(customer_to_v3(await queries.get_customer(session, customer_id)))


@router.put("/{customer_id}")
async def upsert_customer(actor: Operator, customer_id: UlidUpperCase, body: CustomerBody) -> Response:
    """Replaces everything about a customer but the key."""
    with wire_names(FIELDS):
        async with running().database.transaction(actor) as work:
            before = await queries.live_customer(work.session, customer_id)
            wanted = parse_input(UpdateCustomer, customer_from_v3(body, before.key))
            customer = await service.update_customer(work, customer_id, wanted)
    return reply(customer_to_v3(customer))


@router.delete("/{customer_id}", status_code=204)
async def delete_customer(actor: Operator, customer_id: UlidUpperCase) -> Response:
    """Takes a customer out of use, unless something unfinished hangs on them."""
    backend = running()
    async with backend.database.transaction(actor) as work:
        await service.delete_customer(work, customer_id, guards=backend.customer_guards)
    return nothing()


async def _fitting(
    session: AsyncSession, conditions: Sequence[Condition], sort: str, descending: bool
) -> list[Customer]:
    """Every customer that fits. The room finds parts of texts; the finer operators are decided here, row by row."""
    by_profile = [one for one in conditions if one.field == "billing_profile_id"]
    texts = [one for one in conditions if one.field != "billing_profile_id"]
    ids = await _ids_by_profile(session, by_profile)
    parts = {one.field: one.value for one in texts if one.operator in ("eq", "contains") and one.value}

    async def fetch(page: PageRequest) -> Page[Customer]:
        return await queries.list_customers(
            session,
            page,
            key=parts.get("key"),
            name=parts.get("name"),
            primary_email=parts.get("primary_email"),
            subject=parts.get("usage_attribution_subject_key"),
            ids=ids,
            sort=sort,
            descending=descending,
        )

    return await all_that_fit(fetch, lambda customer: all(_fits(customer, one) for one in texts))


async def _ids_by_profile(session: AsyncSession, conditions: Sequence[Condition]) -> list[str] | None:
    if not conditions:
        return None
    profiles = await profile_of_each_customer(session)
    return [customer_id for customer_id, profile in profiles.items() if all(one.holds(profile) for one in conditions)]


def _fits(customer: Customer, condition: Condition) -> bool:
    match condition.field:
        case "key":
            return condition.holds(customer.key)
        case "name":
            return condition.holds(customer.name)
        case "primary_email":
            return condition.holds(customer.primary_email)
        case _:
            subjects = queries.usage_names(customer)
            if condition.operator in ("neq", "exists") and not subjects:
                return condition.holds(None)
            if condition.operator == "neq":
                return all(condition.holds(subject) for subject in subjects)
            return any(condition.holds(subject) for subject in subjects)
