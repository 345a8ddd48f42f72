"""Subscriptions through both generations of the API."""

from typing import Any

from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox

V3 = "/v3/openmeter"


async def published_plan(api: ApiHouse, key: str = "pro", amount: str = "29") -> dict[str, Any]:
    """A plan of one monthly fee, in effect."""
    fee = {
        "type": "flat_fee",
        "key": "fee",
        "name": "Fee",
        "billingCadence": "P1M",
        "price": {"type": "flat", "amount": amount, "paymentTerm": "in_advance"},
    }
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": [fee]}
    body = {"key": key, "name": key.title(), "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    made = await api.ok("POST", "/api/v1/plans", body)
    return await api.ok("POST", f"/api/v1/plans/{made['id']}/publish")


async def paying_customer(api: ApiHouse) -> dict[str, Any]:
    """Acme, with a card that has a billing address."""
    await api.install()
    profile = (await api.ok("GET", "/api/v1/billing/profiles"))["items"][0]
    profile["workflow"]["tax"] = {"enabled": False, "enforced": False}
    await api.ok("PUT", f"/api/v1/billing/profiles/{profile['id']}", profile)
    customer = await api.customer(key="acme", currency="USD")
    stripe_customer = await api.stripe_customer(email="ap@acme.test", **{"address[country]": "US"})
    card = await api.card(stripe_customer)
    address = {"billing_details[address][country]": "US", "billing_details[address][postal_code]": "94105"}
    await api.stripe("POST", f"/v1/payment_methods/{card}", address)
    link = {"stripeCustomerId": stripe_customer, "stripeDefaultPaymentMethodId": card}
    await api.ok("PUT", "/api/v1/customers/acme/stripe", link)
    return customer


async def test_a_customer_subscribes_changes_and_cancels(api: ApiHouse) -> None:
    customer = await paying_customer(api)
    await published_plan(api)
    await published_plan(api, "max", "99")
    made = await api.ok("POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}, "customerKey": "acme"})
    assert (made["status"], made["plan"]["key"], made["customerId"]) == ("active", "pro", customer["id"])
    second = await api.refused(409, "POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}, "customerKey": "acme"})
    assert second["extensions"]["code"] == "only_single_subscription_allowed_per_customer_at_a_time"
    seen = await api.ok("GET", f"/api/v1/subscriptions/{made['id']}")
    assert seen["phases"][0]["items"][0]["price"]["amount"] == "29"
    assert list(seen["phases"][0]["itemTimelines"]) == ["fee"]
    expanded = await api.ok("GET", "/api/v1/customers/acme?expand=subscriptions")
    assert expanded["currentSubscriptionId"] == made["id"]
    assert (await api.ok("GET", "/api/v1/customers?planKey=pro"))["totalCount"] == 1
    assert (await api.ok("GET", "/api/v1/customers?planKey=PR"))["totalCount"] == 1
    assert (await api.ok("GET", "/api/v1/customers?planKey=%25"))["totalCount"] == 0
    assert (await api.ok("GET", "/api/v1/customers?planKey=max"))["totalCount"] == 0
    path = f"/api/v1/subscriptions/{made['id']}"
    ending = await api.ok("POST", f"{path}/cancel", {"timing": "next_billing_cycle"})
    assert (ending["status"], bool(ending["activeTo"])) == ("canceled", True)
    assert (await api.ok("POST", f"{path}/unschedule-cancelation"))["status"] == "active"
    changed = await api.ok("POST", f"{path}/change", {"plan": {"key": "max"}, "timing": "immediate"})
    assert changed["next"]["plan"]["key"] == "max"
    listed = await api.ok("GET", "/api/v1/customers/acme/subscriptions?status=active&orderBy=activeFrom")
    assert [one["id"] for one in listed["items"]] == [changed["next"]["id"]]
    in_v3 = await api.ok("GET", f"{V3}/subscriptions?filter[customer_id]={customer['id']}&filter[status]=active")
    assert [one["id"] for one in in_v3["data"]] == [changed["next"]["id"]]
    over = await api.ok("POST", f"{V3}/subscriptions/{changed['next']['id']}/cancel", {})
    assert over["status"] == "inactive"


async def test_a_plan_can_be_made_for_one_subscription_only(api: ApiHouse) -> None:
    await paying_customer(api)
    fee = {"type": "flat_fee", "key": "fee", "name": "Fee", "billingCadence": "P1M"}
    price = {"type": "flat", "amount": "17", "paymentTerm": "in_advance"}
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": [fee | {"price": price}]}
    custom = {"name": "Only for ACME", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    body = {"customPlan": custom, "customerKey": "acme"}
    made = await api.ok("POST", "/api/v1/subscriptions", body)
    assert (made["name"], "plan" in made) == ("Only for ACME", False)
    seen = await api.ok("GET", f"/api/v1/subscriptions/{made['id']}")
    assert seen["phases"][0]["items"][0]["price"]["amount"] == "17"
    assert (await api.ok("GET", f"{V3}/subscriptions/{made['id']}"))["name"] == "Only for ACME"
    assert (await api.ok("GET", "/api/v1/plans"))["totalCount"] == 0
    path = f"/api/v1/subscriptions/{made['id']}"
    await api.refused(400, "POST", f"{path}/migrate", {"timing": "immediate"})
    dearer = custom | {"phases": [phase | {"rateCards": [fee | {"price": price | {"amount": "18"}}]}]}
    changed = await api.ok("POST", f"{path}/change", {"customPlan": dearer, "timing": "immediate"})
    assert changed["next"]["phases"][0]["items"][0]["price"]["amount"] == "18"
    for wrong in ({"billingCadence": "soon"}, {"phases": []}, {"phases": [phase, phase]}):
        await api.refused(400, "POST", "/api/v1/subscriptions", body | {"customPlan": custom | wrong})
    both = await api.refused(400, "POST", "/api/v1/subscriptions", body | {"plan": {"key": "pro"}})
    assert "only" in both["detail"]


async def test_v3_subscribes_by_ids(api: ApiHouse) -> None:
    customer = await paying_customer(api)
    plan = await published_plan(api)
    body = {"customer": {"id": customer["id"]}, "plan": {"id": plan["id"]}, "labels": {"a": "b"}}
    made = await api.ok("POST", f"{V3}/subscriptions", body)
    assert (made["plan"]["version"], made["labels"]) == (1, {"a": "b"})
    assert made["phases"][0]["items"][0]["rate_card"]["price"] == {"type": "flat", "amount": "29"}
    assert (await api.ok("GET", f"{V3}/subscriptions/{made['id']}"))["current_period"]
    await api.refused(400, "DELETE", f"{V3}/plans/{plan['id']}")
    following = await api.ok("POST", "/api/v1/plans/pro/next")
    await api.ok("POST", f"/api/v1/plans/{following['id']}/publish")
    moved = await api.ok("POST", f"/api/v1/subscriptions/{made['id']}/migrate", {"timing": "immediate"})
    assert moved["next"]["plan"]["version"] == 2


async def test_a_subscription_is_edited_in_place(api: ApiHouse) -> None:
    await paying_customer(api)
    await published_plan(api)
    made = await api.ok("POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}, "customerKey": "acme"})
    path = f"/api/v1/subscriptions/{made['id']}"
    price = {"type": "flat", "amount": "49", "paymentTerm": "in_advance"}
    dearer = {"type": "flat_fee", "key": "fee", "name": "Fee", "billingCadence": "P1M", "price": price}
    add = {"op": "add_item", "phaseKey": "only", "rateCard": dearer}
    edited = await api.ok("PATCH", path, {"customizations": [add], "timing": "next_billing_cycle"})
    assert (edited["id"], edited["plan"]["key"], edited["status"]) == (made["id"], "pro", "active")
    (phase,) = (await api.ok("GET", path))["phases"]
    assert [one["price"]["amount"] for one in phase["items"]] == ["29"]
    now, later = phase["itemTimelines"]["fee"]
    assert (now["activeTo"], later["price"]["amount"]) == (later["activeFrom"], "49")
    in_v3 = await api.ok("GET", f"{V3}/subscriptions/{made['id']}")
    assert len(in_v3["phases"][0]["items"]) == 2
    await api.ok("PATCH", path, {"customizations": [{"op": "unschedule_edit"}]})
    assert len((await api.ok("GET", path))["phases"][0]["itemTimelines"]["fee"]) == 1
    new_phase = {"key": "next", "name": "Next", "startAfter": "P1Y"}
    phases = [{"op": "add_phase", "phase": new_phase}, add | {"phaseKey": "next"}]
    await api.ok(
        "PATCH", path, {"customizations": [*phases, {"op": "stretch_phase", "phaseKey": "only", "extendBy": "P1M"}]}
    )
    assert [one["key"] for one in (await api.ok("GET", path))["phases"]] == ["only", "next"]
    await api.ok("PATCH", path, {"customizations": [{"op": "remove_phase", "phaseKey": "next", "shift": "prev"}]})


async def test_an_edit_that_is_not_possible_says_which_operation_and_why(api: ApiHouse) -> None:
    await paying_customer(api)
    await published_plan(api)
    made = await api.ok("POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}, "customerKey": "acme"})
    path = f"/api/v1/subscriptions/{made['id']}"
    remove = {"op": "remove_item", "phaseKey": "only", "itemKey": "fee"}
    free = {"type": "flat_fee", "key": "free", "name": "Free", "billingCadence": "P1M", "price": None}
    discounted = {"key": "n", "name": "N", "startAfter": "P1Y", "discounts": {"percentage": {"percentage": 10}}}
    for place, operations in (
        ("customizations.0", [{"op": "remove_item", "phaseKey": "only", "itemKey": "nothing"}]),
        (
            "customizations.1.rateCard.key",
            [
                {"op": "unschedule_edit"},
                {"op": "add_item", "phaseKey": "only", "rateCard": free | {"featureKey": "seats"}},
            ],
        ),
        ("customizations.0.phase.discounts", [{"op": "add_phase", "phase": discounted}]),
        ("request", [remove]),
        ("customizations", []),
    ):
        problem = await api.refused(400, "PATCH", path, {"customizations": operations})
        assert place in {one["field"] for one in problem["extensions"]["validationErrors"]}
    timed = {"customizations": [remove], "timing": "2026-06-01T00:00:00Z"}
    problem = await api.refused(400, "PATCH", path, timed)
    assert problem["extensions"]["validationErrors"][0]["field"] == "timing"
    later = {
        "customizations": [{"op": "add_item", "phaseKey": "only", "rateCard": free}],
        "timing": "next_billing_cycle",
    }
    await api.ok("PATCH", path, later)
    await api.ok("PATCH", path, later)
    problem = await api.refused(409, "PATCH", path, later | {"timing": "immediate"})
    assert problem["extensions"]["code"] == "subscription_edits_scheduled"


async def test_who_cannot_pay_cannot_subscribe_to_what_costs_money(api: ApiHouse) -> None:
    await api.install()
    await api.customer(key="acme", currency="USD")
    await published_plan(api)
    problem = await api.refused(409, "POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}, "customerKey": "acme"})
    assert problem["extensions"]["code"] == "invalid_billing_setup"
    assert problem["detail"]
    await api.refused(400, "POST", "/api/v1/subscriptions", {"plan": {"key": "pro"}})
    await api.refused(400, "POST", "/api/v1/subscriptions", {"customPlan": {}, "customerKey": "acme"})
    await api.refused(404, "POST", "/api/v1/subscriptions", {"plan": {"key": "nothing"}, "customerKey": "acme"})


async def test_what_a_customer_may_use_is_what_the_rate_cards_in_effect_grant(api: ApiHouse) -> None:
    await paying_customer(api)
    meter = {"slug": "tokens", "aggregation": "SUM", "eventType": "prompt", "valueProperty": "$.tokens"}
    await api.ok("POST", "/api/v1/meters", meter)
    await api.ok("POST", "/api/v1/features", {"key": "tokens", "name": "Tokens", "meterSlug": "tokens"})
    for key in ("support", "seats"):
        await api.ok("POST", "/api/v1/features", {"key": key, "name": key})
    card = {"type": "flat_fee", "billingCadence": "P1M", "price": None}
    grants = {
        "tokens": {"type": "metered", "issueAfterReset": 100, "isSoftLimit": False},
        "support": {"type": "boolean"},
        "seats": {"type": "static", "config": '{"seats": 5}'},
    }
    cards = [card | {"key": k, "name": k, "featureKey": k, "entitlementTemplate": v} for k, v in grants.items()]
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": cards}
    custom = {"name": "Granted", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    path = "/api/v1/customers/acme/access"
    assert await api.ok("GET", path) == {"entitlements": {}}
    await api.ok("POST", "/api/v1/subscriptions", {"customPlan": custom, "customerKey": "acme"})
    found = (await api.ok("GET", path))["entitlements"]
    assert found["support"] == {"hasAccess": True}
    assert found["seats"] == {"hasAccess": True, "config": '{"seats": 5}'}
    whole = {"balance": 100, "usage": 0, "overage": 0, "totalAvailableGrantAmount": 100}
    assert found["tokens"] == {"hasAccess": True} | whole
    for number, tokens in enumerate((60, 70)):
        event = {"specversion": "1.0", "id": str(number), "source": "test", "type": "prompt", "subject": "acme"}
        body = event | {"data": {"tokens": tokens}}
        await api.ok("POST", "/api/v1/events", body, headers={"content-type": "application/cloudevents+json"})
    used = (await api.ok("GET", path))["entitlements"]["tokens"]
    assert used == {"hasAccess": False, "balance": 0, "usage": 130, "overage": 30, "totalAvailableGrantAmount": 100}
    await api.refused(404, "GET", "/api/v1/customers/nobody/access")
