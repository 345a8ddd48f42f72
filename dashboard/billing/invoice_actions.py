"""What a person can ask of an invoice now, and where it would lead. Pure."""

from datetime import datetime

from dashboard.billing.issues import has_critical
from dashboard.billing.state_machine import Facts, Trigger, rests_in
from dashboard.billing.state_machine import available_actions as lifecycle_actions
from dashboard.billing.views import CollectionMethod, Invoice, InvoiceAction, InvoiceStatus

S = InvoiceStatus
A = InvoiceAction

_OWED = (S.PAYMENT_PENDING, S.PAYMENT_FAILED, S.PAYMENT_ACTION_REQUIRED, S.OVERDUE)
WORKING = frozenset(
    {
        S.DRAFT_CREATED,
        S.DRAFT_COLLECTING,
        S.DRAFT_VALIDATING,
        S.DRAFT_SYNCING,
        S.DRAFT_READY,
        S.ISSUING,
        S.ISSUED,
        S.DELETING,
    }
)
"""Nothing rests here: the state's work is under way, or its worker died."""

PROVIDER_ACTIONS = frozenset({A.PAY, A.SEND, A.VOID, A.MARK_UNCOLLECTIBLE, A.MARK_PAID, A.CREDIT})
"""What happens at the provider first, and here once it has answered."""


def available_actions(invoice: Invoice, now: datetime) -> dict[InvoiceAction, InvoiceStatus]:
    """The actions that are possible now, each with the status it would lead to if all goes well."""
    if invoice.status is S.GATHERING:
        return {A.INVOICE: S.DRAFT_CREATED}
    if invoice.requested_action is not None:
        return {A.RETRY: invoice.status}
    found = lifecycle_actions(invoice.status, facts_of(invoice, now))
    if invoice.status in WORKING:
        is_held = invoice.next_attempt_at is not None or invoice.sync_state == "unauthorized"
        found.pop(A.ADVANCE, None)
        found[A.RETRY if is_held else A.ADVANCE] = (
            rests_in(invoice.status, Trigger.NEXT, _hopeful(invoice, now)) or invoice.status
        )
    if invoice.status in _OWED:
        found |= {A.PAY: S.PAID, A.MARK_PAID: S.PAID, A.MARK_UNCOLLECTIBLE: S.UNCOLLECTIBLE, A.CREDIT: invoice.status}
        if invoice.workflow and invoice.workflow.collection_method is CollectionMethod.SEND_INVOICE:
            found[A.SEND] = invoice.status
        # To try a payment again is to pay.
        found.pop(A.RETRY, None)
    if invoice.status in (S.PAYMENT_FAILED, S.PAYMENT_ACTION_REQUIRED, S.OVERDUE):
        found[A.RETRY] = S.PAYMENT_PENDING
    if invoice.status is S.UNCOLLECTIBLE:
        found |= {A.PAY: S.PAID, A.MARK_PAID: S.PAID}
    if invoice.status is S.PAID and invoice.totals.total > 0:
        found[A.CREDIT] = S.PAID
    return found


def facts_of(invoice: Invoice, now: datetime) -> Facts:
    """What the lifecycle's rules may depend on. An invoice read without its lines counts as having some."""
    return Facts(
        now=now,
        collection_at=invoice.collection_at,
        draft_until=invoice.draft_until,
        auto_advance=invoice.workflow.auto_advance if invoice.workflow else True,
        has_critical_issue=has_critical(invoice.issues),
        has_live_line=True,
        app_accepted_draft=invoice.sync_state == "synced",
        app_issued=invoice.external is not None and invoice.external.status != "draft",
    )


def _hopeful(invoice: Invoice, now: datetime) -> Facts:
    facts = facts_of(invoice, now)
    return Facts(
        now=now,
        collection_at=facts.collection_at,
        draft_until=facts.draft_until,
        auto_advance=facts.auto_advance,
        has_live_line=facts.has_live_line,
    )
