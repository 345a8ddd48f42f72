"""The manners of both API generations: who may, how refusals look, what a page is, what an unknown property does."""

import json
from typing import Any

import pytest

from dashboard.access.views import Role
from dashboard.api.app import OPEN_PATHS
from dashboard.api.auth import operations
from dashboard.api.bodies import JSON_BODY_BYTES_MAX
from tests.api_house import API, ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.openmeter_contract import PROBLEM_JSON, path_template

V3 = "/v3/openmeter"
ULID = "01G65Z755AFWAKHE12NY0CQ9FH"
TIER_A = {"v1": 25, "v3": 13}
ADDRESS = {"country": "US", "postalCode": "94105", "city": "San Francisco", "line1": "1 Market St"}


def filled(path: str) -> str:
    """A path template with something in every parameter."""
    for name in ("app_type", "type"):
        path = path.replace(f"{{{name}}}", "stripe")
    parts = [ULID if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def test_every_operation_but_the_known_ones_asks_for_a_role() -> None:
    found = operations(API.routes)
    without = {path for _, path, role in found if role is None}
    assert without <= OPEN_PATHS
    assert len(found) - len(without) > 100


async def test_every_operation_of_tier_a_exists(api: ApiHouse) -> None:
    ours = {(method, path_template(path)) for method, path, _ in operations(API.routes)}
    for version, count in TIER_A.items():
        prefix = "/v3" if version == "v3" else ""
        wanted = {(method, path_template(prefix + path)) for method, path, _ in api.contracts[version].operations("A")}
        assert len(wanted) == count
        assert wanted <= ours


async def test_nothing_is_answered_without_a_key(api: ApiHouse) -> None:
    for method, path, role in operations(API.routes):
        if role is None:
            continue
        for token in (None, "wrong"):
            answer = await api.call(method, filled(path), token=token)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == PROBLEM_JSON


async def test_a_key_reaches_what_its_role_reaches(api: ApiHouse) -> None:
    tokens = {role: await api.key_with_role(role) for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)}
    before = await api.everything()
    for method, path, needed in operations(API.routes):
        for role, token in tokens.items():
            if needed is not None and not role.reaches(needed):
                answer = await api.call(method, filled(path), token=token)
                assert answer.status_code == 403, f"{role} {method} {path}: {answer.status_code}"
    assert await api.everything() == before


async def test_writing_is_never_for_viewers() -> None:
    reading = ("/query", "/simulate")
    for method, path, role in operations(API.routes):
        if role is Role.VIEWER:
            assert method == "GET" or path.endswith(reading), f"{method} {path}"


async def test_refusals_of_v1_carry_validation_errors(api: ApiHouse) -> None:
    problem = await api.refused(400, "POST", "/api/v1/customers", {"name": "", "primaryEmail": "nonsense"})
    assert problem["type"] == "about:blank"
    assert problem["extensions"]["validationErrors"][0]["field"] == "name"
    problem = await api.refused(400, "POST", "/api/v1/customers", {"name": "A", "primaryEmail": "nonsense"})
    assert problem["extensions"]["validationErrors"][0]["field"] == "primaryEmail"
    keys = {"name": "A", "usageAttribution": {"subjectKeys": ["x" * 300]}}
    problem = await api.refused(400, "POST", "/api/v1/customers", keys)
    assert problem["extensions"]["validationErrors"][0]["field"] == "usageAttribution.subjectKeys.0"


async def test_refusals_of_v3_carry_invalid_parameters(api: ApiHouse) -> None:
    path = f"{V3}/customers"
    cases: list[tuple[Any, str, str]] = [
        ({"key": "a"}, "name", "required"),
        ({"name": "A", "key": "a", "nickname": "B"}, "nickname", "unknown_property"),
        ({"name": "", "key": "a"}, "name", "min_length"),
        ({"name": "A", "key": "a" * 257}, "key", "max_length"),
        ({"name": "A", "key": "a", "currency": "dollar"}, "currency", "matches_regex"),
        ({"name": "A", "key": "a", "labels": {"a": "not a label"}}, "labels", "invalid"),
        ({"name": 7, "key": "a"}, "name", "is_string"),
        ({"name": "A", "key": "a", "primary_email": "nonsense"}, "primary_email", "invalid"),
    ]
    for body, field, rule in cases:
        problem = await api.refused(400, "POST", path, body)
        found = {one["field"]: one["rule"] for one in problem["invalid_parameters"]}
        assert found == {field: rule}, body


