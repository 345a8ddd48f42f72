"""Rows of the subscriptions room."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from dashboard.kit.columns import JsonDocument, Row, Timestamp

_UNSYNCED = text("sync_at IS NOT NULL")


class SubscriptionRow(Row, table=True):
    """One subscription. `phases` is the copy of the plan in the calendar, `edited_at` when it last departed from it;
    `sync_at` is when its lines for billing have to be made next (null: never again)."""

    __tablename__ = "subscription"
    __table_args__ = (
        Index("ix_subscription_customer", "customer_id", "active_from"),
        Index("ix_subscription_newest", "created_at", "id"),
        Index("ix_subscription_sync", "sync_at", sqlite_where=_UNSYNCED, postgresql_where=_UNSYNCED),
    )

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id")
    plan_id: str | None = Field(default=None, foreign_key="plan.id", index=True)
    plan_key: str | None = None
    plan_version: int | None = None
    name: str
    description: str | None = None
    currency: str
    billing_cadence: str
    billing_anchor: datetime = Field(sa_type=Timestamp)
    pro_rating_enabled: bool = True
    settlement_mode: str
    active_from: datetime = Field(sa_type=Timestamp)
    active_to: datetime | None = Field(default=None, sa_type=Timestamp)
    phases: list[dict[str, Any]] = Field(sa_type=JsonDocument)
    previous_id: str | None = None
    next_id: str | None = None
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    edited_at: datetime | None = Field(default=None, sa_type=Timestamp)
    sync_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)
