"""Meters, events, features, plans and tax codes through both generations of the API."""

from datetime import UTC, datetime
from typing import Any

from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox

V3 = "/v3/openmeter"
CLOUD_EVENT = {"content-type": "application/cloudevents+json"}


def event(number: int, subject: str, tokens: int, model: str = "gpt") -> dict[str, Any]:
    """A usage event of now."""
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "test",
        "type": "prompt",
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
        "data": {"tokens": tokens, "model": model},
    }


METER = {
    "slug": "tokens",
    "aggregation": "SUM",
    "eventType": "prompt",
    "valueProperty": "$.tokens",
    "groupBy": {"model": "$.model"},
    "metadata": {"unit": "not a label!", "team": "a"},
}


async def test_usage_is_measured_by_subject_customer_and_dimension(api: ApiHouse) -> None:
    made = await api.ok("POST", "/api/v1/meters", METER)
    customer = await api.customer(key="acme", usageAttribution={"subjectKeys": ["a", "b"]})
    events = [event(1, "a", 5), event(2, "b", 7, "claude"), event(3, "stranger", 11), event(1, "a", 5)]
    assert await api.ok("POST", "/api/v1/events", events[0], headers=CLOUD_EVENT) is None
    batch = {"content-type": "application/json; charset=utf-8"}
    await api.ok("POST", f"{V3}/events", events[1:], headers=batch)
    path = "/api/v1/meters/tokens/query"
    assert [row["value"] for row in (await api.ok("GET", path))["data"]] == [23]
    by_subject = await api.ok("GET", f"{path}?subject=a&subject=b")
    assert {row["subject"]: row["value"] for row in by_subject["data"]} == {"a": 5, "b": 7}
    by_customer = await api.ok("POST", path, {"filterCustomerId": [customer["id"]]})
    assert [(row["customerId"], row["value"]) for row in by_customer["data"]] == [(customer["id"], 12)]
    one_model = await api.ok("GET", f"{path}?filterGroupBy[model]=claude&groupBy=model")
    assert [(row["groupBy"], row["value"]) for row in one_model["data"]] == [({"model": "claude"}, 7)]
    table = await api.call("GET", f"{path}?groupBy=model", headers={"accept": "text/csv"})
    assert table.text.splitlines()[0] == "window_start,window_end,subject,customer_id,model,value"
    question = {"group_by_dimensions": ["customer_id"], "granularity": "P1D"}
    grouped = await api.ok("POST", f"{V3}/meters/{made['id']}/query", question)
    assert {row["dimensions"].get("customer_id"): row["value"] for row in grouped["data"]} == {
        customer["id"]: "12",
        None: "11",
    }
    chosen = {"filters": {"dimensions": {"model": {"in": ["gpt"]}, "subject": {"eq": "a"}}}}
    narrowed = await api.ok("POST", f"{V3}/meters/{made['id']}/query", chosen)
    assert [(row["dimensions"], row["value"]) for row in narrowed["data"]] == [({"subject": "a"}, "5")]
    await api.refused(400, "POST", f"{V3}/meters/{made['id']}/query", {"group_by_dimensions": ["nothing"]})
    assert sorted(await api.ok("GET", "/api/v1/meters/tokens/subjects")) == ["a", "b", "stranger"]
    assert await api.ok("GET", "/api/v1/meters/tokens/group-by/model/values") == ["claude", "gpt"]


