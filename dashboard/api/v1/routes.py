"""OpenMeter's v1: one file per resource."""

from fastapi import APIRouter

from dashboard.api.v1 import (
    apps,
    checkout,
    customer_apps,
    customer_overrides,
    customers,
    events,
    features,
    info,
    invoices,
    marketplace,
    meters,
    pending_lines,
    plans,
    profiles,
    stripe_webhook,
    subscriptions,
)

router = APIRouter()
for resource in (
    stripe_webhook,
    marketplace,
    apps,
    profiles,
    customer_overrides,
    customers,
    customer_apps,
    checkout,
    pending_lines,
    invoices,
    meters,
    events,
    features,
    plans,
    subscriptions,
    info,
):
    router.include_router(resource.router)
