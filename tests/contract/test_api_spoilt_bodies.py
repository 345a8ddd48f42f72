"""Every operation of tiers A and B, spoilt in every way: an unknown id, each property of the wrong type, each required
one left out, texts and bodies too long, a role too low. Refused each time, and no row of any table has changed.

(`test_api_bad_input.py` has the cases that need a thought of their own.)
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboard.access.views import Role
from dashboard.api.auth import operations
from dashboard.api.bodies import JSON_BODY_BYTES_MAX
from tests.api_house import API, TOKEN, ApiHouse, every_row
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.good_bodies import FEE_V1, GOOD, LINE, V1, V3, filled, placed
from tests.contract.openmeter_contract import OpenMeterContract, openmeter_contract, path_template

UNKNOWN = "01G65Z755AFWAKHE12NY0CQ9FH"
WRONG = [[7]]
"""Neither a text nor a number, a flag, an object, or a list of any of them."""

LENIENT = {
    # Ours may be left out: what is pinned cannot change anyhow (docs/api.md).
    f"PUT {V1}/billing/invoices/{{invoiceId}}": {"supplier", "customer", "workflow"},
    # Required, and given a default in the same breath: USD.
    f"POST {V1}/plans": {"currency"},
}
"""Properties that the contract requires and we do not."""


@dataclass(frozen=True)
class Operation:
    """An operation of ours that a contract has."""

    contract: OpenMeterContract
    method: str
    path: str
    document: dict[str, Any]
    role: Role | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def body(self) -> dict[str, Any]:
        """The schema of one thing that the body holds; empty when there is no body."""
        content = self.contract._resolve(self.document.get("requestBody", {})).get("content", {})
        schema = self.contract._resolve(content.get("application/json", {}).get("schema", {}))
        return self._flat(schema.get("items", schema))

    def properties(self) -> dict[str, dict[str, Any]]:
        """The properties of the body that we know."""
        known = ours_of(self.method, self.path)
        found = {name: self._flat(one) for name, one in self.body.get("properties", {}).items()}
        return {name: one for name, one in found.items() if name in known and not one.get("readOnly")}

    def required(self) -> set[str]:
        return set(self.body.get("required", ())) - LENIENT.get(self.name, set())

    def _flat(self, schema: dict[str, Any]) -> dict[str, Any]:
        schema = self.contract._resolve(schema)
        merged = {name: one for name, one in schema.items() if name not in ("allOf", "oneOf", "anyOf")}
        options = [self._flat(one) for word in ("oneOf", "anyOf") for one in schema.get(word, ())]
        parts = [self._flat(one) for one in schema.get("allOf", ())]
        for part in parts + options:
            merged["properties"] = part.get("properties", {}) | merged.get("properties", {})
            for name, value in part.items():
                merged.setdefault(name, value)
        required = [name for one in [schema, *parts] for name in one.get("required", ())]
        in_all = set.intersection(*(set(one.get("required", ())) for one in options)) if options else set[str]()
        return merged | {"required": [*required, *sorted(in_all)]}


OURS = {(method, path_template(path)): role for method, path, role in operations(API.routes)}
_DOCUMENT = API.openapi()
_DESCRIBED = {(m.upper(), path_template(p)): one for p, item in _DOCUMENT["paths"].items() for m, one in item.items()}


def ours_of(method: str, path: str) -> set[str]:
    """The properties of a body as our own description has them, at the top."""
    found: set[str] = set()
    waiting = [media["schema"] for media in _body_of(method, path).values()]
    while waiting:
        schema = waiting.pop()
        while "$ref" in schema:
            schema = _DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        found |= set(schema.get("properties", {}))
        waiting += [one for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, ())]
        waiting += [schema["items"]] if "items" in schema else []
    # Events read their own body, so our description does not list what is in it.
    return found or {"id", "source", "specversion", "type", "subject", "time"}


def _body_of(method: str, path: str) -> dict[str, Any]:
    return _DESCRIBED[method, path_template(path)].get("requestBody", {}).get("content", {})


def all_operations(api: ApiHouse) -> Iterator[Operation]:
    for version, prefix in (("v1", ""), ("v3", "/v3")):
        contract = api.contracts[version]
        for method, path, document in contract.operations("A", "B"):
            key = method, path_template(prefix + path)
            if key in OURS:
                yield Operation(contract, method, prefix + path, document, OURS[key])


async def furnish(api: ApiHouse) -> dict[str, str]:
    """One of everything."""
    app = await api.install()
    profile = (await api.ok("GET", f"{V1}/billing/profiles"))["items"][0]
    acme = await api.customer("ACME", key="acme", currency="USD", usageAttribution={"subjectKeys": ["acme-api"]})
    globex = await api.customer("Globex", key="globex", currency="USD")
    linked = await api.stripe_customer()
    await api.ok("PUT", f"{V1}/customers/acme/stripe", {"stripeCustomerId": linked})
    pending = f"{V1}/billing/customers/{acme['id']}/invoices/pending-lines"
    due = LINE | {"invoiceAt": "2026-01-02T00:00:00Z"}
    await api.ok("POST", pending, {"currency": "USD", "lines": [due]})
    [invoice] = await api.ok("POST", f"{V1}/billing/invoices/invoice", {"customerId": acme["id"]})
    await api.ok("POST", pending, {"currency": "USD", "lines": [LINE]})
    meter = {"slug": "tokens", "aggregation": "SUM", "eventType": "prompt", "valueProperty": "$.tokens"}
    made = await api.ok("POST", f"{V1}/meters", meter | {"groupBy": {"model": "$.model"}})
    feature = await api.ok("POST", f"{V1}/features", {"key": "tokens", "name": "Tokens", "meterSlug": "tokens"})
    phase = {"key": "only", "name": "Only", "duration": None, "rateCards": [FEE_V1]}
    plan = {"name": "A plan", "currency": "USD", "billingCadence": "P1M", "phases": [phase]}
    free = await api.ok("POST", f"{V1}/plans", plan | {"key": "free"})
    await api.ok("POST", f"{V1}/plans/{free['id']}/publish")
    draft = await api.ok("POST", f"{V1}/plans", plan | {"key": "pro"})
    subscribed = await api.ok("POST", f"{V1}/subscriptions", {"plan": {"key": "free"}, "customerKey": "acme"})
    await api.ok("POST", f"{V1}/subjects", [{"key": "acme-api"}])
    tax_code = await api.ok("POST", f"{V3}/tax-codes", {"name": "Software", "key": "software", "app_mappings": []})
    return {
        "app": app["id"],
        "profile": profile["id"],
        "customer": acme["id"],
        "other": globex["id"],
        "linked": linked,
        "invoice": invoice["id"],
        "meter": made["id"],
        "feature": feature["id"],
        "plan": draft["id"],
        "subscription": subscribed["id"],
        "tax_code": tax_code["id"],
        "stripe_key": api.stripe_key,
        "listing": "stripe",
        "dimension": "model",
        "subject": "acme-api",
    }


@dataclass(frozen=True)
class Spoilt:
    """A request that has to be refused."""

    status: int
    why: str
    path: str
    body: Any = None
    content: bytes | None = None
    token: str = TOKEN


async def spoilt(api: ApiHouse, one: Operation, ids: dict[str, str], tokens: dict[Role, str]) -> list[Spoilt]:
    """Everything that can be wrong with a request of this operation."""
    path, good = filled(one.path, ids), placed(GOOD.get(one.name), ids)
    found = [
        Spoilt(403, f"the role {role.value}", path, good, token=token)
        for role, token in tokens.items()
        if one.role is not None and not role.reaches(one.role)
    ]
    for number, part in enumerate(one.path.split("/")):
        # Types are an enumeration, dimensions are a matter of the meter: both are 400 in the other table.
        if part.startswith("{") and part not in ("{type}", "{appType}", "{groupByKey}"):
            unknown = path.split("/")
            unknown[number] = UNKNOWN
            found.append(Spoilt(404, f"an unknown {part}", "/".join(unknown), good))
    if good is None:
        return found
    several = isinstance(good, list)
    single = good[0] if several else good
    shaped = (lambda body: [body]) if several else (lambda body: body)
    for name in one.required():
        left = {key: value for key, value in single.items() if key != name}
        found.append(Spoilt(400, f"no {name}", path, shaped(left)))
    for name, schema in one.properties().items():
        found.append(Spoilt(400, f"a wrong {name}", path, shaped(single | {name: WRONG})))
        if schema.get("type") == "string" and "maxLength" in schema:
            found.append(Spoilt(400, f"a long {name}", path, shaped(single | {name: "x" * (schema["maxLength"] + 1)})))
    if not one.path.endswith("/events"):
        big = json.dumps(good).encode() + b" " * JSON_BODY_BYTES_MAX
        found.append(Spoilt(413, "a body too large", path, content=big))
    found.append(Spoilt(400, "a body that is text", path, "nonsense"))
    return found


async def test_every_operation_refuses_what_is_spoilt_and_changes_nothing(
    api: ApiHouse, subtests: pytest.Subtests
) -> None:
    ids = await furnish(api)
    tokens = {role: await api.key_with_role(role) for role in (Role.VIEWER, Role.OPERATOR)}
    before, count = every_row(api.data_dir), 0
    for one in all_operations(api):
        for case in await spoilt(api, one, ids, tokens):
            with subtests.test(f"{one.name}: {case.why}"):
                headers = {"content-type": "application/json"}
                content = case.content or (None if case.body is None else json.dumps(case.body).encode())
                answer = await api.call(one.method, case.path, token=case.token, headers=headers, content=content)
                assert answer.status_code == case.status, answer.text[:500]
                assert answer.json()["detail"].strip()
                before, now = every_row(api.data_dir), before
                assert now == before
            count += 1
    assert count > 500


def test_every_operation_with_a_body_has_a_good_one_to_spoil(shared_dir: Path) -> None:
    missing = []
    for version, prefix in (("v1", ""), ("v3", "/v3")):
        for method, path, document in openmeter_contract(shared_dir, version).operations("A", "B"):
            here = (method, path_template(prefix + path)) in OURS
            # Stripe's letters have a signature instead of a shape; `test_api_webhook.py` spoils them.
            if here and document.get("requestBody") and not path.endswith("/stripe/webhook"):
                missing += [name for name in (f"{method} {prefix}{path}",) if name not in GOOD]
    assert missing == []


async def test_the_good_bodies_are_good(api: ApiHouse, subtests: pytest.Subtests) -> None:
    ids = await furnish(api)
    for name, body in GOOD.items():
        method, path = name.split(" ", 1)
        with subtests.test(name):
            errors = api.contracts["v3" if path.startswith("/v3") else "v1"].request_errors(
                method, filled(path, ids), placed(body, ids)
            )
            assert errors == []
