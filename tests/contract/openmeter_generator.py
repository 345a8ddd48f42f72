"""Requests made up from OpenMeter's contracts: mostly what they ask for, here and there something else.

The same seed gives the same requests. Ids of what really is there are mixed in, so that many requests get through.
"""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.contract.openmeter_contract import OpenMeterContract

ULID = re.compile(r"\^\[0-7\]\[0-9A-HJKMNP-TV-Z")
NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    " ",
    "\t\n",
    "null",
    "0",
    "-0",
    "1e9",
    "９",
    "x" * 300,
    "x" * 5000,
    "ünïcödé 😀",
    "'; DROP TABLE customer; --",
    "%_\\",
    "../../etc/passwd",
    "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00",
    "P99999999999Y",
    "-P1D",
    "PT0S",
    [],
    {},
    [[]],
    {"": ""},
    {"$ref": "#"},
]
TEXTS = ["A", "Acme", "my-key", "some text", "a_b", "value", "x.y", "Größe"]
BY_NAME: dict[str, list[Any]] = {
    "primaryEmail": ["billing@example.com", "nonsense"],
    "primary_email": ["billing@example.com", "nonsense"],
    "country": ["US", "DE", "XX"],
    "currency": ["USD", "EUR", "JPY", "XXX"],
    "successURL": ["https://example.com/ok"],
    "success_url": ["https://example.com/ok"],
    "cancelURL": ["https://example.com/no"],
    "returnUrl": ["https://example.com/back", "nowhere"],
    "return_url": ["https://example.com/back"],
    "locale": ["de", "auto", "xx"],
    "apiKey": ["sk_test_sandbox_generated", "nonsense"],
    "api_key": ["sk_test_sandbox_generated", "nonsense"],
    "secretAPIKey": ["sk_test_sandbox_other", "nonsense"],
    "secret_api_key": ["sk_test_sandbox_other", "nonsense"],
    "windowTimeZone": ["UTC", "Europe/Berlin", "Nowhere/Land"],
    "time_zone": ["UTC", "America/New_York", "Nowhere/Land"],
    "valueProperty": ["$.tokens", "$..x", "nonsense"],
    "value_property": ["$.tokens", "nonsense"],
    "eventType": ["prompt"],
    "event_type": ["prompt"],
    "sort": ["name", "name desc", "created_at", "key asc", "nonsense"],
    "type": ["stripe", "prompt"],
}


@dataclass(frozen=True)
class Request:
    """A request to be sent."""

    method: str
    path: str
    template: str
    content: bytes | None
    content_type: str | None

    def __str__(self) -> str:
        body = (self.content or b"")[:600].decode("utf-8", "replace")
        return f"{self.method} {self.path} [{self.content_type}] {body}"


