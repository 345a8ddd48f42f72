"""v1's marketplace: what can be installed, and installing it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr, StringConstraints

from dashboard.api.app_install import install_with_key, stripe_key_at_work
from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import Flag, page_of, reply
from dashboard.api.v1.app_shapes import CAPABILITY_TYPES, STRIPE_LISTING, app_to_v1
from dashboard.api.v1.base import PageQuery, V1Model, page_answer
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.kit.errors import InvalidInput, NotFound

router = APIRouter(prefix="/api/v1/marketplace/listings", tags=["Apps"])

AppType = Literal["stripe", "sandbox", "custom_invoicing"]


class NotListed(NotFound):
    code = "app_not_listed"
    remedy = "Install Stripe; the key sk_test_sandbox_demo needs no Stripe account."


class KeyNeeded(InvalidInput):
    code = "api_key_needed"
    remedy = "Use …/install/apikey with a key; sk_test_sandbox_demo needs no Stripe account."


class InstallBody(V1Model):
    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    create_billing_profile: Flag = True


class InstallWithKeyBody(InstallBody):
    api_key: Annotated[SecretStr, Field(alias="apiKey")]


@router.get("")
async def list_marketplace_listings(_: Viewer, page: PageQuery) -> Response:
    """What can be installed."""
    return reply(page_answer(page_of([STRIPE_LISTING], page), dict))


@router.get("/{type}")
async def get_marketplace_listing(_: Viewer, type: AppType) -> Response:
    """One listing."""
    _refuse_others(type)
    return reply(STRIPE_LISTING)


@router.post("/{type}/install")
async def install_app(_: Admin, type: AppType, body: InstallBody) -> Response:
    """Installs what needs no credentials; Stripe does."""
    _refuse_others(type)
    raise KeyNeeded("Stripe is installed with an API key.")


@router.post("/{type}/install/apikey")
async def install_app_with_key(actor: Admin, type: AppType, body: InstallWithKeyBody) -> Response:
    """Installs the Stripe account that a key opens, by default with a billing profile."""
    _refuse_others(type)
    with wire_names({"api_key": "apiKey"}), stripe_key_at_work("apiKey"):
        done = await install_with_key(
            running(), actor, body.api_key, name=body.name or None, create_profile=body.create_billing_profile
        )
    return reply({"app": app_to_v1(done.app), "defaultForCapabilityTypes": CAPABILITY_TYPES if done.is_default else []})


def _refuse_others(type_: AppType) -> None:
    if type_ != "stripe":
        raise NotListed(f"The app {type_} cannot be installed here.")
