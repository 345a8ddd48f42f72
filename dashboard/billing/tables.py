"""Rows of this room. Private: others see `views`.

What a list is filtered, ordered or summed by has a column; what is only shown or carried along is a document.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, false, text
from sqlmodel import Field

from dashboard.billing.columns import Money
from dashboard.kit.columns import ExactDecimal, JsonDocument, Row, Timestamp

_LIVE_DEFAULT = text("is_default AND deleted_at IS NULL")
_GATHERING = text("status = 'gathering'")
_WAKES = text("wake_at IS NOT NULL")
_UNAUTHORIZED = text("sync_state = 'unauthorized'")
# A partial index serves only questions that are worded like it, and the two dialects word this one differently.
_ATTENTION_SQLITE = text("needs_attention = 1")
_ATTENTION_POSTGRESQL = text("needs_attention")
_REFERENCE = text("reference IS NOT NULL AND deleted_at IS NULL")


class BillingProfileRow(Row, table=True):
    """A way of billing. The index keeps the default the only one, whatever happens at the same time."""

    __tablename__ = "billing_profile"
    __table_args__ = (
        Index(
            "uq_billing_profile_live_default",
            "is_default",
            unique=True,
            sqlite_where=_LIVE_DEFAULT,
            postgresql_where=_LIVE_DEFAULT,
        ),
    )

    id: str = Field(primary_key=True)
    name: str
    description: str | None = None
    is_default: bool
    app_id: str = Field(index=True)
    workflow: dict[str, Any] = Field(sa_type=JsonDocument)
    default_tax_code_id: str | None = None
    supplier: dict[str, Any] = Field(sa_type=JsonDocument)
    default_currency: str | None = None
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class CustomerOverrideRow(Row, table=True):
    """What is different for one customer: another profile, or single fields of the workflow."""

    __tablename__ = "billing_customer_override"

    customer_id: str = Field(primary_key=True, foreign_key="customer.id", ondelete="CASCADE")
    billing_profile_id: str | None = Field(default=None, foreign_key="billing_profile.id", index=True)
    workflow: dict[str, Any] = Field(sa_type=JsonDocument)
    default_tax_code_id: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)


class SequenceRow(Row, table=True):
    """A counter for invoice numbers."""

    __tablename__ = "billing_sequence"

    name: str = Field(primary_key=True)
    last: int


class InvoiceRow(Row, table=True):
    """One invoice, or the gathering of a customer's pending lines in one currency (`deleted_at` while it has none).

    `wake_at` is when it needs the machine next (null: nothing to do by itself), `revision` counts changes of what the
    provider should have, `version` every change of the row. `requested_*` is an action that was begun and not answered.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        Index(
            "uq_invoice_gathering",
            "customer_id",
            "currency",
            unique=True,
            sqlite_where=_GATHERING,
            postgresql_where=_GATHERING,
        ),
        Index("ix_invoice_tab_newest", "tab", "created_at", "id"),
        Index("ix_invoice_newest", "created_at", "id"),
        Index("ix_invoice_customer_newest", "customer_id", "created_at", "id"),
        Index("ix_invoice_customer_tab", "customer_id", "tab", "created_at", "id"),
        Index("ix_invoice_currency_newest", "currency", "created_at", "id"),
        Index("ix_invoice_billing_profile_newest", "billing_profile_id", "created_at", "id"),
        Index("ix_invoice_app_newest", "app_id", "created_at", "id"),
        Index("ix_invoice_total", "total", "id"),
        Index("ix_invoice_due", "due_at", "id"),
        Index("ix_invoice_tab_due", "tab", "due_at", "id"),
        Index("ix_invoice_status_newest", "status", "created_at", "id"),
        # With what the home page adds up, so that it need not touch the rows.
        Index("ix_invoice_issued", "issued_at", "id", "currency", "total", "tab"),
        Index("ix_invoice_paid", "paid_at", "currency", "amount_paid"),
        Index("ix_invoice_owed", "tab", "currency", "amount_remaining"),
        Index("ix_invoice_number", "number"),
        Index("ix_invoice_external", "external_id"),
        Index("ix_invoice_wakes", "wake_at", sqlite_where=_WAKES, postgresql_where=_WAKES),
        Index("ix_invoice_unauthorized", "app_id", "id", sqlite_where=_UNAUTHORIZED, postgresql_where=_UNAUTHORIZED),
        Index(
            "ix_invoice_attention",
            "created_at",
            "id",
            "sync_state",
            "sync_attempts",
            sqlite_where=_ATTENTION_SQLITE,
            postgresql_where=_ATTENTION_POSTGRESQL,
        ),
    )

    id: str = Field(primary_key=True)
    number: str
    status: str
    tab: str
    needs_attention: bool = False
    problem: str | None = None

    customer_id: str = Field(foreign_key="customer.id")
    customer_name: str
    customer_key: str | None = None
    customer_snapshot: dict[str, Any] = Field(sa_type=JsonDocument)
    currency: str

    billing_profile_id: str | None = Field(default=None, foreign_key="billing_profile.id")
    app_id: str | None = None
    collection_method: str | None = None
    workflow: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    supplier: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)

    description: str | None = None
    footer: str | None = None
    purchase_order: str | None = None
    statement_descriptor: str | None = None
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})

    amount: Decimal = Field(default=Decimal(0), sa_type=Money)
    charges: Decimal = Field(default=Decimal(0), sa_type=Money)
    discounts: Decimal = Field(default=Decimal(0), sa_type=Money)
    credits: Decimal = Field(default=Decimal(0), sa_type=Money)
    taxes_inclusive: Decimal = Field(default=Decimal(0), sa_type=Money)
    taxes_exclusive: Decimal = Field(default=Decimal(0), sa_type=Money)
    total: Decimal = Field(default=Decimal(0), sa_type=Money)

    period_from: datetime | None = Field(default=None, sa_type=Timestamp)
    period_to: datetime | None = Field(default=None, sa_type=Timestamp)
    collection_at: datetime | None = Field(default=None, sa_type=Timestamp)
    draft_until: datetime | None = Field(default=None, sa_type=Timestamp)
    issued_at: datetime | None = Field(default=None, sa_type=Timestamp)
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    sent_at: datetime | None = Field(default=None, sa_type=Timestamp)
    paid_at: datetime | None = Field(default=None, sa_type=Timestamp)
    voided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    quantities_fixed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)

    external_id: str | None = None
    external: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    external_at: datetime | None = Field(default=None, sa_type=Timestamp)
    amount_paid: Decimal | None = Field(default=None, sa_type=Money)
    amount_remaining: Decimal | None = Field(default=None, sa_type=Money)
    payment_status: str | None = None

    revision: int = 0
    version: int = 0
    status_since: datetime = Field(sa_type=Timestamp)
    wake_at: datetime | None = Field(default=None, sa_type=Timestamp)
    sync_state: str = "none"
    sync_attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Timestamp)
    requested_action: str | None = None
    requested_by: dict[str, str] | None = Field(default=None, sa_type=JsonDocument)
    requested_arguments: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    requested_at: datetime | None = Field(default=None, sa_type=Timestamp)


