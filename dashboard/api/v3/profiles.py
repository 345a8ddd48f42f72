"""v3 billing profiles. One app does all three jobs of a profile here: tax, invoicing and payment."""

from typing import Any

from fastapi import APIRouter, Response

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Flag,
    Name,
    UlidUpperCase,
    nothing,
    optional_time,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer
from dashboard.api.v3.workflow_shapes import (
    FIELDS,
    Party,
    Reference,
    WorkflowBody,
    supplier_from_v3,
    supplier_to_v3,
    workflow_from_v3,
    workflow_to_v3,
)
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing import profiles
from dashboard.billing.inputs import CreateBillingProfile, UpdateBillingProfile
from dashboard.billing.views import BillingProfile
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import is_installed

router = APIRouter(prefix="/profiles", tags=["v3 billing profiles"])


class ProfileBody(V3Model):
    """`UpsertBillingProfileRequest`."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    supplier: Party
    workflow: WorkflowBody
    default: Flag


class AppReferences(V3Model):
    tax: Reference
    invoicing: Reference
    payment: Reference


class NewProfileBody(ProfileBody):
    """`CreateBillingProfileRequest`."""

    apps: AppReferences


@router.get("")
async def list_billing_profiles(_: Viewer, page: PageQuery) -> Response:
    """Billing profiles, page by page."""
    async with running().database.read() as session:
        return reply(page_answer(await profiles.list_billing_profiles(session, page), profile_to_v3))


@router.post("", status_code=201)
async def create_billing_profile(actor: Admin, body: NewProfileBody) -> Response:
    """Makes a profile; `default` puts it in the place of the present default, and the first one is it anyway."""
    with wire_names(FIELDS):
        wanted = parse_input(CreateBillingProfile, _profile_from_v3(body) | {"app_id": _one_app(body.apps)})
        async with running().database.transaction(actor) as work:
            profile = await profiles.create_billing_profile(work, wanted, apps=is_installed)
    return reply(profile_to_v3(profile), 201)


@router.get("/{profile_id}")
async def get_billing_profile(_: Viewer, profile_id: UlidUpperCase) -> Response:
    """One profile; a deleted one has its `deleted_at`."""
    async with running().database.read() as session:
        return reply(profile_to_v3(await profiles.get_billing_profile(session, profile_id)))


@router.put("/{profile_id}")
async def update_billing_profile(actor: Admin, profile_id: UlidUpperCase, body: ProfileBody) -> Response:
    """Replaces everything about a profile but its app."""
    with wire_names(FIELDS):
        wanted = parse_input(UpdateBillingProfile, _profile_from_v3(body))
        async with running().database.transaction(actor) as work:
            profile = await profiles.update_billing_profile(work, profile_id, wanted, apps=is_installed)
    return reply(profile_to_v3(profile))


@router.delete("/{profile_id}", status_code=204)
async def delete_billing_profile(actor: Admin, profile_id: UlidUpperCase) -> Response:
    """Deletes a profile that is neither the default nor somebody's own."""
    async with running().database.transaction(actor) as work:
        await profiles.delete_billing_profile(work, profile_id)
    return nothing()


def profile_to_v3(profile: BillingProfile) -> dict[str, Any]:
    """v3's `BillingProfile`."""
    app = {"id": profile.app_id}
    return without_none(
        [
            ("id", profile.id),
            ("name", profile.name),
            ("description", profile.description),
            ("labels", labels_of(profile.metadata)),
            ("default", profile.is_default),
            ("supplier", supplier_to_v3(profile.supplier)),
            ("workflow", workflow_to_v3(profile.workflow)),
            ("apps", {"tax": app, "invoicing": app, "payment": app}),
            ("created_at", time_text(profile.created_at)),
            ("updated_at", time_text(profile.updated_at)),
            ("deleted_at", optional_time(profile.deleted_at)),
        ]
    )


def _profile_from_v3(body: ProfileBody) -> dict[str, Any]:
    return {
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "supplier": supplier_from_v3(body.supplier),
        "workflow": workflow_from_v3(body.workflow),
        "make_default": body.default,
    }


def _one_app(apps: AppReferences) -> str:
    if len({apps.tax.id, apps.invoicing.id, apps.payment.id}) != 1:
        raise InvalidInput("Tax, invoicing and payment are done by one and the same app.", field="app_id")
    return apps.invoicing.id
