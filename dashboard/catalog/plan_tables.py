"""Rows of features and plans. Phases with their rate cards are one document: read and written whole."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from dashboard.kit.columns import ExactDecimal, JsonDocument, Timestamp

_LIVE = text("archived_at IS NULL")


class FeatureRow(SQLModel, table=True):
    __tablename__ = "feature"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("feature_key_live", "key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),)

    id: str = Field(primary_key=True)
    key: str = Field(index=True)
    name: str
    description: str | None = None
    meter_id: str | None = Field(default=None, foreign_key="meter.id", index=True)
    filters: dict[str, list[str]] = Field(default_factory=dict, sa_column=Column(JsonDocument, nullable=False))
    unit_cost: Decimal | None = Field(default=None, sa_column=Column(ExactDecimal))
    metadata_: dict[str, str] = Field(default_factory=dict, sa_column=Column("metadata", JsonDocument, nullable=False))
    created_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    updated_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    archived_at: datetime | None = Field(default=None, sa_column=Column(Timestamp))


class PlanRow(SQLModel, table=True):
    __tablename__ = "plan"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("plan_key_version", "key", "version", unique=True),)

    id: str = Field(primary_key=True)
    key: str
    version: int
    name: str
    description: str | None = None
    currency: str
    billing_cadence: str
    pro_rating_enabled: bool = True
    settlement_mode: str = "credit_then_invoice"
    phases: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonDocument, nullable=False))
    metadata_: dict[str, str] = Field(default_factory=dict, sa_column=Column("metadata", JsonDocument, nullable=False))
    effective_from: datetime | None = Field(default=None, sa_column=Column(Timestamp))
    effective_to: datetime | None = Field(default=None, sa_column=Column(Timestamp))
    created_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    updated_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(Timestamp))
