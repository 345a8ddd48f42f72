"""Who bills a customer and how: the default profile unless the customer has an override, whose word wins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.documents import to_json, workflow_from_json
from dashboard.billing.errors import BillingProfileNotFound, CustomerOverrideNotFound, NoBillingProfile
from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.profiles import default_billing_profile, profile_of
from dashboard.billing.tables import BillingProfileRow, CustomerOverrideRow
from dashboard.billing.tax import effective_tax, resolved_tax
from dashboard.billing.views import BillingProfile, CustomerBilling, TaxConfig, Workflow
from dashboard.customers.queries import live_customer
from dashboard.kit.database import Work
from dashboard.kit.paging import Page, PageRequest, fetch_page

FROM_PROFILE = "profile"
FROM_OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class CustomerOverride:
    """What is different for one customer; `fields` are workflow fields as JSON."""

    customer_id: str
    billing_profile_id: str | None
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime


async def set_customer_override(work: Work, customer_id: str, wanted: SetCustomerOverride) -> CustomerBilling:
    """Replaces what is different for a customer, and answers how they are billed from now on.

    Raises CustomerNotFound, CustomerDeleted, BillingProfileNotFound, UnknownTaxCode, NoBillingProfile.
    """
    customer = await live_customer(work.session, customer_id)
    if wanted.billing_profile_id is not None:
        await _check_profile(work.session, wanted.billing_profile_id)
    tax = wanted.default_tax.to_tax_config() if wanted.default_tax else TaxConfig()
    await resolved_tax(work.session, tax, field="default_tax.tax_code_id")
    row = await work.session.get(CustomerOverrideRow, customer.id)
    before = None if row is None else {"profile": row.billing_profile_id, "workflow": row.workflow}
    if row is None:
        row = CustomerOverrideRow(customer_id=customer.id, workflow={}, created_at=work.now, updated_at=work.now)
        work.session.add(row)
    row.billing_profile_id = wanted.billing_profile_id
    row.workflow = wanted.workflow_fields()
    row.default_tax_code_id = tax.tax_code_id
    row.updated_at = work.now
    await work.session.flush()
    after = {"profile": row.billing_profile_id, "workflow": row.workflow}
    work.audit("customer.billing_override_set", "customer", customer.id, before=before, after=after)
    work.changed("customers", f"customers/{customer.id}")
    return await customer_billing(work.session, customer.id)


async def delete_customer_override(work: Work, customer_id: str) -> None:
    """Lets the default profile bill a customer again. Raises CustomerOverrideNotFound."""
    row = await work.session.get(CustomerOverrideRow, customer_id)
    if row is None:
        raise CustomerOverrideNotFound("Nothing is different for this customer.")
    await work.session.delete(row)
    work.audit("customer.billing_override_deleted", "customer", customer_id)
    work.changed("customers", f"customers/{customer_id}")


async def find_customer_override(session: AsyncSession, customer_id: str) -> CustomerOverride | None:
    """What is different for a customer; None when nothing is."""
    row = await session.get(CustomerOverrideRow, customer_id)
    return override_of(row) if row else None


async def list_customer_overrides(
    session: AsyncSession,
    page: PageRequest,
    *,
    profile_ids: Sequence[str] = (),
    customer_ids: Sequence[str] = (),
    pinned: bool | None = None,
) -> Page[CustomerOverride]:
    """Overrides, oldest first; `pinned` False: only those that follow the default profile."""
    statement = select(CustomerOverrideRow)
    if profile_ids:
        statement = statement.where(col(CustomerOverrideRow.billing_profile_id).in_(profile_ids))
    if customer_ids:
        statement = statement.where(col(CustomerOverrideRow.customer_id).in_(customer_ids))
    if pinned is not None:
        column = col(CustomerOverrideRow.billing_profile_id)
        statement = statement.where(column.is_not(None) if pinned else column.is_(None))
    order = (col(CustomerOverrideRow.created_at), col(CustomerOverrideRow.customer_id))
    rows, total = await fetch_page(session, statement.order_by(*order), page)
    return Page(tuple(override_of(row) for row in rows), total, page.number, page.size)


async def customer_billing(session: AsyncSession, customer_id: str) -> CustomerBilling:
    """Which profile bills a customer and the workflow that applies, with where each field comes from.

    Raises NoBillingProfile when there is neither an override's profile nor a default one.
    """
    found = (await customers_billing(session, [customer_id])).get(customer_id)
    if found is None:
        raise NoBillingProfile("There is no billing profile yet, so nobody can be billed.")
    return found


async def customers_billing(session: AsyncSession, customer_ids: Iterable[str]) -> dict[str, CustomerBilling]:
    """Like `customer_billing` for many; customers that no profile bills are left out."""
    ids = list(dict.fromkeys(customer_ids))
    overrides = {
        row.customer_id: row
        for row in await session.scalars(
            select(CustomerOverrideRow).where(col(CustomerOverrideRow.customer_id).in_(ids))
        )
    }
    pinned = await _live_profiles(session, {row.billing_profile_id for row in overrides.values()} - {None})
    default = await default_billing_profile(session)
    found: dict[str, CustomerBilling] = {}
    for customer_id in ids:
        override = overrides.get(customer_id)
        own = pinned.get(override.billing_profile_id or "") if override else None
        profile = own or default
        if profile is not None:
            found[customer_id] = merged_billing(customer_id, profile, override_of(override) if override else None)
    return found


async def _live_profiles(session: AsyncSession, ids: set[str | None]) -> dict[str, BillingProfile]:
    if not ids:
        return {}
    rows = await session.scalars(select(BillingProfileRow).where(col(BillingProfileRow.id).in_(ids)))
    return {row.id: profile_of(row) for row in rows if row.deleted_at is None}


def merged_billing(customer_id: str, profile: BillingProfile, override: CustomerOverride | None) -> CustomerBilling:
    """The profile's workflow with the override laid over it, field by field."""
    own = override.fields if override else {}
    workflow = workflow_from_json({**to_json(profile.workflow), **own})
    if "default_tax" in own:
        tax = effective_tax(workflow.default_tax, profile.workflow.default_tax)
        workflow = replace(workflow, default_tax=tax)
    return CustomerBilling(
        customer_id=customer_id,
        profile=profile,
        is_pinned=override is not None and override.billing_profile_id == profile.id,
        workflow=workflow,
        sources={field.name: FROM_OVERRIDE if field.name in own else FROM_PROFILE for field in fields(Workflow)},
    )


async def customer_ids_of_profile(session: AsyncSession, profile_id: str) -> list[str]:
    """Customers that are pinned to this profile."""
    statement = select(col(CustomerOverrideRow.customer_id))
    return list(await session.scalars(statement.where(col(CustomerOverrideRow.billing_profile_id) == profile_id)))


def override_of(row: CustomerOverrideRow) -> CustomerOverride:
    """The override in a row, as others may hold it."""
    return CustomerOverride(row.customer_id, row.billing_profile_id, dict(row.workflow), row.created_at, row.updated_at)


async def _check_profile(session: AsyncSession, profile_id: str) -> None:
    row = await session.get(BillingProfileRow, profile_id.upper())
    if row is None or row.deleted_at is not None:
        raise BillingProfileNotFound(f"There is no billing profile {profile_id!r}.", field="billing_profile_id")
