"""Writes the Stripe sandbox's data files from Stripe's API description.

    python tools/sandbox_schema.py ../shared/contracts/stripe.openapi.json

Two files land in `dashboard/stripe_sandbox/data`:

* `operations.json`: what each request may carry. Every distinct piece of schema is stored once and named by number,
  because Stripe repeats itself a great deal (the whole file is a tenth of the description).
* `objects.json`: per object, an empty example holding all fields that Stripe always answers, and which fields are
  references that a caller may expand.
"""

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "dashboard" / "stripe_sandbox" / "data"
UNKNOWN = object()


def main(source: Path) -> None:
    spec = json.loads(source.read_text(encoding="utf-8"))
    _write("operations.json", operations_of(spec))
    _write("objects.json", objects_of(spec))


def operations_of(spec: dict[str, Any]) -> dict[str, Any]:
    """The request schemas of every operation, de-duplicated: `{"version", "nodes": [...], "operations": {...}}`."""
    pool = _Pool()
    operations = {
        f"{method.upper()} {path}": pool.add(_request_schema(method, operation))
        for path, methods in sorted(spec["paths"].items())
        for method, operation in sorted(methods.items())
    }
    return {"version": spec["info"]["version"], "operations": operations, "nodes": pool.nodes}


def objects_of(spec: dict[str, Any]) -> dict[str, Any]:
    """For every object: `blank` (always-present fields), `dated` (has a `created`) and `expand` (its references)."""
    schemas = spec["components"]["schemas"]
    return {
        name: {
            "blank": _blank(schema, top=name),
            "dated": "created" in schema["properties"],
            "expand": _references(schema),
        }
        for name, schema in sorted(schemas.items())
        if name != "error" and not name.startswith("deleted_")
    }


class _Pool:
    """Distinct schema nodes, each stored once and named by its position."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._seen: dict[str, int] = {}

    def add(self, schema: dict[str, Any]) -> int:
        node = self._node(schema)
        text = json.dumps(node, sort_keys=True)
        if text not in self._seen:
            self._seen[text] = len(self.nodes)
            self.nodes.append(node)
        return self._seen[text]

    def _node(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in schema:
            return {"any": [self.add(option) for option in schema["anyOf"]]}
        node: dict[str, Any] = {"type": schema.get("type", "any")}
        if schema.get("properties"):
            node["fields"] = {name: self.add(sub) for name, sub in schema["properties"].items()}
        if schema.get("required"):
            node["required"] = schema["required"]
        if isinstance(schema.get("additionalProperties"), dict):
            node["extra"] = self.add(schema["additionalProperties"])
        elif schema.get("type") == "object" and not schema.get("properties"):
            node["open"] = schema.get("additionalProperties") is not False
        if "items" in schema:
            node["items"] = self.add(schema["items"])
        if "enum" in schema:
            node["enum"] = schema["enum"]
        if "maxLength" in schema:
            node["max"] = schema["maxLength"]
        if schema.get("pattern") or schema.get("format") == "decimal":
            node["pattern"] = schema.get("pattern", r"^-?\d+(\.\d+)?$")
        return node


def _request_schema(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    if method == "get":
        query = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
        return {
            "type": "object",
            "properties": {parameter["name"]: parameter["schema"] for parameter in query},
            "required": [parameter["name"] for parameter in query if parameter.get("required")],
            "additionalProperties": False,
        }
    body = operation.get("requestBody")
    if not body:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return next(iter(body["content"].values()))["schema"]


def _blank(schema: dict[str, Any], top: str = "") -> Any:
    if schema.get("nullable"):
        return None
    if "enum" in schema and len(schema["enum"]) == 1:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return []
    if kind == "object":
        required = schema.get("required", [])
        fields = {name: _blank(schema["properties"][name]) for name in schema.get("properties", {}) if name in required}
        if top:
            fields["object"] = top
        return {name: value for name, value in fields.items() if value is not UNKNOWN}
    if kind == "boolean":
        return False
    return UNKNOWN


def _references(schema: dict[str, Any]) -> dict[str, Any]:
    """Which fields may be expanded: a name maps to `true` (an id), to `{"in": object}` or to a subtree."""
    found: dict[str, Any] = {}
    for name, sub in schema.get("properties", {}).items():
        reference = _reference(sub)
        if reference:
            found[name] = reference
    return found


def _reference(schema: dict[str, Any]) -> Any:
    options = schema.get("anyOf", [])
    refs = [option["$ref"] for option in [schema, *options] if "$ref" in option]
    if refs and any(option.get("type") == "string" for option in options):
        return True
    if refs:
        return {"in": refs[0].rsplit("/", 1)[-1]}
    if schema.get("type") == "array":
        return _reference(schema.get("items", {}))
    return _references(schema) or None


def _write(name: str, content: dict[str, Any]) -> None:
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    (TARGET / name).write_text(text + "\n", encoding="utf-8")
    print(f"{name}: {len(text)} characters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
