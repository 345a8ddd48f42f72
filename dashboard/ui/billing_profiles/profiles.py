"""Billing profiles between forms and the billing room: read for a screen, written from a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.backend import running
from dashboard.billing.inputs import CreateBillingProfile, UpdateBillingProfile
from dashboard.billing.profiles import (
    all_billing_profiles,
    create_billing_profile,
    default_billing_profile,
    delete_billing_profile,
    get_billing_profile,
    make_default_profile,
    pinned_customer_counts,
    update_billing_profile,
)
from dashboard.billing.views import BillingProfile, CollectionMethod
from dashboard.customers.queries import count_customers
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput, MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import get_stripe_app
from dashboard.stripe_app.views import AppState
from dashboard.ui.billing_profiles.fields import (
    METHODS,
    TAX_OFF,
    TAXES,
    Problems,
    labels_of,
    tax_in_words,
    text_of,
    wait_of,
)
from dashboard.ui.billing_profiles.waits import wait_in_words

PATH = "/settings/billing-profiles"


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A profile as lists show it."""

    id: str = ""
    name: str = ""
    href: str = ""
    is_default: bool = False
    method: str = ""
    method_words: str = ""
    terms: str = ""
    tax: str = ""
    account: str = ""
    account_href: str = ""
    customers: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a change of the default reaches, in words."""

    if_default: str = ""
    if_kept: str = ""
    replaces: str = ""


async def list_profiles() -> list[ProfileRow]:
    """Every profile, the default first."""
    async with running().database.read() as session:
        profiles = await all_billing_profiles(session)
        pinned = await pinned_customer_counts(session)
        everybody = await count_customers(session)
        accounts = {app_id: await _account_name(session, app_id) for app_id in {one.app_id for one in profiles}}
    others = everybody - sum(pinned.values())
    return [
        row_of(one, accounts[one.app_id], _count(pinned.get(one.id, 0) + (others if one.is_default else 0)))
        for one in profiles
    ]


def row_of(profile: BillingProfile, account: str = "", customers: str = "") -> ProfileRow:
    """A profile as lists show it."""
    workflow = profile.workflow
    sends = workflow.collection_method is CollectionMethod.SEND_INVOICE
    return ProfileRow(
        id=profile.id,
        name=profile.name,
        href=f"{PATH}/{profile.id}",
        is_default=profile.is_default,
        method=workflow.collection_method.value,
        method_words=METHODS[workflow.collection_method.value],
        terms=f"due after {wait_in_words(workflow.due_after)}" if sends else "charged at once",
        tax=tax_in_words(workflow),
        account=account,
        account_href=f"/settings/stripe?app={profile.app_id}",
        customers=customers,
        currency=profile.default_currency or "",
    )


async def profile_row(profile_id: str) -> ProfileRow:
    """One profile. Raises BillingProfileNotFound."""
    async with running().database.read() as session:
        return row_of(await get_billing_profile(session, profile_id))


async def profile_names() -> set[str]:
    """The names that are taken."""
    async with running().database.read() as session:
        return {profile.name for profile in await all_billing_profiles(session)}


async def affected_by_default(profile_id: str) -> Affected:
    """What making this profile the default does, and what leaving it does."""
    async with running().database.read() as session:
        profile = await get_billing_profile(session, profile_id)
        current = await default_billing_profile(session)
        pinned = await pinned_customer_counts(session)
        everybody = await count_customers(session)
    followers = everybody - sum(pinned.values())
    if_default = f"{_followers(followers)}, until you give them another profile."
    if current is None or current.id == profile.id:
        only = "It is the only billing profile, so it is the default until you make another one."
        return Affected(if_default, only if current else "Nobody is billed until there is a default.", "")
    return Affected(
        if_default,
        f"“{current.name}” stays the default. “{profile.name}” bills the customers you give it to.",
        f"It takes over from “{current.name}” ({METHODS[current.workflow.collection_method.value]}). Invoices that "
        "exist already stay as they are.",
    )


async def create_profile_from_form(actor: Actor, form: Mapping[str, Any]) -> str:
    """Makes a profile, and answers its id. Raises InvalidInput with a sentence for each field of the form."""
    wanted = wanted_from_form(form)
    try:
        request = parse_input(CreateBillingProfile, wanted)
        async with running().database.transaction(actor) as work:
            return (await create_billing_profile(work, request, apps=is_installed)).id
    except MeterdeskError as error:
        raise _on_the_form(error) from None


async def update_profile_from_form(actor: Actor, profile_id: str, form: Mapping[str, Any]) -> None:
    """Replaces a profile. Raises InvalidInput with a sentence for each field of the form."""
    wanted = wanted_from_form(form)
    try:
        request = parse_input(UpdateBillingProfile, wanted)
        async with running().database.transaction(actor) as work:
            await update_billing_profile(work, profile_id, request, apps=is_installed)
    except MeterdeskError as error:
        raise _on_the_form(error) from None


async def make_default(actor: Actor, profile_id: str) -> None:
    """Makes a profile the default. Raises BillingProfileNotFound."""
    async with running().database.transaction(actor) as work:
        await make_default_profile(work, profile_id)


async def delete_profile(actor: Actor, profile_id: str) -> None:
    """Takes a profile out of use. Raises what the billing room refuses, with its reasons."""
    async with running().database.transaction(actor) as work:
        await delete_billing_profile(work, profile_id)


async def is_installed(session: AsyncSession, app_id: str) -> bool:
    """Whether a Stripe app can be given work."""
    try:
        app = await get_stripe_app(session, app_id)
    except MeterdeskError:
        return False
    return app.state in (AppState.READY, AppState.UNAUTHORIZED)


def wanted_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a form asks for, in the billing room's words. What it does not show keeps the room's defaults.

    Raises InvalidInput with a sentence for each field that cannot be read.
    """
    problems = Problems()
    workflow: dict[str, Any] = {"collection_method": text_of(form, "method"), **_tax_from_form(form)}
    for field, name in _WAITS.items():
        if f"{field}_amount" in form:
            workflow[name] = problems.take(wait_of, form, field)
    if "approval" in form:
        workflow |= _collection_from_form(form)
    labels = problems.take(labels_of, form, otherwise={})
    if not text_of(form, "supplier_country"):
        problems.fields["supplier_country"] = "Choose the country you sell from."
    problems.check()
    return _given(
        {
            "name": text_of(form, "name"),
            "description": text_of(form, "description"),
            "app_id": text_of(form, "app_id"),
            "supplier": _supplier_from_form(form),
            "workflow": workflow,
            "default_currency": text_of(form, "currency"),
            "metadata": labels,
        }
    )


