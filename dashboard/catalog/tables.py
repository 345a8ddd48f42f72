"""Rows of tax codes. Private: others see `views`. (Plans and features have `plan_tables.py`.)"""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from dashboard.kit.columns import JsonDocument, Row, Timestamp

_LIVE = text("deleted_at IS NULL")


class TaxCodeRow(Row, table=True):
    __tablename__ = "tax_code"
    __table_args__ = (Index("uq_tax_code_live_key", "key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),)

    id: str = Field(primary_key=True)
    key: str
    name: str
    description: str | None = None
    stripe_code: str | None = None
    other_mappings: dict[str, str] = Field(sa_type=JsonDocument)
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class TaxDefaultsRow(Row, table=True):
    """The organisation's defaults: one row."""

    __tablename__ = "tax_defaults"

    id: str = Field(primary_key=True)
    invoicing_tax_code_id: str = Field(foreign_key="tax_code.id")
    credit_grant_tax_code_id: str = Field(foreign_key="tax_code.id")
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
