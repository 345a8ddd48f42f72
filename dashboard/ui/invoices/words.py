"""Statuses in words and tones. Document, payment and sync are three axes, never one merged word."""

from decimal import Decimal

from dashboard.billing.views import LATE_USAGE, Invoice, InvoiceAction, InvoiceStatus, InvoiceSummary, Transition
from dashboard.kit.money import format_money
from dashboard.ui.components.badges import Status

DOCUMENT = {
    "gathering": Status("Gathering", "progress", "inbox"),
    "draft": Status("Draft", "neutral", "pencil-line"),
    "waiting": Status("Waiting for usage", "progress", "clock"),
    "invalid": Status("Needs mending", "danger"),
    "approval": Status("Needs approval", "review"),
    "scheduled": Status("Approved automatically", "review", "clock"),
    "issuing": Status("Issuing", "progress"),
    "issuing_failed": Status("Issuing failed", "danger"),
    "issued": Status("Issued", "open"),
    "overdue": Status("Overdue", "danger", "calendar-x"),
    "paid": Status("Paid", "success"),
    "uncollectible": Status("Uncollectible", "spent"),
    "voided": Status("Voided", "neutral", "ban"),
    "deleting": Status("Deleting", "progress", "trash-2"),
    "delete_failed": Status("Deleting failed", "danger"),
    "deleted": Status("Deleted", "neutral", "trash-2"),
}
PAYMENT = {
    "pending": Status("Payment pending", "progress"),
    "processing": Status("Payment processing", "progress"),
    "failed": Status("Payment failed", "danger"),
    "action_required": Status("Action required", "warning"),
}
SYNC = {
    "pending": Status("Not in Stripe yet", "neutral", "cloud-off"),
    "syncing": Status("Syncing", "progress"),
    "synced": Status("In Stripe", "success", "cloud"),
    "retrying": Status("Sync retrying", "warning", "refresh-cw"),
    "failed": Status("Sync failed", "danger"),
    "unauthorized": Status("Stripe key revoked", "danger", "key-round"),
}

_DOCUMENT_OF = {
    InvoiceStatus.GATHERING: "gathering",
    InvoiceStatus.DRAFT_WAITING_FOR_COLLECTION: "waiting",
    InvoiceStatus.DRAFT_INVALID: "invalid",
    InvoiceStatus.DRAFT_SYNC_FAILED: "invalid",
    InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED: "approval",
    InvoiceStatus.DRAFT_WAITING_AUTO_APPROVAL: "scheduled",
    InvoiceStatus.ISSUING: "issuing",
    InvoiceStatus.ISSUING_FAILED: "issuing_failed",
    InvoiceStatus.ISSUED: "issued",
    InvoiceStatus.PAYMENT_PENDING: "issued",
    InvoiceStatus.PAYMENT_FAILED: "issued",
    InvoiceStatus.PAYMENT_ACTION_REQUIRED: "issued",
    InvoiceStatus.PAID: "paid",
    InvoiceStatus.OVERDUE: "overdue",
    InvoiceStatus.UNCOLLECTIBLE: "uncollectible",
    InvoiceStatus.VOIDED: "voided",
    InvoiceStatus.DELETING: "deleting",
    InvoiceStatus.DELETE_FAILED: "delete_failed",
    InvoiceStatus.DELETED: "deleted",
}
_PAYMENT_OF = {
    InvoiceStatus.PAYMENT_PENDING: "pending",
    InvoiceStatus.PAYMENT_FAILED: "failed",
    InvoiceStatus.PAYMENT_ACTION_REQUIRED: "action_required",
}

_OWED = (*_PAYMENT_OF, InvoiceStatus.ISSUED, InvoiceStatus.OVERDUE, InvoiceStatus.UNCOLLECTIBLE)

STATUS_WORDS = {
    "gathering": "Gathering charges",
    "draft.created": "Draft created",
    "draft.waiting_for_collection": "Waiting for late usage",
    "draft.collecting": "Fixing quantities",
    "draft.validating": "Checking",
    "draft.invalid": "Needs mending",
    "draft.syncing": "Writing to Stripe",
    "draft.sync_failed": "Writing to Stripe failed",
    "draft.waiting_auto_approval": "Waiting to be approved automatically",
    "draft.manual_approval_needed": "Waiting for approval",
    "draft.ready": "Approved",
    "issuing": "Finalising in Stripe",
    "issuing.failed": "Finalising failed",
    "issued": "Issued",
    "payment_processing.pending": "Payment pending",
    "payment_processing.failed": "Payment failed",
    "payment_processing.action_required": "Customer has to act",
    "paid": "Paid",
    "overdue": "Overdue",
    "uncollectible": "Marked uncollectible",
    "voided": "Voided",
    "delete.in_progress": "Deleting",
    "delete.failed": "Deleting failed",
    "deleted": "Deleted",
}
LATE_USAGE_ALONE = "Usage came, or was corrected, after its invoice, and no other invoice is to follow in time."

STATUS_TONES = {
    "paid": "success",
    "issued": "open",
    "overdue": "danger",
    "draft.invalid": "danger",
    "draft.sync_failed": "danger",
    "issuing.failed": "danger",
    "delete.failed": "danger",
    "payment_processing.failed": "danger",
    "payment_processing.action_required": "warning",
    "uncollectible": "spent",
    "draft.manual_approval_needed": "review",
    "draft.waiting_auto_approval": "review",
}
ACTION_WORDS = {
    InvoiceAction.INVOICE: "Invoice now",
    InvoiceAction.ADVANCE: "Continue",
    InvoiceAction.APPROVE: "Approve",
    InvoiceAction.RETRY: "Retry",
    InvoiceAction.SNAPSHOT_QUANTITIES: "Fix quantities now",
    InvoiceAction.DELETE: "Delete draft",
    InvoiceAction.PAY: "Charge now",
    InvoiceAction.SEND: "Send again",
    InvoiceAction.VOID: "Void",
    InvoiceAction.MARK_UNCOLLECTIBLE: "Mark uncollectible",
    InvoiceAction.MARK_PAID: "Mark paid",
    InvoiceAction.CREDIT: "Credit",
}


def document_of(invoice: Invoice | InvoiceSummary) -> str:
    """The document axis: a key of `DOCUMENT`."""
    return _DOCUMENT_OF.get(invoice.status, "draft")


def payment_of(invoice: Invoice | InvoiceSummary) -> str:
    """The payment axis: a key of `PAYMENT`, empty where the document already tells it."""
    return _PAYMENT_OF.get(invoice.status, "")


def sync_of(invoice: Invoice | InvoiceSummary) -> str:
    """The sync axis: a key of `SYNC`."""
    return invoice.sync_state if invoice.sync_state in SYNC else "pending"


def owed_on(one: InvoiceSummary) -> Decimal | None:
    """What is still to be paid, by Stripe's count; None when nothing is owed, or not yet."""
    return one.amount_remaining if one.status in _OWED else None


def beside_total(one: InvoiceSummary) -> str:
    """“$90.00 open” or “$90.00 paid” where that is not our total: Stripe counts lines added there, credit and parts."""
    amount, word = (one.amount_paid, "paid") if one.status is InvoiceStatus.PAID else (owed_on(one), "open")
    return "" if amount in (None, one.total) else f"{format_money(amount, one.currency)} {word}"


def why_of(step: Transition) -> str:
    """What the timeline says below a step: what went wrong, or why an invoice exists that nobody asked for."""
    return step.error_message or (LATE_USAGE_ALONE if step.trigger == LATE_USAGE else "")
