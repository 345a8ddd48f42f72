"""OpenMeter's v3, resource by resource; those that are asked for most come first."""

from dashboard.api.v3 import (
    apps,
    checkout,
    customer_billing,
    customers,
    events,
    features,
    invoices,
    meters,
    plans,
    profiles,
    subscriptions,
    tax_codes,
)

ROUTERS = [
    resource.router
    for resource in (
        customers,
        events,
        customer_billing,
        checkout,
        invoices,
        profiles,
        meters,
        features,
        plans,
        subscriptions,
        tax_codes,
        apps,
    )
]
