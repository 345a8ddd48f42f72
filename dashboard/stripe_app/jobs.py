"""What the worker does for this room. Plain functions; which job runs which is said in `worker.py`."""

from contextlib import suppress

from dashboard.kit.database import SYSTEM
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.app_life import finish_interrupted_uninstalls, resume_forgotten_invoices
from dashboard.stripe_app.apps import ready_app_ids
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.events_cursor import poll_due_apps
from dashboard.stripe_app.install import abandon_interrupted_installs
from dashboard.stripe_app.reconcile import reconcile_app
from dashboard.stripe_app.retention import forget_what_is_over
from dashboard.stripe_app.webhook_endpoint import keep_webhooks_current, remove_forgotten_endpoints


async def stripe_sweep(desk: StripeDesk) -> None:
    """Every minute: what a crash cut off or forgot, webhooks that no longer fit."""
    await abandon_interrupted_installs(desk, SYSTEM)
    await finish_interrupted_uninstalls(desk)
    await resume_forgotten_invoices(desk)
    await keep_webhooks_current(desk)


async def stripe_reconcile(desk: StripeDesk) -> None:
    """Once a day: every invoice that may still change is compared with Stripe, and webhooks left behind are removed."""
    for app_id in await _ready(desk):
        # One account that cannot be read must not keep the others from being compared.
        with suppress(MeterdeskError):
            await remove_forgotten_endpoints(desk, app_id)
        with suppress(MeterdeskError):
            await reconcile_app(desk, app_id)


async def stripe_forget(desk: StripeDesk) -> None:
    """Once a day: what was settled long ago is deleted."""
    await forget_what_is_over(desk)


async def _ready(desk: StripeDesk) -> list[str]:
    async with desk.database.read() as session:
        return await ready_app_ids(session)


async def stripe_poll(desk: StripeDesk) -> float:
    """The loop that listens to Stripe; answers in how many seconds to call again."""
    return await poll_due_apps(desk)
