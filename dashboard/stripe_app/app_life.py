"""What happens to an installed app later: it is renamed, gets another key, or leaves."""

from contextlib import suppress
from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlmodel import col

from dashboard.kit.database import SYSTEM, Actor, Work
from dashboard.stripe_app.apps import app_view, ready_app_ids
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import (
    StripeAppDeleted,
    StripeAppInUse,
    StripeAppNotFound,
    StripePermissionMissing,
    StripeRefused,
    StripeUnauthorized,
    StripeUnreachable,
    WrongStripeAccount,
)
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.house import invoices_wait_for_key, let_invoices_go_on, users_of_app
from dashboard.stripe_app.inputs import UpdateStripeApp
from dashboard.stripe_app.keys import KeyShape, key_shape
from dashboard.stripe_app.tables import (
    StripeAppRow,
    StripeCheckoutSessionRow,
    StripeCustomerLinkRow,
    StripeEventRow,
)
from dashboard.stripe_app.views import AppState, EventState, StripeApp, UninstallResult
from dashboard.stripe_app.webhook_endpoint import remove_endpoints

ABANDONED_AFTER = timedelta(minutes=2)


async def update_stripe_app(desk: StripeDesk, actor: Actor, app_id: str, request: UpdateStripeApp) -> StripeApp:
    """Replaces name, description and metadata, and the key when one is given. Raises what `replace_key` raises."""
    if request.api_key is not None:
        await replace_key(desk, actor, app_id, request.api_key)
    async with desk.database.transaction(actor) as work:
        row = await _installed(work, app_id)
        row.name, row.description, row.labels = request.name, request.description, dict(request.metadata)
        row.updated_at = work.now
        work.audit("stripe_app.updated", "stripe_app", app_id, name=request.name)
        work.changed("stripe_apps", f"stripe_apps/{app_id}")
        return app_view(row)


async def replace_key(desk: StripeDesk, actor: Actor, app_id: str, api_key: SecretStr) -> StripeApp:
    """Gives the app another key of the same account and mode; an unauthorized app goes on at once.

    Raises BadStripeKey, WrongStripeAccount, StripeUnauthorized (Stripe does not accept the new key; the old one stays),
    StripeAppNotFound, StripeAppDeleted.
    """
    shape = key_shape(api_key.get_secret_value())
    async with desk.database.read() as session:
        row = await session.get(StripeAppRow, app_id)
    _check_usable(row, app_id)
    assert row is not None
    if shape.livemode != row.livemode:
        raise WrongStripeAccount(f"This app is in {app_view(row).mode} mode; the new key is not.", field="api_key")
    account = await desk.gateways.open(api_key.get_secret_value(), priority=PEOPLE).account()
    if account["id"] != row.account_id:
        raise WrongStripeAccount(f"The new key opens another Stripe account ({account['id']}).", field="api_key")
    return await _keep_key(desk, actor, app_id, api_key, shape)


async def _keep_key(desk: StripeDesk, actor: Actor, app_id: str, api_key: SecretStr, shape: KeyShape) -> StripeApp:
    async with desk.database.transaction(actor) as work:
        row = await _installed(work, app_id)
        row.sealed_key, row.masked_key = desk.secrets.seal(api_key.get_secret_value()), shape.masked
        row.state, row.status_reason = AppState.READY, None
        row.next_poll_at = row.updated_at = work.now
        # What waited for the key goes on now, not at the end of its back-off.
        await work.session.execute(
            update(StripeEventRow)
            .where(col(StripeEventRow.app_id) == app_id, col(StripeEventRow.state) == EventState.WAITING)
            .values(next_attempt_at=work.now)
        )
        await let_invoices_go_on(work, app_id)
        work.audit("stripe_app.key_replaced", "stripe_app", app_id, key=shape.masked)
        work.changed("stripe_apps", f"stripe_apps/{app_id}")
        return app_view(row)


