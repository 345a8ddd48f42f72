"""Invoice payments: which payment intents count towards which invoice."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.routing import operation


@operation("GET /v1/invoice_payments")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if "invoice" in params:
        where["parent"] = params["invoice"]
    if "status" in params:
        where["status"] = params["status"]
    if "payment" in params:
        kind = params["payment"]["type"]
        where[f"payment.{kind}"] = params["payment"].get(kind, "")
    return page(ctx, "invoice_payment", params, "/v1/invoice_payments", where)


@operation("GET /v1/invoice_payments/{invoice_payment}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("invoice_payment", id)