_WAITS = {"collection": "collection_interval", "draft": "draft_period", "due": "due_after"}
_PLACES = {
    "workflow.collection_method": "method",
    "workflow.collection_interval": "collection",
    "workflow.draft_period": "draft",
    "workflow.due_after": "due",
    "workflow.collection_anchor": "anchor",
    "workflow.collection_anchor_interval": "anchor_interval",
    "workflow.default_tax.tax_code_id": "tax_code",
    "workflow.default_tax.stripe_code": "tax_code",
    "workflow": "anchor",
    "supplier.name": "supplier_name",
    "supplier.country": "supplier_country",
    "supplier.tax_id": "supplier_tax_id",
    "supplier.address.postal_code": "supplier_postal_code",
    "supplier.address.city": "supplier_city",
    "supplier.address.state": "supplier_state",
    "supplier.address.line1": "supplier_line1",
    "supplier.address.line2": "supplier_line2",
    "default_currency": "currency",
    "metadata": "labels",
}


def _on_the_form(error: MeterdeskError) -> InvalidInput:
    """A refusal with the places named as the form names its fields."""
    fields = {_PLACES.get(place, "labels" if place.startswith("metadata") else place): sentence
              for place, sentence in error.fields.items()}  # fmt: skip
    return InvalidInput(error.message, remedy=error.what_to_do, fields=fields or {"form": error.for_people()})


def _tax_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    tax, code = text_of(form, "tax"), text_of(form, "tax_code")
    if tax not in TAXES:
        tax = TAX_OFF
    key = "stripe_code" if code.startswith("txcd_") else "tax_code_id"
    return {
        "tax_enabled": tax != TAX_OFF,
        "tax_enforced": tax == "enforced",
        "default_tax": _given({"behavior": text_of(form, "tax_behavior"), key: code}),
    }


def _collection_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    anchored = text_of(form, "alignment") == "anchored"
    anchor = text_of(form, "anchor")
    collection = {
        "auto_advance": text_of(form, "approval") != "manual",
        "progressive_billing": form.get("progressive") in (True, "on", "true"),
        "subscription_end_proration_mode": text_of(form, "proration") or "bill_actual_period",
        "collection_alignment": "anchored" if anchored else "subscription",
    }
    if not anchored:
        return collection
    dates = {"collection_anchor_interval": text_of(form, "anchor_interval")}
    return collection | dates | ({"collection_anchor": f"{anchor}T00:00:00Z"} if anchor else {})


def _supplier_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    country = text_of(form, "supplier_country")
    parts = ("line1", "line2", "city", "state", "postal_code")
    address = _given({part: text_of(form, f"supplier_{part}") for part in parts})
    supplier = {"name": text_of(form, "supplier_name"), "country": country, "tax_id": text_of(form, "supplier_tax_id")}
    return _given({**supplier, "address": {**address, "country": country}} if address else supplier)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that were left empty."""
    return {name: value for name, value in fields.items() if value != "" or name == "name"}


async def _account_name(session: AsyncSession, app_id: str) -> str:
    try:
        return (await get_stripe_app(session, app_id)).account_name
    except MeterdeskError:
        return "No longer installed"


def _followers(count: int) -> str:
    if count == 0:
        return "There are no customers yet. Each new one will be billed by it"
    who = "1 customer" if count == 1 else f"{count:,} customers"
    return f"{who} will be billed by it, and each new one"


def _count(count: int) -> str:
    return f"{count:,}"
