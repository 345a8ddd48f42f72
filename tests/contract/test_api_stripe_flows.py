"""The Stripe app's main roads through both generations of the API, each answer checked against its contract."""

import time
import warnings
from typing import Any

import pytest

from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox

V3 = "/v3/openmeter"
SUCCESS = {"successURL": "https://example.com/success"}


async def test_installing_with_a_key_makes_the_app_and_the_default_profile(api: ApiHouse) -> None:
    done = await api.ok(
        "POST", "/api/v1/marketplace/listings/stripe/install/apikey", {"apiKey": api.stripe_key, "name": "Main account"}
    )
    assert done["app"]["name"] == "Main account"
    assert done["defaultForCapabilityTypes"] == ["calculateTax", "invoiceCustomers", "collectPayments"]
    assert api.stripe_key not in str(done)
    profiles = await api.ok("GET", "/api/v1/billing/profiles?expand=apps")
    assert [(one["default"], one["apps"]["payment"]["id"]) for one in profiles["items"]] == [(True, done["app"]["id"])]
    assert profiles["items"][0]["apps"]["tax"]["stripeAccountId"] == done["app"]["stripeAccountId"]


async def test_installing_without_a_profile_leaves_billing_alone(api: ApiHouse) -> None:
    path = "/api/v1/marketplace/listings/stripe/install/apikey"
    done = await api.ok("POST", path, {"apiKey": api.stripe_key, "createBillingProfile": False})
    assert done["defaultForCapabilityTypes"] == []
    assert (await api.ok("GET", "/api/v1/billing/profiles"))["totalCount"] == 0


async def test_v3_installs_too(api: ApiHouse) -> None:
    body = {"type": "stripe", "name": "Stripe", "create_billing_profile": True, "api_key": api.stripe_key}
    done = await api.ok("POST", f"{V3}/app-catalog/install", body)
    assert done["default_for_capability_types"] == ["calculate_tax", "invoice_customers", "collect_payments"]
    assert (await api.ok("GET", f"{V3}/apps/{done['app']['id']}"))["account_id"].startswith("acct_")


async def test_an_app_is_renamed_rekeyed_and_uninstalled(api: ApiHouse) -> None:
    app = await api.install(createBillingProfile=False)
    path = f"/api/v1/apps/{app['id']}"
    renamed = await api.ok("PUT", path, {"type": "stripe", "name": "Renamed", "metadata": {"team": "a"}})
    assert (renamed["name"], renamed["metadata"]) == ("Renamed", {"team": "a"})
    assert await api.ok("PUT", f"{path}/stripe/api-key", {"secretAPIKey": api.stripe_key}) is None
    other = {"secretAPIKey": "sk_test_sandbox_another"}
    problem = await api.refused(400, "PUT", f"{path}/stripe/api-key", other)
    assert problem["extensions"]["validationErrors"][0]["field"] == "secretAPIKey"
    assert await api.ok("DELETE", path) is None
    assert (await api.ok("GET", path))["deletedAt"]
    assert (await api.ok("GET", "/api/v1/apps"))["totalCount"] == 0


async def test_a_customer_is_linked_to_stripe_and_shown_with_the_app(api: ApiHouse) -> None:
    app = await api.install()
    customer = await api.customer(key="acme")
    stripe_customer = await api.stripe_customer()
    card = await api.card(stripe_customer)
    item = {"type": "stripe", "stripeCustomerId": stripe_customer, "stripeDefaultPaymentMethodId": card}
    assert await api.ok("PUT", "/api/v1/customers/acme/apps", [item]) == [item | {"id": app["id"]}]
    listed = await api.ok("GET", f"/api/v1/customers/{customer['id']}/apps")
    assert listed["items"][0]["app"]["id"] == app["id"]
    assert (await api.ok("GET", "/api/v1/customers/acme/stripe"))["stripeCustomerId"] == stripe_customer
    without = {"stripeCustomerId": stripe_customer}
    assert "stripeDefaultPaymentMethodId" not in await api.ok("PUT", "/api/v1/customers/acme/stripe", without)
    assert await api.ok("DELETE", f"/api/v1/customers/acme/apps/{app['id']}") is None
    await api.refused(412, "GET", "/api/v1/customers/acme/stripe")
    await api.refused(404, "DELETE", f"/api/v1/customers/acme/apps/{app['id']}")


