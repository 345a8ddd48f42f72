"""Tax rates that a seller sets by hand. They cannot be deleted, only archived."""

from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import update
from dashboard.stripe_sandbox.routing import operation

CHANGEABLE = (
    "active", "country", "description", "display_name", "jurisdiction", "metadata", "state", "tax_type",
)  # fmt: skip


@operation("POST /v1/tax_rates")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    rate = new_rate(ctx, params)
    ctx.emit("tax_rate.created", rate)
    return rate


@operation("GET /v1/tax_rates/{tax_rate}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("tax_rate", id)


@operation("POST /v1/tax_rates/{tax_rate}")
def change(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return update(ctx, ctx.need("tax_rate", id), params, CHANGEABLE, "tax_rate.updated")


@operation("GET /v1/tax_rates")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("active", "inclusive") if name in params}
    return page(ctx, "tax_rate", params, "/v1/tax_rates", where)


def new_rate(ctx: Context, given: dict[str, Any]) -> dict[str, Any]:
    """A stored tax rate; not yet told. Percentages have at most four decimals, up to 100."""
    percent = Decimal(given["percentage"])
    if not 0 <= percent <= 100:
        raise invalid_parameter("percentage", "The percentage must be between 0 and 100.")
    rate = ctx.new(
        "tax_rate",
        active=given.get("active", True),
        country=given.get("country") or None,
        description=given.get("description") or None,
        display_name=given["display_name"],
        inclusive=given["inclusive"],
        jurisdiction=given.get("jurisdiction") or None,
        jurisdiction_level=given.get("jurisdiction_level"),
        metadata=given.get("metadata") or {},
        percentage=float(percent),
        rate_type="percentage",
        state=given.get("state") or None,
        tax_type=given.get("tax_type"),
        _percent=str(percent),
    )
    return ctx.save(rate)
