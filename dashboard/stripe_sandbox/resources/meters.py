"""Billing meters: accept events and sum them; nothing is billed from them here."""

import copy
from decimal import Decimal, InvalidOperation
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter, not_found, refused
from dashboard.stripe_sandbox.ids import new_id, token
from dashboard.stripe_sandbox.lists import listing, page
from dashboard.stripe_sandbox.resources.common import save_changes
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/billing/meters")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    if ctx.find("billing.meter", {"event_name": params["event_name"], "status": "active"}, limit=1):
        raise refused(f"An active meter already exists for event name {params['event_name']}.", param="event_name")
    meter = ctx.new(
        "billing.meter",
        customer_mapping=params.get("customer_mapping", {"event_payload_key": "stripe_customer_id", "type": "by_id"}),
        default_aggregation=params["default_aggregation"],
        display_name=params["display_name"],
        event_name=params["event_name"],
        event_time_window=params.get("event_time_window"),
        status="active",
        updated=ctx.now,
        value_settings=params.get("value_settings", {"event_payload_key": "value"}),
    )
    ctx.emit("billing.meter.created", meter)
    return ctx.save(meter)


@operation("GET /v1/billing/meters/{id}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("billing.meter", id)


@operation("POST /v1/billing/meters/{id}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    meter = ctx.need("billing.meter", id)
    before = copy.deepcopy(meter)
    meter["display_name"] = params.get("display_name", meter["display_name"])
    return save_changes(ctx, meter, before, "billing.meter.updated")


@operation("POST /v1/billing/meters/{id}/deactivate")
def deactivate(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    meter = ctx.need("billing.meter", id)
    meter |= {"status": "inactive", "status_transitions": {"deactivated_at": ctx.now}}
    ctx.emit("billing.meter.deactivated", meter)
    return ctx.save(meter)


@operation("POST /v1/billing/meters/{id}/reactivate")
def reactivate(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    meter = ctx.need("billing.meter", id)
    meter |= {"status": "active", "status_transitions": {"deactivated_at": None}}
    ctx.emit("billing.meter.reactivated", meter)
    return ctx.save(meter)


@operation("GET /v1/billing/meters")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {"status": params["status"]} if "status" in params else {}
    return page(ctx, "billing.meter", params, "/v1/billing/meters", where)


@operation("POST /v1/billing/meter_events")
def create_event(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    meter = _meter_for(ctx, params["event_name"])
    key = meter["customer_mapping"]["event_payload_key"]
    payload = {name: str(value) for name, value in params["payload"].items()}
    if key not in payload:
        raise missing_parameter(f"payload[{key}]")
    identifier = params.get("identifier") or token(32)
    if ctx.find("billing.meter_event", {"identifier": identifier}, limit=1):
        raise refused(f"An event already exists with identifier {identifier}.", param="identifier")
    event = ctx.new(
        "billing.meter_event",
        created=ctx.now,
        event_name=params["event_name"],
        identifier=identifier,
        payload=payload,
        timestamp=params.get("timestamp", ctx.now),
        _parent=meter["id"],
        _customer=payload[key],
        _value=_value(meter, payload),
    )
    ctx.save(event)
    return {name: value for name, value in event.items() if name != "id"}


@operation("POST /v1/billing/meter_event_adjustments")
def adjust(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    identifier = params.get("cancel", {}).get("identifier")
    if not identifier:
        raise missing_parameter("cancel[identifier]")
    found = ctx.find("billing.meter_event", {"identifier": identifier, "event_name": params["event_name"]}, limit=1)
    if not found:
        raise not_found("meter event", identifier, "cancel[identifier]", 400)
    ctx.delete(found[0])
    return {
        "object": "billing.meter_event_adjustment", "cancel": {"identifier": identifier},
        "event_name": params["event_name"], "livemode": False, "status": "complete", "type": "cancel",
    }  # fmt: skip


@operation("GET /v1/billing/meters/{id}/event_summaries")
def summaries(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    meter = ctx.need("billing.meter", id)
    start, end = params["start_time"], params["end_time"]
    if end <= start or start % 60 or end % 60:
        raise invalid_parameter("end_time", "start_time and end_time must be whole minutes, and end after start.")
    windows = {"day": 86400, "hour": 3600}
    step = windows.get(params.get("value_grouping_window", ""), int(end) - int(start))
    events = [
        event
        for event in ctx.find("billing.meter_event", {"parent": id}, newest_first=False)
        if event["_customer"] == params["customer"]
    ]
    buckets = []
    for at in range(start, end, step):
        until = min(at + step, end)
        inside = [Decimal(event["_value"]) for event in events if at <= event["timestamp"] < until]
        buckets.append(
            {
                "id": new_id("billing.meter").replace("mtr_test_", "mtrusg_test_"),
                "object": "billing.meter_event_summary",
                "aggregated_value": _aggregate(meter, inside),
                "end_time": until,
                "livemode": False,
                "meter": id,
                "start_time": at,
            }
        )
    buckets.reverse()
    limit = params.get("limit", 10)
    return listing(buckets[:limit], f"/v1/billing/meters/{id}/event_summaries", len(buckets) > limit)


def _meter_for(ctx: Context, event_name: str) -> dict[str, Any]:
    found = ctx.find("billing.meter", {"event_name": event_name, "status": "active"}, limit=1)
    if not found:
        raise not_found("active meter for event", event_name, "event_name", 400)
    return found[0]


def _value(meter: dict[str, Any], payload: dict[str, str]) -> str:
    if meter["default_aggregation"]["formula"] == "count":
        return "1"
    text = payload.get(meter["value_settings"]["event_payload_key"], "")
    try:
        return str(Decimal(text))
    except InvalidOperation:
        raise invalid_parameter("payload", f"The value {text!r} is not a number.") from None


def _aggregate(meter: dict[str, Any], values: list[Decimal]) -> float:
    if not values:
        return 0
    return float(values[-1] if meter["default_aggregation"]["formula"] == "last" else sum(values))
