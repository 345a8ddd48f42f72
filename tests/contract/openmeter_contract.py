"""Checks exchanges against OpenMeter's published contracts (`openmeter-v1.openapi.json`, `openmeter-v3.openapi.json`).

`nullable: true` beside `allOf` is rewritten to "null or …" first: strict validators refuse null there, the reference
server does not.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_ANY_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/BaseError"}}}}
PREFIXES = {"v1": ("",), "v3": ("/v3", "/api/v3")}
PROBLEM_JSON = "application/problem+json"
# v3 lists no `default` answer. These happen all the same (a key in use, a customer deleted, Stripe not answering …);
# then the problem has to be one.
UNLISTED_IN_V3 = frozenset({404, 405, 409, 410, 412, 413, 415, 429, 503})


class OpenMeterContract:
    """One generation of the API, as its contract file has it."""

    def __init__(self, shared: Path, version: str) -> None:
        self.version = version
        document = json.loads((shared / "contracts" / f"openmeter-{version}.openapi.json").read_text())
        self.document = document
        self._registry = Registry().with_resource(
            "contract:", Resource.from_contents(_rewritten(document), default_specification=DRAFT202012)
        )
        self._validators: dict[int, Draft202012Validator] = {}
        self._kept: list[dict[str, Any]] = []
        self._operations = [
            (re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))), path, method, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in ("get", "post", "put", "patch", "delete")
        ]

    def operations(self, *tiers: str) -> list[tuple[str, str, dict[str, Any]]]:
        """(method, path template, operation) of the given tiers."""
        return [(m.upper(), path, op) for _, path, m, op in self._operations if op.get("x-tier") in tiers]

    def find(self, method: str, url: str) -> tuple[str, dict[str, Any]]:
        """The operation an address belongs to. Raises AssertionError for none."""
        path = urlsplit(url).path
        for prefix in PREFIXES[self.version]:
            bare = path.removeprefix(prefix) if path.startswith(prefix) else path
            fits = [
                (template, operation)
                for pattern, template, verb, operation in self._operations
                if verb == method.lower() and pattern.fullmatch(bare)
            ]
            if fits:
                return min(fits, key=lambda fit: fit[0].count("{"))
        raise AssertionError(f"the contract has no {method} {path}")

    def response_errors(self, method: str, url: str, status: int, content_type: str, body: Any) -> list[str]:
        """Everything in an answer that the contract does not have; an empty list when it fits."""
        template, operation = self.find(method, url)
        responses = operation["responses"]
        answer = responses.get(str(status)) or responses.get("default")
        if answer is None and self.version == "v3" and status in UNLISTED_IN_V3:
            answer = _ANY_PROBLEM
        if answer is None:
            return [f"{method} {template}: {status} is not in the contract ({', '.join(responses)})"]
        answer = self._resolve(answer)
        content = answer.get("content")
        if not content:
            return [] if body in (None, "", b"") else [f"{method} {template}: {status} has no body in the contract"]
        media = content_type.partition(";")[0].strip()
        if status >= 400 and content_type != PROBLEM_JSON:
            return [f"{method} {template}: {status} came as {content_type!r}"]
        if media not in content:
            return [f"{method} {template}: {media!r} is not one of {sorted(content)}"]
        if media == "text/csv":
            return []
        return [f"{method} {template} {status}: {error}" for error in self._errors(content[media]["schema"], body)]

    def request_errors(self, method: str, url: str, body: Any) -> list[str]:
        """Everything in a JSON request body that the contract does not have."""
        template, operation = self.find(method, url)
        wanted = self._resolve(operation.get("requestBody", {})).get("content", {})
        if not wanted:
            return [] if body is None else [f"{method} {template}: takes no body"]
        # Some operations take one thing or many, under different media types.
        found = [self._errors(media["schema"], body) for media in wanted.values()]
        return [f"{method} {template}: {error}" for error in min(found, key=len)]

    def component_errors(self, name: str, value: Any) -> list[str]:
        """Everything in `value` that does not fit the component schema `name`."""
        return self._errors(self.document["components"]["schemas"][name], value)

    def _errors(self, schema: dict[str, Any], value: Any) -> list[str]:
        # Schemas are parts of one document that lives as long as we do, so their identity names them.
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = Draft202012Validator(
                _rewritten(schema, base="contract:"), registry=self._registry, format_checker=FormatChecker()
            )
            self._validators[id(schema)] = validator
            self._kept.append(schema)
        return [
            f"{'/'.join(map(str, e.absolute_path)) or '.'}: {e.message[:300]}" for e in validator.iter_errors(value)
        ]

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node


def path_template(path: str) -> str:
    """A path without the names of its parameters, in which we and the contracts differ."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@lru_cache(maxsize=2)
def openmeter_contract(shared: Path, version: str) -> OpenMeterContract:
    """The contract of `version`, read once."""
    return OpenMeterContract(shared, version)


def _rewritten(node: Any, base: str = "") -> Any:
    """OpenAPI 3.0's `nullable` and escaped patterns in JSON Schema's words."""
    if isinstance(node, list):
        return [_rewritten(item, base) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _rewritten(value, base) for key, value in node.items() if key not in ("nullable", "discriminator")}
    if base and isinstance(out.get("$ref"), str) and out["$ref"].startswith("#/"):
        out["$ref"] = base + out["$ref"]
    if isinstance(out.get("pattern"), str):
        out["pattern"] = out["pattern"].replace("\\-", "-")
    if node.get("nullable") is True:
        return {"anyOf": [out, {"type": "null"}]}
    return out
