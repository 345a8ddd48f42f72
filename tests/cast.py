"""A small cast with names: Acme pays by card, Globex gets invoices by mail, Initech has no payment method.

`make_…` builders take what a test cares about and fill in the rest; they go through the same services people use.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboard.billing.inputs import CreateBillingProfile, SetCustomerOverride, SupplierInput, WorkflowInput
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput, InvoicePendingLines
from dashboard.billing.service import (
    add_charges,
    create_billing_profile,
    invoice_pending_lines,
    set_customer_override,
)
from dashboard.billing.views import BillingProfile, CollectionMethod, Invoice
from dashboard.customers.inputs import AddressInput, CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.customers.views import Customer
from dashboard.kit.database import Actor, Database, Work

ANN = Actor("person", "01JHANN0000000000000000000", "Ann")

ACME = CreateCustomer(
    name="Acme Inc",
    key="acme",
    currency="USD",
    primary_email="billing@acme.test",
    billing_address=AddressInput(country="US", postal_code="94105", city="San Francisco", line1="1 Market St"),
    subject_keys=("acme-api", "acme-batch"),
)
GLOBEX = CreateCustomer(
    name="Globex GmbH", key="globex", currency="EUR", primary_email="ap@globex.test", subject_keys=("globex-api",)
)
INITECH = CreateCustomer(name="Initech", key="initech", currency="USD", primary_email="hello@initech.test")


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, under one default profile; Globex has an override: invoices by mail, due in 14 days."""

    profile: BillingProfile
    acme: Customer
    globex: Customer
    initech: Customer


async def any_app(_session: object, _app_id: str) -> bool:
    """An installation where every app exists."""
    return True


async def make_customer(work: Work, **changes: Any) -> Customer:
    """A customer; without changes their name is their only property."""
    return await create_customer(work, CreateCustomer(**{"name": "Somebody", **changes}))


async def make_profile(work: Work, *, app_id: str = "app_1", **workflow: Any) -> BillingProfile:
    """A billing profile that sends at once; `workflow` names what is different."""
    wanted = CreateBillingProfile(
        name=workflow.pop("name", "Standard"),
        app_id=app_id,
        supplier=SupplierInput(name="Meterdesk Demo", country="US"),
        workflow=WorkflowInput(**workflow),
        default_currency=workflow.pop("default_currency", "USD"),
    )
    return await create_billing_profile(work, wanted, apps=any_app)


async def bring_cast(database: Database, **workflow: Any) -> Cast:
    """The cast in a database, each of them made in one transaction."""
    async with database.transaction(ANN) as work:
        profile = await make_profile(work, **workflow)
        acme, globex, initech = [await create_customer(work, one) for one in (ACME, GLOBEX, INITECH)]
        by_mail = SetCustomerOverride(collection_method=CollectionMethod.SEND_INVOICE, due_after="P14D")
        await set_customer_override(work, globex.id, by_mail)
    return Cast(profile, acme, globex, initech)


async def draft_for(
    database: Database, customer: Customer, *amounts: str, name: str = "Consulting", **charge: Any
) -> Invoice:
    """A fresh draft with one line per amount, not carried on yet."""
    charges = tuple(ChargeInput(name=name, unit_price=Decimal(amount), **charge) for amount in amounts)
    async with database.transaction(ANN) as work:
        await add_charges(work, AddCharges(customer_id=customer.id, charges=charges))
        wanted = InvoicePendingLines(customer_id=customer.id, before_its_date=True)
        (invoice,) = await invoice_pending_lines(work, wanted)
    return invoice
