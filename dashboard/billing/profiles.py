"""Billing profiles: verbs and questions. Exactly one live profile is the default."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.documents import supplier_from_json, to_json, workflow_from_json
from dashboard.billing.errors import (
    BillingProfileAppUnknown,
    BillingProfileInUse,
    BillingProfileNotFound,
    DefaultProfileCannotBeDeleted,
    DefaultProfileCannotBeUnset,
)
from dashboard.billing.inputs import CreateBillingProfile, UpdateBillingProfile
from dashboard.billing.pinning import pin_to_former_default
from dashboard.billing.tables import BillingProfileRow, CustomerOverrideRow
from dashboard.billing.tax import resolved_tax
from dashboard.billing.views import BillingProfile
from dashboard.customers.queries import customers_by_id
from dashboard.kit.database import Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit
from dashboard.kit.paging import Page, PageRequest, fetch_page

CUSTOMERS_NAMED_MAX = 5

_SORTS = {
    "name": col(BillingProfileRow.name),
    "created_at": col(BillingProfileRow.created_at),
    "updated_at": col(BillingProfileRow.updated_at),
    "default": col(BillingProfileRow.is_default),
}


class InstalledApps(Protocol):
    """Who knows which invoicing apps there are."""

    async def __call__(self, session: AsyncSession, app_id: str, /) -> bool:
        """Whether this app is installed and can be given work."""
        ...


async def create_billing_profile(work: Work, wanted: CreateBillingProfile, *, apps: InstalledApps) -> BillingProfile:
    """Makes a billing profile; the first one is the default whatever is wanted.

    Raises BillingProfileAppUnknown, UnknownTaxCode.
    """
    await _one_at_a_time(work)
    await _check_app(work.session, wanted.app_id, apps)
    has_default = await _default_row(work.session) is not None
    row = BillingProfileRow(
        id=new_id(),
        name=wanted.name,
        app_id=wanted.app_id,
        is_default=False,
        workflow={},
        supplier={},
        metadata_={},
        created_at=work.now,
        updated_at=work.now,
    )
    await _fill(work.session, row, wanted)
    work.session.add(row)
    await work.session.flush()
    if wanted.make_default or not has_default:
        await _make_default(work, row)
    work.audit("billing_profile.created", "billing_profile", row.id, name=row.name, is_default=row.is_default)
    work.changed("billing_profiles")
    return profile_of(row)


async def update_billing_profile(
    work: Work, profile_id: str, wanted: UpdateBillingProfile, *, apps: InstalledApps
) -> BillingProfile:
    """Replaces everything about a profile; invoices made before keep what they were made with.

    Raises BillingProfileNotFound, BillingProfileAppUnknown, UnknownTaxCode, DefaultProfileCannotBeUnset.
    """
    await _one_at_a_time(work)
    row = await _live_row(work.session, profile_id)
    if row.is_default and wanted.make_default is False:
        raise DefaultProfileCannotBeUnset(f"{row.name} is the default billing profile.", field="make_default")
    before = {"workflow": row.workflow, "supplier": row.supplier, "name": row.name, "app_id": row.app_id}
    if wanted.app_id is not None and wanted.app_id != row.app_id:
        await _check_app(work.session, wanted.app_id, apps)
        row.app_id = wanted.app_id
    await _fill(work.session, row, wanted)
    row.updated_at = work.now
    await work.session.flush()
    if wanted.make_default:
        await _make_default(work, row)
    after = {"workflow": row.workflow, "supplier": row.supplier, "name": row.name, "app_id": row.app_id}
    changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    work.audit("billing_profile.updated", "billing_profile", row.id, changes=changes)
    work.changed("billing_profiles", "customers")
    return profile_of(row)


async def make_default_profile(work: Work, profile_id: str) -> BillingProfile:
    """Makes this the profile of every customer without one of their own. Raises BillingProfileNotFound."""
    await _one_at_a_time(work)
    row = await _live_row(work.session, profile_id)
    if not row.is_default:
        await _make_default(work, row)
        row.updated_at = work.now
        work.audit("billing_profile.made_default", "billing_profile", row.id, name=row.name)
        work.changed("billing_profiles", "customers")
    return profile_of(row)


async def delete_billing_profile(work: Work, profile_id: str) -> None:
    """Takes a profile out of use. Raises BillingProfileNotFound, DefaultProfileCannotBeDeleted, and BillingProfileInUse
    with the customers that are pinned to it."""
    await _one_at_a_time(work)
    row = await _live_row(work.session, profile_id)
    if row.is_default:
        raise DefaultProfileCannotBeDeleted(f"{row.name} is the default billing profile.")
    pinned = list(
        await work.session.scalars(
            select(col(CustomerOverrideRow.customer_id)).where(col(CustomerOverrideRow.billing_profile_id) == row.id)
        )
    )
    customers = await customers_by_id(work.session, pinned)
    names = sorted(customer.name for customer in customers.values() if not customer.is_deleted)
    if names:
        more = f" and {len(names) - CUSTOMERS_NAMED_MAX} more" if len(names) > CUSTOMERS_NAMED_MAX else ""
        raise BillingProfileInUse(
            f"{row.name} bills {', '.join(names[:CUSTOMERS_NAMED_MAX])}{more}.",
            details={"reasons": names, "customer_ids": pinned},
        )
    row.deleted_at = row.updated_at = work.now
    work.audit("billing_profile.deleted", "billing_profile", row.id, name=row.name)
    work.changed("billing_profiles")


async def get_billing_profile(session: AsyncSession, profile_id: str) -> BillingProfile:
    """A profile, deleted ones too. Raises BillingProfileNotFound."""
    row = await session.get(BillingProfileRow, profile_id.upper())
    if row is None:
        raise BillingProfileNotFound(f"There is no billing profile {profile_id!r}.")
    return profile_of(row)


async def default_billing_profile(session: AsyncSession) -> BillingProfile | None:
    """The profile of every customer without one of their own; None before the first one is made."""
    row = await _default_row(session)
    return profile_of(row) if row else None


async def list_billing_profiles(
    session: AsyncSession,
    page: PageRequest,
    *,
    include_deleted: bool = False,
    sort: str = "name",
    descending: bool = False,
) -> Page[BillingProfile]:
    """Profiles, page by page. Raises InvalidInput for an unknown `sort`."""
    if sort not in _SORTS:
        raise InvalidInput(f"Billing profiles cannot be sorted by {sort!r}.", field="sort")
    statement = select(BillingProfileRow)
    if not include_deleted:
        statement = statement.where(col(BillingProfileRow.deleted_at).is_(None))
    column = _SORTS[sort]
    statement = statement.order_by(column.desc() if descending else column, col(BillingProfileRow.id))
    rows, total = await fetch_page(session, statement, page)
    return Page(tuple(profile_of(row) for row in rows), total, page.number, page.size)


async def all_billing_profiles(session: AsyncSession) -> list[BillingProfile]:
    """Every live profile, the default first, then by name."""
    statement = (
        select(BillingProfileRow)
        .where(col(BillingProfileRow.deleted_at).is_(None))
        .order_by(col(BillingProfileRow.is_default).desc(), col(BillingProfileRow.name), col(BillingProfileRow.id))
    )
    return [profile_of(row) for row in await session.scalars(statement)]


async def pinned_customer_counts(session: AsyncSession) -> dict[str, int]:
    """Profile id → how many customers are pinned to it; profiles without any are left out."""
    column = col(CustomerOverrideRow.billing_profile_id)
    found = await session.execute(select(column, func.count()).where(column.is_not(None)).group_by(column))
    return {profile_id: count for profile_id, count in found if profile_id}


async def profiles_using_tax_code(session: AsyncSession, tax_code_id: str) -> Sequence[str]:
    """Names of live profiles, and of customers' overrides, with this default tax code."""
    profiles = select(col(BillingProfileRow.name)).where(
        col(BillingProfileRow.default_tax_code_id) == tax_code_id, col(BillingProfileRow.deleted_at).is_(None)
    )
    names = [f"billing profile {name}" for name in await session.scalars(profiles)]
    overrides = select(col(CustomerOverrideRow.customer_id)).where(
        col(CustomerOverrideRow.default_tax_code_id) == tax_code_id
    )
    customers = await customers_by_id(session, await session.scalars(overrides))
    return names + [f"customer {customer.name}" for customer in customers.values() if not customer.is_deleted]