async def test_v3_links_and_pins_with_labels(api: ApiHouse) -> None:
    app = await api.install()
    profile = (await api.ok("GET", f"{V3}/profiles"))["data"][0]
    customer = await api.ok("POST", f"{V3}/customers", {"name": "ACME", "key": "acme"})
    stripe_customer = await api.stripe_customer()
    card = await api.card(stripe_customer)
    path = f"{V3}/customers/{customer['id']}/billing"
    wanted = {"stripe": {"customer_id": stripe_customer, "default_payment_method_id": card, "labels": {"env": "test"}}}
    body = {"billing_profile": {"id": profile["id"]}, "app_data": wanted}
    assert await api.ok("PUT", path, body) == body
    assert await api.ok("GET", path) == body
    override = await api.ok("GET", f"/api/v1/billing/customers/{customer['id']}?expand=apps&expand=customer")
    assert override["customerOverride"]["billingProfileId"] == profile["id"]
    assert override["customerProfile"]["apps"]["tax"]["id"] == app["id"]
    assert override["customer"]["key"] == "acme"
    assert await api.ok("PUT", f"{path}/app-data", {"stripe": {"customer_id": stripe_customer}}) == {
        "stripe": {"customer_id": stripe_customer}
    }
    await api.ok("PUT", path, {"app_data": wanted})
    override = await api.ok("GET", f"/api/v1/billing/customers/{customer['id']}")
    assert "billingProfileId" not in override["customerOverride"]


async def test_external_invoicing_data_is_kept_and_given_back(api: ApiHouse) -> None:
    await api.install()
    customer = await api.customer(key="acme")
    stripe = {"stripe": {"customer_id": await api.stripe_customer()}}
    path = f"{V3}/customers/{customer['id']}/billing"
    external = {"external_invoicing": {"labels": {"ledger": "7"}}}
    assert (await api.ok("PUT", path, {"app_data": stripe | external}))["app_data"] == stripe | external
    assert (await api.ok("GET", path))["app_data"] == stripe | external
    in_v1 = {"type": "custom_invoicing", "metadata": {"ledger": "7"}}
    listed = await api.ok("GET", "/api/v1/customers/acme/apps")
    assert [one["type"] for one in listed["items"]] == ["stripe", "custom_invoicing"]
    assert (await api.ok("GET", "/api/v1/customers/acme/apps?type=custom_invoicing"))["items"] == [in_v1]
    changed = in_v1 | {"metadata": {"ledger": "any text, in v1"}}
    assert await api.ok("PUT", "/api/v1/customers/acme/apps", [changed]) == [changed]
    assert (await api.ok("GET", path))["app_data"] == stripe | {"external_invoicing": {"labels": {}}}
    # A PUT of v3 replaces all of it.
    assert await api.ok("PUT", f"{path}/app-data", stripe) == stripe
    assert (await api.ok("GET", "/api/v1/customers/acme/apps?type=custom_invoicing"))["items"] == []


async def test_one_call_makes_customer_stripe_customer_and_page(api: ApiHouse) -> None:
    await api.install()
    body = {
        "customer": {"name": "ACME, Inc.", "key": "my-database-id", "usageAttribution": {"subjectKeys": ["subject-1"]}},
        "options": SUCCESS | {"currency": "USD", "metadata": {"order": "7"}, "clientReferenceID": "ref-1"},
    }
    done = await api.ok("POST", "/api/v1/stripe/checkout/sessions", body)
    assert done["mode"] == "setup"
    assert done["url"]
    assert done["currency"] == "USD"
    assert done["metadata"] == {"order": "7"}
    assert done["clientReferenceId"] == "ref-1"
    customer = await api.ok("GET", "/api/v1/customers/my-database-id")
    assert customer["id"] == done["customerId"]
    # An object with a name always creates.
    await api.refused(409, "POST", "/api/v1/stripe/checkout/sessions", body)
    for known in ({"key": "my-database-id"}, {"id": customer["id"]}):
        again = await api.ok("POST", "/api/v1/stripe/checkout/sessions", {"customer": known, "options": SUCCESS})
        assert again["stripeCustomerId"] == done["stripeCustomerId"]
        assert again["sessionId"] != done["sessionId"]


