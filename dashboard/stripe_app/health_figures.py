"""What `/metrics` says of every installed account: how well we hear from it, and what waits."""

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.stripe_app.apps import app_health, list_stripe_apps
from dashboard.stripe_app.views import AppState

_LABELS = ["app_id", "account_id"]
READY = Gauge("meterdesk_stripe_app_ready", "1 while Stripe accepts the account's key.", _LABELS)
LAST_EVENT = Gauge("meterdesk_stripe_last_event_timestamp_seconds", "When the newest event arrived here.", _LABELS)
LAST_POLL = Gauge("meterdesk_stripe_last_poll_timestamp_seconds", "When events were last asked for.", _LABELS)
LAST_LAG = Gauge("meterdesk_stripe_last_event_lag_seconds", "How old the newest event was when it arrived.", _LABELS)
GAPS = Gauge("meterdesk_stripe_gaps_healed", "Events whose webhook never came and that polling fetched.", _LABELS)
UNSETTLED = Gauge("meterdesk_stripe_events_unsettled", "Events that wait, or have failed.", [*_LABELS, "state"])
WEBHOOK = Gauge("meterdesk_stripe_webhook_current", "1 while the webhook fits address and API version.", _LABELS)

_ALL = (READY, LAST_EVENT, LAST_POLL, LAST_LAG, GAPS, UNSETTLED, WEBHOOK)


async def refresh_health_figures(session: AsyncSession, public_url: str | None) -> None:
    """Sets the figures to how things stand now; accounts that left are no longer among them."""
    for gauge in _ALL:
        gauge.clear()
    for app in await list_stripe_apps(session):
        health = await app_health(session, app.id, public_url)
        labels = (app.id, app.account_id)
        READY.labels(*labels).set(app.state is AppState.READY)
        WEBHOOK.labels(*labels).set(health.webhook_is_current)
        GAPS.labels(*labels).set(health.gaps_healed)
        UNSETTLED.labels(*labels, "waiting").set(health.waiting_events)
        UNSETTLED.labels(*labels, "failed").set(health.failed_events)
        if health.last_event_received_at is not None:
            LAST_EVENT.labels(*labels).set(health.last_event_received_at.timestamp())
        if health.last_poll_at is not None:
            LAST_POLL.labels(*labels).set(health.last_poll_at.timestamp())
        if health.lag_seconds is not None:
            LAST_LAG.labels(*labels).set(health.lag_seconds)