async def test_events_are_listed_with_their_customer(api: ApiHouse) -> None:
    customer = await api.customer(key="acme", usageAttribution={"subjectKeys": ["a"]})
    for number in range(3):
        await api.ok("POST", "/api/v1/events", event(number, "a" if number else "b", 1), headers=CLOUD_EVENT)
    assert len(await api.ok("GET", f"/api/v1/events?customerId={customer['id']}")) == 2
    first = await api.ok("GET", "/api/v2/events?limit=2")
    second = await api.ok("GET", f"/api/v2/events?limit=2&cursor={first['nextCursor']}")
    assert [one["event"]["id"] for one in first["items"] + second["items"]] == ["event-2", "event-1", "event-0"]
    page = await api.ok("GET", f"{V3}/events?page[size]=2&filter[subject]=a")
    assert {one["customer"]["id"] for one in page["data"]} == {customer["id"]}
    after = await api.ok("GET", f"{V3}/events?page[size]=2&page[after]={page['meta']['page']['next']}")
    assert [one["event"]["subject"] for one in after["data"]] == ["b"]
    await api.refused(400, "GET", f"{V3}/events?filter[data]=x")


async def test_meters_read_the_same_in_both_generations(api: ApiHouse) -> None:
    made = await api.ok("POST", "/api/v1/meters", METER)
    seen = await api.ok("GET", f"{V3}/meters/{made['id']}")
    assert (seen["aggregation"], seen["dimensions"], seen["labels"]) == ("sum", {"model": "$.model"}, {"team": "a"})
    changed = await api.ok("PUT", f"{V3}/meters/{made['id']}", {"name": "Tokens", "dimensions": {}})
    assert (await api.ok("GET", "/api/v1/meters/tokens"))["name"] == changed["name"] == "Tokens"
    body = {"name": "Calls", "key": "calls", "aggregation": "count", "event_type": "call"}
    await api.ok("POST", f"{V3}/meters", body)
    await api.refused(409, "POST", f"{V3}/meters", body)
    listed = await api.ok("GET", f"{V3}/meters?sort=key desc&filter[name][contains]=o")
    assert [one["key"] for one in listed["data"]] == ["tokens"]
    assert await api.ok("DELETE", f"{V3}/meters/{made['id']}") is None
    assert [one["slug"] for one in await api.ok("GET", "/api/v1/meters")] == ["calls"]


async def test_features_refer_to_meters_by_slug_or_id(api: ApiHouse) -> None:
    meter = await api.ok("POST", "/api/v1/meters", METER)
    one = await api.ok(
        "POST",
        "/api/v1/features",
        {"key": "gpt_tokens", "name": "GPT", "meterSlug": "tokens", "meterGroupByFilters": {"model": "gpt"}},
    )
    body = {
        "key": "all_tokens",
        "name": "All",
        "meter": {"id": meter["id"], "filters": {"model": {"in": ["gpt", "claude"]}}},
        "unit_cost": {"type": "manual", "amount": "0.002"},
    }
    other = await api.ok("POST", f"{V3}/features", body)
    seen = await api.ok("GET", f"/api/v1/features/{other['id']}")
    assert seen["advancedMeterGroupByFilters"] == {"model": {"$in": ["gpt", "claude"]}}
    assert seen["unitCost"] == {"type": "manual", "amount": "0.002"}
    assert (await api.ok("GET", f"{V3}/features/{one['id']}"))["meter"]["filters"] == {"model": {"in": ["gpt"]}}
    assert [row["key"] for row in await api.ok("GET", "/api/v1/features?orderBy=key")] == ["all_tokens", "gpt_tokens"]
    assert (await api.ok("GET", "/api/v1/features?page=1&pageSize=1"))["totalCount"] == 2
    assert len((await api.ok("GET", f"{V3}/features?filter[meter_id]={meter['id']}"))["data"]) == 2
    await api.refused(400, "DELETE", f"{V3}/meters/{meter['id']}")
    await api.ok("DELETE", "/api/v1/features/gpt_tokens")
    await api.refused(404, "GET", "/api/v1/features/gpt_tokens")
    assert (await api.ok("GET", f"{V3}/features/{one['id']}"))["deleted_at"]


