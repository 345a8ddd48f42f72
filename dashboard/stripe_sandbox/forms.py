"""Form data with brackets, the way Stripe's SDKs write it: `a[b]=`, `a[]=`, `a[0][b]=`, `a[][b]=`."""

import re
from typing import Any
from urllib.parse import parse_qsl

from dashboard.stripe_sandbox.errors import ApiError

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def parse_form(text: str) -> dict[str, Any]:
    """Nested dicts of strings; a list is a dict keyed by position, until a schema says that it is a list.

    Raises ApiError 400 for a malformed key or one that is both a value and a container.
    """
    root: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        _put(root, _parts(key), value, key)
    return root


def _parts(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    if not match:
        raise ApiError(400, f"Invalid parameter name: {key}", code="parameter_unknown", param=key, executed=False)
    return [match[1], *_PART.findall(match[2])]


def _put(node: dict[str, Any], parts: list[str], value: str, key: str) -> None:
    *way, last = parts
    for position, part in enumerate(way):
        name = part or _list_slot(node, parts[position + 1])
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise _both_value_and_container(key)
    last = last or str(len(node))
    if isinstance(node.get(last), dict):
        raise _both_value_and_container(key)
    node[last] = value


def _list_slot(node: dict[str, Any], following: str) -> str:
    """The element that `list[][following]` speaks of: the last one, or a new one once that has the field."""
    if not node:
        return "0"
    last = str(len(node) - 1)
    has_field = isinstance(node.get(last), dict) and following in node[last]
    return str(len(node)) if has_field else last


def _both_value_and_container(key: str) -> ApiError:
    return ApiError(400, f"Invalid object: {key}", code="parameter_invalid_string_blank", param=key, executed=False)
