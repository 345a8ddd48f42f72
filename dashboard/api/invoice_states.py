"""An invoice's states in OpenMeter's words. We have fewer; each is one of theirs."""

from dashboard.billing.views import InvoiceAction, InvoiceStatus

S = InvoiceStatus

_EXTENDED = {S.DRAFT_READY: "draft.ready_to_issue", S.ISSUING: "issuing.syncing"}
V1_STATUSES = (
    "gathering",
    "draft",
    "issuing",
    "issued",
    "payment_processing",
    "overdue",
    "paid",
    "uncollectible",
    "voided",
)
ACTIONS_IN_V1 = {
    InvoiceAction.ADVANCE: "advance",
    InvoiceAction.APPROVE: "approve",
    InvoiceAction.DELETE: "delete",
    InvoiceAction.RETRY: "retry",
    InvoiceAction.SNAPSHOT_QUANTITIES: "snapshotQuantities",
    InvoiceAction.VOID: "void",
}
ACTIONS_IN_V3 = {
    InvoiceAction.ADVANCE: "advance",
    InvoiceAction.APPROVE: "approve",
    InvoiceAction.DELETE: "delete",
    InvoiceAction.RETRY: "retry",
    InvoiceAction.SNAPSHOT_QUANTITIES: "snapshot_quantities",
}


def extended_status(status: InvoiceStatus) -> str:
    """OpenMeter's extended name of a state."""
    return _EXTENDED.get(status, status.value)


def short_status(status: InvoiceStatus) -> str:
    """OpenMeter's short name. It has none for a deleted invoice, which was a draft."""
    short = extended_status(status).partition(".")[0]
    return short if short in V1_STATUSES else "draft"


def statuses_named(short: set[str], extended: set[str]) -> tuple[InvoiceStatus, ...]:
    """Our states that have one of these short or extended names."""
    return tuple(
        status
        for status in InvoiceStatus
        if (short_status(status) in short and status not in (S.DELETING, S.DELETE_FAILED, S.DELETED))
        or extended_status(status) in extended
    )
