"""Whose tax code a line gets: the rate card's, else the customer's, else the profile's, else the organization's.

Told at the far end, by the product that carries the code on the line at Stripe.
"""

from typing import Any

from dashboard.billing.inputs import (
    CreateBillingProfile,
    SetCustomerOverride,
    SupplierInput,
    TaxConfigInput,
    UpdateBillingProfile,
    WorkflowInput,
)
from dashboard.billing.invoice_inputs import InvoicePendingLines
from dashboard.billing.service import (
    create_billing_profile,
    delete_customer_override,
    invoice_pending_lines,
    set_customer_override,
    update_billing_profile,
)
from dashboard.billing.subscription_sync import sync_due_subscriptions
from dashboard.billing.views import InvoiceStatus
from dashboard.catalog.inputs import CreateTaxCode, UpdateTaxDefaults
from dashboard.catalog.plan_inputs import CreatePlan
from dashboard.catalog.plans import create_plan, publish_plan
from dashboard.catalog.tax_codes import create_tax_code, set_tax_defaults
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import is_installed
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.service import SubscriptionDesk, create_subscription
from tests.scenarios.story import ON_SQLITE, Readiness, day, fee
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_side import link_payer

pytestmark = ON_SQLITE

HEAD_OFFICE = {
    "head_office[address][country]": "DE",
    "head_office[address][postal_code]": "10115",
    "head_office[address][city]": "Berlin",
    "head_office[address][line1]": "Invalidenstr. 1",
}
CODES = {
    "saas": "txcd_10103001",
    "customer": "txcd_10103000",
    "profile": "txcd_10000000",
    "organization": "txcd_20030000",
}
BERLIN = {"address[country]": "DE", "address[postal_code]": "10115", "address[city]": "Berlin"}


async def linked_customer(house: House) -> str:
    """Somebody in Berlin with a card."""
    customer = await house.customer("Globex GmbH", currency="EUR")
    who = {"name": "Globex", "email": "ap@globex.test", **BERLIN}
    await link_payer(house.desk, ADA, house.stripe, customer.id, **who)
    return customer.id


async def codes_at_stripe(house: House, customer_id: str) -> dict[str, str | None]:
    """Invoices what is due: line → the tax code of its product at Stripe."""
    async with house.database.transaction(ADA) as work:
        (draft,) = await invoice_pending_lines(work, InvoicePendingLines(customer_id=customer_id))
    await house.work_off()
    invoice = await house.read(draft.id)
    assert invoice.status in (InvoiceStatus.PAYMENT_PENDING, InvoiceStatus.PAID), invoice.issues
    assert invoice.external is not None
    found: dict[str, str | None] = {}
    lines = await house.stripe("GET", f"/v1/invoices/{invoice.external.id}/lines")
    for line in lines["data"]:
        product: Any = line["pricing"]["price_details"]["product"]
        found[line["description"]] = (await house.stripe("GET", f"/v1/products/{product}"))["tax_code"]
    return found


async def test_the_nearest_tax_code_reaches_the_line_at_stripe(house: House):
    house.clock.move_to(day(1))
    app = await house.install()
    await house.stripe("POST", "/v1/tax/settings", HEAD_OFFICE)
    customer_id = await linked_customer(house)
    async with house.database.transaction(ADA) as work:
        ids = {
            key: (await create_tax_code(work, CreateTaxCode(key=key, name=key.title(), stripe_code=code))).id
            for key, code in CODES.items()
        }
        await set_tax_defaults(work, UpdateTaxDefaults(invoicing_tax_code_id=ids["organization"]))
        document = {
            "name": "Standard",
            "supplier": SupplierInput(name="Meterdesk Demo", country="DE"),
            "default_currency": "EUR",
        }
        own = TaxConfigInput(tax_code_id=ids["profile"])
        workflow = WorkflowInput(tax_enabled=True, collection_interval="PT0S")
        wanted = CreateBillingProfile(
            **document, app_id=app.id, workflow=workflow.model_copy(update={"default_tax": own})
        )
        profile = await create_billing_profile(work, wanted, apps=is_installed)
        theirs = SetCustomerOverride(default_tax=TaxConfigInput(tax_code_id=ids["customer"]))
        await set_customer_override(work, customer_id, theirs)
        cards = [
            fee("10", key="software", name="Software", tax={"tax_code_id": ids["saas"], "behavior": "exclusive"}),
            fee("20", key="support", name="Support"),
        ]
        phase = {"key": "default", "name": "Default", "rate_cards": cards}
        plan = {"key": "team", "name": "Team", "currency": "EUR", "billing_cadence": "P1M", "phases": [phase]}
        await publish_plan(work, (await create_plan(work, parse_input(CreatePlan, plan))).id)
    desk = SubscriptionDesk(house.database, Readiness())
    await create_subscription(desk, ADA, CreateSubscription(customer_id=customer_id, plan="team"))
    await sync_due_subscriptions(house.billing)

    # The card says it for software; for support the customer's own code counts.
    assert await codes_at_stripe(house, customer_id) == {"Software": CODES["saas"], "Support": CODES["customer"]}

    async with house.database.transaction(ADA) as work:
        await delete_customer_override(work, customer_id)
    await month(house, 2)
    assert await codes_at_stripe(house, customer_id) == {"Software": CODES["saas"], "Support": CODES["profile"]}

    async with house.database.transaction(ADA) as work:
        plain = UpdateBillingProfile(**document, workflow=workflow)
        await update_billing_profile(work, profile.id, plain, apps=is_installed)
    await month(house, 3)
    assert await codes_at_stripe(house, customer_id) == {"Software": CODES["saas"], "Support": CODES["organization"]}

    async with house.database.transaction(ADA) as work:
        no_choice = CreateTaxCode(key="account", name="Whatever the account says")
        await set_tax_defaults(
            work, UpdateTaxDefaults(invoicing_tax_code_id=(await create_tax_code(work, no_choice)).id)
        )
    await month(house, 4)
    assert await codes_at_stripe(house, customer_id) == {"Software": CODES["saas"], "Support": None}


async def month(house: House, number: int) -> None:
    house.clock.move_to(day(number))
    await sync_due_subscriptions(house.billing)
