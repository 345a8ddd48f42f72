"""OpenMeter's own clients, unmodified, against a whole Meterdesk: Node, Python, and the letters of Stripe in between.

Every exchange is written down on the way and checked against the contract, requests and answers.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from corehttp.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from openmeter import Client

from tests.contract.openmeter_contract import OpenMeterContract, openmeter_contract
from tests.contract.recorded_server import TOKEN, RecordedServer, recorded_server

SDK = "@openmeter/sdk@1.0.0-beta.232"
FLOW = Path(__file__).parent / "openmeter_sdk_flow.mjs"
NODE_BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedServer]:
    """A Meterdesk that this file's tests share; each uses a Stripe account of its own."""
    with recorded_server(tmp_path_factory.mktemp("meterdesk")) as running:
        yield running


@pytest.fixture(scope="module")
def contracts(shared_dir: Path) -> dict[str, OpenMeterContract]:
    """Both generations' contracts."""
    return {version: openmeter_contract(shared_dir, version) for version in ("v1", "v3")}


@pytest.fixture(scope="module")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with OpenMeter's Node client in it, installed as this machine's npm is set up."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    environment = os.environ | {"PATH": f"{NODE_BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(NODE_BIN / "npm"), "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent", SDK]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.copy(FLOW, folder / FLOW.name)
    return folder


def stripe_customer_with_card(server: RecordedServer, key: str) -> tuple[str, str]:
    """A customer of the account at Stripe, and their card."""
    with httpx.Client(base_url=server.sandbox_url, auth=(key, ""), trust_env=False) as stripe:
        customer = stripe.post("/v1/customers", data={"name": "At Stripe"}).json()["id"]
        card = stripe.post("/v1/payment_methods/pm_card_visa/attach", data={"customer": customer}).json()["id"]
    return customer, card


