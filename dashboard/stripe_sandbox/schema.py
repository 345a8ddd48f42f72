"""Reads a request's parameters against Stripe's schema: typed values, or the first thing that is wrong."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, missing_parameter, unknown_parameter

DATA = Path(__file__).parent / "data"
_INTEGER = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one value; `misfit` says that the value is of another kind altogether."""

    error: ApiError
    misfit: bool = False


class Operation:
    """One endpoint of Stripe's description: its method, path template and parameters."""

    def __init__(self, name: str, root: int, nodes: list[dict[str, Any]]) -> None:
        self.method, self.path = name.split(" ", 1)
        self._root = root
        self._nodes = nodes

    def read(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The parameters, typed: integers, booleans, lists, Decimal for fractions. Raises ApiError 400."""
        value, problems = self._read(self._root, raw, "")
        if problems:
            raise problems[0].error
        _check_prose_limits(self.path, value)
        return value

    def _read(self, index: int, value: Any, where: str) -> tuple[Any, list[Problem]]:
        node = self._nodes[index]
        if "any" in node:
            return self._read_any(node["any"], value, where)
        return _READERS[node["type"]](self, node, value, where)

    def _read_any(self, options: list[int], value: Any, where: str) -> tuple[Any, list[Problem]]:
        best: tuple[Any, list[Problem]] | None = None
        for option in options:
            typed, problems = self._read(option, value, where)
            if not problems:
                return typed, problems
            if best is None or (best[1][0].misfit and not problems[0].misfit):
                best = typed, problems
        return best or (value, [])

    def _read_object(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if not isinstance(value, dict):
            return value, [Problem(invalid_parameter(where, "Invalid object"), misfit=True)]
        if node.get("open"):
            return value, []
        fields, extra = node.get("fields", {}), node.get("extra")
        typed: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, sub in value.items():
            inner = f"{where}[{name}]" if where else name
            index = fields.get(name, extra)
            if index is None:
                problems.append(Problem(unknown_parameter(inner)))
                continue
            typed[name], found = self._read(index, sub, inner)
            problems += found
        for name in node.get("required", ()):
            if name not in value:
                problems.append(Problem(missing_parameter(f"{where}[{name}]" if where else name)))
        return typed, problems

    def _read_array(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if not isinstance(value, dict) or not all(position.isdigit() for position in value):
            return value, [Problem(invalid_parameter(where, "Invalid array"), misfit=True)]
        typed: list[Any] = []
        problems: list[Problem] = []
        for position in sorted(value, key=int):
            element, found = self._read(node["items"], value[position], f"{where}[{position}]")
            typed.append(element)
            problems += found
        return typed, problems

    def _read_string(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if not isinstance(value, str):
            return value, [Problem(invalid_parameter(where, f"Invalid string: {value}"), misfit=True)]
        choices = node.get("enum")
        if choices and value not in choices:
            return value, [Problem(_not_one_of(where, value, choices), misfit=choices == [""])]
        if len(value) > node.get("max", len(value)):
            return value, [Problem(_too_long(where, value, node["max"]))]
        if "pattern" in node and not re.search(node["pattern"], value):
            return value, [Problem(invalid_parameter(where, f"Invalid decimal: {value}", "parameter_invalid_integer"))]
        return value, []

    def _read_integer(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            error = invalid_parameter(where, f"Invalid integer: {value}", "parameter_invalid_integer")
            return value, [Problem(error, misfit=not isinstance(value, str))]
        return int(value), []

    def _read_number(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            return value, [Problem(invalid_parameter(where, f"Invalid decimal: {value}"), misfit=True)]
        return Decimal(value), []

    def _read_boolean(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        if value not in ("true", "false"):
            return value, [Problem(invalid_parameter(where, f"Invalid boolean: {value}"), misfit=True)]
        if "enum" in node and (value == "true") not in node["enum"]:
            return value, [Problem(_not_one_of(where, value, node["enum"]))]
        return value == "true", []

    def _read_anything(self, node: dict[str, Any], value: Any, where: str) -> tuple[Any, list[Problem]]:
        return value, []


_READERS = {
    "object": Operation._read_object,
    "array": Operation._read_array,
    "string": Operation._read_string,
    "integer": Operation._read_integer,
    "number": Operation._read_number,
    "boolean": Operation._read_boolean,
    "any": Operation._read_anything,
}


@cache
def operations() -> dict[str, Operation]:
    """Every operation of the pinned API version by `"POST /v1/invoices/{invoice}/pay"`."""
    document = json.loads((DATA / "operations.json").read_text(encoding="utf-8"))
    return {name: Operation(name, root, document["nodes"]) for name, root in document["operations"].items()}


@cache
def objects() -> dict[str, dict[str, Any]]:
    """Per object name: `blank` (what is always present) and `expand` (its references)."""
    return json.loads((DATA / "objects.json").read_text(encoding="utf-8"))


def _check_prose_limits(path: str, params: dict[str, Any]) -> None:
    """Limits that Stripe's reference gives in words: page size, 250 lines, four levels of expansion, metadata."""
    limit = params.get("limit")
    if isinstance(limit, int) and not 1 <= limit <= 100:
        raise invalid_parameter("limit", f"Invalid limit: {limit}. It must be between 1 and 100.")
    if re.search(r"/(add|update|remove)_lines$", path) and not 1 <= len(params["lines"]) <= 250:
        raise invalid_parameter("lines", "Between 1 and 250 lines can be sent at once.")
    for name in params.get("expand") or ():
        if name.count(".") + 1 - name.startswith("data.") > 4:
            raise invalid_parameter("expand", f"You cannot expand more than 4 levels of a property: {name}")
    for where, metadata in _metadata(params, ""):
        _check_metadata(where, metadata)


def _metadata(node: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in items:
        inner = f"{where}[{name}]" if where else str(name)
        if name in ("metadata", "invoice_metadata") and isinstance(value, dict):
            yield inner, value
        elif isinstance(value, dict | list):
            yield from _metadata(value, inner)


def _check_metadata(where: str, metadata: dict[str, Any]) -> None:
    if len(metadata) > 50:
        raise invalid_parameter(where, "Metadata can have at most 50 keys.")
    for key, value in metadata.items():
        if len(key) > 40 or "[" in key or "]" in key:
            raise invalid_parameter(f"{where}[{key}]", f"Metadata keys can be at most 40 characters: {key}")
        if isinstance(value, str) and len(value) > 500:
            raise invalid_parameter(f"{where}[{key}]", f"Metadata values can be at most 500 characters: {key}")


def _not_one_of(where: str, value: Any, choices: list[Any]) -> ApiError:
    shown = ", ".join(str(choice) for choice in choices[:30])
    return invalid_parameter(where, f"Invalid {where}: must be one of {shown}")


def _too_long(where: str, value: str, most: int) -> ApiError:
    return invalid_parameter(where, f"Invalid string: {value[:20]}…; must be at most {most} characters")
