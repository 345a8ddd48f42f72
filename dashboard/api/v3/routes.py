"""OpenMeter's v3: one file per resource. Served under `/v3/openmeter` and `/api/v3/openmeter`."""

from fastapi import APIRouter

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

router = APIRouter()
for resource in (
    customers,
    customer_billing,
    checkout,
    profiles,
    apps,
    invoices,
    tax_codes,
    meters,
    events,
    features,
    plans,
    subscriptions,
):
    router.include_router(resource.router)