OPTIONS: dict[str, Any] = {
    "billingAddressCollection": "required",
    "customerUpdate": {"address": "auto", "name": "auto", "shipping": "never"},
    "consentCollection": {"paymentMethodReuseAgreement": {"position": "hidden"}},
    "customText": {"submit": {"message": "We charge nothing now."}},
    "taxIdCollection": {"enabled": True, "required": "if_supported"},
    "locale": "de",
    "currency": "EUR",
    "paymentMethodTypes": ["card"],
    "metadata": {"a": "b"},
}


async def test_every_checkout_option_reaches_stripe(api: ApiHouse) -> None:
    await api.install()
    in_an_hour = int(time.time()) + 3600
    options = OPTIONS | {"uiMode": "embedded", "returnURL": "https://example.com/back", "expiresAt": in_an_hour}
    body = {"customer": {"name": "Acme"}, "options": options}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = await api.ok("POST", "/api/v1/stripe/checkout/sessions", body)
    assert done["clientSecret"]
    assert done["returnURL"] == "https://example.com/back"
    seen = await api.stripe("GET", f"/v1/checkout/sessions/{done['sessionId']}")
    assert seen["expires_at"] == in_an_hour
    assert seen["ui_mode"] == "embedded_page"
    assert seen["billing_address_collection"] == "required"
    assert seen["tax_id_collection"]["enabled"] is True
    assert seen["custom_text"]["submit"] == {"message": "We charge nothing now."}
    assert seen["consent_collection"]["payment_method_reuse_agreement"] == {"position": "hidden"}
    assert seen["locale"] == "de"
    assert seen["currency"] == "eur"
    assert seen["metadata"]["a"] == "b"


async def test_a_refused_checkout_leaves_no_customer_behind(api: ApiHouse) -> None:
    await api.install()
    body = {
        "customer": {"name": "ACME, Inc.", "key": "acme"},
        "options": SUCCESS | {"locale": "tlh-Klingon"},
    }
    problem = await api.refused(400, "POST", "/api/v1/stripe/checkout/sessions", body)
    assert problem["detail"]
    await api.refused(404, "GET", "/api/v1/customers/acme")
    body["options"] = SUCCESS
    assert (await api.ok("POST", "/api/v1/stripe/checkout/sessions", body))["url"]


async def test_v3_opens_checkout_and_portal(api: ApiHouse) -> None:
    await api.install()
    customer = await api.ok("POST", f"{V3}/customers", {"name": "ACME", "key": "acme"})
    path = f"{V3}/customers/{customer['id']}/billing/stripe"
    await api.refused(412, "POST", f"{path}/portal-sessions", {"stripe_options": {}})
    options = {"success_url": "https://example.com/success", "currency": "USD"}
    done = await api.ok("POST", f"{path}/checkout-sessions", {"stripe_options": options})
    assert done["url"]
    assert done["success_url"] == options["success_url"]
    portal = await api.ok(
        "POST", f"{path}/portal-sessions", {"stripe_options": {"return_url": "https://example.com", "locale": "de"}}
    )
    assert (portal["return_url"], portal["locale"]) == ("https://example.com", "de")
    assert portal["stripe_customer_id"] == done["stripe_customer_id"]
    again = await api.ok("POST", "/api/v1/customers/acme/stripe/portal", {"returnUrl": "https://example.com"})
    assert again["url"] != portal["url"]
    assert (await api.ok("POST", "/api/v1/customers/acme/stripe/portal", {}))["locale"]


@pytest.mark.parametrize("prefix", ["/v3/openmeter", "/api/v3/openmeter"])
async def test_v3_answers_under_both_prefixes(api: ApiHouse, prefix: str) -> None:
    made = await api.ok("POST", f"{prefix}/customers", {"name": "ACME", "key": "acme"})
    assert (await api.ok("GET", f"{prefix}/customers/{made['id']}"))["key"] == "acme"