RATE_CARDS: list[dict[str, Any]] = [
    {
        "type": "flat_fee",
        "key": "fee",
        "name": "Fee",
        "billingCadence": "P1M",
        "price": {"type": "flat", "amount": "29", "paymentTerm": "in_advance"},
        "discounts": {"percentage": {"percentage": 10}},
    },
    {"type": "flat_fee", "key": "setup", "name": "Set-up", "billingCadence": None, "price": None},
    {
        "type": "usage_based",
        "key": "tokens",
        "name": "Tokens",
        "featureKey": "tokens",
        "billingCadence": "P1M",
        "price": {
            "type": "tiered",
            "mode": "graduated",
            "tiers": [
                {"upToAmount": "1000", "flatPrice": {"type": "flat", "amount": "5"}, "unitPrice": None},
                {"flatPrice": None, "unitPrice": {"type": "unit", "amount": "0.002"}},
            ],
            "maximumAmount": "500",
        },
        "taxConfig": {"behavior": "exclusive", "stripe": {"code": "txcd_10000000"}},
        "entitlementTemplate": {"type": "metered", "issueAfterReset": 1000, "isSoftLimit": True},
    },
]


async def test_plans_are_drafted_published_and_versioned(api: ApiHouse) -> None:
    await api.ok("POST", "/api/v1/meters", METER)
    await api.ok("POST", "/api/v1/features", {"key": "tokens", "name": "Tokens", "meterSlug": "tokens"})
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": RATE_CARDS}
    body = {"key": "pro", "name": "Pro", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    draft = await api.ok("POST", "/api/v1/plans", body)
    assert (draft["status"], draft["version"], draft["validationErrors"]) == ("draft", 1, None)
    cards = draft["phases"][0]["rateCards"]
    assert cards[2]["price"] == RATE_CARDS[2]["price"]
    assert cards[2]["entitlementTemplate"]["issueAfterReset"] == 1000
    assert cards[0]["discounts"] == RATE_CARDS[0]["discounts"]
    await api.refused(400, "POST", "/api/v1/plans", body)
    seen = await api.ok("GET", f"{V3}/plans/{draft['id']}")
    tokens = seen["phases"][0]["rate_cards"][2]
    assert tokens["price"]["type"] == "graduated"
    assert tokens["commitments"] == {"maximum_amount": "500"}
    assert seen["phases"][0]["rate_cards"][1]["price"] == {"type": "free"}
    published = await api.ok("POST", "/api/v1/plans/pro/publish")
    assert (published["status"], bool(published["effectiveFrom"])) == ("active", True)
    await api.refused(400, "PUT", f"/api/v1/plans/{draft['id']}", body)
    following = await api.ok("POST", "/api/v1/plans/pro/next")
    assert (following["version"], following["status"]) == (2, "draft")
    assert (await api.ok("GET", "/api/v1/plans/pro"))["version"] == 1
    assert (await api.ok("GET", "/api/v1/plans/pro?includeLatest=true"))["version"] == 2
    assert (await api.ok("GET", "/api/v1/plans?status=draft"))["totalCount"] == 1
    assert await api.ok("DELETE", f"{V3}/plans/{following['id']}") is None
    assert (await api.ok("POST", f"{V3}/plans/{draft['id']}/archive"))["status"] == "archived"


async def test_v3_prices_become_packages_and_dynamic_prices_of_v1(api: ApiHouse) -> None:
    await api.ok("POST", "/api/v1/meters", METER)
    feature = await api.ok("POST", "/api/v1/features", {"key": "tokens", "name": "Tokens", "meterSlug": "tokens"})
    card: dict[str, Any] = {
        "key": "tokens",
        "name": "Tokens",
        "feature": {"id": feature["id"]},
        "billing_cadence": "P1M",
        "price": {"type": "unit", "amount": "2"},
        "unit_config": {"operation": "divide", "conversion_factor": "1000", "rounding": "ceiling"},
        "commitments": {"minimum_amount": "1"},
    }
    body = {
        "key": "packs",
        "name": "Packs",
        "currency": "USD",
        "billing_cadence": "P1M",
        "phases": [{"key": "only", "name": "Only", "rate_cards": [card]}],
    }
    made = await api.ok("POST", f"{V3}/plans", body)
    assert "validation_errors" not in made
    in_v1 = await api.ok("GET", f"/api/v1/plans/{made['id']}")
    price = {"type": "package", "amount": "2", "quantityPerPackage": "1000", "minimumAmount": "1"}
    assert in_v1["phases"][0]["rateCards"][0]["price"] == price
    card["price"], card["unit_config"] = (
        {"type": "unit", "amount": "1"},
        {"operation": "multiply", "conversion_factor": "1.2"},
    )
    await api.ok("PUT", f"{V3}/plans/{made['id']}", {"name": "Packs", "phases": body["phases"]})
    in_v1 = await api.ok("GET", f"/api/v1/plans/{made['id']}")
    assert in_v1["phases"][0]["rateCards"][0]["price"]["multiplier"] == "1.2"
    listed = await api.ok("GET", f"{V3}/plans?filter[status]=draft&filter[key][oeq]=packs,other&sort=version desc")
    assert [one["key"] for one in listed["data"]] == ["packs"]


async def test_tax_codes_and_defaults(api: ApiHouse) -> None:
    defaults = await api.ok("GET", f"{V3}/defaults/tax-codes")
    mappings = [{"app_type": "stripe", "tax_code": "txcd_10103000"}]
    made = await api.ok("POST", f"{V3}/tax-codes", {"key": "saas", "name": "SaaS", "app_mappings": mappings})
    assert made["app_mappings"] == mappings
    bad = [{"app_type": "stripe", "tax_code": "nonsense"}]
    problem = await api.refused(400, "POST", f"{V3}/tax-codes", {"key": "b", "name": "B", "app_mappings": bad})
    assert problem["invalid_parameters"][0]["field"] == "app_mappings"
    chosen = await api.ok("PUT", f"{V3}/defaults/tax-codes", {"invoicing_tax_code": {"id": made["id"]}})
    assert chosen["invoicing_tax_code"] == {"id": made["id"]}
    assert chosen["credit_grant_tax_code"] == defaults["credit_grant_tax_code"]
    await api.refused(400, "DELETE", f"{V3}/tax-codes/{made['id']}")
    await api.ok("PUT", f"{V3}/defaults/tax-codes", {"invoicing_tax_code": defaults["invoicing_tax_code"]})
    assert await api.ok("DELETE", f"{V3}/tax-codes/{made['id']}") is None
    assert (await api.ok("GET", f"{V3}/tax-codes/{made['id']}"))["deleted_at"]
    keys = {one["key"] for one in (await api.ok("GET", f"{V3}/tax-codes"))["data"]}
    assert keys == {"provider_default", "nontaxable"}


async def test_currencies_are_listed(api: ApiHouse) -> None:
    found = {one["code"]: one["subunits"] for one in await api.ok("GET", "/api/v1/info/currencies")}
    assert (found["USD"], found["JPY"], found["KWD"]) == (2, 0, 3)


async def test_what_a_unit_costs_is_set_left_and_cleared(api: ApiHouse) -> None:
    made = await api.ok("POST", f"{V3}/features", {"key": "calls", "name": "Calls"})
    path = f"{V3}/features/{made['id']}"
    cost = {"unit_cost": {"type": "manual", "amount": "0.002"}}
    assert (await api.ok("PATCH", path, cost))["unit_cost"] == cost["unit_cost"]
    assert (await api.ok("PATCH", path, {}))["unit_cost"] == cost["unit_cost"]
    assert (await api.ok("GET", "/api/v1/features/calls"))["unitCost"] == cost["unit_cost"]
    assert "unit_cost" not in await api.ok("PATCH", path, {"unit_cost": None})
    for wrong in ({"type": "manual", "amount": "-1"}, {"type": "llm"}, {"type": "manual", "amount": 1}):
        await api.refused(400, "PATCH", path, {"unit_cost": wrong})
    await api.refused(400, "PATCH", path, {"name": "Other"})
    await api.ok("DELETE", path)
    await api.refused(400, "PATCH", path, cost)
