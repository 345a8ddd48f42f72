"""Everything that Stripe can do to a caller, caused on purpose and seen from the unmodified SDK's side."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from tests.contract import sandbox_support as support
from tests.contract.sandbox_support import RunningSandbox

CUSTOMERS = "/v1/customers"


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.post("/reset")
    return shared_sandbox


def test_latency_delays_the_answer_and_nothing_else(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="latency", delay_ms=300)
    started = time.monotonic()
    sandbox.client().v1.customers.create({"name": "Slow"})
    assert time.monotonic() - started >= 0.3
    assert _names(sandbox) == ["Slow"]


def test_a_hang_outlasts_the_client_and_has_no_effect(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="hang")
    patient = stripe.RequestsClient(timeout=0.4)
    with pytest.raises(stripe.APIConnectionError):
        sandbox.client(http_client=patient).v1.customers.create({"name": "Lost"})
    assert _names(sandbox) == []


@pytest.mark.parametrize("reason", ["global-rate", "endpoint-rate", "global-concurrency", "resource-specific"])
def test_a_rate_limit_names_its_reason(sandbox: RunningSandbox, reason: str) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="rate_limit", reason=reason)
    with pytest.raises(stripe.RateLimitError) as refusal:
        sandbox.client(max_network_retries=2).v1.customers.create({"name": "Hasty"})
    assert _code(refusal.value) == "rate_limit"
    assert (refusal.value.headers or {})["stripe-rate-limited-reason"] == reason
    assert _names(sandbox) == []


def test_a_lock_timeout_is_only_retried_by_the_sdk_when_stripe_says_so(sandbox: RunningSandbox) -> None:
    client = sandbox.client(max_network_retries=2)
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="lock_timeout")
    with pytest.raises(stripe.RateLimitError) as refusal:
        client.v1.customers.create({"name": "First"})
    assert _code(refusal.value) == "lock_timeout"
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="lock_timeout", should_retry=True)
    assert client.v1.customers.create({"name": "Second"}).name == "Second"


def test_two_writes_at_one_invoice_at_once_meet_a_real_lock(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "Busy"})
    invoice = v1.invoices.create({"customer": customer.id})
    sandbox.post("/faults", method="POST", path="/v1/invoices/{invoice}", effect="latency", delay_ms=600)
    slow = threading.Thread(target=lambda: v1.invoices.update(invoice.id, {"description": "slow"}))
    slow.start()
    time.sleep(0.2)
    with pytest.raises(stripe.RateLimitError) as refusal:
        v1.invoices.update(invoice.id, {"description": "fast"})
    slow.join()
    assert _code(refusal.value) == "lock_timeout"
    assert v1.invoices.retrieve(invoice.id).description == "slow"


def test_a_500_before_the_effect_is_healed_by_the_sdks_retry(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="error_500_before")
    sandbox.client(max_network_retries=2).v1.customers.create({"name": "Once"})
    assert _names(sandbox) == ["Once"]


def test_a_500_after_the_effect_is_remembered_by_its_key(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="error_500_after")
    client = sandbox.client(max_network_retries=2)
    with pytest.raises(stripe.APIError) as failure:
        client.v1.customers.create({"name": "Hidden"}, {"idempotency_key": "hidden-1"})
    assert failure.value.http_status == 500
    assert (failure.value.headers or {})["idempotent-replayed"] == "true"
    assert _names(sandbox) == ["Hidden"], "done once, although every answer was a failure"


def test_unavailable_is_retried_until_it_is_over(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", path=CUSTOMERS, effect="unavailable", times=2)
    sandbox.client(max_network_retries=3).v1.customers.create({"name": "Patient"})
    assert _names(sandbox) == ["Patient"]


def test_a_cut_before_the_effect_leaves_nothing_behind(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="cut_before")
    with pytest.raises(stripe.APIConnectionError):
        sandbox.client().v1.customers.create({"name": "Gone"})
    assert _names(sandbox) == []


def test_a_cut_after_the_effect_is_healed_by_replaying_the_key(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="cut_after")
    customer = sandbox.client(max_network_retries=2).v1.customers.create({"name": "Kept"})
    assert customer.name == "Kept"
    assert _names(sandbox) == ["Kept"]


def test_a_cut_is_a_connection_error_for_the_async_client_too(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="cut_after", times=0)

    async def create() -> None:
        client = sandbox.client(http_client=stripe.AIOHTTPClient())
        await client.v1.customers.create_async({"name": "Async"})

    with pytest.raises(stripe.APIConnectionError):
        asyncio.run(create())


def test_a_revoked_key_is_unauthorized_everywhere(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", effect="unauthorized", times=0)
    with pytest.raises(stripe.AuthenticationError) as refusal:
        sandbox.client().v1.accounts.retrieve_current()
    assert "Invalid API Key provided: sk_test_****demo" in str(refusal.value)
    sandbox.clear_faults()
    assert sandbox.client().v1.accounts.retrieve_current()


def test_forbidden_names_the_missing_permission(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", path="/v1/invoices", effect="forbidden")
    with pytest.raises(stripe.PermissionError, match="rak_invoice_read"):
        sandbox.client().v1.invoices.list()


def test_inactive_tax_refuses_to_finalize_and_shows_in_the_settings(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    v1.tax.settings.update({"head_office": {"address": {"country": "DE"}}})
    customer = v1.customers.create({"name": "T", "address": {"country": "DE"}})
    invoice = v1.invoices.create({"customer": customer.id, "automatic_tax": {"enabled": True}})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1000}]})
    sandbox.post("/faults", effect="tax_inactive", times=2, path="/v1/")
    assert v1.tax.settings.retrieve().status == "pending"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.invoices.finalize_invoice(invoice.id)
    assert refusal.value.code == "stripe_tax_inactive"
    assert v1.invoices.finalize_invoice(invoice.id).status == "open"


def test_an_unconfigured_portal_refuses_sessions(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "P"})
    v1.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    sandbox.post("/faults", path="/v1/billing_portal/sessions", effect="portal_unconfigured")
    with pytest.raises(stripe.InvalidRequestError, match="No configuration provided"):
        v1.billing_portal.sessions.create({"customer": customer.id})
    assert v1.billing_portal.sessions.create({"customer": customer.id}).url


def test_faults_count_their_calls_by_method_and_template(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "N"})
    sandbox.post("/faults", method="GET", path="/v1/customers/{customer}", effect="unavailable", nth=2, times=1)
    v1.customers.list()
    v1.customers.update(customer.id, {"name": "M"})
    v1.customers.retrieve(customer.id)
    with pytest.raises(stripe.APIError):
        v1.customers.retrieve(customer.id)
    assert v1.customers.retrieve(customer.id).name == "M"
    assert sandbox.get("/faults") == {"faults": []}


def test_a_header_causes_a_fault_for_one_request(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        assert http.get("/v1/account", headers={"X-Sandbox-Fault": "unavailable"}).status_code == 503
        assert http.get("/v1/account").status_code == 200


def test_the_request_rates_refuse_the_26th_call_of_a_second(sandbox: RunningSandbox) -> None:
    sandbox.post("/limits", enabled=True, rate=25)
    with sandbox.http() as http:
        answers = [http.get("/v1/account") for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["error"]["code"] == "rate_limit"
    assert refused[0].headers["stripe-rate-limited-reason"] in ("global-rate", "endpoint-rate")
    sandbox.post("/limits", enabled=False)


def test_a_twin_in_flight_is_a_conflict(sandbox: RunningSandbox) -> None:
    sandbox.post("/faults", method="POST", path=CUSTOMERS, effect="latency", delay_ms=600)
    results: list[Any] = []
    with sandbox.http() as http:
        call = lambda: results.append(http.post(CUSTOMERS, data={"name": "Twin"}, headers={"Idempotency-Key": "twin"}))  # noqa: E731
        first = threading.Thread(target=call)
        first.start()
        time.sleep(0.2)
        second = http.post(CUSTOMERS, data={"name": "Twin"}, headers={"Idempotency-Key": "twin"})
        first.join()
        again = http.post(CUSTOMERS, data={"name": "Twin"}, headers={"Idempotency-Key": "twin"})
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == results[0].json()


def test_an_unknown_effect_is_refused_by_the_control_api(sandbox: RunningSandbox) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json={"effect": "earthquake"})
    assert answer.status_code == 400
    assert "must be one of" in answer.json()["error"]["message"]


def _code(error: stripe.StripeError) -> str:
    """The SDK leaves `.code` empty on a 429; the body has it."""
    body: Any = error.json_body
    return body["error"]["code"]


def _names(sandbox: RunningSandbox) -> list[str | None]:
    sandbox.clear_faults()
    return [customer.name for customer in sandbox.client().v1.customers.list().data]
