"""A customer's tax ids. Values are checked by form; the verification of EU and GB numbers follows from test values."""

from typing import Any

from dashboard.stripe_sandbox import tax_id_formats
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import deleted
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/customers/{customer}/tax_ids")
def create(ctx: Context, params: dict[str, Any], customer_id: str) -> dict[str, Any]:
    return add(ctx, ctx.need("customer", customer_id, "customer", 404), params["type"], params["value"])


@operation("GET /v1/customers/{customer}/tax_ids")
def index(ctx: Context, params: dict[str, Any], customer_id: str) -> dict[str, Any]:
    ctx.need("customer", customer_id, "customer", 404)
    return page(ctx, "tax_id", params, f"/v1/customers/{customer_id}/tax_ids", {"customer": customer_id})


@operation("GET /v1/customers/{customer}/tax_ids/{id}")
def retrieve(ctx: Context, params: dict[str, Any], customer_id: str, id: str) -> dict[str, Any]:
    return ctx.need("tax_id", id)


@operation("DELETE /v1/customers/{customer}/tax_ids/{id}")
def delete(ctx: Context, params: dict[str, Any], customer_id: str, id: str) -> dict[str, Any]:
    tax_id = ctx.need("tax_id", id)
    ctx.delete(tax_id)
    ctx.emit("customer.tax_id.deleted", tax_id)
    return deleted(tax_id)


def add(ctx: Context, customer: dict[str, Any], type: str, value: str, *, announce: bool = True) -> dict[str, Any]:
    """A new tax id of the customer; raises `tax_id_invalid` for a value of the wrong form."""
    cleaned = value.strip()
    if not tax_id_formats.fits(type, cleaned):
        raise invalid_parameter("value", f"Invalid value for {type}.", "tax_id_invalid")
    if len(ctx.find("tax_id", {"customer": customer["id"]}, limit=5)) >= 5:
        raise refused("A customer can have at most five tax ids.")
    tax_id = ctx.new(
        "tax_id",
        country=tax_id_formats.country(type, cleaned),
        customer=customer["id"],
        owner={"customer": customer["id"], "customer_account": None, "type": "customer"},
        type=type,
        value=cleaned,
        verification=tax_id_formats.verification(type, cleaned),
    )
    ctx.save(tax_id)
    if announce:
        ctx.emit("customer.tax_id.created", tax_id)
    return tax_id
