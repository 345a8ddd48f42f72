"""An invoice's life as one table: from which state which trigger leads where, and what must hold for it.

Pure: nothing here knows a database, a clock or a provider. Who runs an invoice enters a state, does that state's work,
and then asks for the next one; `walk` is that loop, for whoever can do the work in one go.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dashboard.billing.views import InvoiceAction, InvoiceStatus
from dashboard.kit.errors import Conflict

S = InvoiceStatus


class Trigger(StrEnum):
    """What can happen to an invoice."""

    NEXT = "next"
    """The work of the state is done, or its time has come."""
    FAILED = "failed"
    """The work of the state failed, or left a critical issue."""
    UPDATED = "updated"
    COLLECT_NOW = "force_collect"
    APPROVE = "approve"
    RETRY = "retry"
    DELETE = "delete"
    VOID = "void"
    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_ACTION_REQUIRED = "action_required"
    PAYMENT_OVERDUE = "payment_overdue"
    PAYMENT_UNCOLLECTIBLE = "payment_uncollectible"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a transition may depend on."""

    now: datetime
    collection_at: datetime | None = None
    draft_until: datetime | None = None
    auto_advance: bool = True
    has_critical_issue: bool = False
    has_live_line: bool = True
    app_accepted_draft: bool = True
    """The invoicing app is done with the draft; an asynchronous app takes its time."""
    app_issued: bool = True
    """The invoicing app has issued the invoice."""


class ActionNotAvailable(Conflict):
    code = "invoice_action_not_available"
    remedy = "Open the invoice to see what can be done with it now."


class CannotAdvance(ActionNotAvailable):
    code = "invoice_cannot_advance"
    remedy = "Wait until its next date, or use one of the actions the invoice offers."


Guard = Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class _Way:
    to: InvoiceStatus
    guards: tuple[Guard, ...] = ()

    def is_open(self, facts: Facts) -> bool:
        return all(guard(facts) for guard in self.guards)


@dataclass(frozen=True, slots=True)
class Move:
    """One transition that was made."""

    from_status: InvoiceStatus
    trigger: Trigger
    to_status: InvoiceStatus


def next_state(status: InvoiceStatus, trigger: Trigger, facts: Facts) -> InvoiceStatus | None:
    """Where the trigger leads from here, or None when it leads nowhere (now)."""
    return next((way.to for way in _WAYS.get((status, trigger), ()) if way.is_open(facts)), None)


def move(status: InvoiceStatus, trigger: Trigger, facts: Facts) -> Move:
    """The transition the trigger makes. Raises CannotAdvance for NEXT, else ActionNotAvailable, when there is none."""
    to = next_state(status, trigger, facts)
    if to is not None:
        return Move(status, trigger, to)
    if trigger is Trigger.NEXT:
        raise CannotAdvance(f"An invoice that is {status.value} does not move on by itself now.")
    raise ActionNotAvailable(f"“{trigger.value}” is not possible while an invoice is {status.value}.")


def walk(
    status: InvoiceStatus, trigger: Trigger, facts: Callable[[], Facts], enter: Callable[[Move], Trigger]
) -> Iterator[Move]:
    """Make the first transition, then go on until the invoice rests; every move is yielded once its work is done.

    `enter` does the work of the state just entered and says what came of it: NEXT, FAILED, or what the payment did.
    `facts` is asked anew before every transition. Raises like `move` when the first one is not possible.
    """
    step = move(status, trigger, facts())
    while True:
        outcome = enter(step)
        yield step
        to = next_state(step.to_status, outcome, facts())
        if to is None:
            return
        step = Move(step.to_status, outcome, to)


def rests_in(status: InvoiceStatus, trigger: Trigger, facts: Facts) -> InvoiceStatus | None:
    """Where it would come to rest if all goes well, payments left aside; None if the trigger is not possible."""
    to = next_state(status, trigger, facts)
    # A retry begins by giving every critical issue the benefit of the doubt.
    hopeful = replace(facts, has_critical_issue=False) if trigger is Trigger.RETRY else facts
    resting = None
    while to is not None:
        resting = to
        to = next_state(to, Trigger.NEXT, hopeful)
    return resting


def available_actions(status: InvoiceStatus, facts: Facts) -> dict[InvoiceAction, InvoiceStatus]:
    """What a person can ask for now, and where each would lead."""
    found = {action: rests_in(status, trigger, facts) for action, trigger in TRIGGER_OF_ACTION.items()}
    return {action: resting for action, resting in found.items() if resting is not None}


def is_mutable(status: InvoiceStatus) -> bool:
    """Whether lines and header may still be changed."""
    return (status, Trigger.UPDATED) in _WAYS


def is_failed(status: InvoiceStatus) -> bool:
    """Whether something it tried did not work. An invalid draft has tried nothing yet: a person has to mend it."""
    return status in _FAILED


TRIGGER_OF_ACTION: dict[InvoiceAction, Trigger] = {
    InvoiceAction.ADVANCE: Trigger.NEXT,
    InvoiceAction.APPROVE: Trigger.APPROVE,
    InvoiceAction.RETRY: Trigger.RETRY,
    InvoiceAction.DELETE: Trigger.DELETE,
    InvoiceAction.VOID: Trigger.VOID,
    InvoiceAction.SNAPSHOT_QUANTITIES: Trigger.COLLECT_NOW,
}


def _collection_time_reached(facts: Facts) -> bool:
    return facts.collection_at is None or facts.now >= facts.collection_at


def _no_critical_issue(facts: Facts) -> bool:
    return not facts.has_critical_issue


def _auto_advance(facts: Facts) -> bool:
    return facts.auto_advance


def _by_hand(facts: Facts) -> bool:
    return not facts.auto_advance


