"""v1 billing profiles. One app does all three jobs of a profile here: tax, invoicing and payment."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Flag,
    Name,
    UlidAnyCase,
    nothing,
    optional_time,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v1.app_shapes import app_to_v1
from dashboard.api.v1.base import Order, PageQuery, V1Model, page_answer
from dashboard.api.v1.workflow_shapes import (
    FIELDS,
    Party,
    WorkflowBody,
    supplier_from_v1,
    supplier_to_v1,
    workflow_from_v1,
    workflow_to_v1,
)
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing import profiles
from dashboard.billing.inputs import CreateBillingProfile, UpdateBillingProfile
from dashboard.billing.views import BillingProfile
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import get_stripe_app, is_installed
from dashboard.stripe_app.views import StripeApp

router = APIRouter(prefix="/api/v1/billing/profiles", tags=["Billing profiles"])

_SORTS = {"createdAt": "created_at", "updatedAt": "updated_at", "default": "default", "name": "name"}
Expand = Annotated[list[Literal["apps"]], Query()]
Apps = dict[str, StripeApp]


class ProfileBody(V1Model):
    """`BillingProfileReplaceUpdateWithWorkflow`."""

    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    supplier: Party
    default: Flag
    workflow: WorkflowBody


class AppsBody(V1Model):
    tax: UlidAnyCase
    invoicing: UlidAnyCase
    payment: UlidAnyCase


class NewProfileBody(ProfileBody):
    """`BillingProfileCreate`."""

    apps: AppsBody


@router.get("")
async def list_billing_profiles(
    _: Viewer,
    page: PageQuery,
    include_archived: Annotated[bool, Query(alias="includeArchived")] = False,
    expand: Expand = [],
    order: Order = "ASC",
    order_by: Annotated[Literal["createdAt", "updatedAt", "default", "name"], Query(alias="orderBy")] = "createdAt",
) -> Response:
    """Billing profiles, page by page."""
    async with running().database.read() as session:
        found = await profiles.list_billing_profiles(
            session, page, include_deleted=include_archived, sort=_SORTS[order_by], descending=order == "DESC"
        )
        apps = await expanded_apps(session, found.items, expand)
    return reply(page_answer(found, lambda profile: profile_to_v1(profile, apps)))


@router.post("", status_code=201)
async def create_billing_profile(actor: Admin, body: NewProfileBody) -> Response:
    """Makes a profile; `default` puts it in the place of the present default, and the first one is it anyway."""
    with wire_names(FIELDS):
        wanted = parse_input(CreateBillingProfile, _profile_from_v1(body) | {"app_id": _one_app(body.apps)})
        async with running().database.transaction(actor) as work:
            profile = await profiles.create_billing_profile(work, wanted, apps=is_installed)
    return reply(profile_to_v1(profile), 201)


@router.get("/{profile_id}")
async def get_billing_profile(_: Viewer, profile_id: UlidAnyCase, expand: Expand = []) -> Response:
    """One profile; a deleted one has its `deletedAt`."""
    async with running().database.read() as session:
        profile = await profiles.get_billing_profile(session, profile_id)
        apps = await expanded_apps(session, [profile], expand)
    return reply(profile_to_v1(profile, apps))


@router.put("/{profile_id}")
async def update_billing_profile(actor: Admin, profile_id: UlidAnyCase, body: ProfileBody) -> Response:
    """Replaces everything about a profile but its app."""
    with wire_names(FIELDS):
        wanted = parse_input(UpdateBillingProfile, _profile_from_v1(body))
        async with running().database.transaction(actor) as work:
            profile = await profiles.update_billing_profile(work, profile_id, wanted, apps=is_installed)
    return reply(profile_to_v1(profile))


@router.delete("/{profile_id}", status_code=204)
async def delete_billing_profile(actor: Admin, profile_id: UlidAnyCase) -> Response:
    """Deletes a profile that is neither the default nor somebody's own."""
    async with running().database.transaction(actor) as work:
        await profiles.delete_billing_profile(work, profile_id)
    return nothing()


async def expanded_apps(session: AsyncSession, shown: Iterable[BillingProfile], expand: list[Any]) -> Apps:
    """The apps of profiles, when they shall be shown whole."""
    if "apps" not in expand:
        return {}
    return {profile.app_id: await get_stripe_app(session, profile.app_id) for profile in shown}


def profile_to_v1(profile: BillingProfile, apps: Apps | None = None) -> dict[str, Any]:
    """v1's `BillingProfile`; the apps as ids, or whole where `apps` has them."""
    return without_none(
        [
            ("id", profile.id),
            ("name", profile.name),
            ("description", profile.description),
            ("metadata", profile.metadata),
            ("default", profile.is_default),
            ("supplier", supplier_to_v1(profile.supplier)),
            ("workflow", workflow_to_v1(profile.workflow)),
            ("apps", apps_to_v1(profile.app_id, apps or {})),
            ("createdAt", time_text(profile.created_at)),
            ("updatedAt", time_text(profile.updated_at)),
            ("deletedAt", optional_time(profile.deleted_at)),
        ]
    )


def apps_to_v1(app_id: str, apps: Apps) -> dict[str, Any]:
    """v1's `BillingProfileAppsOrReference`: the one app in its three roles."""
    app = apps.get(app_id)
    shown = app_to_v1(app) if app else {"id": app_id}
    return {"tax": shown, "invoicing": shown, "payment": shown}


def _profile_from_v1(body: ProfileBody) -> dict[str, Any]:
    return {
        "name": body.name,
        "description": body.description,
        "metadata": body.metadata or {},
        "supplier": supplier_from_v1(body.supplier),
        "workflow": workflow_from_v1(body.workflow),
        "make_default": body.default,
    }


def _one_app(apps: AppsBody) -> str:
    if len({apps.tax, apps.invoicing, apps.payment}) != 1:
        raise InvalidInput("Tax, invoicing and payment are done by one and the same app.", field="app_id")
    return apps.invoicing
