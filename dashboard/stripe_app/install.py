"""An account comes in, changes its key, and leaves: nothing half done stays behind, here or in Stripe."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from dashboard.kit.database import Actor
from dashboard.kit.ids import new_id
from dashboard.stripe_app.apps import app_view, installed_app_of
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import (
    AccountAlreadyInstalled,
    StripeObjectMissing,
    StripePermissionMissing,
    StripeRefused,
    StripeUnauthorized,
    StripeUnreachable,
    WrongStripeAccount,
)
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.inputs import InstallStripeApp
from dashboard.stripe_app.keys import KeyShape, key_shape
from dashboard.stripe_app.portal import ensure_portal_configuration
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState, Delivery, KeyCheck, MissingPermission, NeededPermission, StripeApp
from dashboard.stripe_app.webhook_endpoint import create_endpoint, remove_endpoints, take_endpoint, webhook_url

ABANDONED_AFTER = timedelta(minutes=2)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# https://docs.stripe.com/keys/restricted-api-keys, for the calls this house makes.
RESTRICTED_KEY_PERMISSIONS = (
    NeededPermission("Customers", "write"),
    NeededPermission("Payment methods", "write"),
    NeededPermission("Setup intents", "write"),
    NeededPermission("Checkout sessions", "write"),
    NeededPermission("Customer portal", "write"),
    NeededPermission("Invoices", "write"),
    NeededPermission("Credit notes", "write"),
    NeededPermission("Products and prices", "write"),
    NeededPermission("Webhook endpoints", "write"),
    NeededPermission("Tax settings and codes", "read"),
    NeededPermission("Events", "read"),
    NeededPermission("Payment intents", "read"),
    NeededPermission("Charges", "read"),
    NeededPermission("Account", "read"),
)

# What a restricted key is asked to read, so that a person hears of a missing permission before anything is written.
PROBES = {
    "Customers": "/v1/customers",
    "Setup intents": "/v1/setup_intents",
    "Checkout sessions": "/v1/checkout/sessions",
    "Customer portal": "/v1/billing_portal/configurations",
    "Invoices": "/v1/invoices",
    "Products": "/v1/products",
    "Tax settings": "/v1/tax/settings",
    "Webhook endpoints": "/v1/webhook_endpoints",
    "Events": "/v1/events",
    "Payment intents": "/v1/payment_intents",
    "Charges": "/v1/charges",
}


async def check_key(desk: StripeDesk, api_key: SecretStr) -> KeyCheck:
    """What this key opens: account, mode, what it may not read, whether it is installed already. Writes nothing.

    Raises BadStripeKey (its form), StripeUnauthorized (Stripe does not accept it), StripePermissionMissing (not even
    the account may be read), StripeUnreachable.
    """
    shape = key_shape(api_key.get_secret_value())
    gateway = _gateway(desk, api_key)
    account = await _read_account(gateway)
    async with desk.database.read() as session:
        installed = await installed_app_of(session, account["id"], shape.livemode)
    delivery = Delivery.WEBHOOK if desk.public_url else Delivery.POLLING
    return KeyCheck(
        account_id=account["id"],
        account_name=_account_name(account),
        country=account.get("country"),
        default_currency=(account.get("default_currency") or "").upper() or None,
        livemode=shape.livemode,
        is_sandbox=shape.is_sandbox,
        masked_key=shape.masked,
        restricted=shape.restricted,
        missing_permissions=await _missing_permissions(gateway) if shape.restricted else (),
        installed_app_id=installed.id if installed and installed.state != AppState.INSTALLING else None,
        delivery=delivery,
        delivery_explanation=_explain(desk, delivery),
    )


async def install_stripe_app(desk: StripeDesk, actor: Actor, request: InstallStripeApp) -> StripeApp:
    """Installs the account: webhook (or polling), portal configuration, sealed key. All of it, or nothing remains.

    Raises what `check_key` raises, AccountAlreadyInstalled, WrongStripeAccount (not the account that was confirmed) and
    what Stripe refuses on the way.
    """
    shape = key_shape(request.api_key.get_secret_value())
    gateway = _gateway(desk, request.api_key)
    account = await _read_account(gateway)
    if request.confirmed_account_id not in (None, account["id"]):
        raise WrongStripeAccount("This key opens another account than the one that was confirmed.", field="api_key")
    app_id = await _claim(desk, actor, request, shape, account)
    endpoint, portal_id, portal_is_new = None, None, False
    try:
        events = await gateway.events_page({"limit": 1})
        if desk.public_url is not None:
            endpoint = await create_endpoint(gateway, app_id, webhook_url(desk.public_url, app_id))
        portal_id, portal_is_new = await ensure_portal_configuration(gateway, _account_name(account))
        return await _finish(desk, actor, app_id, endpoint, portal_id, _newest_event_at(events))
    except BaseException:
        # A cancelled request counts too: whatever ended this, no half app and no orphan endpoint may remain.
        await _undo(desk, actor, gateway, app_id, portal_id if portal_is_new else None)
        raise


async def abandon_interrupted_installs(desk: StripeDesk, actor: Actor) -> int:
    """Takes back installations that a crash cut off, here and in Stripe; answers how many."""
    taken_back = 0
    for row in await _interrupted(desk):
        if await _undo(desk, actor, desk.gateway_of(row), row.id, None):
            taken_back += 1
    return taken_back


async def _claim(
    desk: StripeDesk, actor: Actor, request: InstallStripeApp, shape: KeyShape, account: dict[str, Any]
) -> str:
    try:
        async with desk.database.transaction(actor) as work:
            row = await installed_app_of(work.session, account["id"], shape.livemode)
            if row is not None:
                _refuse_unless_abandoned(row, work.now)
            else:
                row = StripeAppRow(
                    id=new_id(),
                    name=request.name,
                    account_id=account["id"],
                    account_name="",
                    livemode=shape.livemode,
                    is_sandbox=shape.is_sandbox,
                    state=AppState.INSTALLING,
                    masked_key=shape.masked,
                    cursor_at=_BEGINNING,
                    cursor_floor=_BEGINNING,
                    next_poll_at=work.now,
                    created_at=work.now,
                    updated_at=work.now,
                )
                work.session.add(row)
            row.name, row.description, row.labels = request.name, request.description, dict(request.metadata)
            row.account_name, row.account_country = _account_name(account), account.get("country")
            row.default_currency = (account.get("default_currency") or "").upper() or None
            row.sealed_key, row.masked_key = desk.secrets.seal(request.api_key.get_secret_value()), shape.masked
            row.updated_at = work.now
            return row.id
    except IntegrityError:
        raise AccountAlreadyInstalled("This Stripe account is being installed by somebody else right now.") from None


def _refuse_unless_abandoned(row: StripeAppRow, now: datetime) -> None:
    if row.state != AppState.INSTALLING:
        raise AccountAlreadyInstalled(
            f"The Stripe account {row.account_name} ({row.account_id}, {app_view(row).mode} mode) is already installed "
            f"as “{row.name}”.",
            details={"app_id": row.id},
        )
    if now - row.updated_at < ABANDONED_AFTER:
        raise AccountAlreadyInstalled(
            "This Stripe account is being installed right now.", remedy="Wait two minutes, then try again."
        )


async def _finish(
    desk: StripeDesk,
    actor: Actor,
    app_id: str,
    endpoint: dict[str, Any] | None,
    portal_id: str,
    newest_event_at: datetime,
) -> StripeApp:
    async with desk.database.transaction(actor) as work:
        row = await work.session.get_one(StripeAppRow, app_id)
        take_endpoint(row, endpoint, desk, work.now)
        row.portal_configuration_id = portal_id
        row.cursor_at = row.cursor_floor = newest_event_at
        row.state, row.status_reason = AppState.READY, None
        row.next_poll_at = work.now
        work.audit("stripe_app.installed", "stripe_app", app_id, account=row.account_id, mode=app_view(row).mode)
        work.changed("stripe_apps", f"stripe_apps/{app_id}")
        return app_view(row)


async def _undo(desk: StripeDesk, actor: Actor, gateway: Gateway, app_id: str, new_portal_id: str | None) -> bool:
    try:
        await remove_endpoints(gateway, app_id)
        if new_portal_id is not None:
            await gateway.update_portal_configuration(new_portal_id, {"active": False})
    except (StripeUnauthorized, StripePermissionMissing, StripeObjectMissing):
        pass
    except (StripeRefused, StripeUnreachable):
        # The intent row stays, so that the sweep finds the endpoint by our id and removes it later.
        return False
    async with desk.database.transaction(actor) as work:
        row = await work.session.get(StripeAppRow, app_id)
        if row is not None and row.state == AppState.INSTALLING:
            await work.session.delete(row)
    return True


async def _interrupted(desk: StripeDesk) -> list[StripeAppRow]:
    oldest_alive = desk.database.clock.now() - ABANDONED_AFTER
    async with desk.database.read() as session:
        rows = await session.scalars(select(StripeAppRow).where(col(StripeAppRow.state) == AppState.INSTALLING))
        return [row for row in rows if row.updated_at < oldest_alive]


async def _read_account(gateway: Gateway) -> dict[str, Any]:
    try:
        return await gateway.account()
    except StripePermissionMissing as refusal:
        refusal.what_to_do = "Let the restricted key read the account, or use a secret key."
        raise


async def _missing_permissions(gateway: Gateway) -> tuple[MissingPermission, ...]:
    missing: list[MissingPermission] = []
    for area, path in PROBES.items():
        try:
            await gateway.probe(path)
        except StripePermissionMissing as refusal:
            missing.append(MissingPermission(area, refusal.message))
    return tuple(missing)


def _gateway(desk: StripeDesk, api_key: SecretStr) -> Gateway:
    return desk.gateways.open(api_key.get_secret_value(), priority=PEOPLE)


def _newest_event_at(page: dict[str, Any]) -> datetime:
    """By Stripe's own clock, so that a shifted clock here misses nothing."""
    return datetime.fromtimestamp(page["data"][0]["created"], UTC) if page["data"] else _BEGINNING


def _account_name(account: dict[str, Any]) -> str:
    profile = account.get("business_profile") or {}
    dashboard = (account.get("settings") or {}).get("dashboard") or {}
    return profile.get("name") or dashboard.get("display_name") or account.get("email") or account["id"]


def _explain(desk: StripeDesk, delivery: Delivery) -> str:
    if delivery is Delivery.WEBHOOK:
        return f"Stripe will send events to {desk.public_url}; missed ones are fetched as well."
    seconds = f"{desk.events_poll_seconds:g}"
    return (
        f"No public address is set, so Stripe is asked for news every {seconds} seconds, more often while a payment is "
        "awaited. Set METERDESK_PUBLIC_URL to receive webhooks instead."
    )
