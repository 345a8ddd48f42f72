"""v1: what a customer may use now."""

import json
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Response

from dashboard.api.auth import Viewer
from dashboard.api.shapes import IdOrKey, reply, without_none
from dashboard.backend import running
from dashboard.subscriptions.access import FeatureAccess, customer_access

router = APIRouter(prefix="/api/v1/customers/{customer_id_or_key}", tags=["Customers"])


@router.get("/access")
async def get_customer_access(_: Viewer, customer_id_or_key: IdOrKey) -> Response:
    """Feature by feature what the rate cards of the running subscription grant, and how much of it is used."""
    backend = running()
    found = await customer_access(backend.database, backend.event_store, customer_id_or_key)
    return reply({"entitlements": {key: access_to_v1(one) for key, one in found.items()}})


def access_to_v1(access: FeatureAccess) -> dict[str, Any]:
    """v1's `EntitlementValue`."""
    metered: list[tuple[str, Any]] = []
    if access.used is not None and access.limit is not None:
        metered = [
            ("balance", max(access.limit - access.used, Decimal(0))),
            ("usage", access.used),
            ("overage", max(access.used - access.limit, Decimal(0))),
            ("totalAvailableGrantAmount", access.limit),
        ]
    config = None if access.config is None else json.dumps(access.config)
    return without_none([("hasAccess", access.has_access), *metered, ("config", config)])
