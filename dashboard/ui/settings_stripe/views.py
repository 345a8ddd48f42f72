"""What the Stripe settings show of an app, a key and their health: text only."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.kit.countries import country_name
from dashboard.stripe_app.views import AppHealth, AppState, Delivery, KeyCheck, StripeApp
from dashboard.ui.components import Status
from dashboard.ui.views import NO_MOMENT, Moment, moment

PATH = "/settings/stripe"

STATES = {
    AppState.READY.value: Status("Ready", "success"),
    AppState.UNAUTHORIZED.value: Status("Key refused", "danger"),
    AppState.INSTALLING.value: Status("Installing", "progress"),
    AppState.UNINSTALLING.value: Status("Uninstalling", "progress"),
    AppState.UNINSTALLED.value: Status("Uninstalled", "spent"),
}


@dataclass(frozen=True, slots=True)
class KeyView:
    """What a key turned out to be. Never the key."""

    account_id: str = ""
    account_name: str = ""
    place: str = ""
    environment: str = ""
    masked_key: str = ""
    restricted: bool = False
    missing: tuple[str, ...] = ()
    installed_app_id: str = ""
    is_polling: bool = False
    delivery: str = ""


@dataclass(frozen=True, slots=True)
class AppView:
    """One connected account."""

    id: str = ""
    name: str = ""
    account_id: str = ""
    account_name: str = ""
    place: str = ""
    environment: str = ""
    state: str = ""
    status_reason: str = ""
    masked_key: str = ""
    is_polling: bool = False
    webhook_url: str = ""
    api_version: str = ""
    dashboard_url: str = ""
    installed: Moment = NO_MOMENT
    profile_count: int = 0
    href: str = ""
    setup_href: str = ""


@dataclass(frozen=True, slots=True)
class HealthView:
    """How well we hear from an account."""

    last_event: Moment = NO_MOMENT
    last_poll: Moment = NO_MOMENT
    lag: str = ""
    gaps_healed: int = 0
    waiting: int = 0
    failed: int = 0
    webhook_is_current: bool = True
    problems: tuple[str, ...] = ()


def key_view(check: KeyCheck) -> KeyView:
    """The check of a key as the wizard shows it."""
    return KeyView(
        account_id=check.account_id,
        account_name=check.account_name,
        place=_place(check.country, check.default_currency),
        environment=_environment(check.is_sandbox, check.livemode),
        masked_key=check.masked_key,
        restricted=check.restricted,
        missing=tuple(f"{missing.area}: {missing.message}" for missing in check.missing_permissions),
        installed_app_id=check.installed_app_id or "",
        is_polling=check.delivery is Delivery.POLLING,
        delivery=check.delivery_explanation,
    )


def app_view(app: StripeApp, profile_count: int, now: datetime) -> AppView:
    """An installed account as its card and page show it."""
    return AppView(
        id=app.id,
        name=app.name,
        account_id=app.account_id,
        account_name=app.account_name,
        place=_place(app.country, app.default_currency),
        environment=_environment(app.is_sandbox, app.livemode),
        state=app.state.value,
        status_reason=app.status_reason or "",
        masked_key=app.masked_key,
        is_polling=app.delivery is Delivery.POLLING,
        webhook_url=app.webhook_url or "",
        api_version=app.webhook_api_version or "",
        dashboard_url=app.dashboard_url or "",
        installed=moment(app.created_at, now),
        profile_count=profile_count,
        href=app_href(app.id),
        setup_href=step_href(app.id, "collection"),
    )


def health_view(health: AppHealth, now: datetime) -> HealthView:
    """The health of an app, with times as seen from now."""
    return HealthView(
        last_event=moment(health.last_event_received_at, now),
        last_poll=moment(health.last_poll_at, now),
        lag=lag_in_words(health.lag_seconds),
        gaps_healed=health.gaps_healed,
        waiting=health.waiting_events,
        failed=health.failed_events,
        webhook_is_current=health.webhook_is_current,
        problems=health.problems,
    )


def lag_in_words(seconds: float | None) -> str:
    """“under a second”, “4 s”, “3 min”, “2 h”; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def app_href(app_id: str) -> str:
    """The page of an installed app."""
    return f"{PATH}?app={app_id}"


def step_href(app_id: str, step: str, **more: str) -> str:
    """A step of the wizard for an installed app."""
    return app_href(app_id) + f"&step={step}" + "".join(f"&{name}={value}" for name, value in more.items())


def _environment(is_sandbox: bool, livemode: bool) -> str:
    if is_sandbox:
        return "sandbox"
    return "live" if livemode else "test"


def _place(country: str | None, currency: str | None) -> str:
    return " · ".join(part for part in (country_name(country) if country else "", currency or "") if part)