async def test_v1_ignores_unknown_properties_and_v3_refuses_them(api: ApiHouse) -> None:
    await api.ok("POST", "/api/v1/customers", {"name": "A", "key": "a", "nickname": "B"})
    await api.refused(400, "POST", f"{V3}/customers", {"name": "A", "key": "b", "nickname": "B"})
    await api.refused(400, "GET", f"{V3}/customers?filter[nickname]=B")
    await api.refused(400, "GET", f"{V3}/customers?filter[name][like]=B")
    await api.refused(400, "GET", f"{V3}/customers?sort=nickname")


async def test_a_bad_id_is_400_in_v1_and_404_in_v3(api: ApiHouse) -> None:
    await api.refused(400, "GET", "/api/v1/apps/nonsense")
    await api.refused(404, "GET", f"{V3}/apps/nonsense")
    await api.refused(404, "GET", f"{V3}/customers/{ULID.lower()}")
    customer = await api.customer(key="acme")
    assert (await api.ok("GET", f"/api/v1/customers/{customer['id'].lower()}"))["id"] == customer["id"]


async def test_what_was_deleted_is_412_in_v1_and_410_in_v3(api: ApiHouse) -> None:
    customer = await api.customer(key="acme")
    await api.ok("DELETE", "/api/v1/customers/acme")
    await api.refused(412, "PUT", f"/api/v1/customers/{customer['id']}", {"name": "A"})
    await api.refused(410, "PUT", f"{V3}/customers/{customer['id']}", {"name": "A"})
    await api.refused(410, "POST", f"{V3}/customers/{customer['id']}/billing/stripe/portal-sessions",
                      {"stripe_options": {}})  # fmt: skip
    assert (await api.ok("GET", f"{V3}/customers/{customer['id']}"))["deleted_at"]
    await api.refused(404, "GET", "/api/v1/customers/acme")
    assert (await api.ok("GET", "/api/v1/customers"))["totalCount"] == 0
    assert (await api.ok("GET", "/api/v1/customers?includeDeleted=true"))["totalCount"] == 1


async def test_put_replaces_everything(api: ApiHouse) -> None:
    full = {
        "name": "ACME",
        "key": "acme",
        "description": "Anvils",
        "metadata": {"tier": "gold"},
        "usageAttribution": {"subjectKeys": ["a", "b"]},
        "primaryEmail": "billing@example.com",
        "currency": "EUR",
        "billingAddress": ADDRESS,
    }
    made = await api.ok("POST", "/api/v1/customers", full)
    assert {name: made[name] for name in full} == full
    seen = await api.ok("GET", f"{V3}/customers/{made['id']}")
    assert (seen["labels"], seen["billing_address"]["postal_code"]) == ({"tier": "gold"}, "94105")
    bare = await api.ok("PUT", "/api/v1/customers/acme", {"name": "ACME"})
    assert set(bare) == {"id", "name", "metadata", "usageAttribution", "createdAt", "updatedAt"}
    kept = await api.ok("PUT", f"{V3}/customers/{made['id']}", {"name": "ACME 3"})
    assert kept["key"] == made["id"]


async def test_v3_keeps_the_key_of_a_customer(api: ApiHouse) -> None:
    made = await api.ok("POST", f"{V3}/customers", {"name": "ACME", "key": "acme"})
    assert (await api.ok("PUT", f"{V3}/customers/{made['id']}", {"name": "Renamed"}))["key"] == "acme"
    await api.refused(409, "POST", f"{V3}/customers", {"name": "Other", "key": "acme"})


