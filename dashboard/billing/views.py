"""What others may hold of billing: profiles, invoices, lines. Amounts are `Decimal` in major units of the currency."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dashboard.customers.views import Address


class CollectionMethod(StrEnum):
    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class TaxBehavior(StrEnum):
    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class InvoiceStatus(StrEnum):
    """Where an invoice rests. DESIGN decision 10: fewer states than OpenMeter, and each is a resting point."""

    GATHERING = "gathering"
    DRAFT_CREATED = "draft.created"
    DRAFT_WAITING_FOR_COLLECTION = "draft.waiting_for_collection"
    DRAFT_COLLECTING = "draft.collecting"
    DRAFT_VALIDATING = "draft.validating"
    DRAFT_INVALID = "draft.invalid"
    DRAFT_SYNCING = "draft.syncing"
    DRAFT_SYNC_FAILED = "draft.sync_failed"
    DRAFT_WAITING_AUTO_APPROVAL = "draft.waiting_auto_approval"
    DRAFT_MANUAL_APPROVAL_NEEDED = "draft.manual_approval_needed"
    DRAFT_READY = "draft.ready"
    ISSUING = "issuing"
    ISSUING_FAILED = "issuing.failed"
    ISSUED = "issued"
    PAYMENT_PENDING = "payment_processing.pending"
    PAYMENT_FAILED = "payment_processing.failed"
    PAYMENT_ACTION_REQUIRED = "payment_processing.action_required"
    PAID = "paid"
    OVERDUE = "overdue"
    UNCOLLECTIBLE = "uncollectible"
    VOIDED = "voided"
    DELETING = "delete.in_progress"
    DELETE_FAILED = "delete.failed"
    DELETED = "deleted"

    @property
    def is_draft(self) -> bool:
        return self.value.startswith("draft.")

    @property
    def is_final(self) -> bool:
        """Nothing more is expected (an uncollectible one may still be paid late)."""
        return self in {InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.VOIDED, InvoiceStatus.DELETED}


class InvoiceAction(StrEnum):
    """What a person can ask of an invoice; a view lists those that are possible now."""

    INVOICE = "invoice"
    ADVANCE = "advance"
    APPROVE = "approve"
    RETRY = "retry"
    SNAPSHOT_QUANTITIES = "snapshot_quantities"
    DELETE = "delete"
    PAY = "pay"
    SEND = "send"
    VOID = "void"
    MARK_UNCOLLECTIBLE = "mark_uncollectible"
    MARK_PAID = "mark_paid"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class TaxConfig:
    """How a line or a default is taxed; `stripe_code` is `txcd_…`. None means: the next default decides."""

    behavior: TaxBehavior | None = None
    tax_code_id: str | None = None
    stripe_code: str | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """How invoices are collected, approved, paid and taxed. Durations are ISO 8601 text (`PT1H`, `P30D`)."""

    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    collection_alignment: str = "subscription"
    collection_anchor: datetime | None = None
    collection_anchor_interval: str | None = None
    collection_interval: str = "PT1H"
    draft_period: str = "P0D"
    due_after: str = "P30D"
    auto_advance: bool = True
    progressive_billing: bool = True
    subscription_end_proration_mode: str = "bill_actual_period"
    tax_enabled: bool = True
    tax_enforced: bool = False
    default_tax: TaxConfig = TaxConfig()


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who the invoice comes from."""

    name: str
    country: str
    address: Address | None = None
    tax_id: str | None = None