async def uninstall_stripe_app(desk: StripeDesk, actor: Actor, app_id: str) -> UninstallResult:
    """Removes the app and its webhook endpoint; Stripe's customers, invoices and payment methods stay as they are.

    Works with a revoked key too, and then names what is left in Stripe. May be called again after a crash. Raises
    StripeAppInUse with the list while a live billing profile or an unfinished invoice uses the app, StripeUnreachable
    when Stripe cannot be reached (the app then stays as it was), StripeAppNotFound, StripeAppDeleted.
    """
    row = await _begin_uninstall(desk, actor, app_id)
    try:
        left = await _leave_stripe(desk, row)
    except StripeUnreachable:
        await _stay(desk, actor, app_id, row.state)
        raise
    async with desk.database.transaction(actor) as work:
        kept = await work.session.get_one(StripeAppRow, app_id)
        await work.session.execute(delete(StripeCustomerLinkRow).where(col(StripeCustomerLinkRow.app_id) == app_id))
        await work.session.execute(
            delete(StripeCheckoutSessionRow).where(col(StripeCheckoutSessionRow.app_id) == app_id)
        )
        kept.state, kept.deleted_at, kept.updated_at = AppState.UNINSTALLED, work.now, work.now
        kept.sealed_key = kept.sealed_webhook_secret = kept.sealed_previous_secret = None
        work.audit("stripe_app.uninstalled", "stripe_app", app_id, left_in_stripe=list(left))
        work.changed("stripe_apps", f"stripe_apps/{app_id}", "customers")
    return UninstallResult(app_id, left)


async def finish_interrupted_uninstalls(desk: StripeDesk) -> int:
    """Goes on with uninstalling where a crash cut it off; answers how many."""
    oldest_alive = desk.database.clock.now() - ABANDONED_AFTER
    async with desk.database.read() as session:
        rows = await session.scalars(select(StripeAppRow).where(col(StripeAppRow.state) == AppState.UNINSTALLING))
        interrupted = [row.id for row in rows if row.updated_at < oldest_alive]
    for app_id in interrupted:
        with suppress(StripeUnreachable, StripeAppInUse):
            await uninstall_stripe_app(desk, SYSTEM, app_id)
    return len(interrupted)


async def resume_forgotten_invoices(desk: StripeDesk) -> None:
    """Lets invoices go on that were told of a refused key only after it had been replaced."""
    async with desk.database.read() as session:
        held = [app_id for app_id in await ready_app_ids(session) if await invoices_wait_for_key(session, app_id)]
    for app_id in held:
        async with desk.database.transaction(SYSTEM) as work:
            await let_invoices_go_on(work, app_id)


async def _begin_uninstall(desk: StripeDesk, actor: Actor, app_id: str) -> StripeAppRow:
    """Answers the row as it was before."""
    async with desk.database.transaction(actor) as work:
        row = await _installed(work, app_id)
        users = await users_of_app(work.session, app_id)
        if users:
            raise StripeAppInUse(
                "This Stripe app is still in use: " + "; ".join(users) + ".", details={"used_by": list(users)}
            )
        before = row.model_copy()
        row.state, row.updated_at = AppState.UNINSTALLING, work.now
        work.changed("stripe_apps", f"stripe_apps/{app_id}")
        return before


async def _leave_stripe(desk: StripeDesk, row: StripeAppRow) -> tuple[str, ...]:
    try:
        await remove_endpoints(desk.gateway_of(row, priority=PEOPLE), row.id)
    except (StripeUnauthorized, StripePermissionMissing, StripeRefused) as refusal:
        if row.webhook_endpoint_id is None:
            return ()
        return (f"The webhook endpoint {row.webhook_endpoint_id} ({row.webhook_url}). Stripe said: {refusal.message}",)
    return ()


async def _stay(desk: StripeDesk, actor: Actor, app_id: str, state: str) -> None:
    async with desk.database.transaction(actor) as work:
        row = await work.session.get_one(StripeAppRow, app_id)
        row.state, row.updated_at = state, work.now
        work.changed("stripe_apps", f"stripe_apps/{app_id}")


async def _installed(work: Work, app_id: str) -> StripeAppRow:
    row = await work.session.get(StripeAppRow, app_id)
    _check_usable(row, app_id)
    assert row is not None
    return row


def _check_usable(row: StripeAppRow | None, app_id: str) -> None:
    if row is None or row.state == AppState.INSTALLING:
        raise StripeAppNotFound(f"There is no Stripe app {app_id}.")
    if row.deleted_at is not None:
        raise StripeAppDeleted("This Stripe app was uninstalled.")
