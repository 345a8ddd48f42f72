"""Events of the last thirty days, newest first, as they were rendered when they happened."""

import json
import sqlite3
from typing import Any

from dashboard.stripe_sandbox.context import Context, Rendered
from dashboard.stripe_sandbox.errors import invalid_parameter, not_found
from dashboard.stripe_sandbox.lists import created_range, listing
from dashboard.stripe_sandbox.routing import operation

KEPT_SECONDS = 30 * 86400
MOST_TYPES = 20


@operation("GET /v1/events/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return Rendered(_shown(_row(ctx, id, "id", 404)))


@operation("GET /v1/events")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    clauses, values = ["account = ?", "created > ?"], [ctx.account, ctx.now - KEPT_SECONDS]
    _add_types(params, clauses, values)
    if "delivery_success" in params:
        clauses.append("failed = 0 AND pending = 0" if params["delivery_success"] else "failed = 1")
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    for name, bound in (created_range(params) or {}).items():
        clauses.append(f"created {signs[name]} ?")
        values.append(bound)
    limit, backwards = params.get("limit", 10), "ending_before" in params
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        if name in params:
            clauses.append(f"seq {sign} ?")
            values.append(_row(ctx, params[name], name, 400)["seq"])
    order = "ASC" if backwards else "DESC"
    sql = f"SELECT * FROM events WHERE {' AND '.join(clauses)} ORDER BY seq {order} LIMIT {limit + 1}"
    rows = ctx.store.all(sql, values)
    found = [_shown(row) for row in rows[:limit]]
    if backwards:
        found.reverse()
    return listing(found, "/v1/events", len(rows) > limit)


def _add_types(params: dict[str, Any], clauses: list[str], values: list[Any]) -> None:
    if "type" in params and "types" in params:
        raise invalid_parameter("type", "You may only specify one of these parameters: type, types.")
    types = params.get("types") or ([params["type"]] if "type" in params else [])
    if len(types) > MOST_TYPES:
        raise invalid_parameter("types", f"At most {MOST_TYPES} event types can be given.")
    if not types:
        return
    matches = []
    for name in types:
        matches.append("type GLOB ?")
        values.append(name)
    clauses.append(f"({' OR '.join(matches)})")


def _row(ctx: Context, id: str, param: str, status: int) -> sqlite3.Row:
    row = ctx.store.one("SELECT * FROM events WHERE account = ? AND id = ?", (ctx.account, id))
    if row is None or row["created"] <= ctx.now - KEPT_SECONDS:
        raise not_found("event", id, param, status)
    return row


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return json.loads(row["body"]) | {"pending_webhooks": row["pending"]}
