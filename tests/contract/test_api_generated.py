"""Thousands of made-up requests over all of tiers A and B: none breaks us, and every answer is in the contract.

METERDESK_API_REQUESTS sets how many (100000 for a long night), METERDESK_API_SEED which.
"""

import os
import random
from collections import Counter
from typing import Any

import httpx
import pytest

from dashboard.api.auth import operations
from tests.api_house import API, TOKEN, ApiHouse, check
from tests.api_house import api as api
from tests.api_house import api_on_each_database as api_on_each_database
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.openmeter_contract import OpenMeterContract, path_template
from tests.contract.openmeter_generator import Generator, Request

# Half of them on SQLite, half on PostgreSQL.
REQUESTS = int(os.environ.get("METERDESK_API_REQUESTS", "5000")) // 2
SEED = int(os.environ.get("METERDESK_API_SEED", "20260115"))
REFURNISH_EVERY = 500
# Each of these asks Stripe's sandbox, so they are sent less often.
SLOW = ("stripe", "install", "checkout", "portal", "apps", "billing")


def ours(contract: OpenMeterContract) -> tuple[list[tuple[str, str, dict[str, Any]]], set[str]]:
    """The operations of tiers A and B that we have, and those that we have not."""
    have = {(method, path_template(path)) for method, path, _ in operations(API.routes)}
    prefix = "/v3" if contract.version == "v3" else ""
    there, missing = [], set()
    for method, path, operation in contract.operations("A", "B"):
        if (method, path_template(prefix + path)) in have:
            there.append((method, path, operation))
        else:
            missing.add(f"{method} {path}")
    return there, missing


@pytest.mark.parametrize("version", ["v1", "v3"])
async def test_every_operation_of_both_tiers_is_there(api: ApiHouse, version: str) -> None:
    assert ours(api.contracts[version])[1] == set()


async def furnish(api: ApiHouse, known: dict[str, list[str]], round_: int) -> None:
    """Makes a bit of everything, and remembers how it is called."""
    if not known:
        app = await api.install()
        known["apps"], known["profiles"] = [app["id"]], []
        await api.ok(
            "POST",
            "/api/v1/meters",
            {"slug": "tokens", "aggregation": "SUM", "eventType": "prompt", "valueProperty": "$.tokens"},
        )
        known["stripeCustomerId"] = known["customer_id"] = [await api.stripe_customer(email="a@example.com")]
        known["stripeDefaultPaymentMethodId"] = [await api.card(known["stripeCustomerId"][0])]
        known["default_payment_method_id"] = known["stripeDefaultPaymentMethodId"]
    key = f"round-{round_}"
    customer = await api.customer(key=key, currency="USD", usageAttribution={"subjectKeys": [f"{key}/a"]})
    known.setdefault("customers", []).extend([customer["id"], key])
    line = {
        "name": "Line",
        "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
        "invoiceAt": "2026-01-02T00:00:00Z",
        "rateCard": {"price": {"type": "flat", "amount": "10"}},
    }
    path = f"/api/v1/billing/customers/{customer['id']}/invoices/pending-lines"
    await api.ok("POST", path, {"currency": "USD", "lines": [line, line]})
    await api.ok("POST", "/api/v1/billing/invoices/invoice", {"customerId": customer["id"]})
    await api.ok("POST", path, {"currency": "USD", "lines": [line]})
    await publish_free_plan(api, f"free_{round_}")
    body = {"plan": {"key": f"free_{round_}"}, "customerKey": key}
    await api.ok("POST", "/api/v1/subscriptions", body)
    subjects = [{"key": f"{key}/{letter}"} for letter in "ab"]
    known["subjects"] = [
        one[name] for one in await api.ok("POST", "/api/v1/subjects", subjects) for name in ("id", "key")
    ]
    for kind, address, items in (
        ("invoices", "/api/v1/billing/invoices?pageSize=50&includeDeleted=true", "items"),
        ("profiles", "/api/v1/billing/profiles", "items"),
        ("plans", "/api/v1/plans?pageSize=50", "items"),
        ("tax-codes", "/v3/openmeter/tax-codes", "data"),
        ("subscriptions", "/v3/openmeter/subscriptions?page[size]=50", "data"),
    ):
        known[kind] = [one["id"] for one in (await api.ok("GET", address))[items]]
    for kind, address, name in (("meters", "/api/v1/meters", "slug"), ("features", "/api/v1/features", "key")):
        found = await api.ok("GET", address)
        known[kind] = [one["id"] for one in found] + [one[name] for one in found]
    known["meterSlug"] = [one for one in known["meters"] if len(one) != 26]


async def publish_free_plan(api: ApiHouse, key: str) -> None:
    """A plan that anybody can subscribe to."""
    card = {"type": "flat_fee", "key": "fee", "name": "Fee", "billingCadence": "P1M", "price": None}
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": [card]}
    body = {"key": key, "name": "Free", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    made = await api.ok("POST", "/api/v1/plans", body)
    await api.ok("POST", f"/api/v1/plans/{made['id']}/publish")


async def test_made_up_requests_never_break_us_and_every_answer_is_in_the_contract(
    api_on_each_database: ApiHouse,
) -> None:
    api = api_on_each_database
    dice = random.Random(SEED)
    known: dict[str, list[str]] = {}
    makers = {
        "v1": Generator(api.contracts["v1"], dice, "", known),
        "v3": Generator(api.contracts["v3"], dice, "/v3", known),
    }
    choices = [
        (version, *one, 0.35 if any(word in one[1] for word in SLOW) else 1.0)
        for version, contract in api.contracts.items()
        for one in ours(contract)[0]
    ]
    weights = [one[-1] for one in choices]
    tally: Counter[str] = Counter()
    problems: list[str] = []
    for number in range(REQUESTS):
        if number % REFURNISH_EVERY == 0:
            await furnish(api, known, number // REFURNISH_EVERY)
        version, method, path, operation, _ = dice.choices(choices, weights)[0]
        request = makers[version].request(method, path, operation)
        answer = await _send(api, request)
        tally[f"{answer.status_code // 100}xx"] += 1
        tally[f"{method} {version} {path}"] += 1
        if wrong := _wrong(api, request, answer):
            problems.append(f"#{number} {request}\n  -> {answer.status_code} {wrong}")
    assert problems == [], f"{len(problems)} problems\n" + "\n".join(problems[:25])
    # A generator that is always refused would prove little.
    assert tally["2xx"] > REQUESTS * 0.2, tally.most_common(3)
    never = [f"{m} {v} {p}" for v, m, p, *_ in choices if not tally[f"{m} {v} {p}"]]
    assert REQUESTS < 2000 or never == []


async def _send(api: ApiHouse, request: Request) -> httpx.Response:
    headers = {"authorization": f"Bearer {TOKEN}"}
    if request.content_type:
        headers["content-type"] = request.content_type
    return await api.client.request(request.method, request.path, content=request.content, headers=headers)


def _wrong(api: ApiHouse, request: Request, answer: httpx.Response) -> str | None:
    if answer.status_code >= 500 and answer.status_code != 503:
        return answer.text[:300]
    try:
        check(api.contracts, request.method, request.path, answer)
    except AssertionError as error:
        return str(error)[:900]
    return None
