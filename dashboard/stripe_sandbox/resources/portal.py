"""The customer portal: its configurations, and sessions with a short-lived address."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter, refused
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import require, save_changes, set_fields
from dashboard.stripe_sandbox.routing import operation

CONFIGURATIONS = "/v1/billing_portal/configurations"


@operation(f"POST {CONFIGURATIONS}")
def create_configuration(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    is_first = not ctx.find("billing_portal.configuration", {"is_default": True}, limit=1)
    configuration = ctx.new(
        "billing_portal.configuration",
        active=True,
        features=_features(params["features"]),
        is_default=is_first,
        login_page={"enabled": False, "url": None},
        metadata=params.get("metadata") or {},
        name=params.get("name") or None,
        updated=ctx.now,
    )
    _apply(ctx, configuration, params)
    ctx.emit("billing_portal.configuration.created", configuration)
    return ctx.save(configuration)


@operation(f"GET {CONFIGURATIONS}/{{configuration}}")
def retrieve_configuration(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("billing_portal.configuration", id)


@operation(f"POST {CONFIGURATIONS}/{{configuration}}")
def update_configuration(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    configuration = ctx.need("billing_portal.configuration", id)
    before = copy.deepcopy(configuration)
    if params.get("active") is False and configuration["is_default"]:
        raise refused("The default configuration cannot be deactivated.", param="active")
    set_fields(configuration, params, ("active", "metadata", "name"))
    if "features" in params:
        configuration["features"] = _features(params["features"], configuration["features"])
    _apply(ctx, configuration, params)
    configuration["updated"] = ctx.now
    return save_changes(ctx, configuration, before, "billing_portal.configuration.updated")


@operation(f"GET {CONFIGURATIONS}")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("active", "is_default") if name in params}
    if ctx.portal_unconfigured:
        where["id"] = "none"
    return page(ctx, "billing_portal.configuration", params, CONFIGURATIONS, where)


@operation("POST /v1/billing_portal/sessions")
def create_session(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    require(params, "customer")
    customer = ctx.need("customer", params["customer"], "customer")
    configuration = _configuration(ctx, params)
    if "on_behalf_of" in params:
        raise refused("This account is not a Connect platform.", param="on_behalf_of")
    return_url = params.get("return_url") or configuration["default_return_url"]
    session = ctx.new(
        "billing_portal.session",
        configuration=configuration["id"],
        customer=customer["id"],
        flow=_flow(configuration, params["flow_data"]) if "flow_data" in params else None,
        locale=params.get("locale"),
        return_url=return_url,
        _opened=None,
    )
    key = secret(48)
    session["_key"] = key
    session["url"] = f"{ctx.base_url}/p/session/{session['id']}?key={key}"
    if "after_expiration" in params:
        given = params["after_expiration"]
        login = given.get("customer_login")
        session["after_expiration"] = {
            "customer_login": {"expires_at": login.get("expires_at")} if login else None, "type": given["type"]
        }  # fmt: skip
    ctx.save(session)
    ctx.emit("billing_portal.session.created", session)
    return session


def _configuration(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if params.get("configuration"):
        configuration = ctx.need("billing_portal.configuration", params["configuration"], "configuration")
        if not configuration["active"]:
            raise invalid_parameter("configuration", "The configuration is not active.")
        return configuration
    found = ctx.find("billing_portal.configuration", {"is_default": True}, limit=1)
    if not found or ctx.portal_unconfigured:
        raise refused(
            "No configuration provided and your test mode default configuration has not been created. Provide a "
            "configuration or create your default by saving your customer portal settings in test mode.",
            param="configuration",
        )
    return found[0]


def _apply(ctx: Context, configuration: dict[str, Any], params: dict[str, Any]) -> None:
    for name, value in params.get("business_profile", {}).items():
        configuration["business_profile"][name] = value or None
    if "default_return_url" in params:
        configuration["default_return_url"] = params["default_return_url"] or None
    if "login_page" in params:
        enabled = params["login_page"]["enabled"]
        url = f"{ctx.base_url}/p/login/{configuration['id']}" if enabled else None
        configuration["login_page"] = {"enabled": enabled, "url": url}


def _features(given: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    features = copy.deepcopy(old) if old else _no_features()
    for name, values in given.items():
        merged = features[name] | {key: value for key, value in values.items() if value != ""}
        if name == "customer_update" and merged["enabled"] and not merged["allowed_updates"]:
            raise missing_parameter("features[customer_update][allowed_updates]")
        if name == "subscription_cancel" and isinstance(values.get("cancellation_reason"), dict):
            reason = features[name]["cancellation_reason"] | values["cancellation_reason"]
            reason["options"] = reason["options"] or []
            reason["feedback_options"] = reason["feedback_options"] or None
            merged["cancellation_reason"] = reason
        if name == "subscription_update":
            merged.pop("products", None)
            conditions = (values.get("schedule_at_period_end") or {}).get("conditions") or []
            merged["schedule_at_period_end"] = {"conditions": conditions}
        if name == "subscription_pause":
            merged["duration"] = _duration(values.get("duration") or {})
        features[name] = merged
    return features


def _duration(given: dict[str, Any]) -> dict[str, Any]:
    options = [
        {"interval": entry["interval"], "interval_count": entry.get("interval_count", 1)}
        for entry in given.get("interval_options") or []
    ]
    return {"interval_options": options, "type": given.get("type", "indefinite")}


def _no_features() -> dict[str, Any]:
    return {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": False},
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []},
            "enabled": False, "mode": "at_period_end", "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None, "default_allowed_updates": [], "enabled": False, "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []}, "trial_update_behavior": "end_trial",
        },
    }  # fmt: skip


def _flow(configuration: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    kind = given["type"]
    if kind.startswith("subscription"):
        raise invalid_parameter("flow_data[type]", "This sandbox has no subscriptions to change.")
    feature = {"payment_method_update": "payment_method_update", "customer_update": "customer_update"}[kind]
    if not configuration["features"][feature]["enabled"]:
        raise invalid_parameter("flow_data[type]", f"The configuration does not enable {feature}.")
    after = given.get("after_completion", {"type": "portal_homepage"})
    redirect, confirmation = after.get("redirect"), after.get("hosted_confirmation")
    return {
        "after_completion": {
            "hosted_confirmation": {"custom_message": confirmation.get("custom_message")} if confirmation else None,
            "redirect": {"return_url": redirect["return_url"]} if redirect else None,
            "type": after["type"],
        },
        "customer_update": {} if kind == "customer_update" else None,
        "subscription_cancel": None, "subscription_pause": None, "subscription_update": None,
        "subscription_update_confirm": None, "type": kind,
    }  # fmt: skip
