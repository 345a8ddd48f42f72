"""For every operation of tier A: unknown, of the wrong type, incomplete, too large, foreign. Refused; nothing changed.

(`test_api_spoilt_bodies.py` spoils every operation of tiers A and B by rule; here are the cases that need a thought.)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboard.kit.ids import new_id
from tests.api_house import ApiHouse, every_row
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.good_bodies import HOSTED, SUPPLIER_V1, SUPPLIER_V3, V1, V3, placed
from tests.contract.openmeter_contract import openmeter_contract

UNKNOWN = "01G65Z755AFWAKHE12NY0CQ9FH"
LONG = "x" * 257


@dataclass(frozen=True)
class Bad:
    """A request and its refusal. `{app}`, `{other_app}`, `{profile}`, `{customer}` … stand for ids of what is there."""

    status: int
    method: str
    path: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path} {str(self.body)[:60]}"


def apps_v1(app: str = "{app}", **others: str) -> dict[str, str]:
    return {"tax": app, "invoicing": app, "payment": app} | others


def profile_v1(**more: Any) -> dict[str, Any]:
    return {"name": "P", "default": False, "supplier": SUPPLIER_V1, "workflow": {}, "apps": apps_v1()} | more


def profile_v3(**more: Any) -> dict[str, Any]:
    apps = {name: {"id": "{app}"} for name in ("tax", "invoicing", "payment")}
    return {"name": "P", "default": False, "supplier": SUPPLIER_V3, "workflow": {}, "apps": apps} | more


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


INSTALL = f"{V1}/marketplace/listings/stripe/install/apikey"
SESSIONS = f"{V1}/stripe/checkout/sessions"
BILLING = f"{V3}/customers/{{customer}}/billing"
CASES = [
    # v1 marketplace
    Bad(404, "GET", f"{V1}/marketplace/listings/sandbox"),
    Bad(400, "GET", f"{V1}/marketplace/listings/nonsense"),
    Bad(400, "GET", f"{V1}/marketplace/listings?pageSize=0"),
    Bad(400, "POST", INSTALL, {}),
    Bad(400, "POST", INSTALL, {"apiKey": 7}),
    Bad(400, "POST", INSTALL, {"apiKey": "pk_test_123456789"}),
    Bad(400, "POST", INSTALL, {"apiKey": "nonsense"}),
    Bad(400, "POST", INSTALL, {"apiKey": "sk_test_sandbox_x", "createBillingProfile": "yes"}),
    Bad(400, "POST", INSTALL, {"apiKey": "sk_test_sandbox_x", "name": LONG}),
    Bad(404, "POST", f"{V1}/marketplace/listings/sandbox/install/apikey", {"apiKey": "sk_test_sandbox_x"}),
    Bad(400, "POST", f"{V1}/marketplace/listings/stripe/install", {}),
    # v1 apps
    Bad(400, "GET", f"{V1}/apps?page=no"),
    Bad(404, "GET", f"{V1}/apps/{UNKNOWN}"),
    Bad(400, "GET", f"{V1}/apps/nonsense"),
    Bad(404, "PUT", f"{V1}/apps/{UNKNOWN}", {"type": "stripe", "name": "A"}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}", {"type": "sandbox", "name": "A"}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}", {"type": "stripe"}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}", {"type": "stripe", "name": LONG}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}", {"type": "stripe", "name": "A", "secretAPIKey": "sk_live_sandbox_x"}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}", {"type": "stripe", "name": "A", "secretAPIKey": "sk_test_sandbox_other"}),
    Bad(404, "DELETE", f"{V1}/apps/{UNKNOWN}"),
    Bad(409, "DELETE", f"{V1}/apps/{{app}}"),
    Bad(404, "PUT", f"{V1}/apps/{UNKNOWN}/stripe/api-key", {"secretAPIKey": "sk_test_sandbox_x"}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}/stripe/api-key", {}),
    Bad(400, "PUT", f"{V1}/apps/{{app}}/stripe/api-key", {"secretAPIKey": "sk_test_sandbox_other"}),
    Bad(400, "POST", f"{V1}/apps/{{app}}/stripe/webhook", {"id": "evt_1"}),
    Bad(404, "POST", f"{V1}/apps/{UNKNOWN}/stripe/webhook", {"id": "evt_1"}),
    # v1 profiles
    Bad(400, "GET", f"{V1}/billing/profiles?orderBy=nonsense"),
    Bad(404, "GET", f"{V1}/billing/profiles/{UNKNOWN}"),
    Bad(400, "GET", f"{V1}/billing/profiles/nonsense"),
    Bad(400, "POST", f"{V1}/billing/profiles", without(profile_v1(), "name")),
    Bad(400, "POST", f"{V1}/billing/profiles", without(profile_v1(), "default")),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(default="yes")),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(name=LONG)),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(supplier={"name": "Us"})),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(supplier={"addresses": [{"country": "US"}]})),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(apps=apps_v1(UNKNOWN))),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(apps=apps_v1(tax=UNKNOWN))),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(workflow={"collection": {"interval": "soon"}})),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(workflow={"invoicing": {"dueAfter": "-P1D"}})),
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(workflow={"tax": {"enabled": False, "enforced": True}})),
    Bad(
        400, "POST", f"{V1}/billing/profiles", profile_v1(workflow={"collection": {"alignment": {"type": "anchored"}}})
    ),
    Bad(
        400,
        "POST",
        f"{V1}/billing/profiles",
        profile_v1(workflow={"invoicing": {"defaultTaxConfig": {"taxCodeId": UNKNOWN}}}),
    ),
    Bad(404, "PUT", f"{V1}/billing/profiles/{UNKNOWN}", profile_v1()),
    Bad(400, "PUT", f"{V1}/billing/profiles/{{profile}}", profile_v1()),
    Bad(400, "PUT", f"{V1}/billing/profiles/{{profile}}", without(profile_v1(default=True), "supplier")),
    Bad(400, "DELETE", f"{V1}/billing/profiles/{{profile}}"),
    # v1 overrides
    Bad(404, "GET", f"{V1}/billing/customers/{UNKNOWN}"),
    Bad(404, "PUT", f"{V1}/billing/customers/{UNKNOWN}", {}),
    Bad(404, "PUT", f"{V1}/billing/customers/{{customer}}", {"billingProfileId": UNKNOWN}),
    Bad(400, "PUT", f"{V1}/billing/customers/{{customer}}", {"billingProfileId": "nonsense"}),
    Bad(400, "GET", f"{V1}/billing/customers?expand=nonsense"),
    # v1 customers
    Bad(404, "GET", f"{V1}/customers/nobody"),
    Bad(400, "POST", f"{V1}/customers", {}),
    Bad(400, "POST", f"{V1}/customers", {"name": ["A"]}),
    Bad(400, "POST", f"{V1}/customers", {"name": LONG}),
    Bad(400, "POST", f"{V1}/customers", {"name": "A", "key": LONG}),
    Bad(400, "POST", f"{V1}/customers", {"name": "A", "currency": "XXX"}),
    Bad(400, "POST", f"{V1}/customers", {"name": "A", "billingAddress": {"country": "XX"}}),
    Bad(400, "POST", f"{V1}/customers", {"name": "A", "metadata": {"a": 7}}),
    Bad(400, "POST", f"{V1}/customers", {"name": "A", "usageAttribution": {}}),
    Bad(409, "POST", f"{V1}/customers", {"name": "A", "key": "acme"}),
    Bad(409, "POST", f"{V1}/customers", {"name": "A", "usageAttribution": {"subjectKeys": ["acme-api"]}}),
    Bad(404, "PUT", f"{V1}/customers/nobody", {"name": "A"}),
    Bad(409, "PUT", f"{V1}/customers/globex", {"name": "A", "key": "acme"}),
    Bad(400, "PUT", f"{V1}/customers/acme", {"key": "acme"}),
    Bad(404, "DELETE", f"{V1}/customers/nobody"),
    # v1 app data
    Bad(404, "GET", f"{V1}/customers/nobody/apps"),
    Bad(400, "GET", f"{V1}/customers/acme/apps?type=nonsense"),
    Bad(404, "PUT", f"{V1}/customers/nobody/apps", [{"type": "stripe", "stripeCustomerId": "cus_1"}]),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", {"type": "stripe"}),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "stripe"}]),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "stripe", "stripeCustomerId": "nonsense"}]),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "sandbox"}]),
    Bad(412, "PUT", f"{V1}/customers/acme/apps", [{"type": "stripe", "stripeCustomerId": "cus_unknown"}]),
    Bad(
        404, "PUT", f"{V1}/customers/acme/apps", [{"type": "stripe", "id": UNKNOWN, "stripeCustomerId": "cus_unknown"}]
    ),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "stripe", "id": "x", "stripeCustomerId": "cus_unknown"}]),
    Bad(412, "PUT", f"{V1}/customers/globex/apps", [{"type": "stripe", "stripeCustomerId": "{linked}"}]),
    Bad(404, "DELETE", f"{V1}/customers/acme/apps/{UNKNOWN}"),
    Bad(412, "GET", f"{V1}/customers/globex/stripe"),
    Bad(404, "GET", f"{V1}/customers/nobody/stripe"),
    Bad(400, "PUT", f"{V1}/customers/acme/stripe", {}),
    Bad(412, "PUT", f"{V1}/customers/acme/stripe", {"stripeCustomerId": "cus_unknown"}),
    Bad(
        412,
        "PUT",
        f"{V1}/customers/acme/stripe",
        {"stripeCustomerId": "{linked}", "stripeDefaultPaymentMethodId": "pm_unknown"},
    ),
    Bad(
        412,
        "PUT",
        f"{V1}/customers/acme/stripe",
        {"stripeCustomerId": "{linked}", "stripeDefaultPaymentMethodId": "{foreign_card}"},
    ),
    # v1 sessions
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}}),
    Bad(400, "POST", SESSIONS, {"options": HOSTED}),
    Bad(400, "POST", SESSIONS, {"customer": {}, "options": HOSTED}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": LONG}, "options": HOSTED}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A", "currency": "XXX"}, "options": HOSTED}),
    Bad(404, "POST", SESSIONS, {"customer": {"key": "nobody"}, "options": HOSTED}),
    Bad(404, "POST", SESSIONS, {"customer": {"id": UNKNOWN}, "options": HOSTED}),
    Bad(404, "POST", SESSIONS, {"appId": UNKNOWN, "customer": {"name": "A"}, "options": HOSTED}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": {}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": {"successURL": "nowhere"}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"returnURL": "https://example.com"}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"uiMode": "embedded"}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"currency": "dollar"}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"expiresAt": "soon"}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"expiresAt": 10**20}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"metadata": {"meterdesk_x": "y"}}}),
    Bad(400, "POST", SESSIONS, {"customer": {"name": "A"}, "options": HOSTED | {"clientReferenceID": "x" * 201}}),
    Bad(
        400,
        "POST",
        SESSIONS,
        {"customer": {"name": "A"}, "options": HOSTED | {"customText": {"submit": {"message": "x" * 1201}}}},
    ),
    Bad(412, "POST", SESSIONS, {"customer": {"name": "A"}, "stripeCustomerId": "cus_unknown", "options": HOSTED}),
    Bad(409, "POST", SESSIONS, {"customer": {"key": "acme"}, "stripeCustomerId": "cus_other", "options": HOSTED}),
    Bad(404, "POST", f"{V1}/customers/nobody/stripe/portal", {}),
    Bad(412, "POST", f"{V1}/customers/globex/stripe/portal", {}),
    Bad(400, "POST", f"{V1}/customers/acme/stripe/portal", {"returnUrl": "nowhere"}),
    Bad(400, "POST", f"{V1}/customers/acme/stripe/portal", {"configurationId": "nonsense"}),
    # An app that is there, but not the one that this is about
    Bad(400, "POST", f"{V1}/billing/profiles", profile_v1(apps=apps_v1(tax="{other_app}"))),
    Bad(400, "PUT", f"{V1}/apps/{{other_app}}/stripe/api-key", {"secretAPIKey": "{stripe_key}"}),
    Bad(400, "POST", f"{V1}/apps/{{other_app}}/stripe/webhook", {"id": "evt_1"}),
    Bad(
        412,
        "PUT",
        f"{V1}/customers/acme/apps",
        [{"type": "stripe", "id": "{other_app}", "stripeCustomerId": "{linked}"}],
    ),
    Bad(404, "DELETE", f"{V1}/customers/acme/apps/{{other_app}}"),
    Bad(
        412,
        "POST",
        SESSIONS,
        {"appId": "{other_app}", "customer": {"key": "globex"}, "stripeCustomerId": "{linked}", "options": HOSTED},
    ),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "custom_invoicing", "id": "{app}", "metadata": {}}]),
    Bad(400, "PUT", f"{V1}/customers/acme/apps", [{"type": "custom_invoicing", "metadata": {"a": "x" * 501}}]),
    Bad(
        400, "PUT", BILLING, {"app_data": {"stripe": {"customer_id": "{linked}"}, "external_invoicing": {"labels": 7}}}
    ),
    Bad(400, "PUT", f"{BILLING}/app-data", {"external_invoicing": {"labels": {"a": "b"}}}),
    # v3 customers
    Bad(404, "GET", f"{V3}/customers/{UNKNOWN}"),
    Bad(404, "GET", f"{V3}/customers/acme"),
    Bad(400, "POST", f"{V3}/customers", {"name": "A"}),
    Bad(400, "POST", f"{V3}/customers", {"name": "A", "key": "a", "billing_address": {"country": "USA"}}),
    Bad(409, "POST", f"{V3}/customers", {"name": "A", "key": "acme"}),
    Bad(404, "PUT", f"{V3}/customers/{UNKNOWN}", {"name": "A"}),
    Bad(400, "PUT", f"{V3}/customers/{{customer}}", {"name": "A", "key": "other"}),
    Bad(404, "DELETE", f"{V3}/customers/{UNKNOWN}"),
    # v3 billing data
    Bad(404, "GET", f"{V3}/customers/{UNKNOWN}/billing"),
    Bad(404, "PUT", f"{V3}/customers/{UNKNOWN}/billing", {"app_data": {"stripe": {"customer_id": "cus_1"}}}),
    Bad(400, "PUT", BILLING, {}),
    Bad(400, "PUT", BILLING, {"app_data": {"stripe": {}}}),
    Bad(400, "PUT", BILLING, {"app_data": {"stripe": {"customer_id": "nonsense"}}}),
    Bad(400, "PUT", BILLING, {"app_data": {"stripe": {"customer_id": "cus_1", "labels": {"a": "b c"}}}}),
    Bad(400, "PUT", BILLING, {"app_data": {"paypal": {}}}),
    Bad(404, "PUT", BILLING, {"billing_profile": {"id": UNKNOWN}, "app_data": {"stripe": {"customer_id": "cus_1"}}}),
    Bad(412, "PUT", BILLING, {"app_data": {"stripe": {"customer_id": "cus_unknown"}}}),
    Bad(400, "PUT", f"{BILLING}/app-data", {}),
    Bad(412, "PUT", f"{BILLING}/app-data", {"stripe": {"customer_id": "cus_unknown"}}),
    # v3 sessions
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {}),
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {"stripe_options": {}}),
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {"stripe_options": {"success_url": 7}}),
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {"stripe_options": {"nonsense": 7}}),
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {"stripe_options": HOSTED, "options": HOSTED}),
    Bad(400, "POST", f"{BILLING}/stripe/checkout-sessions", {"options": HOSTED | {"mode": "payment"}}),
    Bad(
        404,
        "POST",
        f"{V3}/customers/{UNKNOWN}/billing/stripe/checkout-sessions",
        {"stripe_options": {"success_url": "https://example.com"}},
    ),
    Bad(400, "POST", f"{BILLING}/stripe/portal-sessions", {"stripe_options": {"return_url": "nowhere"}}),
    Bad(404, "POST", f"{V3}/customers/{UNKNOWN}/billing/stripe/portal-sessions", {"stripe_options": {}}),
    # v3 profiles
    Bad(404, "GET", f"{V3}/profiles/{UNKNOWN}"),
    Bad(404, "GET", f"{V3}/profiles/nonsense"),
    Bad(400, "POST", f"{V3}/profiles", without(profile_v3(), "supplier")),
    Bad(400, "POST", f"{V3}/profiles", profile_v3(nonsense=1)),
    Bad(400, "POST", f"{V3}/profiles", profile_v3(workflow={"payment": {"collection_method": "barter"}})),
    Bad(
        400,
        "POST",
        f"{V3}/profiles",
        profile_v3(workflow={"payment": {"collection_method": "charge_automatically", "due_after": "P1D"}}),
    ),
    Bad(400, "POST", f"{V3}/profiles", profile_v3(supplier={"name": "Us"})),
    Bad(404, "PUT", f"{V3}/profiles/{UNKNOWN}", without(profile_v3(), "apps")),
    Bad(400, "PUT", f"{V3}/profiles/{{profile}}", profile_v3(default=True)),
    Bad(400, "PUT", f"{V3}/profiles/{{profile}}", without(profile_v3(), "apps")),
]


async def furnish(api: ApiHouse) -> dict[str, str]:
    """What the cases refer to: an app with the default profile, Acme who is linked, Globex who is not."""
    app = await api.install()
    profile = (await api.ok("GET", f"{V1}/billing/profiles"))["items"][0]
    acme = await api.customer("ACME", key="acme", usageAttribution={"subjectKeys": ["acme-api"]})
    await api.customer("Globex", key="globex")
    linked, stranger = await api.stripe_customer(), await api.stripe_customer()
    await api.ok("PUT", f"{V1}/customers/acme/stripe", {"stripeCustomerId": linked})
    other = {"apiKey": "sk_test_sandbox_" + new_id().lower(), "createBillingProfile": False}
    other_app = (await api.ok("POST", INSTALL, other))["app"]
    return {
        "app": app["id"],
        "other_app": other_app["id"],
        "stripe_key": api.stripe_key,
        "profile": profile["id"],
        "customer": acme["id"],
        "linked": linked,
        "foreign_card": await api.card(stranger),
    }


async def test_bad_requests_are_refused_and_change_nothing(api: ApiHouse, subtests: pytest.Subtests) -> None:
    ids = await furnish(api)
    before = every_row(api.data_dir)
    for case in CASES:
        with subtests.test(str(case)):
            answer = await api.call(case.method, placed(case.path, ids), placed(case.body, ids))
            assert answer.status_code == case.status, answer.text
            assert answer.json()["detail"].strip()
            before, now = every_row(api.data_dir), before
            assert before == now


def test_every_changing_operation_of_tier_a_has_bad_cases(shared_dir: Path) -> None:
    covered = {(case.method, _template(case.path)) for case in CASES}
    missing = [
        f"{method} {path}"
        for method, path, _ in _tier_a(shared_dir)
        if method != "GET" and (method, _template(path)) not in covered
    ]
    assert missing == []


def _tier_a(shared_dir: Path) -> list[tuple[str, str, Any]]:
    v3 = [(m, f"/v3{p}", o) for m, p, o in openmeter_contract(shared_dir, "v3").operations("A")]
    return openmeter_contract(shared_dir, "v1").operations("A") + v3


def _template(path: str) -> str:
    fixed = {
        "api", "v1", "v3", "openmeter", "apps", "billing", "profiles", "customers", "stripe", "webhook", "api-key",
        "checkout", "sessions", "portal", "marketplace", "listings", "install", "apikey", "app-data",
        "checkout-sessions", "portal-sessions",
    }  # fmt: skip
    parts = path.split("?")[0].split("/")
    return "/".join(
        part if part in fixed and not (part == "stripe" and i and parts[i - 1] == "listings") else "{}"
        for i, part in enumerate(parts)
    )
