"""When another app's profile becomes the default: who pays through the old one keeps paying through it."""

from sqlalchemy import select
from sqlmodel import col

from dashboard.billing.tables import BillingProfileRow, CustomerOverrideRow, InvoiceRow
from dashboard.customers.queries import customers_by_id
from dashboard.kit.database import Work
from dashboard.subscriptions.queries import subscribed_customer_ids

BATCH = 1000


async def pin_to_former_default(work: Work, former: BillingProfileRow, new: BillingProfileRow) -> int:
    """Pins the customers that the former default profile bills, when the new one uses another app. Answers how many.

    Their payment methods are in the former app's account, so the new one could not charge them. Those are customers
    without a profile of their own who are subscribed, have charges waiting, or were invoiced through that app.
    """
    if former.app_id == new.app_id:
        return 0
    billed = select(col(InvoiceRow.customer_id)).where(
        (col(InvoiceRow.app_id) == former.app_id)
        | ((col(InvoiceRow.tab) == "gathering") & col(InvoiceRow.deleted_at).is_(None))
    )
    wanted = await subscribed_customer_ids(work.session, work.now) | set(await work.session.scalars(billed.distinct()))
    ids = sorted(wanted)
    live: list[str] = []
    for start in range(0, len(ids), BATCH):
        found = await customers_by_id(work.session, ids[start : start + BATCH])
        live += [id_ for id_, customer in found.items() if not customer.is_deleted]
    overrides = {row.customer_id: row for row in await work.session.scalars(select(CustomerOverrideRow))}
    pinned = 0
    for customer_id in live:
        row = overrides.get(customer_id)
        if row is None:
            row = CustomerOverrideRow(customer_id=customer_id, workflow={}, created_at=work.now, updated_at=work.now)
            work.session.add(row)
        if row.billing_profile_id is None:
            row.billing_profile_id, row.updated_at = former.id, work.now
            work.audit("customer.pinned_to_profile", "customer", customer_id, profile=former.name, because=new.name)
            work.changed(f"customers/{customer_id}")
            pinned += 1
    return pinned
