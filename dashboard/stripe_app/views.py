"""What others may hold of Stripe: apps, links, sessions, events, tax. No secret ever enters a view."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dashboard.billing.invoicing_app import PaymentMethod


class AppState(StrEnum):
    """Where an installed app stands."""

    INSTALLING = "installing"
    READY = "ready"
    UNAUTHORIZED = "unauthorized"
    UNINSTALLING = "uninstalling"
    UNINSTALLED = "uninstalled"


class Delivery(StrEnum):
    """How we hear from Stripe."""

    WEBHOOK = "webhook"
    POLLING = "polling"


class EventState(StrEnum):
    """What became of a letter from Stripe."""

    RECEIVED = "received"
    APPLIED = "applied"
    IGNORED = "ignored"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NeededPermission:
    """What a restricted key needs: an area as Stripe's dashboard names it, and `read` or `write`."""

    area: str
    level: str


@dataclass(frozen=True, slots=True)
class MissingPermission:
    """What a restricted key may not read, in Stripe's words."""

    area: str
    message: str


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What a key turned out to be, before anything is installed. Shown to a person for a yes."""

    account_id: str
    account_name: str
    country: str | None
    default_currency: str | None
    livemode: bool
    is_sandbox: bool
    masked_key: str
    restricted: bool
    missing_permissions: tuple[MissingPermission, ...]
    installed_app_id: str | None
    delivery: Delivery
    delivery_explanation: str

    @property
    def mode(self) -> str:
        return "live" if self.livemode else "test"


@dataclass(frozen=True, slots=True)
class StripeApp:
    """One installed Stripe account."""

    id: str
    name: str
    description: str | None
    metadata: dict[str, str] = field(hash=False)
    account_id: str
    account_name: str
    country: str | None
    default_currency: str | None
    livemode: bool
    is_sandbox: bool
    state: AppState
    status_reason: str | None
    masked_key: str
    delivery: Delivery
    webhook_url: str | None
    webhook_api_version: str | None
    portal_configuration_id: str | None
    dashboard_url: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def mode(self) -> str:
        return "live" if self.livemode else "test"

    @property
    def status(self) -> str:
        """OpenMeter's word: `ready` or `unauthorized`."""
        return "unauthorized" if self.state is AppState.UNAUTHORIZED else "ready"


@dataclass(frozen=True, slots=True)
class AppHealth:
    """How well we hear from Stripe. Times are UTC, lag is seconds between an event's creation and its arrival here."""

    app_id: str
    state: AppState
    delivery: Delivery
    last_event_at: datetime | None
    last_event_received_at: datetime | None
    lag_seconds: float | None
    last_poll_at: datetime | None
    poll_problem: str | None
    gaps_healed: int
    waiting_events: int
    failed_events: int
    webhook_is_current: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UninstallResult:
    """The app is gone here; `left_in_stripe` names what could not be removed there."""

    app_id: str
    left_in_stripe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StripeCustomerHit:
    """A Stripe customer a search found; `linked_customer_id` is ours that already has it."""

    stripe_customer_id: str
    name: str | None
    email: str | None
    currency: str | None
    created_at: datetime
    linked_customer_id: str | None


@dataclass(frozen=True, slots=True)
class StripeLink:
    """Which Stripe customer one of ours is, and how they pay.

    `payment_method_source` is `ours` (stored here), `stripe` (Stripe's default for the customer) or `none`.
    """

    app_id: str
    customer_id: str
    stripe_customer_id: str
    default_payment_method_id: str | None
    payment_method: PaymentMethod | None
    payment_method_source: str
    stripe_name: str | None
    stripe_email: str | None
    stripe_currency: str | None
    tax_status: str | None
    stripe_deleted_at: datetime | None
    labels: dict[str, str] = field(hash=False)
    dashboard_url: str | None
    notices: tuple[str, ...]
    checked_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A page at Stripe where a customer leaves a payment method."""

    id: str
    app_id: str
    customer_id: str
    stripe_customer_id: str
    session_id: str
    setup_intent_id: str
    mode: str
    status: str
    url: str | None
    client_secret: str | None
    client_reference_id: str | None
    customer_email: str | None
    currency: str | None
    success_url: str | None
    cancel_url: str | None
    return_url: str | None
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """A remembered checkout page: `open`, `complete`, `expired`, or `failed` with the problem."""

    session_id: str
    customer_id: str
    status: str
    problem: str | None
    url: str | None
    created_at: datetime
    expires_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalSession:
    """A short-lived door to Stripe's customer portal."""

    id: str
    app_id: str
    customer_id: str
    stripe_customer_id: str
    configuration_id: str
    livemode: bool
    locale: str
    return_url: str
    url: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """A row of the inbox."""

    id: str
    app_id: str
    event_id: str
    type: str
    object_type: str | None
    object_id: str | None
    customer_id: str | None
    invoice_id: str | None
    api_version: str | None
    via: str
    state: EventState
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    received_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class StripeEventDetail:
    """An event with the letter itself."""

    event: StripeEvent
    payload: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class TaxSettings:
    """The account's tax set-up at Stripe: `active`, or `pending` with what it still misses."""

    status: str
    missing_fields: tuple[str, ...]
    default_tax_code: str | None
    default_tax_behavior: str | None
    provider: str | None
    checked_at: datetime

    @property
    def is_active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class TaxCode:
    """An entry of Stripe's tax code library (`txcd_` and eight digits)."""

    id: str
    name: str
    description: str
