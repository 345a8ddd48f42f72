"""Stripe's search language: `email:"a@b.c" AND metadata["key"]:"value"`, `created>1700000000`, `-status:"paid"`.

https://docs.stripe.com/search. The index lags behind writes, at Stripe up to a minute: here two seconds.
"""

import re
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter

LAG_SECONDS = 2
_CLAUSE = re.compile(
    r"""\s*(?P<not>-|NOT\s+)?(?P<field>\w+(?:\.\w+)*)(?:\[["'](?P<key>[^"']+)["']\])?\s*(?P<op>:|~|>=|<=|>|<)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.+-]+)\s*"""
)
_JOINT = re.compile(r"(AND|OR)\s+", re.IGNORECASE)
Clause = tuple[bool, str, str | None, str, Any]


def search_page(ctx: Context, kind: str, params: dict[str, Any], url: str) -> dict[str, Any]:
    """One page of a search result object. Raises ApiError 400 for a query that cannot be read."""
    clauses, any_of = parse(params["query"])
    limit = params.get("limit", 10)
    start = int(params.get("page") or 0) if str(params.get("page") or 0).isdigit() else 0
    until = {"lte": ctx.now - LAG_SECONDS}
    decide = any if any_of else all
    found = [
        obj
        for obj in ctx.find(kind, {"deleted": None}, created=until)
        if decide(_holds(obj, clause) for clause in clauses)
    ]
    more = start + limit < len(found)
    return {
        "object": "search_result",
        "data": [ctx.render(obj) for obj in found[start : start + limit]],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def parse(query: str) -> tuple[list[Clause], bool]:
    """The clauses of a query, and whether one of them is enough. AND and OR cannot be mixed, as at Stripe."""
    clauses: list[Clause] = []
    joints: set[str] = set()
    position = 0
    while position < len(query):
        found = _CLAUSE.match(query, position)
        if not found:
            raise invalid_parameter(
                "query", f"The search query could not be parsed near: {query[position : position + 20]}"
            )
        clauses.append((bool(found["not"]), found["field"], found["key"], found["op"], _value(found["value"])))
        position = found.end()
        joint = _JOINT.match(query, position)
        if joint:
            joints.add(joint[1].upper())
            position = joint.end()
    if not clauses or len(joints) > 1:
        raise invalid_parameter("query", "A query needs clauses joined by AND or by OR, not by both.")
    return clauses, joints == {"OR"}


def _value(text: str) -> Any:
    if text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return None if text == "null" else text


def _holds(obj: dict[str, Any], clause: Clause) -> bool:
    negated, field, key, operator, wanted = clause
    actual: Any = obj
    for part in [*field.split("."), *([key] if key else [])]:
        actual = actual.get(part) if isinstance(actual, dict) else None
    return _compare(actual, operator, wanted) is not negated


def _compare(actual: Any, operator: str, wanted: Any) -> bool:
    if wanted is None:
        return actual is None
    if actual is None:
        return False
    if operator in (">", "<", ">=", "<="):
        left, right = int(actual), int(wanted)
        return {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[operator]
    text = str(actual).lower()
    return str(wanted).lower() in text if operator == "~" else text == str(wanted).lower()