def _draft_time_is_over(facts: Facts) -> bool:
    return facts.auto_advance and facts.draft_until is not None and facts.now >= facts.draft_until


def _app_accepted_draft(facts: Facts) -> bool:
    return facts.app_accepted_draft


def _app_issued(facts: Facts) -> bool:
    return facts.app_issued


def _has_live_line(facts: Facts) -> bool:
    return facts.has_live_line


def _no_live_line(facts: Facts) -> bool:
    return not facts.has_live_line


def _ways() -> dict[tuple[InvoiceStatus, Trigger], tuple[_Way, ...]]:
    deletable = {Trigger.DELETE: (_Way(S.DELETING),)}
    editable = {**deletable, Trigger.UPDATED: (_Way(S.DRAFT_CREATED),)}
    settled = {Trigger.PAID: (_Way(S.PAID),), Trigger.VOID: (_Way(S.VOIDED),)}
    unsettled = {
        **settled,
        Trigger.PAYMENT_FAILED: (_Way(S.PAYMENT_FAILED),),
        Trigger.PAYMENT_ACTION_REQUIRED: (_Way(S.PAYMENT_ACTION_REQUIRED),),
        Trigger.PAYMENT_OVERDUE: (_Way(S.OVERDUE),),
        Trigger.PAYMENT_UNCOLLECTIBLE: (_Way(S.UNCOLLECTIBLE),),
    }
    pay_again = {Trigger.RETRY: (_Way(S.PAYMENT_PENDING),)}
    table: dict[InvoiceStatus, dict[Trigger, tuple[_Way, ...]]] = {
        S.DRAFT_CREATED: {
            **editable,
            Trigger.NEXT: (_Way(S.DRAFT_WAITING_FOR_COLLECTION),),
            Trigger.FAILED: (_Way(S.DRAFT_INVALID),),
        },
        S.DRAFT_WAITING_FOR_COLLECTION: {
            **editable,
            Trigger.NEXT: (_Way(S.DRAFT_COLLECTING, (_collection_time_reached,)),),
            Trigger.COLLECT_NOW: (_Way(S.DRAFT_COLLECTING),),
        },
        S.DRAFT_COLLECTING: {
            **editable,
            Trigger.NEXT: (_Way(S.DRAFT_VALIDATING),),
            Trigger.FAILED: (_Way(S.DRAFT_INVALID),),
        },
        S.DRAFT_VALIDATING: {
            **editable,
            Trigger.NEXT: (_Way(S.DRAFT_SYNCING, (_no_critical_issue,)),),
            Trigger.FAILED: (_Way(S.DRAFT_INVALID),),
        },
        S.DRAFT_INVALID: {**editable, Trigger.RETRY: (_Way(S.DRAFT_VALIDATING),)},
        S.DRAFT_SYNCING: {
            **deletable,
            Trigger.NEXT: (
                _Way(S.DRAFT_MANUAL_APPROVAL_NEEDED, (_by_hand, _no_critical_issue, _app_accepted_draft)),
                _Way(S.DRAFT_WAITING_AUTO_APPROVAL, (_auto_advance, _no_critical_issue, _app_accepted_draft)),
            ),
            Trigger.FAILED: (_Way(S.DRAFT_SYNC_FAILED),),
        },
        S.DRAFT_SYNC_FAILED: {**editable, Trigger.RETRY: (_Way(S.DRAFT_VALIDATING),)},
        S.DRAFT_WAITING_AUTO_APPROVAL: {
            **editable,
            Trigger.NEXT: (_Way(S.DRAFT_READY, (_draft_time_is_over, _no_critical_issue)),),
            Trigger.APPROVE: (_Way(S.DRAFT_READY),),
        },
        S.DRAFT_MANUAL_APPROVAL_NEEDED: {**editable, Trigger.APPROVE: (_Way(S.DRAFT_READY, (_no_critical_issue,)),)},
        S.DRAFT_READY: {
            **editable,
            Trigger.NEXT: (_Way(S.ISSUING, (_has_live_line,)), _Way(S.DELETING, (_no_live_line,))),
        },
        S.ISSUING: {
            **deletable,
            Trigger.NEXT: (_Way(S.ISSUED, (_app_issued,)),),
            Trigger.FAILED: (_Way(S.ISSUING_FAILED),),
        },
        S.ISSUING_FAILED: {**deletable, Trigger.RETRY: (_Way(S.ISSUING),)},
        S.ISSUED: {Trigger.NEXT: (_Way(S.PAYMENT_PENDING),), Trigger.VOID: (_Way(S.VOIDED),)},
        S.PAYMENT_PENDING: unsettled,
        S.PAYMENT_FAILED: {**_except(unsettled, Trigger.PAYMENT_FAILED), **pay_again},
        S.PAYMENT_ACTION_REQUIRED: {**_except(unsettled, Trigger.PAYMENT_ACTION_REQUIRED), **pay_again},
        S.OVERDUE: {**_except(unsettled, Trigger.PAYMENT_OVERDUE), **pay_again},
        S.UNCOLLECTIBLE: settled,
        S.DELETING: {Trigger.NEXT: (_Way(S.DELETED),), Trigger.FAILED: (_Way(S.DELETE_FAILED),)},
        S.DELETE_FAILED: deletable,
    }
    return {(status, trigger): ways for status, row in table.items() for trigger, ways in row.items()}


def _except(row: dict[Trigger, tuple[_Way, ...]], trigger: Trigger) -> dict[Trigger, tuple[_Way, ...]]:
    return {known: ways for known, ways in row.items() if known is not trigger}


_WAYS = _ways()
_FAILED = frozenset({S.DRAFT_SYNC_FAILED, S.ISSUING_FAILED, S.DELETE_FAILED, S.PAYMENT_FAILED})
