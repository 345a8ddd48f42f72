"""OpenMeter's v3: one file per resource. Served under `/v3/openmeter` and `/api/v3/openmeter`."""

from fastapi import APIRouter

from dashboard.api.v3 import apps, checkout, customer_billing, customers, profiles

router = APIRouter()
for resource in (customers, customer_billing, checkout, profiles, apps):
    router.include_router(resource.router)
