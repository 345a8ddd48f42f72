"""A corpus of generated requests: the sandbox refuses what Stripe's schema refuses, and answers in Stripe's shapes."""

import random
import string
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import sandbox_support as support

PER_OPERATION = 14
SEED = 20261121


@pytest.fixture(scope="module")
def sandbox() -> Iterator[support.RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def known_ids(sandbox: support.RunningSandbox) -> dict[str, list[str]]:
    """Objects of every kind, so that generated requests reach beyond `resource_missing`."""
    return _populate(sandbox)


def test_the_corpus_gets_the_schemas_verdict_and_stripes_shapes(
    sandbox: support.RunningSandbox, known_ids: dict[str, list[str]]
) -> None:
    contract = support.contract()
    dice = random.Random(SEED)
    tally: Counter[str] = Counter()
    complaints: list[str] = []
    with sandbox.http() as http:
        for template, methods in contract.spec()["paths"].items():
            for method in methods:
                for number in range(PER_OPERATION):
                    path = _fill(template, known_ids, dice)
                    schema = contract._request_schema(method, template)
                    params = _generate(schema, dice, known_ids, 0)
                    if number % 2:
                        params = _spoil(params, schema, dice)
                    pairs = [(key, value) for key, value in contract._flatten(params)]
                    body = dict(pairs)
                    answer = http.get(path, params=body) if method == "get" else http.request(method, path, data=body)
                    wrong = contract.request_errors(method, path, pairs)
                    tally["requests"] += 1
                    tally[f"{answer.status_code // 100}xx"] += 1
                    tally["refused by schema"] += bool(wrong)
                    if wrong and answer.status_code != 400:
                        complaints.append(f"{method} {path} {body} → {answer.status_code}, but {wrong[:2]}")
                    if answer.status_code >= 500:
                        complaints.append(f"{method} {path} {body} → {answer.text[:200]}")
                    if shape := contract.response_errors(method, path, answer.status_code, answer.json()):
                        complaints.append(f"{method} {path} {body} → {answer.status_code}: {shape[:3]}")
    assert not complaints, f"{len(complaints)} of {tally}:\n" + "\n".join(complaints[:25])
    assert tally["requests"] >= 1500
    assert tally["refused by schema"] >= 600
    assert tally["2xx"] >= 300


def _populate(sandbox: support.RunningSandbox) -> dict[str, list[str]]:
    v1 = sandbox.client().v1
    customers = [v1.customers.create({"name": f"C{n}", "email": f"c{n}@example.com"}).id for n in range(6)]
    methods = [v1.payment_methods.attach("pm_card_visa", {"customer": id}).id for id in customers[:3]]
    invoices, lines, items = [], [], []
    for n in range(8):
        invoice = v1.invoices.create({"customer": customers[n % 6]})
        filled = v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 5000 + n}, {"amount": 700}]})
        invoices.append(invoice.id)
        lines += [line.id for line in filled.lines.data]
        if n % 2:
            v1.invoices.finalize_invoice(invoice.id)
    for id in customers:
        items.append(v1.invoice_items.create({"customer": id, "amount": 100}).id)
    paid = v1.invoices.pay(invoices[1], {"payment_method": methods[1]})
    intents = [entry.id for entry in v1.payment_intents.list().data]
    charges = [entry.id for entry in v1.charges.list().data]
    product = v1.products.create({"name": "P"})
    prices = [v1.prices.create({"currency": "usd", "product": product.id, "unit_amount": 5}).id for _ in range(2)]
    checkout = {"mode": "setup", "currency": "usd", "success_url": "https://example.com"}
    sessions = [v1.checkout.sessions.create({**checkout, "customer": id}).id for id in customers[:4]]  # type: ignore[typeddict-item]
    intents_setup = [v1.setup_intents.create({"customer": customers[0]}).id for _ in range(4)]
    configuration = v1.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    coupons = [v1.coupons.create({"percent_off": 10}).id for _ in range(3)]  # type: ignore[typeddict-item]
    rates = [v1.tax_rates.create({"display_name": "VAT", "inclusive": False, "percentage": 19}).id for _ in range(2)]  # type: ignore[typeddict-item]
    v1.tax.settings.update({"head_office": {"address": {"country": "DE"}}})
    registration = v1.tax.registrations.create(
        {"country": "DE", "active_from": "now", "country_options": {"de": {"type": "standard"}}}
    )
    calculation = v1.tax.calculations.create(
        {
            "currency": "eur",
            "line_items": [{"amount": 1000, "reference": "a"}],
            "customer_details": {"address": {"country": "DE"}, "address_source": "billing"},
        }
    )
    transaction = v1.customers.balance_transactions.create(customers[5], {"amount": -100, "currency": "usd"})
    tax_id = v1.customers.tax_ids.create(customers[0], {"type": "eu_vat", "value": "DE123456789"})
    endpoints = [
        v1.webhook_endpoints.create({"url": "https://127.0.0.1:9/", "enabled_events": ["coupon.created"]}).id
        for _ in range(3)
    ]  # fmt: skip
    note = v1.credit_notes.create({"invoice": paid.id, "amount": 100, "credit_amount": 100})
    open_note = v1.credit_notes.create({"invoice": invoices[3], "amount": 100})
    refund = v1.refunds.create({"charge": charges[0], "amount": 10})
    meter = v1.billing.meters.create(
        {"display_name": "m", "event_name": "e", "default_aggregation": {"formula": "sum"}}
    )
    clocks = [v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000}).id for _ in range(3)]
    payments = [entry.id for entry in v1.invoice_payments.list().data]
    events = [entry.id for entry in v1.events.list().data]
    return {
        "customer": customers, "invoice": invoices, "line_item_id": lines, "invoiceitem": items,
        "payment_method": methods, "intent": intents + intents_setup, "charge": charges, "price": prices,
        "product": [product.id], "session": sessions, "configuration": [configuration.id], "coupon": coupons,
        "tax_rate": rates, "registration": [registration.id], "calculation": [calculation.id or ""],
        "transaction": [transaction.id], "tax_id": [tax_id.id], "webhook_endpoint": endpoints,
        "credit_note": [note.id, open_note.id], "refund": [refund.id], "meter": [meter.id], "test_clock": clocks,
        "invoice_payment": payments, "event": events, "account": [v1.accounts.retrieve_current().id],
        "tax_code": ["txcd_10000000", "txcd_10103001"],
    }  # fmt: skip


