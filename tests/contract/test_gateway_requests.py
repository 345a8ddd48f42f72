"""Every request our gateway sends fits Stripe's API, as the sandbox's log of exchanges shows it.

(Each test with the `house` fixture is held to that as well; here every operation of the gateway is used once.)
"""

import inspect
from decimal import Decimal

import pytest
from pydantic import SecretStr

from dashboard.stripe_app import app_life, checkout, customer_link, install, portal, tax
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.inputs import (
    CreateCheckoutSession,
    CreatePortalSession,
    LinkStripeCustomer,
    UpdateStripeCustomer,
)
from dashboard.stripe_app.plug import StripePlug
from tests.contract.sandbox_support import contract
from tests.stripe_house import ADA, contract_breaches
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_invoices import BY_MAIL, WITH_TAX, changed, detail, invoice, line


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the gateway's operations that were called."""
    names: set[str] = set()

    def noting(name, operation):
        async def wrapper(self, *arguments, **options):
            names.add(name)
            return await operation(self, *arguments, **options)

        return wrapper

    for name in operations():
        monkeypatch.setattr(Gateway, name, noting(name, getattr(Gateway, name)))
    return names


def operations() -> list[str]:
    public = inspect.getmembers(Gateway, inspect.iscoroutinefunction)
    return [name for name, _ in public if not name.startswith("_")]


def test_the_checker_sees_what_does_not_fit():
    contract()
    wrong = {"method": "POST", "path": "/v1/invoices", "params": "customer=cus_1&no_such_thing=1"}
    assert contract_breaches([wrong]) != []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_operation_of_the_gateway_sends_what_stripe_takes(house, used):
    contract()
    house.desk.public_url = "http://127.0.0.1:9"
    await install.check_key(house.desk, SecretStr(house.key.replace("sk_", "rk_")))
    app = await house.install()
    customer = await house.customer(
        primary_email="ap@acme.example.com",
        currency="EUR",
        billing_address={
            "country": "DE",
            "postal_code": "10115",
            "city": "Berlin",
            "line1": "Weg 1",
            "phone_number": "+49",
        },
    )
    await _be_a_customer(house, app, customer)
    await _be_invoiced(house, app, customer)
    async with house.desk.stripe(app.id) as gateway:
        [some] = (await gateway.events_page({"limit": 1}))["data"]
        await gateway.event(some["id"])
        await gateway.update_webhook_endpoint((await gateway.list_webhook_endpoints())[0]["id"], {"disabled": False})
        await gateway.update_portal_configuration(app.portal_configuration_id or "", {"active": True})
        [payment, *_] = await gateway.invoice_payments({"limit": 1})
        charges = (await house.stripe("GET", "/v1/charges"))["data"]
        await gateway.charge(charges[0]["id"])
        assert payment["object"] == "invoice_payment"
    await app_life.uninstall_stripe_app(house.desk, ADA, app.id)
    exchanges = await house.exchanges()
    assert contract_breaches(exchanges) == []
    assert sorted(set(operations()) - used) == []
    assert len(exchanges) > 60


async def _be_a_customer(house, app, customer):
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await customer_link.search_stripe_customers(house.desk, app.id, "ap@acme.example.com")
    update = UpdateStripeCustomer(customer_id=customer.id, email="new@acme.example.com", name="ACME", send_address=True)
    await customer_link.update_stripe_customer(house.desk, ADA, update)
    page = CreateCheckoutSession(
        customer_id=customer.id,
        success_url="https://acme.example.com/{CHECKOUT_SESSION_ID}",
        payment_method_types=("card", "sepa_debit"),
        metadata={"plan": "gold"},
    )
    made = await checkout.create_checkout_session(house.desk, ADA, page)
    await house.complete_checkout(made.session_id)
    await house.hear(app.id)
    await portal.create_portal_session(
        house.desk, CreatePortalSession(customer_id=customer.id, flow="payment_method_update")
    )
    [method] = await customer_link.list_payment_methods(house.desk, app.id, customer.id)
    relink = LinkStripeCustomer(
        customer_id=customer.id, stripe_customer_id=link.stripe_customer_id, default_payment_method_id=method.id
    )
    await customer_link.link_stripe_customer(house.desk, ADA, relink)
    await tax.tax_settings(house.desk, app.id, fresh=True)
    await tax.list_tax_codes(house.desk, app.id, "software")
    async with house.desk.stripe(app.id) as gateway:
        await gateway.checkout_session(made.session_id)
        await gateway.newest_customers()


async def _be_invoiced(house, app, customer):
    plug = StripePlug(house.desk)
    texts = {"description": "Thanks", "footer": "Ltd", "purchase_order": "P" * 70, "statement_descriptor": "ACME"}

    def made(*lines, **more):
        return invoice(*lines, customer_id=customer.id, app_id=app.id, currency="EUR", **more)

    taxed = made(line(code="txcd_10103001", behavior="inclusive"), line(detail("3")), workflow=WITH_TAX, **texts)
    await plug.sync_draft(taxed)
    edited = changed(
        taxed, lines=(line(detail("12", id=taxed.lines[0].details[0].id)), line()), footer=None, purchase_order=None
    )
    await plug.sync_draft(edited)
    await plug.issue(edited)
    await plug.pay(edited)
    await plug.credit(edited, Decimal(1), "sorry", refund=True)
    mailed = made(workflow=BY_MAIL)
    await plug.issue(mailed)
    await plug.send(mailed)
    await plug.mark_uncollectible(mailed)
    await plug.void(mailed)
    outside = made(workflow=BY_MAIL)
    await plug.issue(outside)
    await plug.mark_paid(outside)
    dropped = made(workflow=BY_MAIL)
    draft = await plug.sync_draft(dropped)
    dropped_at_stripe = await house.stripe("GET", f"/v1/invoices/{draft.id}")
    async with house.desk.stripe(app.id) as gateway:
        await gateway.customer_drafts(dropped_at_stripe["customer"])
        await gateway.credit_notes(draft.id)
        product = next(iter((await house.stripe("GET", "/v1/products"))["data"]))
        await gateway.product(product["id"])
        await gateway.update_product(product["id"], {"active": True})
    await plug.delete_draft(dropped)
