"""v1: which Stripe customer one of ours is. `/apps` speaks of every app, `/stripe` of the one that bills them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import IdOrKey, UlidAnyCase, nothing, page_of, reply
from dashboard.api.v1.base import PageQuery, page_answer
from dashboard.api.v1.customer_app_shapes import FIELDS, AppDataItem, StripeDataBody, external_to_v1, link_to_v1
from dashboard.api.wire_names import wire_names
from dashboard.backend import running
from dashboard.customers.inputs import SetExternalInvoicing
from dashboard.customers.queries import get_customer, live_customer
from dashboard.customers.service import set_external_invoicing
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput, NotFound
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import get_stripe_app
from dashboard.stripe_app.customer_link import link_stripe_customer, unlink_stripe_customer
from dashboard.stripe_app.errors import NoStripeCustomer
from dashboard.stripe_app.house import resolve_app_id
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.stripe_app.links import get_link, get_links
from dashboard.stripe_app.views import StripeLink

router = APIRouter(prefix="/api/v1/customers/{customer_id_or_key}", tags=["Customers"])


class NoSuchAppData(NotFound):
    code = "app_data_not_found"


class OtherAppType(InvalidInput):
    code = "app_type_not_installed"
    remedy = "Only Stripe apps can be installed here; send items of the type stripe, or custom_invoicing without an id."


@router.get("/apps")
async def list_customer_app_data(
    _: Viewer,
    customer_id_or_key: IdOrKey,
    page: PageQuery,
    type: Annotated[Literal["stripe", "sandbox", "custom_invoicing"] | None, Query()] = None,
) -> Response:
    """Which Stripe customer this one is, once per app, and what is kept for an outside invoicing system."""
    async with running().database.read() as session:
        customer = await get_customer(session, customer_id_or_key)
        links = await get_links(session, customer.id) if type in (None, "stripe") else ()
        apps = {app_id: await get_stripe_app(session, app_id) for app_id in {link.app_id for link in links}}
    found = [link_to_v1(link, apps[link.app_id]) for link in links]
    if customer.external_invoicing is not None and type in (None, "custom_invoicing"):
        found.append(external_to_v1(customer.external_invoicing))
    return reply(page_answer(page_of(found, page), lambda one: one))


@router.put("/apps")
async def upsert_customer_app_data(
    actor: Operator, customer_id_or_key: IdOrKey, body: Annotated[list[AppDataItem], Body(max_length=50)]
) -> Response:
    """Links Stripe customers, and answers the links. Without a payment method, Stripe's default one is used.

    Items of the type custom_invoicing are kept and given back; other apps than Stripe's are not installed here.
    """
    async with running().database.read() as session:
        customer = await live_customer(session, customer_id_or_key)
    wanted = [_wanted_of(customer.id, item) for item in body]
    return reply([await _kept(actor, customer.id, one) for one in wanted])


@router.delete("/apps/{app_id}", status_code=204)
async def delete_customer_app_data(actor: Operator, customer_id_or_key: IdOrKey, app_id: UlidAnyCase) -> Response:
    """Forgets the link to the app's Stripe customer, who stays in Stripe."""
    async with running().database.read() as session:
        customer = await live_customer(session, customer_id_or_key)
        if await get_link(session, app_id, customer.id) is None:
            raise NoSuchAppData("This customer has no data for that app.")
    await unlink_stripe_customer(running().stripe, actor, customer.id, app_id)
    return nothing()


@router.get("/stripe")
async def get_customer_stripe_app_data(_: Viewer, customer_id_or_key: IdOrKey) -> Response:
    """The Stripe customer in the app that bills this customer."""
    async with running().database.read() as session:
        customer = await get_customer(session, customer_id_or_key)
        app_id = await resolve_app_id(session, customer.id, None)
        link = await get_link(session, app_id, customer.id)
    if link is None:
        raise NoStripeCustomer("This customer has no data for the Stripe app.")
    return reply(await _with_app(link))


@router.put("/stripe")
async def upsert_customer_stripe_app_data(
    actor: Operator, customer_id_or_key: IdOrKey, body: StripeDataBody
) -> Response:
    """Links the Stripe customer in the app that bills this customer."""
    async with running().database.read() as session:
        customer = await live_customer(session, customer_id_or_key)
    wanted = {
        "customer_id": customer.id,
        "stripe_customer_id": body.stripe_customer_id,
        "default_payment_method_id": body.stripe_default_payment_method_id,
    }
    with wire_names(FIELDS):
        link = await link_stripe_customer(running().stripe, actor, parse_input(LinkStripeCustomer, wanted))
    return reply(await _with_app(link))


async def _with_app(link: StripeLink) -> dict[str, Any]:
    async with running().database.read() as session:
        return link_to_v1(link, await get_stripe_app(session, link.app_id))


async def _kept(actor: Actor, customer_id: str, wanted: LinkStripeCustomer | SetExternalInvoicing) -> dict[str, Any]:
    if isinstance(wanted, LinkStripeCustomer):
        return link_to_v1(await link_stripe_customer(running().stripe, actor, wanted))
    async with running().database.transaction(actor) as work:
        customer = await set_external_invoicing(work, customer_id, wanted)
    return external_to_v1(customer.external_invoicing or {})


def _wanted_of(customer_id: str, item: AppDataItem) -> LinkStripeCustomer | SetExternalInvoicing:
    if item.type == "sandbox" or (item.type == "custom_invoicing" and item.id is not None):
        raise OtherAppType(f"There is no {item.type} app.", field="type")
    with wire_names(FIELDS):
        if item.type == "custom_invoicing":
            return parse_input(SetExternalInvoicing, {"metadata": item.metadata or {}})
        wanted = {
            "customer_id": customer_id,
            "app_id": item.id,
            "stripe_customer_id": item.stripe_customer_id or "",
            "default_payment_method_id": item.stripe_default_payment_method_id,
        }
        return parse_input(LinkStripeCustomer, wanted)
