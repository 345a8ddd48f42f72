"""Rows of the usage room in the application's database. Events live in a store of their own (`event_store.py`)."""

from datetime import datetime

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from dashboard.kit.columns import JsonDocument, Timestamp


class MeterRow(SQLModel, table=True):
    __tablename__ = "meter"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index(
            "meter_key_live",
            "key",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    key: str
    name: str
    description: str | None = None
    event_type: str
    event_from: datetime | None = Field(default=None, sa_column=Column(Timestamp))
    aggregation: str
    value_property: str | None = None
    group_by: dict[str, str] = Field(default_factory=dict, sa_column=Column(JsonDocument, nullable=False))
    metadata_: dict[str, str] = Field(default_factory=dict, sa_column=Column("metadata", JsonDocument, nullable=False))
    created_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    updated_at: datetime = Field(sa_column=Column(Timestamp, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(Timestamp))