@dataclass(frozen=True, slots=True)
class BillingProfile:
    """A way of billing; exactly one live profile is the default."""

    id: str
    name: str
    description: str | None
    is_default: bool
    app_id: str
    workflow: Workflow
    supplier: Supplier
    default_currency: str | None
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CustomerBilling:
    """Which profile bills a customer and the workflow after the customer's override is laid over it.

    `sources` maps a workflow field to `profile` or `override`, for screens that show where a value comes from.
    """

    customer_id: str
    profile: BillingProfile
    is_pinned: bool
    workflow: Workflow
    sources: dict[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Issue:
    """Something a person should know or mend. Critical ones hold the invoice."""

    severity: str
    code: str
    message: str
    remedy: str = ""
    component: str = "meterdesk"
    path: str | None = None
    id: str = field(default="", compare=False)
    created_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Totals:
    """`total = amount + charges − discounts − credits + taxes_exclusive`. Taxes come from Stripe, after the fact."""

    amount: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    discounts: Decimal = Decimal(0)
    credits: Decimal = Decimal(0)
    taxes_inclusive: Decimal = Decimal(0)
    taxes_exclusive: Decimal = Decimal(0)

    @property
    def before_tax(self) -> Decimal:
        return self.amount + self.charges - self.discounts - self.credits

    @property
    def total(self) -> Decimal:
        return self.before_tax + self.taxes_exclusive


@dataclass(frozen=True, slots=True)
class DetailLine:
    """One priced component of a line, the unit that reaches Stripe."""

    id: str
    component: str
    name: str
    quantity: Decimal
    per_unit_amount: Decimal
    totals: Totals
    category: str = "regular"
    payment_term: str = "in_advance"
    external_id: str | None = None
    explanation: tuple[str, ...] = ()
    discounts: tuple[tuple[str, str], ...] = ()
    """Reason (`percentage`, `maximum_spend`) and amount of each discount in `totals`."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What a customer is charged for, as they would name it."""

    id: str
    name: str
    description: str | None
    kind: str
    price: dict[str, Any] = field(hash=False)
    quantity: Decimal | None
    period_from: datetime
    period_to: datetime
    invoice_at: datetime
    tax: TaxConfig
    effective_tax: TaxConfig
    feature_key: str | None
    subscription_id: str | None
    managed_by: str
    totals: Totals
    details: tuple[DetailLine, ...]
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    discounts: dict[str, Any] = field(default_factory=dict, hash=False)
    unit_conversion: dict[str, Any] | None = field(default=None, hash=False)
    metered_quantity: Decimal | None = None
    metered_before: Decimal | None = None
    subscription: dict[str, Any] | None = field(default=None, hash=False)
    is_late_usage: bool = False
    """It settles what arrived, or was corrected, after its period was invoiced."""


LATE_USAGE = "late_usage"
"""The trigger of an invoice that was made for late usage alone."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in an invoice's life: what it was, what it became, by whom and why."""

    at: datetime
    from_status: str | None
    to_status: str
    trigger: str
    actor_kind: str
    actor_label: str
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class ExternalInvoice:
    """What the invoicing app (Stripe) says of an invoice. Amounts are major units; times are UTC.

    `balance_before` and `balance_after` are the customer's balance when it was issued: below zero is credit.
    """

    id: str
    status: str
    number: str | None = None
    hosted_url: str | None = None
    pdf_url: str | None = None
    dashboard_url: str | None = None
    subtotal: Decimal | None = None
    total: Decimal | None = None
    tax: Decimal | None = None
    amount_due: Decimal | None = None
    amount_paid: Decimal | None = None
    amount_remaining: Decimal | None = None
    balance_before: Decimal | None = None
    balance_after: Decimal | None = None
    credited_before_payment: Decimal | None = None
    credited_after_payment: Decimal | None = None
    automatic_tax_status: str | None = None
    due_at: datetime | None = None
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    marked_uncollectible_at: datetime | None = None
    sent_at: datetime | None = None
    attempt_count: int = 0
    next_payment_attempt_at: datetime | None = None
    payment_status: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    line_ids: dict[str, str] = field(default_factory=dict, hash=False)
    foreign_lines: tuple[tuple[str, Decimal], ...] = ()
    notes: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice with everything a screen or the API shows of it."""

    id: str
    number: str
    status: InvoiceStatus
    customer_id: str
    customer_name: str
    customer_key: str | None
    customer_snapshot: dict[str, Any] = field(hash=False)
    currency: str
    billing_profile_id: str | None
    app_id: str | None
    workflow: Workflow | None
    supplier: Supplier | None
    description: str | None
    footer: str | None
    purchase_order: str | None
    statement_descriptor: str | None
    metadata: dict[str, str] = field(hash=False)
    totals: Totals
    period_from: datetime | None
    period_to: datetime | None
    collection_at: datetime | None
    draft_until: datetime | None
    issued_at: datetime | None
    due_at: datetime | None
    sent_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    deleted_at: datetime | None
    quantities_fixed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    external: ExternalInvoice | None
    issues: tuple[Issue, ...]
    actions: tuple[InvoiceAction, ...]
    sync_state: str
    sync_attempts: int
    next_attempt_at: datetime | None
    requested_action: str | None = None
    """An action that was asked of the provider and not answered yet; `request_id` names this one asking."""
    request_id: str | None = None
    revision: int = 0
    """Counts the changes of what the provider should have."""
    lines: tuple[InvoiceLine, ...] = ()
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """A row of the invoice list."""

    id: str
    number: str
    status: InvoiceStatus
    customer_id: str
    customer_name: str
    currency: str
    total: Decimal
    amount_paid: Decimal | None
    amount_remaining: Decimal | None
    collection_method: str | None
    sync_state: str
    payment_status: str | None
    created_at: datetime
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    next_attempt_at: datetime | None
    problem: str | None
