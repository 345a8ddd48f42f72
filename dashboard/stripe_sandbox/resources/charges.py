"""Charges: made by payment intents, only read here."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.lists import page, slice_page
from dashboard.stripe_sandbox.routing import includable, operation


@operation("GET /v1/charges")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("customer", "payment_intent", "transfer_group") if name in params}
    return page(ctx, "charge", params, "/v1/charges", where)


@operation("GET /v1/charges/{charge}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("charge", id)


@includable("charge", "refunds")
def refunds_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    found = ctx.find("refund", {"charge": shown["id"]})
    return slice_page(ctx, found, {}, f"/v1/charges/{shown['id']}/refunds")
