"""v1: which billing profile bills which customer."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Operator, Viewer
from dashboard.api.pinned_profiles import customers_on_profiles, pin_profile
from dashboard.api.shapes import UlidAnyCase, nothing, reply, time_text, without_none
from dashboard.api.v1.base import Order, PageQuery, V1Model, page_answer
from dashboard.api.v1.customer_shapes import customer_to_v1
from dashboard.api.v1.profiles import Apps, apps_to_v1, expanded_apps
from dashboard.api.v1.workflow_shapes import supplier_to_v1, workflow_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing.errors import NoBillingProfile
from dashboard.billing.overrides import (
    CustomerOverride,
    customers_billing,
    delete_customer_override,
    find_customer_override,
)
from dashboard.billing.views import CustomerBilling
from dashboard.customers.queries import get_customer, list_customers, live_customer
from dashboard.customers.views import Customer

router = APIRouter(prefix="/api/v1/billing/customers", tags=["Billing profiles"])

_SORTS = {
    "customerId": "id",
    "customerName": "name",
    "customerKey": "key",
    "customerPrimaryEmail": "primary_email",
    "customerCreatedAt": "created_at",
}
OrderBy = Literal["customerId", "customerName", "customerKey", "customerPrimaryEmail", "customerCreatedAt"]
Expand = Annotated[list[Literal["apps", "customer"]], Query()]


class OverrideBody(V1Model):
    """`BillingProfileCustomerOverrideCreate`."""

    billing_profile_id: UlidAnyCase | None = None


@router.get("")
async def list_customer_overrides(
    _: Viewer,
    page: PageQuery,
    billing_profile: Annotated[list[UlidAnyCase], Query(alias="billingProfile")] = [],
    without_pinned: Annotated[bool, Query(alias="customersWithoutPinnedProfile")] = False,
    include_all: Annotated[bool, Query(alias="includeAllCustomers")] = True,
    customer_id: Annotated[list[UlidAnyCase], Query(alias="customerId")] = [],
    customer_name: Annotated[str | None, Query(alias="customerName")] = None,
    customer_key: Annotated[str | None, Query(alias="customerKey")] = None,
    primary_email: Annotated[str | None, Query(alias="customerPrimaryEmail")] = None,
    expand: Expand = [],
    order: Order = "ASC",
    order_by: Annotated[OrderBy, Query(alias="orderBy")] = "customerId",
) -> Response:
    """How customers are billed, page by page; `includeAllCustomers=false` shows only those with an override."""
    async with running().database.read() as session:
        ids = await customers_on_profiles(
            session,
            profile_ids=billing_profile,
            without_pinned=without_pinned,
            only_overridden=not include_all,
            among=customer_id,
        )
        found = await list_customers(
            session,
            page,
            ids=ids,
            name=customer_name,
            key=customer_key,
            primary_email=primary_email,
            sort=_SORTS[order_by],
            descending=order == "DESC",
        )
        billing = await customers_billing(session, [customer.id for customer in found.items])
        apps = await expanded_apps(session, [one.profile for one in billing.values()], expand)
        overrides = {one.id: await find_customer_override(session, one.id) for one in found.items}

    def shape(customer: Customer) -> dict[str, Any]:
        one = _known(billing.get(customer.id))
        return override_to_v1(one, overrides[customer.id], apps, customer if "customer" in expand else None)

    return reply(page_answer(found, shape))


@router.get("/{customer_id}")
async def get_customer_override(_: Viewer, customer_id: UlidAnyCase, expand: Expand = []) -> Response:
    """How one customer is billed."""
    async with running().database.read() as session:
        return reply(await _details(session, await get_customer(session, customer_id), expand))


@router.put("/{customer_id}")
async def upsert_customer_override(actor: Operator, customer_id: UlidAnyCase, body: OverrideBody) -> Response:
    """Pins a customer to a profile, or to none; what else is different for them stays."""
    with wire_names({"billing_profile_id": "billingProfileId"}):
        async with running().database.transaction(actor) as work:
            customer = await live_customer(work.session, customer_id)
            await pin_profile(work, customer.id, body.billing_profile_id)
            document = await _details(work.session, customer, [])
    return reply(document)


@router.delete("/{customer_id}", status_code=204)
async def delete_override(actor: Operator, customer_id: UlidAnyCase) -> Response:
    """Lets the default profile bill a customer again."""
    async with running().database.transaction(actor) as work:
        customer = await live_customer(work.session, customer_id)
        await delete_customer_override(work, customer.id)
    return nothing()


async def _details(session: AsyncSession, customer: Customer, expand: list[Any]) -> dict[str, Any]:
    billing = _known((await customers_billing(session, [customer.id])).get(customer.id))
    override = await find_customer_override(session, customer.id)
    apps = await expanded_apps(session, [billing.profile], expand)
    return override_to_v1(billing, override, apps, customer if "customer" in expand else None)


def override_to_v1(
    billing: CustomerBilling, override: CustomerOverride | None, apps: Apps, customer: Customer | None
) -> dict[str, Any]:
    """v1's `BillingProfileCustomerOverrideWithDetails`."""
    return without_none(
        [
            ("customerOverride", _own_to_v1(override) if override else None),
            ("baseBillingProfileId", billing.profile.id),
            (
                "customerProfile",
                {
                    "supplier": supplier_to_v1(billing.profile.supplier),
                    "workflow": workflow_to_v1(billing.workflow),
                    "apps": apps_to_v1(billing.profile.app_id, apps),
                },
            ),
            ("customer", customer_to_v1(customer) if customer else None),
        ]
    )


def _own_to_v1(override: CustomerOverride) -> dict[str, Any]:
    return without_none(
        [
            ("customerId", override.customer_id),
            ("billingProfileId", override.billing_profile_id),
            ("createdAt", time_text(override.created_at)),
            ("updatedAt", time_text(override.updated_at)),
        ]
    )


def _known(billing: CustomerBilling | None) -> CustomerBilling:
    if billing is None:
        raise NoBillingProfile("There is no billing profile yet, so nobody is billed.")
    return billing