async def test_pages_are_numbered(api: ApiHouse) -> None:
    for number in range(5):
        await api.customer(f"Customer {number}", key=f"key-{number}")
    page = await api.ok("GET", "/api/v1/customers?page=2&pageSize=2&orderBy=name")
    assert (page["page"], page["pageSize"], page["totalCount"]) == (2, 2, 5)
    assert [one["name"] for one in page["items"]] == ["Customer 2", "Customer 3"]
    page = await api.ok("GET", f"{V3}/customers?page[number]=3&page[size]=2&sort=name desc")
    assert page["meta"] == {"page": {"number": 3, "size": 2, "total": 5}}
    assert [one["name"] for one in page["data"]] == ["Customer 0"]
    for bad in ("page=0", "pageSize=1001", "pageSize=no", "order=UP", "orderBy=nonsense"):
        await api.refused(400, "GET", f"/api/v1/customers?{bad}")
    await api.refused(400, "GET", f"{V3}/customers?page[size]=0")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter[key]=acme", ["ACME"]),
        ("filter[key][neq]=acme", ["Globex"]),
        ("filter[key][oeq]=acme,globex", ["ACME", "Globex"]),
        ("filter[name][contains]=lob", ["Globex"]),
        ("filter[name][ocontains]=lob,cm", ["ACME", "Globex"]),
        ("filter[name][gt]=B", ["Globex"]),
        ("filter[primary_email][exists]=true", ["ACME"]),
        ("filter[primary_email][exists]=false", ["Globex"]),
        ("filter[usage_attribution_subject_key]=acme-api", ["ACME"]),
        ("filter[name][contains]=e&filter[key]=globex", ["Globex"]),
        ("filter[billing_profile_id][neq]=01G65Z755AFWAKHE12NY0CQ9FH", ["ACME", "Globex"]),
    ],
)
async def test_v3_filters_customers(api: ApiHouse, query: str, names: list[str]) -> None:
    await api.customer("ACME", key="acme", primaryEmail="a@example.com", usageAttribution={"subjectKeys": ["acme-api"]})
    await api.customer("Globex", key="globex")
    assert [one["name"] for one in (await api.ok("GET", f"{V3}/customers?{query}"))["data"]] == names


async def test_v1_filters_customers_by_parts_in_any_case(api: ApiHouse) -> None:
    await api.customer("ACME", key="acme", usageAttribution={"subjectKeys": ["subject-1"]})
    await api.customer("Globex", key="globex")
    for query in ("name=acm", "key=CME", "subject=JECT-1"):
        assert (await api.ok("GET", f"/api/v1/customers?{query}"))["items"][0]["name"] == "ACME"


async def test_overrides_list_everybody_or_those_that_differ(api: ApiHouse) -> None:
    app = await api.install()
    standard = (await api.ok("GET", "/api/v1/billing/profiles"))["items"][0]
    body = {name: standard[name] for name in ("supplier", "workflow")}
    apps = dict.fromkeys(("tax", "invoicing", "payment"), app["id"])
    other = await api.ok("POST", "/api/v1/billing/profiles", {"name": "B", "default": False, "apps": apps, **body})
    pinned = await api.customer("Pinned", key="pinned")
    await api.customer("Plain", key="plain")
    await api.ok("PUT", f"/api/v1/billing/customers/{pinned['id']}", {"billingProfileId": other["id"]})
    path = "/api/v1/billing/customers"
    counts = {
        "": 2,
        "?includeAllCustomers=false": 1,
        "?customersWithoutPinnedProfile=true": 1,
        f"?billingProfile={other['id']}": 1,
        f"?billingProfile={standard['id']}&billingProfile={other['id']}": 2,
        "?customerName=plain&expand=customer": 1,
        f"?customerId={pinned['id']}&expand=apps": 1,
    }
    for query, count in counts.items():
        assert (await api.ok("GET", path + query))["totalCount"] == count, query
    await api.refused(400, "DELETE", f"/api/v1/billing/profiles/{other['id']}")
    await api.refused(400, "DELETE", f"/api/v1/billing/profiles/{standard['id']}")
    assert await api.ok("DELETE", f"{path}/{pinned['id']}") is None
    await api.refused(404, "DELETE", f"{path}/{pinned['id']}")
    assert await api.ok("DELETE", f"/api/v1/billing/profiles/{other['id']}") is None
    default = await api.ok("POST", "/api/v1/billing/profiles", {"name": "C", "default": True, "apps": apps, **body})
    listed = await api.ok("GET", "/api/v1/billing/profiles?orderBy=name")
    assert [(one["name"], one["default"]) for one in listed["items"]] == [("C", True), (standard["name"], False)]
    await api.refused(400, "PUT", f"{V3}/profiles/{default['id']}", _v3_profile(default, False))


def _v3_profile(profile: dict[str, Any], default: bool) -> dict[str, Any]:
    supplier = {"name": profile["supplier"]["name"], "addresses": {"billing_address": {"country": "US"}}}
    return {"name": profile["name"], "supplier": supplier, "workflow": {}, "default": default}


