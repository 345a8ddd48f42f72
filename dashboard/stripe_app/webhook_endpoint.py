"""Our webhook endpoint in a Stripe account: which events, found again by metadata, renewed when something changed."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from dashboard.kit.database import SYSTEM, Actor
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import (
    StripeAppNotReady,
    StripeInvalidRequest,
    StripeObjectMissing,
    StripeUnreachable,
)
from dashboard.stripe_app.gateway import API_VERSION, Gateway
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState, Delivery

METADATA_APP = "meterdesk_app_id"
OLD_SECRET_LIVES = timedelta(hours=24)
WAIT_SECONDS = 60.0

EVENTS = (
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "setup_intent.requires_action",
    "checkout.session.completed",
    "checkout.session.expired",
    "invoice.created",
    "invoice.updated",
    "invoice.deleted",
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.sent",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.payment_attempt_required",
    "invoice.overdue",
    "invoice.overpaid",
    "invoice.will_be_due",
    "invoice.marked_uncollectible",
    "invoice.voided",
    "invoice_payment.paid",
    "customer.updated",
    "customer.deleted",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "payment_method.automatically_updated",
    "charge.refunded",
    "charge.dispute.created",
    "credit_note.created",
    "credit_note.voided",
    "tax.settings.updated",
)


def webhook_url(public_url: str, app_id: str) -> str:
    """Where Stripe posts for this app."""
    return f"{public_url}/api/v1/apps/{app_id}/stripe/webhook"


async def create_endpoint(gateway: Gateway, app_id: str, url: str, *, keep: str | None = None) -> dict[str, Any]:
    """A fresh endpoint for the app; the answer holds the signing secret, which Stripe never tells again.

    Leftovers of an earlier try (their secret is lost) are removed first, `keep` excepted. Raises what Stripe refuses,
    with our remedy for addresses it cannot use.
    """
    await remove_endpoints(gateway, app_id, keep=keep)
    try:
        return await gateway.create_webhook_endpoint(
            {
                "url": url,
                "enabled_events": list(EVENTS),
                "api_version": API_VERSION,
                "description": "Made by Meterdesk. Please leave it: it keeps invoices and payments up to date.",
                "metadata": {METADATA_APP: app_id},
            }
        )
    except StripeInvalidRequest as refusal:
        if refusal.param == "url" or refusal.stripe_code == "url_invalid":
            refusal.what_to_do = (
                "Set METERDESK_PUBLIC_URL to an https address that Stripe can reach from the internet, or leave it "
                "unset: then events are polled and no public address is needed."
            )
        raise


async def remove_endpoints(gateway: Gateway, app_id: str, *, keep: str | None = None) -> None:
    """Deletes every endpoint that carries this app's id, except `keep`. One already gone is fine."""
    for endpoint in await gateway.list_webhook_endpoints():
        if endpoint.get("metadata", {}).get(METADATA_APP) == app_id and endpoint["id"] != keep:
            await delete_endpoint(gateway, endpoint["id"])


async def delete_endpoint(gateway: Gateway, endpoint_id: str) -> None:
    """Deletes one endpoint; one already gone is fine."""
    try:
        await gateway.delete_webhook_endpoint(endpoint_id)
    except StripeObjectMissing:
        return


def is_current(row: StripeAppRow, public_url: str | None) -> bool:
    """Whether Stripe sends to the address we have now, in the version we read."""
    if public_url is None:
        return row.webhook_endpoint_id is None
    return row.webhook_url == webhook_url(public_url, row.id) and row.webhook_api_version == API_VERSION


async def register_again(desk: StripeDesk, actor: Actor, app_id: str) -> None:
    """Makes the app's webhook fit the public address and API version of now; without a public address, polls instead.

    A new endpoint is made before the old one goes, and the old secret stays valid for a day, so no event is lost.
    """
    row = await desk.app_row(app_id)
    if is_current(row, desk.public_url):
        return
    await _replace(desk, actor, app_id)


