"""Tax registrations: where the seller collects."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context, renders
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter
from dashboard.stripe_sandbox.lists import slice_page
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/tax/registrations")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    country = params["country"].upper()
    options = params["country_options"].get(country.lower())
    if len(country) != 2 or options is None:
        raise missing_parameter(f"country_options[{country.lower()}]")
    registration = ctx.new(
        "tax.registration",
        active_from=ctx.now if params["active_from"] == "now" else params["active_from"],
        country=country,
        country_options={country.lower(): _options(country, copy.deepcopy(options))},
        expires_at=params.get("expires_at"),
    )
    return ctx.save(registration)


@operation("GET /v1/tax/registrations/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("tax.registration", id)


@operation("POST /v1/tax/registrations/{id}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    registration = ctx.need("tax.registration", id)
    for name in ("active_from", "expires_at"):
        if name in params:
            value = params[name]
            registration[name] = ctx.now if value == "now" else None if value == "" else value
    if registration["expires_at"] and registration["expires_at"] < registration["active_from"]:
        raise invalid_parameter("expires_at", "A registration cannot expire before it is active.")
    return ctx.save(registration)


@operation("GET /v1/tax/registrations")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    wanted = params.get("status", "all")
    found = [obj for obj in ctx.find("tax.registration") if wanted in ("all", _status(ctx, obj))]
    return slice_page(ctx, found, params, "/v1/tax/registrations", "tax registration")


@renders("tax.registration")
def render(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    return shown | {"status": _status(ctx, shown)}


def _status(ctx: Context, registration: dict[str, Any]) -> str:
    if registration["expires_at"] and registration["expires_at"] <= ctx.now:
        return "expired"
    return "scheduled" if registration["active_from"] > ctx.now else "active"


def _options(country: str, options: dict[str, Any]) -> dict[str, Any]:
    """What the answer says in addition to the request."""
    if options.get("type") == "standard" and "standard" in options:
        options["standard"].setdefault("place_of_supply_scheme", "standard")
    if country == "CA" and options["type"] == "province_standard" and "province_standard" not in options:
        raise missing_parameter("country_options[ca][province_standard]")
    return options