def _fill(template: str, known: dict[str, list[str]], dice: random.Random) -> str:
    """A concrete path: mostly with an id of the right kind."""
    owners = {"products": "product", "meters": "meter", "credit_notes": "credit_note", "registrations": "registration",
              "events": "event", "tax_codes": "tax_code", "tax_ids": "tax_id"}  # fmt: skip
    parts = template.split("/")
    for position, part in enumerate(parts):
        if not part.startswith("{"):
            continue
        name = part.strip("{}")
        kind = owners.get(parts[position - 1], name) if name == "id" else name
        choices = known.get(kind, [])
        if kind == "intent":
            prefix = "seti_" if "setup" in template else "pi_"
            choices = [id for id in choices if id.startswith(prefix)]
        parts[position] = dice.choice(choices) if choices and dice.random() < 0.85 else "unknown_1"
    return "/".join(parts)


def _generate(
    schema: dict[str, Any], dice: random.Random, known: dict[str, list[str]], depth: int, name: str = ""
) -> Any:
    if "anyOf" in schema:
        return _generate(dice.choice(schema["anyOf"]), dice, known, depth, name)
    if schema.get("enum"):
        return dice.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return _generate_object(schema, dice, known, depth)
        case "array":
            if name == "expand":
                return []
            return [_generate(schema["items"], dice, known, depth + 1, name) for _ in range(dice.randint(1, 2))]
        case "integer":
            if name == "limit":
                return dice.randint(1, 100)
            moment = schema.get("format") == "unix-time" or name in (
                "expires_at",
                "active_from",
                "frozen_time",
                "start_time",
                "end_time",
            )
            return 1_800_000_000 + 60 * dice.randint(0, 10**6) if moment else dice.randint(1, 4000)
        case "number":
            return dice.choice([1, 2.5, 19])
        case "boolean":
            return dice.random() < 0.5
        case _:
            return _generate_string(schema, dice, known, name)


def _generate_object(
    schema: dict[str, Any], dice: random.Random, known: dict[str, list[str]], depth: int
) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), set(schema.get("required", []))
    chance = 0.22 if depth == 0 else 0.35
    chosen = {name for name in properties if name in required or dice.random() < chance}
    if depth > 3:
        chosen &= required
    made = {name: _generate(properties[name], dice, known, depth + 1, name) for name in properties if name in chosen}
    if isinstance(schema.get("additionalProperties"), dict) and not properties:
        made["key"] = _generate(schema["additionalProperties"], dice, known, depth + 1)
    return made


def _generate_string(schema: dict[str, Any], dice: random.Random, known: dict[str, list[str]], name: str) -> str:
    if schema.get("format") == "decimal":
        return dice.choice(["1", "0.5", "12.345"])
    if name in known and dice.random() < 0.9:
        return dice.choice(known[name])
    fixed = {
        "currency": "usd", "country": "DE", "email": "a@example.com", "url": "https://example.com/hook",
        "success_url": "https://example.com", "return_url": "https://example.com", "postal_code": "10115",
        "query": 'name:"C1"', "value": "DE123456789", "event_name": "e",
    }  # fmt: skip
    return fixed.get(name, "".join(dice.choices(string.ascii_lowercase, k=dice.randint(3, 8))))[
        : schema.get("maxLength", 100)
    ]


def _spoil(params: dict[str, Any], schema: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """One thing wrong, at a random depth: something unknown, of the wrong type, not in its list, or missing."""
    way = dice.choice(["unknown", "unknown", "type", "enum", "missing", "limit"])
    if way == "missing" and schema.get("required"):
        params.pop(dice.choice(schema["required"]), None)
    elif way == "limit" and "limit" in schema.get("properties", {}):
        params["limit"] = dice.choice([0, 101, -1, "many"])
    elif way in ("type", "enum") and (wrong := _wrong_values(schema, dice)):
        params.update(wrong)
    else:
        dice.choice(list(_objects_in(params)))["frobnicate"] = "1"
    return params


def _wrong_values(schema: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    for name, sub in schema.get("properties", {}).items():
        if sub.get("enum"):
            wrong[name] = "no_such_choice"
        elif sub.get("type") == "integer":
            wrong[name] = dice.choice(["1.5", "x", ""])
        elif sub.get("type") == "boolean":
            wrong[name] = "perhaps"
        elif sub.get("type") in ("object", "array"):
            wrong[name] = "plain"
        elif sub.get("type") == "string":
            wrong[name] = {"nested": "1"}
    return dict([dice.choice(list(wrong.items()))]) if wrong else {}


def _objects_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every object inside, bar metadata, which may hold anything."""
    if isinstance(node, dict):
        yield node
        for name, sub in node.items():
            if name not in ("metadata", "payload", "invoice_metadata"):
                yield from _objects_in(sub)
    elif isinstance(node, list):
        for sub in node:
            yield from _objects_in(sub)