def test_the_node_client_runs_the_flows_of_the_documents(
    server: RecordedServer, node_project: Path, contracts: dict[str, OpenMeterContract]
) -> None:
    key = "sk_test_sandbox_node"
    stripe_customer, card = stripe_customer_with_card(server, key)
    before = len(server.exchanges)
    command = [str(NODE_BIN / "node"), FLOW.name, server.url, TOKEN, key, stripe_customer, card]
    done = subprocess.run(command, cwd=node_project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    assert server.problems(contracts, before) == []
    assert answers["listing"]["installMethods"] == ["with_api_key"]
    assert answers["installed"]["app"]["type"] == "stripe"
    assert (answers["renamed"]["name"], answers["rekeyed"]) == ("Renamed", "nothing")
    assert answers["session"]["mode"] == "setup"
    assert answers["session"]["url"].startswith(server.sandbox_url)
    assert answers["again"]["status"] == 409
    assert "my-database-id" in answers["again"]["message"]
    assert answers["upserted"][0]["stripeDefaultPaymentMethodId"] == card
    assert "stripeDefaultPaymentMethodId" not in answers["link"]
    assert answers["linkAgain"] == answers["link"]
    assert answers["portal"]["stripeCustomerId"] == stripe_customer
    assert answers["customer"]["key"] == "linked/by hand"
    assert answers["updated"]["name"] == "Renamed"
    assert (answers["customers"]["totalCount"], len(answers["customers"]["items"])) == (2, 1)
    assert answers["profileUpdated"]["workflow"]["invoicing"]["dueAfter"] == "P14D"
    assert answers["override"]["baseBillingProfileId"] == answers["profile"]["id"]
    assert answers["unset"]["status"] == 400
    assert [one["displayName"] for one in answers["subjects"]] == ["ACME, Inc."]
    assert answers["subject"]["metadata"] == {"plan": "pro"}
    assert answers["forgotten"] == "nothing"
    assert (answers["unknown"]["status"], answers["strangerKey"]["status"]) == (404, 401)


def test_the_python_client_runs_the_flows_of_the_documents(
    server: RecordedServer, contracts: dict[str, OpenMeterContract]
) -> None:
    key = "sk_test_sandbox_python"
    stripe_customer, card = stripe_customer_with_card(server, key)
    before = len(server.exchanges)
    client = Client(endpoint=server.url, token=TOKEN)
    assert client.marketplace.get("stripe").type == "stripe"
    installed: Any = client.marketplace.install_with_api_key(
        "stripe", {"apiKey": key, "name": "Python", "createBillingProfile": False}
    )
    app_id = installed.app["id"]
    apps: Any = {"tax": app_id, "invoicing": app_id, "payment": app_id}
    profile = client.billing_profiles.create(
        {
            "name": "Python",
            "default": True,
            "supplier": {"name": "Us", "addresses": [{"country": "US"}]},
            "workflow": {"tax": {"enabled": False}},
            "apps": apps,
        }
    )
    customer = client.customers.create({"name": "Python", "key": "python", "currency": "USD"})
    item: Any = {"type": "stripe", "stripeCustomerId": stripe_customer, "stripeDefaultPaymentMethodId": card}
    link: Any = client.customer_apps.upsert_app_data("python", [item])
    assert link[0]["stripeCustomerId"] == stripe_customer
    assert client.customer_stripe.get("python").stripe_default_payment_method_id == card
    session = client.app_stripe.create_checkout_session(
        {
            "customer": {"name": "ACME, Inc.", "usageAttribution": {"subjectKeys": ["python-subject"]}},
            "options": {"successURL": "https://example.com/success", "currency": "USD"},
        }
    )
    assert session.url
    assert session.mode == "setup"
    assert client.customer_stripe.create_portal_session(customer.id, {"returnUrl": "https://example.com"}).url
    override: Any = client.customer_overrides.upsert(customer.id, {"billingProfileId": profile.id})
    assert override.base_billing_profile_id == profile.id
    assert client.customer_overrides.get(customer.id).customer_override is not None
    client.customer_overrides.delete(customer.id)
    client.app_stripe.update_stripe_api_key(app_id, {"secretAPIKey": key})
    assert any(one.id == customer.id for one in client.customers.list(page_size=1000).items_property)
    assert client.customers.update("python", {"name": "Renamed", "key": "python"}).name == "Renamed"
    subject: Any = {"key": "python-subject", "displayName": "Python"}
    (upserted,) = client.subjects.upsert([subject])
    assert client.subjects.get("python-subject").display_name == "Python"
    client.subjects.delete(upserted.id)
    assert [one.key for one in client.subjects.list()] == []
    client.customer_apps.delete_app_data("python", app_id)
    client.customers.delete("python")
    assert client.customers.get(customer.id).deleted_at is not None
    with pytest.raises(ResourceNotFoundError):
        client.customers.get("python")
    with pytest.raises(HttpResponseError) as refusal:
        client.customers.update(customer.id, {"name": "Gone"})
    assert refusal.value.status_code == 412
    with pytest.raises(ClientAuthenticationError):
        Client(endpoint=server.url, token="wrong").customers.list()
    assert server.problems(contracts, before) == []


def test_the_python_client_meters_plans_and_invoices(
    server: RecordedServer, contracts: dict[str, OpenMeterContract]
) -> None:
    before = len(server.exchanges)
    client = Client(endpoint=server.url, token=TOKEN)
    client.marketplace.install_with_api_key("stripe", {"apiKey": "sk_test_sandbox_metered"})
    meter: Any = {"slug": "sdk", "aggregation": "SUM", "eventType": "sdk", "valueProperty": "$.n"}
    assert client.meters.create(meter).slug == "sdk"
    event: Any = {"id": "1", "source": "sdk", "specversion": "1.0", "type": "sdk", "subject": "s", "data": {"n": "7"}}
    client.events.ingest_event(event)
    client.events.ingest_events([event | {"id": "2"}])
    assert [row.value for row in client.meters.query_json("sdk").data] == [14]
    assert client.features.create({"key": "sdk", "name": "SDK", "meterSlug": "sdk"}).meter_slug == "sdk"
    card: Any = {"type": "flat_fee", "key": "fee", "name": "Fee", "billingCadence": "P1M", "price": None}
    phase: Any = {"key": "only", "name": "Only", "duration": None, "rateCards": [card]}
    plan = client.plans.create(
        {"key": "sdk", "name": "SDK", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    )
    assert client.plans.publish(plan.id).status == "active"
    customer = client.customers.create({"name": "Billed", "key": "billed", "currency": "USD"})
    wanted: Any = {"plan": {"key": "sdk"}, "customerKey": "billed"}
    subscription: Any = client.subscriptions.create(wanted)
    assert subscription.status == "active"
    edit: Any = {"op": "add_item", "phaseKey": "only", "rateCard": card | {"key": "support", "name": "Support"}}
    edited: Any = client.subscriptions.edit(subscription.id, {"customizations": [edit]})
    assert edited.id == subscription.id
    line: Any = {
        "name": "Line",
        "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
        "invoiceAt": "2026-01-02T00:00:00Z",
        "rateCard": {"price": {"type": "flat", "amount": "10"}},
    }
    pending = client.customer_invoice.create_pending_invoice_line(customer.id, {"currency": "USD", "lines": [line]})
    assert pending.is_invoice_new
    [invoice] = client.invoices.invoice_pending_lines_action({"customerId": customer.id})
    assert invoice.totals.total == "10"
    assert client.invoice.get_invoice(invoice.id).id == invoice.id
    assert client.invoices.list(customers=[customer.id]).total_count >= 1
    assert server.problems(contracts, before) == []


def test_a_completed_checkout_becomes_the_customers_payment_method(
    server: RecordedServer, contracts: dict[str, OpenMeterContract]
) -> None:
    key = "sk_test_sandbox_completed"
    before = len(server.exchanges)
    client = Client(endpoint=server.url, token=TOKEN)
    installed: Any = client.marketplace.install_with_api_key("stripe", {"apiKey": key, "createBillingProfile": True})
    body: Any = {
        "appId": installed.app["id"],
        "customer": {"name": "Completes", "key": "completes"},
        "options": {"successURL": "https://example.com/success"},
    }
    session = client.app_stripe.create_checkout_session(body)
    with httpx.Client(base_url=server.sandbox_url, trust_env=False) as sandbox:
        path = f"/_sandbox/checkout/{session.session_id}/complete"
        assert sandbox.post(path, json={"payment_method": "pm_card_visa"}).status_code == 200
    deadline = time.monotonic() + 20
    found: Any = None
    while time.monotonic() < deadline and found is None:
        links: Any = client.customer_apps.list_app_data("completes").items_property
        found = next((one.get("stripeDefaultPaymentMethodId") for one in links), None)
        time.sleep(0.2)
    assert str(found).startswith("pm_")
    assert server.problems(contracts, before) == []