def profile_of(row: BillingProfileRow) -> BillingProfile:
    """The profile in a row, as others may hold it."""
    return BillingProfile(
        id=row.id,
        name=row.name,
        description=row.description,
        is_default=row.is_default and row.deleted_at is None,
        app_id=row.app_id,
        workflow=workflow_from_json(row.workflow),
        supplier=supplier_from_json(row.supplier),
        default_currency=row.default_currency,
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


async def _one_at_a_time(work: Work) -> None:
    await lock_until_commit(work.session, "billing_profiles")


async def _check_app(session: AsyncSession, app_id: str, apps: InstalledApps) -> None:
    if not await apps(session, app_id):
        raise BillingProfileAppUnknown("This app is not installed.", field="app_id")


async def _fill(
    session: AsyncSession, row: BillingProfileRow, wanted: CreateBillingProfile | UpdateBillingProfile
) -> None:
    tax = await resolved_tax(
        session, wanted.workflow.default_tax.to_tax_config(), field="workflow.default_tax.tax_code_id"
    )
    row.name = wanted.name
    row.description = wanted.description
    row.workflow = to_json(wanted.workflow.to_workflow())
    row.default_tax_code_id = tax.tax_code_id
    row.supplier = to_json(wanted.supplier.to_supplier())
    row.default_currency = wanted.default_currency
    row.metadata_ = dict(wanted.metadata)


async def _make_default(work: Work, row: BillingProfileRow) -> None:
    former = await _default_row(work.session)
    if former is not None and former.id != row.id:
        pinned = await pin_to_former_default(work, former, row)
        if pinned:
            work.audit("billing_profile.customers_kept", "billing_profile", former.id, customers=pinned, new=row.name)
            work.changed("customers")
    # First nobody, then this one: the unique index is checked with every statement.
    await work.session.execute(
        update(BillingProfileRow)
        .where(col(BillingProfileRow.is_default), col(BillingProfileRow.id) != row.id)
        .values(is_default=False)
    )
    row.is_default = True
    await work.session.flush()


async def _default_row(session: AsyncSession) -> BillingProfileRow | None:
    live = select(BillingProfileRow).where(col(BillingProfileRow.deleted_at).is_(None))
    return await session.scalar(live.where(col(BillingProfileRow.is_default)))


async def _live_row(session: AsyncSession, profile_id: str) -> BillingProfileRow:
    row = await session.get(BillingProfileRow, profile_id.upper())
    if row is None or row.deleted_at is not None:
        raise BillingProfileNotFound(f"There is no billing profile {profile_id!r}.")
    return row
