"""v3 installed apps, and the catalog they come from. Only Stripe can be installed here."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr

from dashboard.api.app_install import install_with_key, stripe_key_at_work
from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Flag,
    Name,
    UlidUpperCase,
    nothing,
    optional_time,
    page_of,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.app_shapes import STRIPE_LISTING
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.kit.errors import NotFound
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.app_life import uninstall_stripe_app, update_stripe_app
from dashboard.stripe_app.apps import get_stripe_app, list_stripe_apps
from dashboard.stripe_app.inputs import UpdateStripeApp
from dashboard.stripe_app.views import StripeApp

router = APIRouter(tags=["v3 apps"])

_CAPABILITY_TYPES = {
    "calculateTax": "calculate_tax",
    "invoiceCustomers": "invoice_customers",
    "collectPayments": "collect_payments",
}
CATALOG_ITEM: dict[str, Any] = {
    "type": STRIPE_LISTING["type"],
    "name": STRIPE_LISTING["name"],
    "description": STRIPE_LISTING["description"],
    "capabilities": [one | {"type": _CAPABILITY_TYPES[one["type"]]} for one in STRIPE_LISTING["capabilities"]],
    "install_methods": STRIPE_LISTING["installMethods"],
}


class NotInCatalog(NotFound):
    code = "app_not_listed"
    remedy = "Install Stripe; the key sk_test_sandbox_demo needs no Stripe account."


class InstallStripeBody(V3Model):
    type: Literal["stripe"]
    name: Name
    create_billing_profile: Flag
    api_key: SecretStr


class InstallOtherBody(V3Model):
    type: Literal["sandbox", "external_invoicing"]
    name: Name
    create_billing_profile: Flag


class AppBody(V3Model):
    """`UpdateAppStripeRequest`."""

    type: Literal["stripe"]
    name: Name
    description: Description | None = None
    labels: Labels | None = None
    secret_api_key: SecretStr | None = None


@router.get("/app-catalog")
async def list_app_catalog(_: Viewer, page: PageQuery) -> Response:
    """What can be installed."""
    return reply(page_answer(page_of([CATALOG_ITEM], page), dict))


@router.post("/app-catalog/install", status_code=201)
async def install_app(
    actor: Admin, body: Annotated[InstallStripeBody | InstallOtherBody, Field(discriminator="type")]
) -> Response:
    """Installs the Stripe account that a key opens, on request with a billing profile."""
    if not isinstance(body, InstallStripeBody):
        raise NotInCatalog(f"The app {body.type} cannot be installed here.", field="type")
    with stripe_key_at_work("api_key"):
        done = await install_with_key(
            running(), actor, body.api_key, name=body.name, create_profile=body.create_billing_profile
        )
    capabilities = list(_CAPABILITY_TYPES.values()) if done.is_default else []
    return reply({"app": app_to_v3(done.app), "default_for_capability_types": capabilities}, 201)


@router.get("/app-catalog/{app_type}")
async def get_app_catalog_item(_: Viewer, app_type: Literal["stripe", "sandbox", "external_invoicing"]) -> Response:
    """One item of the catalog."""
    if app_type != "stripe":
        raise NotInCatalog(f"The app {app_type} cannot be installed here.")
    return reply(CATALOG_ITEM)


@router.get("/apps")
async def list_apps(_: Viewer, page: PageQuery) -> Response:
    """Installed apps, oldest first."""
    async with running().database.read() as session:
        return reply(page_answer(page_of(await list_stripe_apps(session), page), app_to_v3))


@router.get("/apps/{app_id}")
async def get_app(_: Viewer, app_id: UlidUpperCase) -> Response:
    """One app; an uninstalled one has its `deleted_at`."""
    async with running().database.read() as session:
        return reply(app_to_v3(await get_stripe_app(session, app_id)))


@router.put("/apps/{app_id}")
async def update_app(actor: Admin, app_id: UlidUpperCase, body: AppBody) -> Response:
    """Replaces name, description and labels; a key replaces the stored one, no key keeps it."""
    wanted = {
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "api_key": body.secret_api_key,
    }
    with wire_names({"api_key": "secret_api_key", "metadata": "labels"}), stripe_key_at_work("secret_api_key"):
        request = parse_input(UpdateStripeApp, wanted)
        return reply(app_to_v3(await update_stripe_app(running().stripe, actor, app_id, request)))


@router.delete("/apps/{app_id}", status_code=204)
async def uninstall_app(actor: Admin, app_id: UlidUpperCase) -> Response:
    """Removes the app here and its webhook endpoint at Stripe, unless a profile or an invoice needs it."""
    await uninstall_stripe_app(running().stripe, actor, app_id)
    return nothing()


def app_to_v3(app: StripeApp) -> dict[str, Any]:
    """v3's `BillingAppStripe`."""
    return without_none(
        [
            ("id", app.id),
            ("type", "stripe"),
            ("name", app.name),
            ("description", app.description),
            ("labels", labels_of(app.metadata)),
            ("definition", CATALOG_ITEM),
            ("status", app.status),
            ("account_id", app.account_id),
            ("livemode", app.livemode),
            ("masked_api_key", app.masked_key),
            ("created_at", time_text(app.created_at)),
            ("updated_at", time_text(app.updated_at)),
            ("deleted_at", optional_time(app.deleted_at)),
        ]
    )