async def keep_webhooks_current(desk: StripeDesk) -> None:
    """After a start with another public address or API version: brings every app's webhook in step.

    What Stripe refuses is noted on the app, for its page, and tried again with the next sweep.
    """
    async with desk.database.read() as session:
        rows = list(await session.scalars(select(StripeAppRow).where(col(StripeAppRow.state) == AppState.READY)))
    for row in rows:
        if not is_current(row, desk.public_url):
            try:
                await _replace(desk, SYSTEM, row.id)
            except MeterdeskError as problem:
                await _note_problem(desk, row.id, problem.for_people())


async def _note_problem(desk: StripeDesk, app_id: str, problem: str) -> None:
    async with desk.database.transaction(SYSTEM) as work:
        row = await work.session.get_one(StripeAppRow, app_id)
        if row.webhook_problem != problem:
            row.webhook_problem = problem
            work.changed(f"stripe_apps/{app_id}")


async def rotate_signing_secret(desk: StripeDesk, actor: Actor, app_id: str) -> None:
    """Gives the app a new signing secret; letters signed with the old one are taken for another day.

    Raises StripeAppNotReady when this app polls and so has no webhook.
    """
    row = await desk.app_row(app_id)
    if row.webhook_endpoint_id is None:
        raise StripeAppNotReady("This app polls for events and has no webhook.", remedy="Nothing needs rotating.")
    await _replace(desk, actor, app_id)


async def _replace(desk: StripeDesk, actor: Actor, app_id: str) -> None:
    async with _alone(desk, app_id, WAIT_SECONDS) as ours:
        if not ours:
            raise StripeUnreachable("This app's webhook is being replaced for a long time already.")
        row = await desk.app_row(app_id)
        old_endpoint = row.webhook_endpoint_id
        async with desk.stripe(app_id, priority=PEOPLE, row=row) as gateway:
            fresh = None
            if desk.public_url is not None:
                fresh = await create_endpoint(gateway, app_id, webhook_url(desk.public_url, app_id), keep=old_endpoint)
            async with desk.database.transaction(actor) as work:
                kept = await work.session.get_one(StripeAppRow, app_id)
                take_endpoint(kept, fresh, desk, work.now)
                work.audit("stripe_app.webhook_registered", "stripe_app", app_id, url=kept.webhook_url)
                work.changed("stripe_apps", f"stripe_apps/{app_id}")
            if old_endpoint is not None:
                await delete_endpoint(gateway, old_endpoint)


async def remove_forgotten_endpoints(desk: StripeDesk, app_id: str) -> None:
    """Deletes what a replacement left at Stripe because it was cut off: endpoints of this app other than its own.

    While another replacement is under way nothing is.
    """
    async with _alone(desk, app_id, 0) as ours:
        row = await desk.app_row(app_id)
        if ours and row.webhook_endpoint_id is not None:
            async with desk.stripe(app_id, row=row) as gateway:
                await remove_endpoints(gateway, app_id, keep=row.webhook_endpoint_id)


def _alone(desk: StripeDesk, app_id: str, wait_seconds: float) -> AbstractAsyncContextManager[bool]:
    """True inside the block when nobody else touches the app's webhook: what is not written down then is forgotten."""
    return desk.holding(f"webhook of {app_id}", wait_seconds=wait_seconds)


def take_endpoint(row: StripeAppRow, endpoint: dict[str, Any] | None, desk: StripeDesk, now: datetime) -> None:
    """Writes a freshly made endpoint (or that there is none) onto the app's row; keeps the former secret for a day."""
    if row.sealed_webhook_secret is not None:
        row.sealed_previous_secret, row.previous_secret_until = row.sealed_webhook_secret, now + OLD_SECRET_LIVES
    row.delivery = Delivery.WEBHOOK if endpoint else Delivery.POLLING
    row.webhook_endpoint_id = endpoint["id"] if endpoint else None
    row.webhook_url = endpoint["url"] if endpoint else None
    row.webhook_api_version = API_VERSION if endpoint else None
    row.webhook_problem = None
    row.sealed_webhook_secret = desk.secrets.seal(endpoint["secret"]) if endpoint else None
    row.updated_at = now
