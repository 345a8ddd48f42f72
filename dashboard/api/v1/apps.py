"""v1 installed apps. Only Stripe can be installed here."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr

from dashboard.api.app_install import stripe_key_at_work
from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import Description, Name, UlidAnyCase, nothing, page_of, reply
from dashboard.api.v1.app_shapes import app_to_v1
from dashboard.api.v1.base import PageQuery, V1Model, page_answer
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.app_life import replace_key, uninstall_stripe_app, update_stripe_app
from dashboard.stripe_app.apps import get_stripe_app, list_stripe_apps
from dashboard.stripe_app.inputs import UpdateStripeApp

router = APIRouter(prefix="/api/v1/apps", tags=["Apps"])

KEY_FIELD = {"api_key": "secretAPIKey"}


class AppBody(V1Model):
    """`AppReplaceUpdate` of a Stripe app."""

    type: Literal["stripe"]
    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    secret_api_key: Annotated[SecretStr | None, Field(alias="secretAPIKey")] = None


class KeyBody(V1Model):
    """`StripeAPIKeyInput`."""

    secret_api_key: Annotated[SecretStr, Field(alias="secretAPIKey")]


@router.get("")
async def list_apps(_: Viewer, page: PageQuery) -> Response:
    """Installed apps, oldest first."""
    async with running().database.read() as session:
        return reply(page_answer(page_of(await list_stripe_apps(session), page), app_to_v1))


@router.get("/{app_id}")
async def get_app(_: Viewer, app_id: UlidAnyCase) -> Response:
    """One app; an uninstalled one has its `deletedAt`."""
    async with running().database.read() as session:
        return reply(app_to_v1(await get_stripe_app(session, app_id)))


@router.put("/{app_id}")
async def update_app(actor: Admin, app_id: UlidAnyCase, body: AppBody) -> Response:
    """Replaces name, description and metadata; a key replaces the stored one, no key keeps it."""
    wanted = {
        "name": body.name,
        "description": body.description,
        "metadata": body.metadata or {},
        "api_key": body.secret_api_key,
    }
    with wire_names(KEY_FIELD), stripe_key_at_work("secretAPIKey"):
        request = parse_input(UpdateStripeApp, wanted)
        return reply(app_to_v1(await update_stripe_app(running().stripe, actor, app_id, request)))


@router.delete("/{app_id}", status_code=204)
async def uninstall_app(actor: Admin, app_id: UlidAnyCase) -> Response:
    """Removes the app here and its webhook endpoint at Stripe, unless a profile or an invoice needs it."""
    await uninstall_stripe_app(running().stripe, actor, app_id)
    return nothing()


@router.put("/{app_id}/stripe/api-key", status_code=204, deprecated=True)
async def update_stripe_api_key(actor: Admin, app_id: UlidAnyCase, body: KeyBody) -> Response:
    """Replaces the key by another one of the same account and mode."""
    with wire_names(KEY_FIELD), stripe_key_at_work("secretAPIKey"):
        await replace_key(running().stripe, actor, app_id, body.secret_api_key)
    return nothing()