async def test_v3_profiles_read_back_what_was_written(api: ApiHouse) -> None:
    app = await api.install(createBillingProfile=False)
    apps = {name: {"id": app["id"]} for name in ("tax", "invoicing", "payment")}
    workflow = {
        "collection": {
            "alignment": {
                "type": "anchored",
                "recurring_period": {"anchor": "2026-01-01T00:00:00Z", "interval": "P1M"},
            },
            "interval": "PT2H",
        },
        "invoicing": {
            "auto_advance": False,
            "draft_period": "P1D",
            "progressive_billing": False,
            "subscription_end_proration_mode": "bill_full_period",
        },
        "payment": {"collection_method": "send_invoice", "due_after": "P14D"},
        "tax": {"enabled": True, "enforced": True, "default_tax_config": {"behavior": "inclusive"}},
    }
    body = {
        "name": "Enterprise",
        "description": "By mail",
        "labels": {"team": "a"},
        "supplier": {
            "name": "Us",
            "tax_id": {"code": "DE123456789"},
            "addresses": {"billing_address": {"country": "DE", "city": "Berlin"}},
        },
        "workflow": workflow,
        "apps": apps,
        "default": True,
    }
    made = await api.ok("POST", f"{V3}/profiles", body)
    assert {name: made[name] for name in body} == body
    assert await api.ok("GET", f"{V3}/profiles/{made['id']}") == made
    in_v1 = await api.ok("GET", f"/api/v1/billing/profiles/{made['id']}")
    assert in_v1["workflow"]["invoicing"]["dueAfter"] == "P14D"
    assert in_v1["workflow"]["collection"]["alignment"]["recurringPeriod"]["interval"] == "P1M"
    assert in_v1["supplier"]["addresses"][0] == {"country": "DE", "city": "Berlin"}
    different = body | {"apps": apps | {"tax": {"id": ULID}}}
    problem = await api.refused(400, "POST", f"{V3}/profiles", different)
    assert problem["invalid_parameters"][0]["field"] == "apps"


async def test_unknown_addresses_answer_in_json(api: ApiHouse) -> None:
    for path in ("/api/v1/nonsense", "/v3/openmeter/nonsense", "/api/nonsense", "/v3/nonsense"):
        answer = await api.client.get(path, headers={"authorization": "Bearer test-token"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM_JSON), path
    answer = await api.call("PATCH", "/api/v1/customers/acme", {})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "PUT", "DELETE"}


async def test_a_key_with_a_slash_is_found(api: ApiHouse) -> None:
    customer = await api.customer(key="a/b c%2Fd")
    found = await api.client.get("/api/v1/customers/a%2Fb%20c%252Fd", headers={"authorization": "Bearer test-token"})
    assert found.json()["id"] == customer["id"]


async def test_bodies_are_limited(api: ApiHouse) -> None:
    big = {"name": "A", "metadata": {"a": "x" * JSON_BODY_BYTES_MAX}}
    await api.refused(413, "POST", "/api/v1/customers", big)
    await api.refused(413, "POST", f"{V3}/customers", big)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b'{"name": "A", "metadata": {"\\udfff": "x"}}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"name": ' + b"9" * 5000 + b"}",
    ],
)
async def test_what_is_no_json_of_ours_is_refused(api: ApiHouse, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/api/v1/customers", f"{V3}/customers"):
        await api.refused(400, "POST", path, content=body, headers=headers)
    assert (await api.ok("GET", "/api/v1/customers"))["totalCount"] == 0


async def test_a_null_letter_in_an_address_is_refused(api: ApiHouse) -> None:
    await api.refused(400, "GET", "/api/v1/customers/a%00b")
    await api.refused(400, "GET", "/api/v1/customers?name=%00")


async def test_our_own_description_is_served_and_shown_without_a_foreign_address(api: ApiHouse) -> None:
    document = (await api.client.get("/api/openapi.json")).json()
    assert "/api/v1/customers" in document["paths"]
    assert "/v3/openmeter/customers" in document["paths"]
    page = await api.client.get("/api/docs")
    assert page.status_code == 200
    assert "/api/v1/customers" in page.text
    for word in ("http://", "https://", "<script", "url("):
        assert word not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert json.dumps(document)


async def test_the_page_after_a_checkout_needs_nothing(api: ApiHouse) -> None:
    page = await api.client.get("/checkout/complete")
    assert page.status_code == 200
    assert "Thank you, your payment method is saved." in page.text
    assert "prefers-color-scheme: dark" in page.text
