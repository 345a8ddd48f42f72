"""Tax settings: the head office and the defaults."""

from typing import Any

from dashboard.stripe_sandbox import tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter
from dashboard.stripe_sandbox.resources import tax_codes
from dashboard.stripe_sandbox.resources.common import address
from dashboard.stripe_sandbox.routing import operation


@operation("GET /v1/tax/settings")
def retrieve(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return tax.settings(ctx)


@operation("POST /v1/tax/settings")
def update(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    before = tax.settings(ctx)
    state = ctx.state()
    stored = state.setdefault("tax", {"head_office": None, "defaults": {}})
    if "head_office" in params:
        office = address(params["head_office"]["address"])
        if not office or not office["country"]:
            raise invalid_parameter("head_office[address][country]", "The head office needs a country.")
        stored["head_office"] = {"address": office}
    for name, value in params.get("defaults", {}).items():
        stored["defaults"][name] = tax_codes.check(value, "defaults[tax_code]") if name == "tax_code" else value
    ctx.save_state(state)
    after = tax.settings(ctx)
    if before != after:
        previous = {name: before[name] for name in before if before[name] != after[name]}
        ctx.emit("tax.settings.updated", after, previous)
    return after
