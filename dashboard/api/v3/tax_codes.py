"""v3 tax codes, and which of them apply by default."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from dashboard.api.auth import Admin, Viewer
from dashboard.api.shapes import (
    Description,
    Name,
    ResourceKey,
    UlidUpperCase,
    nothing,
    optional_time,
    reply,
    time_text,
    without_none,
)
from dashboard.api.v3.base import Labels, PageQuery, V3Model, labels_of, page_answer
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.billing.queries import tax_code_uses
from dashboard.catalog import tax_codes
from dashboard.catalog.inputs import CreateTaxCode, UpdateTaxCode, UpdateTaxDefaults
from dashboard.catalog.views import TaxCode, TaxDefaults
from dashboard.kit.database import SYSTEM
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

router = APIRouter(tags=["v3 tax codes"])

_FIELDS = {"stripe_code": "app_mappings", "other_mappings": "app_mappings", "metadata": "labels"}


class AppMapping(V3Model):
    app_type: Literal["sandbox", "stripe", "external_invoicing"]
    tax_code: Annotated[str, StringConstraints(max_length=256)]


class TaxCodeBody(V3Model):
    """`UpsertTaxCodeRequest`."""

    name: Name
    description: Description | None = None
    labels: Labels | None = None
    app_mappings: Annotated[list[AppMapping], Field(max_length=10)]


class NewTaxCodeBody(TaxCodeBody):
    """`CreateTaxCodeRequest`."""

    key: ResourceKey


class Reference(V3Model):
    id: UlidUpperCase


class DefaultsBody(V3Model):
    """`UpdateOrganizationDefaultTaxCodesRequest`."""

    invoicing_tax_code: Reference | None = None
    credit_grant_tax_code: Reference | None = None


@router.get("/tax-codes")
async def list_tax_codes(_: Viewer, page: PageQuery, include_deleted: Annotated[bool, Query()] = False) -> Response:
    """Tax codes by name."""
    async with running().database.read() as session:
        found = await tax_codes.list_tax_codes(session, page, include_deleted=include_deleted)
    return reply(page_answer(found, tax_code_to_v3))


@router.post("/tax-codes", status_code=201)
async def create_tax_code(actor: Admin, body: NewTaxCodeBody) -> Response:
    """Makes a tax code."""
    with wire_names(_FIELDS):
        wanted = parse_input(CreateTaxCode, _from_v3(body) | {"key": body.key})
        async with running().database.transaction(actor) as work:
            made = await tax_codes.create_tax_code(work, wanted)
    return reply(tax_code_to_v3(made), 201)


@router.get("/tax-codes/{tax_code_id}")
async def get_tax_code(_: Viewer, tax_code_id: UlidUpperCase) -> Response:
    """One tax code; a deleted one has its `deleted_at`."""
    async with running().database.read() as session:
        return reply(tax_code_to_v3(await tax_codes.get_tax_code(session, tax_code_id)))


@router.put("/tax-codes/{tax_code_id}")
async def upsert_tax_code(actor: Admin, tax_code_id: UlidUpperCase, body: TaxCodeBody) -> Response:
    """Replaces everything of a tax code but its key."""
    with wire_names(_FIELDS):
        wanted = parse_input(UpdateTaxCode, _from_v3(body))
        async with running().database.transaction(actor) as work:
            changed = await tax_codes.update_tax_code(work, tax_code_id, wanted)
    return reply(tax_code_to_v3(changed))


@router.delete("/tax-codes/{tax_code_id}", status_code=204)
async def delete_tax_code(actor: Admin, tax_code_id: UlidUpperCase) -> Response:
    """Deletes a tax code that nothing uses."""
    async with running().database.transaction(actor) as work:
        await tax_codes.delete_tax_code(work, tax_code_id, uses=[tax_code_uses])
    return nothing()


@router.get("/defaults/tax-codes")
async def get_default_tax_codes(_: Viewer) -> Response:
    """The organisation's default tax codes."""
    database = running().database
    async with database.read() as session:
        defaults = await tax_codes.tax_defaults(session)
    if defaults is None:
        async with database.transaction(SYSTEM) as work:
            await tax_codes.ensure_tax_defaults(work)
            defaults = await tax_codes.tax_defaults(work.session)
    assert defaults is not None
    return reply(defaults_to_v3(defaults))


@router.put("/defaults/tax-codes")
async def update_default_tax_codes(actor: Admin, body: DefaultsBody) -> Response:
    """Chooses default tax codes; one that is left out stays."""
    wanted = UpdateTaxDefaults(
        invoicing_tax_code_id=body.invoicing_tax_code.id if body.invoicing_tax_code else None,
        credit_grant_tax_code_id=body.credit_grant_tax_code.id if body.credit_grant_tax_code else None,
    )
    async with running().database.transaction(actor) as work:
        return reply(defaults_to_v3(await tax_codes.set_tax_defaults(work, wanted)))


def tax_code_to_v3(code: TaxCode) -> dict[str, Any]:
    """v3's `BillingTaxCode`."""
    stripe = [{"app_type": "stripe", "tax_code": code.stripe_code}] if code.stripe_code else []
    others = [{"app_type": app, "tax_code": name} for app, name in code.other_mappings.items()]
    return without_none(
        [
            ("id", code.id),
            ("key", code.key),
            ("name", code.name),
            ("description", code.description),
            ("labels", labels_of(code.metadata)),
            ("app_mappings", stripe + others),
            ("created_at", time_text(code.created_at)),
            ("updated_at", time_text(code.updated_at)),
            ("deleted_at", optional_time(code.deleted_at)),
        ]
    )


def defaults_to_v3(defaults: TaxDefaults) -> dict[str, Any]:
    """v3's `OrganizationDefaultTaxCodes`."""
    return {
        "invoicing_tax_code": {"id": defaults.invoicing.id},
        "credit_grant_tax_code": {"id": defaults.credit_grant.id},
        "created_at": time_text(defaults.created_at),
        "updated_at": time_text(defaults.updated_at),
    }


def _from_v3(body: TaxCodeBody) -> dict[str, Any]:
    by_app: dict[str, str] = {}
    for mapping in body.app_mappings:
        if mapping.app_type in by_app:
            raise InvalidInput("There can be one code per kind of app.", field="other_mappings")
        by_app[mapping.app_type] = mapping.tax_code
    return {
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "stripe_code": by_app.pop("stripe", None),
        "other_mappings": [{"app_type": app, "tax_code": code} for app, code in by_app.items()],
    }