class InvoiceLineRow(Row, table=True):
    """What a customer is charged for. A line that is billed in pieces is a family under `root_id`.

    `quantity` is given by hand, or what was priced; `metered_quantity` belongs to this piece, `metered_before` to the
    pieces before it; `measured_with` is the meter and filters that counted. A piece that `is_late_usage` settles what
    came after its period was invoiced. `reference` is another room's own name for the line, unique while it lives.
    """

    __tablename__ = "invoice_line"
    __table_args__ = (
        Index("ix_invoice_line_invoice", "invoice_id", "created_at", "id"),
        Index(
            "uq_invoice_line_live_reference",
            "reference",
            unique=True,
            sqlite_where=_REFERENCE,
            postgresql_where=_REFERENCE,
        ),
    )

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", ondelete="CASCADE")
    customer_id: str = Field(index=True)
    currency: str
    root_id: str = Field(index=True)
    reference: str | None = None
    name: str
    description: str | None = None
    kind: str
    managed_by: str
    price: dict[str, Any] = Field(sa_type=JsonDocument)
    rate_discounts: dict[str, Any] = Field(sa_type=JsonDocument)
    unit_conversion: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    feature_key: str | None = None
    subscription_id: str | None = Field(default=None, index=True)
    subscription: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    quantity: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    metered_quantity: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    metered_before: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    measured_with: dict[str, Any] | None = Field(default=None, sa_type=JsonDocument)
    is_late_usage: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    period_from: datetime = Field(sa_type=Timestamp)
    period_to: datetime = Field(sa_type=Timestamp)
    full_period_from: datetime = Field(sa_type=Timestamp)
    full_period_to: datetime = Field(sa_type=Timestamp)
    invoice_at: datetime = Field(sa_type=Timestamp)
    collection_end: datetime | None = Field(default=None, sa_type=Timestamp)
    tax: dict[str, Any] = Field(sa_type=JsonDocument)
    tax_code_id: str | None = Field(default=None, index=True)
    effective_tax: dict[str, Any] = Field(sa_type=JsonDocument)
    amount: Decimal = Field(default=Decimal(0), sa_type=Money)
    charges: Decimal = Field(default=Decimal(0), sa_type=Money)
    discounts: Decimal = Field(default=Decimal(0), sa_type=Money)
    credits: Decimal = Field(default=Decimal(0), sa_type=Money)
    metadata_: dict[str, str] = Field(sa_type=JsonDocument, sa_column_kwargs={"name": "metadata"})
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DetailLineRow(Row, table=True):
    """One priced component of a line. Its id lives on when the line is rated again."""

    __tablename__ = "invoice_detail_line"

    id: str = Field(primary_key=True)
    line_id: str = Field(foreign_key="invoice_line.id", ondelete="CASCADE", index=True)
    invoice_id: str = Field(index=True)
    position: int
    component: str
    name: str
    quantity: Decimal = Field(sa_type=ExactDecimal)
    per_unit_amount: Decimal = Field(sa_type=ExactDecimal)
    category: str
    payment_term: str
    amount: Decimal = Field(default=Decimal(0), sa_type=Money)
    charges: Decimal = Field(default=Decimal(0), sa_type=Money)
    discounts: Decimal = Field(default=Decimal(0), sa_type=Money)
    credits: Decimal = Field(default=Decimal(0), sa_type=Money)
    discount_parts: list[dict[str, str]] = Field(sa_type=JsonDocument)
    explanation: list[str] = Field(sa_type=JsonDocument)
    external_id: str | None = None


class TransitionRow(Row, table=True):
    """One step in an invoice's life, or an attempt that failed (both states are the same then)."""

    __tablename__ = "invoice_transition"
    __table_args__ = (Index("ix_invoice_transition_invoice", "invoice_id", "number"),)

    number: int | None = Field(default=None, primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=Timestamp)
    from_status: str | None = None
    to_status: str
    trigger: str
    actor_kind: str
    actor_id: str
    actor_label: str
    error_code: str | None = None
    error_message: str | None = None


class IssueRow(Row, table=True):
    """Something to know or to mend about an invoice."""

    __tablename__ = "invoice_issue"
    __table_args__ = (Index("ix_invoice_issue_invoice", "invoice_id", "created_at", "id"),)

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", ondelete="CASCADE")
    severity: str
    code: str
    message: str
    remedy: str
    component: str
    path: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
