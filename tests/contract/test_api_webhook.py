"""Stripe's letters at our door: taken on a true signature only, each once, and never with a key."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx

from dashboard.kit.errors import TooManyRequests
from dashboard.stripe_app.tables import StripeAppRow
from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.openmeter_contract import PROBLEM_JSON

LETTER = {
    "id": "evt_1",
    "object": "event",
    "type": "customer.updated",
    "created": 1768478400,
    "livemode": False,
    "data": {"object": {"id": "cus_stranger", "object": "customer"}},
}


async def installed_app(api: ApiHouse) -> tuple[str, str]:
    """An app whose webhook is registered: its id, and the secret Stripe signs with."""
    api.backend.stripe.public_url = "http://127.0.0.1:9"
    app_id = (await api.install(createBillingProfile=False))["id"]
    async with api.backend.database.read() as session:
        row = await session.get_one(StripeAppRow, app_id)
    return app_id, api.backend.secrets.open(row.sealed_webhook_secret or "")


def signature(body: bytes, secret: str, at: int | None = None) -> str:
    """What Stripe sends with a letter (https://docs.stripe.com/webhooks#verify-manually)."""
    moment = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


async def deliver(api: ApiHouse, app_id: str, body: bytes, signed: str | None) -> Any:
    """Posts a letter as Stripe does, without any key of ours."""
    headers = {"content-type": "application/json"} | ({"stripe-signature": signed} if signed else {})
    path = f"/api/v1/apps/{app_id}/stripe/webhook"
    return await api.call("POST", path, token=None, content=body, headers=headers)


async def test_a_signed_letter_is_taken_once(api: ApiHouse) -> None:
    app_id, secret = await installed_app(api)
    body = json.dumps(LETTER).encode()
    first = await deliver(api, app_id.lower(), body, signature(body, secret))
    assert (first.status_code, first.json()["appId"]) == (200, app_id)
    assert first.json()["message"].startswith("Filed")
    again = await deliver(api, app_id, body, signature(body, secret))
    assert (again.status_code, again.json()["message"]) == (200, "Known already.")


async def test_a_false_signature_is_refused(api: ApiHouse) -> None:
    app_id, secret = await installed_app(api)
    body = json.dumps(LETTER).encode()
    for signed in (None, "nonsense", signature(body, "whsec_other"), signature(body, secret, at=1)):
        assert (await deliver(api, app_id, body, signed)).status_code == 400
    changed = body.replace(b"cus_stranger", b"cus_another")
    assert (await deliver(api, app_id, changed, signature(body, secret))).status_code == 400
    fresh = await deliver(api, app_id, body, signature(body, secret))
    assert fresh.json()["message"].startswith("Filed")


async def test_a_letter_is_limited_in_size(api: ApiHouse) -> None:
    app_id, secret = await installed_app(api)
    body = json.dumps(LETTER | {"padding": "x" * 512 * 1024}).encode()
    assert (await deliver(api, app_id, body, signature(body, secret))).status_code == 413


async def test_too_many_requests_say_when_to_come_back(api: ApiHouse, monkeypatch: Any) -> None:
    async def slow_down(*_: Any, **__: Any) -> None:
        raise TooManyRequests("Slow down.", retry_after_seconds=6.6)

    monkeypatch.setattr("dashboard.api.v1.customers.queries.get_customer", slow_down)
    for path in ("/api/v1/customers/acme", "/v3/openmeter/customers/01G65Z755AFWAKHE12NY0CQ9FH"):
        answer: httpx.Response = await api.call("GET", path)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert answer.headers["content-type"] == PROBLEM_JSON
