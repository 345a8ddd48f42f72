"""Rows of this room. Private: others see `views`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from dashboard.kit.columns import JsonDocument, Row, Timestamp

_LIVE = text("deleted_at IS NULL")


class CustomerRow(Row, table=True):
    """One customer. Deleted ones stay, so that their invoices can be read."""

    __tablename__ = "customer"
    __table_args__ = (
        Index("uq_customer_live_key", "key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("ix_customer_newest", "created_at", "id"),
        Index("ix_customer_name", "name", "id"),
    )

    id: str = Field(primary_key=True)
    key: str | None = None
    name: str
    description: str | None = None
    currency: str | None = None
    primary_email: str | None = None
    billing_address: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    subject_keys: list[str] = Field(sa_type=JsonDocument)
    search_text: str
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    external_invoicing: dict[str, str] | None = Field(default=None, sa_type=JsonDocument)
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class UsageNameRow(Row, table=True):
    """A name under which usage counts for a live customer: their key or one of their subjects.

    One table for both, so that the database itself keeps a key from being another customer's subject.
    """

    __tablename__ = "customer_usage_name"

    name: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", ondelete="CASCADE", index=True)


class SubjectRow(Row, table=True):
    """What is known of a name under which usage arrives. It neither makes the name nor says whose it is."""

    __tablename__ = "subject"

    id: str = Field(primary_key=True)
    key: str = Field(unique=True)
    display_name: str | None = None
    metadata_: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    current_period_start: datetime | None = Field(default=None, sa_type=Timestamp)
    current_period_end: datetime | None = Field(default=None, sa_type=Timestamp)
    stripe_customer_id: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
