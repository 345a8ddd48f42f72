"""Webhook endpoints. The signing secret is told once, when the endpoint is made."""

import copy
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from dashboard.stripe_sandbox import API_VERSION
from dashboard.stripe_sandbox.context import Context, Rendered
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import deleted, save_changes, set_fields
from dashboard.stripe_sandbox.routing import operation

MOST = 16


@operation("POST /v1/webhook_endpoints")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if params.get("connect"):
        raise refused("This account is not a Connect platform.", param="connect")
    if len(ctx.find("webhook_endpoint")) >= MOST:
        raise refused(f"You have reached the maximum of {MOST} test webhook endpoints.")
    version = params.get("api_version", API_VERSION)
    if version != API_VERSION:
        raise invalid_parameter("api_version", f"This sandbox renders events by {API_VERSION} only.")
    endpoint = ctx.new(
        "webhook_endpoint",
        api_version=version,
        description=params.get("description") or None,
        enabled_events=_events(params["enabled_events"]),
        metadata=params.get("metadata") or {},
        status="enabled",
        url=check_url(params["url"]),
        _secret=f"whsec_{secret(32)}",
    )
    ctx.save(endpoint)
    return Rendered(ctx.render(endpoint) | {"secret": endpoint["_secret"]})


@operation("GET /v1/webhook_endpoints/{webhook_endpoint}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("webhook_endpoint", id)


@operation("POST /v1/webhook_endpoints/{webhook_endpoint}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    endpoint = ctx.need("webhook_endpoint", id)
    before = copy.deepcopy(endpoint)
    set_fields(endpoint, params, ("description", "metadata"))
    if "enabled_events" in params:
        endpoint["enabled_events"] = _events(params["enabled_events"])
    if "url" in params:
        endpoint["url"] = check_url(params["url"])
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    return save_changes(ctx, endpoint, before, None)


@operation("DELETE /v1/webhook_endpoints/{webhook_endpoint}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    endpoint = ctx.need("webhook_endpoint", id)
    ctx.delete(endpoint)
    return deleted(endpoint)


@operation("GET /v1/webhook_endpoints")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return page(ctx, "webhook_endpoint", params, "/v1/webhook_endpoints")


def check_url(url: str) -> str:
    """https anywhere, http on this machine only. Raises `url_invalid`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return url
    if parts.scheme == "http" and _is_loopback(host):
        return url
    raise ApiError(
        400, "Invalid URL: URL must be publicly accessible over https (this sandbox also takes http on loopback).",
        code="url_invalid", param="url",
    )  # fmt: skip


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _events(names: list[str]) -> list[str]:
    if not names:
        raise invalid_parameter("enabled_events", "At least one event is needed.")
    return list(dict.fromkeys(names))
