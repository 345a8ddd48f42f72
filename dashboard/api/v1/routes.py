"""OpenMeter's v1, resource by resource; those that are asked for most come first."""

from dashboard.api.v1 import (
    apps,
    checkout,
    customer_access,
    customer_apps,
    customer_overrides,
    customers,
    events,
    features,
    info,
    invoices,
    marketplace,
    meter_usage,
    meters,
    pending_lines,
    plans,
    profiles,
    stripe_webhook,
    subjects,
    subscriptions,
)

ROUTERS = [
    resource.router
    for resource in (
        customers,
        events,
        customer_apps,
        checkout,
        stripe_webhook,
        customer_access,
        invoices,
        pending_lines,
        customer_overrides,
        profiles,
        meters,
        meter_usage,
        features,
        plans,
        subscriptions,
        subjects,
        apps,
        marketplace,
        info,
    )
]
