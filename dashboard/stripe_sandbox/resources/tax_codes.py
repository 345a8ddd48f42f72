"""Stripe's product tax codes: a bundled list of those that matter, with their true ids."""

import json
from functools import cache
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import not_found
from dashboard.stripe_sandbox.lists import slice_page
from dashboard.stripe_sandbox.routing import operation
from dashboard.stripe_sandbox.schema import DATA


@operation("GET /v1/tax_codes")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return slice_page(ctx, list(codes().values()), params, "/v1/tax_codes", "tax code")


@operation("GET /v1/tax_codes/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    check(id, "id", 404)
    return codes()[id]


def check(id: str, param: str, status: int = 400) -> str:
    """The id; raises `resource_missing` for an unknown one."""
    if id not in codes():
        raise not_found("tax code", id, param, status)
    return id


@cache
def codes() -> dict[str, dict[str, Any]]:
    """All tax codes by id."""
    entries = json.loads((DATA / "tax_codes.json").read_text(encoding="utf-8"))
    return {
        id: {"id": id, "object": "tax_code", "description": text, "name": name, "requirements": None}
        for id, name, text in entries
    }
