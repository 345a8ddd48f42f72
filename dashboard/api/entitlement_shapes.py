"""What a rate card grants. It is kept as one document; the two API generations write it differently.

Kept is `{type, is_soft_limit, limit, priority, preserve_overage, usage_period, config, metadata}`, as far as said.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from dashboard.api.shapes import Flag, without_none
from dashboard.api.v1.base import V1Model
from dashboard.api.v3.base import V3Model

Json = dict[str, Any]
Amount = Annotated[float, Field(ge=0, le=1e15)]


class EntitlementV1(V1Model):
    """`RateCardEntitlement`."""

    type: Literal["metered", "static", "boolean"]
    metadata: dict[str, str] | None = None
    is_soft_limit: Flag = False
    issue_after_reset: Amount | None = None
    issue_after_reset_priority: Annotated[int, Field(ge=1, le=255)] = 1
    preserve_overage_at_reset: Flag = False
    usage_period: str | None = None
    config: str | None = None


class EntitlementV3(V3Model):
    """`BillingRateCardEntitlement`."""

    type: Literal["metered", "static", "boolean"]
    is_soft_limit: Flag = False
    limit: Amount | None = None
    usage_period: str | None = None
    config: Any = None


def entitlement_from_v1(body: EntitlementV1 | None) -> Json | None:
    """The document that is kept."""
    if body is None:
        return None
    kept: Json = {"type": body.type} | without_none([("metadata", body.metadata)])
    if body.type == "static":
        return kept | {"config": _read(body.config)}
    if body.type == "metered":
        kept |= without_none(
            [
                ("is_soft_limit", body.is_soft_limit),
                ("limit", body.issue_after_reset),
                ("priority", body.issue_after_reset_priority),
                ("preserve_overage", body.preserve_overage_at_reset),
                ("usage_period", body.usage_period),
            ]
        )
    return kept


def entitlement_from_v3(body: EntitlementV3 | None) -> Json | None:
    """The document that is kept."""
    if body is None:
        return None
    if body.type == "static":
        return {"type": "static", "config": body.config}
    if body.type == "metered":
        return without_none(
            [
                ("type", "metered"),
                ("is_soft_limit", body.is_soft_limit),
                ("limit", body.limit),
                ("usage_period", body.usage_period),
            ]
        )
    return {"type": "boolean"}


def entitlement_to_v1(kept: Json | None) -> Json | None:
    """v1's `RateCardEntitlement`."""
    if not kept or kept.get("type") not in ("metered", "static", "boolean"):
        return None
    own: Json = {"type": kept["type"]} | without_none([("metadata", kept.get("metadata"))])
    if kept["type"] == "static":
        return own | {"config": json.dumps(kept.get("config"))}
    if kept["type"] == "metered":
        own |= without_none(
            [
                ("isSoftLimit", kept.get("is_soft_limit", False)),
                ("issueAfterReset", kept.get("limit")),
                ("issueAfterResetPriority", kept.get("priority", 1)),
                ("preserveOverageAtReset", kept.get("preserve_overage", False)),
                ("usagePeriod", kept.get("usage_period")),
            ]
        )
    return own


def entitlement_to_v3(kept: Json | None) -> Json | None:
    """v3's `BillingRateCardEntitlement`."""
    if not kept or kept.get("type") not in ("metered", "static", "boolean"):
        return None
    if kept["type"] == "static":
        return {"type": "static", "config": kept.get("config")}
    if kept["type"] == "boolean":
        return {"type": "boolean"}
    return without_none(
        [
            ("type", "metered"),
            ("is_soft_limit", kept.get("is_soft_limit", False)),
            ("limit", kept.get("limit")),
            ("usage_period", kept.get("usage_period")),
        ]
    )


def _read(config: str | None) -> Any:
    try:
        return json.loads(config or "null")
    except ValueError:
        return config
