"""Rows of this room. Private: others see `views`. Secrets arrive here sealed with the installation's key."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from dashboard.kit.columns import JsonDocument, Row, Timestamp


class StripeAppRow(Row, table=True):
    """One installed Stripe account. A row in state `installing` is an intent: nothing may use it yet."""

    __tablename__ = "stripe_app"
    __table_args__ = (
        Index(
            "ux_stripe_app_account",
            "account_id",
            "livemode",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    name: str
    description: str | None = None
    labels: dict[str, str] = Field(default_factory=dict, sa_type=JsonDocument)
    account_id: str
    account_name: str
    account_country: str | None = None
    default_currency: str | None = None
    livemode: bool
    is_sandbox: bool = False
    state: str
    status_reason: str | None = None
    masked_key: str
    sealed_key: str | None = None
    delivery: str = "polling"
    webhook_endpoint_id: str | None = None
    webhook_url: str | None = None
    webhook_api_version: str | None = None
    webhook_problem: str | None = None
    sealed_webhook_secret: str | None = None
    sealed_previous_secret: str | None = None
    previous_secret_until: datetime | None = Field(default=None, sa_type=Timestamp)
    portal_configuration_id: str | None = None
    tax_settings: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    tax_settings_at: datetime | None = Field(default=None, sa_type=Timestamp)
    cursor_at: datetime = Field(sa_type=Timestamp)
    cursor_floor: datetime = Field(sa_type=Timestamp)
    next_poll_at: datetime = Field(sa_type=Timestamp)
    last_poll_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_poll_problem: str | None = None
    last_event_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_event_received_at: datetime | None = Field(default=None, sa_type=Timestamp)
    gaps_healed: int = 0
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StripeCustomerLinkRow(Row, table=True):
    """Which Stripe customer one of our customers is, in one app, and what we last saw of it."""

    __tablename__ = "stripe_customer_link"
    __table_args__ = (
        UniqueConstraint("app_id", "customer_id"),
        UniqueConstraint("app_id", "stripe_customer_id"),
        Index("ix_stripe_customer_link_customer", "customer_id"),
    )

    id: str = Field(primary_key=True)
    app_id: str = Field(foreign_key="stripe_app.id")
    customer_id: str
    stripe_customer_id: str
    payment_method: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    payment_method_id: str | None = Field(default=None, index=True)
    payment_method_set_at: datetime | None = Field(default=None, sa_type=Timestamp)
    stripe_payment_method: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    stripe_name: str | None = None
    stripe_email: str | None = None
    stripe_currency: str | None = None
    stripe_tax_status: str | None = None
    stripe_deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    labels: dict[str, str] = Field(default_factory=dict, sa_type=JsonDocument)
    checked_at: datetime = Field(sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)


class StripeCheckoutSessionRow(Row, table=True):
    """A checkout page we asked for, so that its coming back is awaited and its age is known."""

    __tablename__ = "stripe_checkout_session"

    id: str = Field(primary_key=True)
    app_id: str = Field(foreign_key="stripe_app.id", index=True)
    customer_id: str = Field(index=True)
    stripe_customer_id: str
    session_id: str = Field(unique=True)
    setup_intent_id: str | None = Field(default=None, index=True)
    status: str
    problem: str | None = None
    url: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)
    completed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StripeProductRow(Row, table=True):
    """A Stripe product that carries a tax code onto invoice lines; made once per name and code."""

    __tablename__ = "stripe_product"

    app_id: str = Field(foreign_key="stripe_app.id", primary_key=True)
    key: str = Field(primary_key=True)
    product_id: str
    name: str
    tax_code: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)


class StripeInvoiceRow(Row, table=True):
    """How far one of our invoices has come in Stripe, and Stripe's last answer about it."""

    __tablename__ = "stripe_invoice"
    __table_args__ = (Index("ix_stripe_invoice_stripe_id", "app_id", "stripe_invoice_id"),)

    invoice_id: str = Field(primary_key=True)
    app_id: str = Field(foreign_key="stripe_app.id")
    customer_id: str
    stripe_customer_id: str | None = None
    stripe_invoice_id: str | None = None
    status: str = "none"
    sent_revision: str | None = None
    sent_header: dict[str, Any] = Field(default_factory=dict, sa_type=JsonDocument)
    sent_lines: str | None = None
    syncs: int = 0
    tax_dropped: str | None = None
    notes: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonDocument)
    line_ids: dict[str, str] = Field(default_factory=dict, sa_type=JsonDocument)
    foreign_lines: list[list[str]] = Field(default_factory=list, sa_type=JsonDocument)
    sent_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answer: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp, index=True)
    created_at: datetime = Field(sa_type=Timestamp)


class StripeCallRow(Row, table=True):
    """What we were about to ask of Stripe, written before asking, and what came of it."""

    __tablename__ = "stripe_call"
    __table_args__ = (
        UniqueConstraint("subject", "step", "revision"),
        Index("ix_stripe_call_unanswered", "state", "updated_at"),
    )

    id: str = Field(primary_key=True)
    app_id: str
    subject: str
    step: str
    revision: str
    idempotency_key: str = Field(index=True)
    attempt: int = 1
    state: str
    answer_id: str | None = None
    problem: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)


class StripeEventRow(Row, table=True):
    """A letter from Stripe: kept as it came, applied later, with what came of it."""

    __tablename__ = "stripe_event"
    __table_args__ = (
        UniqueConstraint("app_id", "event_id"),
        Index("ix_stripe_event_inbox", "created_at", "id"),
        Index("ix_stripe_event_object", "app_id", "object_id"),
        Index("ix_stripe_event_waiting", "state", "next_attempt_at"),
    )

    id: str = Field(primary_key=True)
    app_id: str = Field(foreign_key="stripe_app.id")
    event_id: str
    type: str
    object_type: str | None = None
    object_id: str | None = None
    customer_id: str | None = Field(default=None, index=True)
    invoice_id: str | None = Field(default=None, index=True)
    api_version: str | None = None
    via: str
    state: str
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Timestamp)
    idempotency_key: str | None = None
    payload: dict[str, Any] = Field(sa_type=JsonDocument)
    created_at: datetime = Field(sa_type=Timestamp)
    received_at: datetime = Field(sa_type=Timestamp)
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StripeTaxCodeRow(Row, table=True):
    """Stripe's library of tax codes, the same for every account, fetched at most once a day."""

    __tablename__ = "stripe_tax_code"

    id: str = Field(primary_key=True)
    name: str
    description: str
    fetched_at: datetime = Field(sa_type=Timestamp)