@dataclass
class Generator:
    """Makes requests for the operations of one contract. `known` maps a kind of thing to ids and keys that exist."""

    contract: OpenMeterContract
    dice: random.Random
    prefix: str = ""
    known: dict[str, list[str]] = field(default_factory=dict)
    oddness: float = 0.04

    def request(self, method: str, path: str, operation: dict[str, Any]) -> Request:
        """One request for an operation."""
        parameters = [self.contract._resolve(one) for one in operation.get("parameters", [])]
        template = self.prefix + path
        address = template
        for one in parameters:
            if one["in"] == "path":
                address = address.replace(f"{{{one['name']}}}", quote(self._path_value(one, path), safe=""))
        query = "&".join(part for one in parameters if one["in"] == "query" for part in self._query(one))
        content, content_type = self._body(operation)
        full = f"{address}?{query}" if query else address
        return Request(method, full, template, content, content_type)

    def _path_value(self, parameter: dict[str, Any], path: str) -> str:
        kind = next((kind for kind in self.known if f"/{kind}/{{{parameter['name']}}}" in path), None)
        if kind and self.known[kind] and self.dice.random() < 0.85:
            return self.dice.choice(self.known[kind])
        value = self._value(parameter.get("schema", {}), parameter["name"], 0)
        return str(value)[:400] or "x"

    def _query(self, parameter: dict[str, Any]) -> list[str]:
        if not parameter.get("required") and self.dice.random() > 0.3:
            return []
        name, value = parameter["name"], self._value(parameter.get("schema", {}), parameter["name"], 0)
        if isinstance(value, dict):
            return [f"{quote(name)}[{quote(str(key), safe='')}]" + self._operator(one) for key, one in value.items()]
        values = value if isinstance(value, list) else [value]
        return [f"{quote(name)}={_text(one)}" for one in values]

    def _operator(self, value: Any) -> str:
        if isinstance(value, dict) and value:
            operator, inner = next(iter(value.items()))
            return f"[{quote(str(operator), safe='')}]={_text(inner)}"
        return f"={_text(value)}"

    def _body(self, operation: dict[str, Any]) -> tuple[bytes | None, str | None]:
        content = self.contract._resolve(operation.get("requestBody", {})).get("content")
        if not content:
            return None, None
        media = self.dice.choice(list(content))
        roll = self.dice.random()
        if roll < 0.01:
            return self.dice.choice([b"", b"{", b"[]", b"null", b"\xff", b'"', b"[" * 2000]), media
        value = self._value(content[media].get("schema", {}), "", 0)
        return json.dumps(value).encode(), "text/plain" if roll > 0.995 else media

    def _value(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        if depth and self.dice.random() < self.oddness:
            return self.dice.choice(NASTY)
        schema = self.contract._resolve(schema)
        for word in ("oneOf", "anyOf"):
            if options := schema.get(word):
                return self._value(self.dice.choice(options), name, depth)
        if parts := schema.get("allOf"):
            schema = self._merged(parts) | {k: v for k, v in schema.items() if k != "allOf"}
            return self._value(schema, name, depth)
        if choices := schema.get("enum"):
            return self.dice.choice(choices)
        if "default" in schema and self.dice.random() < 0.3:
            return schema["default"]
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return [
                    self._value(schema.get("items", {}), name, depth + 1) for _ in range(self._count(schema, depth))
                ]
            case "boolean":
                return self.dice.random() < 0.5
            case "integer":
                low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
                return self.dice.randint(low, max(low, high))
            case "number":
                return round(self.dice.uniform(schema.get("minimum", 0), schema.get("maximum", 1000)), 2)
            case "string":
                return self._string(schema, name)
        return self.dice.choice(["text", 7, {"a": "b"}, None])

    def _merged(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for part in parts:
            found = self.contract._resolve(part)
            if "allOf" in found:
                found = self._merged(found["allOf"]) | {k: v for k, v in found.items() if k != "allOf"}
            properties = merged.get("properties", {}) | found.get("properties", {})
            required = [*merged.get("required", []), *found.get("required", [])]
            merged |= found
            if properties:
                merged["properties"], merged["required"] = properties, required
        return merged

    def _count(self, schema: dict[str, Any], depth: int) -> int:
        return max(schema.get("minItems", 0), self.dice.choice([0, 1, 1, 2] if depth < 4 else [0, 1]))

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), set(schema.get("required", []))
        chance = (0.5, 0.45, 0.4, 0.25)[min(depth, 3)]
        out: dict[str, Any] = {}
        for name, one in properties.items():
            if self.contract._resolve(one).get("readOnly") or one.get("readOnly"):
                continue
            wanted = self.dice.random() < (0.98 if name in required else chance)
            if wanted and depth < 9:
                out[name] = self._value(one, name, depth + 1)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and not properties:
            for _ in range(self.dice.choice([0, 1, 2])):
                out[self.dice.choice(TEXTS)] = self._value(extra, "", depth + 1)
        if self.dice.random() < 0.01:
            out["surprise"] = self.dice.choice(NASTY)
        return out

    def _string(self, schema: dict[str, Any], name: str) -> Any:
        if name in BY_NAME and self.dice.random() < 0.9:
            return self.dice.choice(BY_NAME[name])
        pattern, kind = schema.get("pattern", ""), schema.get("format", "")
        if ULID.match(pattern) or kind == "ulid":
            return self.dice.choice(self._ids_for(name))
        if self.known.get(name):
            return self.dice.choice(self.known[name])
        if "[0-9]+(\\.[0-9]+)?" in pattern:
            return self.dice.choice(["0", "1", "12.50", "0.000001", "99999999", "-3"])
        if pattern.startswith("^[A-Z]{3}"):
            return self.dice.choice(["USD", "EUR", "JPY", "XXX"])
        if pattern.startswith("^[A-Z]{2}"):
            return self.dice.choice(["US", "DE"])
        if "txcd" in pattern:
            return self.dice.choice(["txcd_10000000", "txcd_99999999"])
        if "a-z0-9" in pattern:
            return f"key_{self.dice.randint(0, 30)}"
        if kind == "date-time":
            return self.dice.choice(
                [
                    "2026-01-01T00:00:00Z",
                    "2026-01-15T12:34:56.789+02:00",
                    "2025-12-31T23:59:59Z",
                    "2030-01-01T00:00:00Z",
                ]
            )
        if "ISO8601" in kind or kind == "duration":
            return self.dice.choice(["P1M", "PT1H", "P0D", "P30D", "P1Y", "P1W"])
        if kind == "uri":
            return "https://example.com"
        low, high = schema.get("minLength", 0), schema.get("maxLength", 200)
        text = self.dice.choice(TEXTS) + str(self.dice.randint(0, 99))
        return text[: max(low, min(high, 40))]

    def _ids_for(self, name: str) -> list[str]:
        word = re.sub(r"(Ids?|_ids?|ID)$", "", name).lower().replace("_", "")
        for kind, ids in self.known.items():
            if ids and word and (word in kind.replace("-", "") or kind.rstrip("s").replace("-", "") in word):
                return ids
        everything = [one for ids in self.known.values() for one in ids if len(one) == 26]
        return everything or ["01G65Z755AFWAKHE12NY0CQ9FH"]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote(value if isinstance(value, str) else json.dumps(value), safe="")
