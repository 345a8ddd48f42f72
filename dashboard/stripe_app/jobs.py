"""What the worker does for this room. Plain functions; which job runs which is said in `worker.py`."""

from dashboard.kit.database import SYSTEM
from dashboard.stripe_app.apply import apply_event, retry_waiting_events
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.events_cursor import poll_due_apps
from dashboard.stripe_app.install import abandon_interrupted_installs


async def stripe_event_apply(desk: StripeDesk, event_id: str) -> None:
    """Job `stripe_event.apply`: applies one letter. Safe to run twice."""
    await apply_event(desk, event_id)


async def stripe_sweep(desk: StripeDesk) -> None:
    """Every minute: letters that waited long enough, installations that a crash cut off."""
    await retry_waiting_events(desk)
    await abandon_interrupted_installs(desk, SYSTEM)


async def stripe_poll(desk: StripeDesk) -> float:
    """The loop that listens to Stripe; answers in how many seconds to call again."""
    return await poll_due_apps(desk)
