import itertools
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.billing.issues import downgrade_critical, has_critical, replace_issues
from dashboard.billing.state_machine import (
    ActionNotAvailable,
    CannotAdvance,
    Facts,
    Move,
    Trigger,
    available_actions,
    is_failed,
    is_mutable,
    move,
    next_state,
    walk,
)
from dashboard.billing.views import InvoiceAction, InvoiceStatus, Issue

S = InvoiceStatus
NOW = datetime(2025, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)

REFERENCE = (
    Path(__file__).resolve().parents[2]
    / os.environ.get("METERDESK_SHARED", "../shared")
    / "vectors/invoice_transitions.json"
)

OURS = {
    "draft.updating": S.DRAFT_CREATED,
    "draft.ready_to_issue": S.DRAFT_READY,
    "delete.syncing": S.DELETING,
    "issuing.line_finalization": S.ISSUING,
    "issuing.line_finalization_failed": S.ISSUING_FAILED,
    "issuing.syncing": S.ISSUING,
    "issuing.charge_booking": S.ISSUING,
    "issuing.charge_booking_failed": S.ISSUING_FAILED,
    "payment_processing.authorized": S.PAYMENT_PENDING,
    "payment_processing.booking_authorized": S.PAYMENT_PENDING,
    "payment_processing.booking_authorized_and_settled": S.PAID,
    "payment_processing.booking_settled": S.PAID,
}
"""Where the reference keeps a ledger between two states, we have one state."""

ONLY_OURS = {(S.OVERDUE, Trigger.VOID, S.VOIDED)}


def facts_for(guards: list[str]) -> Facts:
    return Facts(
        now=NOW,
        collection_at=NOW,
        draft_until=NOW if "draft_until_reached" in guards else LATER,
        auto_advance="not_auto_advance" not in guards,
        has_live_line="no_live_line" not in guards,
    )


def reference_transitions() -> set[tuple[InvoiceStatus, Trigger, InvoiceStatus]]:
    found = set()
    for row in json.loads(REFERENCE.read_text(encoding="utf-8"))["transitions"]:
        if ".booking_" in row["from"] or row["trigger"] == "authorized" or row["to"].endswith("settled_failed"):
            continue
        start, end = (OURS.get(name) or InvoiceStatus(name) for name in (row["from"], row["to"]))
        is_payment = row["from"].startswith("payment_processing") or row["from"] == "overdue"
        trigger = Trigger.PAYMENT_FAILED if is_payment and row["trigger"] == "failed" else Trigger(row["trigger"])
        if start is not end:
            found.add((start, trigger, end))
            assert next_state(start, trigger, facts_for(row["guards"])) is end, row
    return found


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"no {REFERENCE}: set METERDESK_SHARED to the shared material")
def test_the_table_is_the_references_with_its_ledger_states_folded_in_and_overdue_can_be_voided():
    guards = [[], ["not_auto_advance"], ["draft_until_reached"], ["no_live_line"]]
    ours = {
        (status, trigger, to)
        for status, trigger, chosen in itertools.product(InvoiceStatus, Trigger, guards)
        if (to := next_state(status, trigger, facts_for(chosen))) is not None
    }
    reference = reference_transitions()
    assert reference - ours == set()
    assert ours - reference == ONLY_OURS | {
        # An edit re-enters the state it came from: the reference has a state of its own for that.
        (S.DRAFT_CREATED, Trigger.UPDATED, S.DRAFT_CREATED),
    }


def test_an_invoice_waits_for_late_usage_until_its_time_has_come():
    waiting = Facts(now=NOW, collection_at=LATER)
    assert next_state(S.DRAFT_WAITING_FOR_COLLECTION, Trigger.NEXT, waiting) is None
    assert next_state(S.DRAFT_WAITING_FOR_COLLECTION, Trigger.COLLECT_NOW, waiting) is S.DRAFT_COLLECTING
    reached = Facts(now=LATER, collection_at=LATER)
    assert next_state(S.DRAFT_WAITING_FOR_COLLECTION, Trigger.NEXT, reached) is S.DRAFT_COLLECTING


def test_a_critical_issue_holds_an_invoice_before_a_person_can_approve_it():
    held = Facts(now=NOW, auto_advance=False, has_critical_issue=True)
    assert InvoiceAction.APPROVE not in available_actions(S.DRAFT_MANUAL_APPROVAL_NEEDED, held)
    with pytest.raises(ActionNotAvailable):
        move(S.DRAFT_MANUAL_APPROVAL_NEEDED, Trigger.APPROVE, held)


def test_a_person_sees_where_each_action_would_lead():
    by_hand = Facts(now=NOW, auto_advance=False)
    assert available_actions(S.DRAFT_MANUAL_APPROVAL_NEEDED, by_hand) == {
        InvoiceAction.APPROVE: S.PAYMENT_PENDING,
        InvoiceAction.DELETE: S.DELETED,
    }
    empty = Facts(now=NOW, auto_advance=False, has_live_line=False)
    assert available_actions(S.DRAFT_MANUAL_APPROVAL_NEEDED, empty)[InvoiceAction.APPROVE] is S.DELETED


@pytest.mark.parametrize("status", [S.PAID, S.VOIDED, S.DELETED])
def test_what_is_over_stays_over(status):
    assert available_actions(status, Facts(now=NOW)) == {}
    with pytest.raises(CannotAdvance):
        move(status, Trigger.NEXT, Facts(now=NOW))


def test_nobody_edits_or_deletes_what_was_issued():
    issued = [S.ISSUED, S.PAYMENT_PENDING, S.PAYMENT_FAILED, S.OVERDUE, S.PAID, S.UNCOLLECTIBLE, S.VOIDED]
    assert not any(is_mutable(status) for status in issued)
    assert not any(next_state(status, Trigger.DELETE, Facts(now=NOW)) for status in issued)


def test_a_failed_try_is_told_apart_from_a_draft_that_needs_mending():
    assert is_failed(S.DRAFT_SYNC_FAILED)
    assert is_failed(S.PAYMENT_FAILED)
    assert not is_failed(S.DRAFT_INVALID)


def test_a_walk_does_the_work_of_every_state_it_enters_and_stops_where_it_rests():
    entered = []

    def enter(step: Move) -> Trigger:
        entered.append(step.to_status)
        return Trigger.PAYMENT_FAILED if step.to_status is S.PAYMENT_PENDING else Trigger.NEXT

    facts = Facts(now=NOW, draft_until=NOW)
    moves = list(walk(S.DRAFT_WAITING_AUTO_APPROVAL, Trigger.NEXT, lambda: facts, enter))
    assert entered == [step.to_status for step in moves]
    assert entered == [S.DRAFT_READY, S.ISSUING, S.ISSUED, S.PAYMENT_PENDING, S.PAYMENT_FAILED]


def test_a_walk_turns_aside_where_the_work_fails():
    moves = walk(
        S.DRAFT_INVALID,
        Trigger.RETRY,
        lambda: Facts(now=NOW),
        lambda step: Trigger.FAILED if step.to_status is S.DRAFT_SYNCING else Trigger.NEXT,
    )
    assert [step.to_status for step in moves] == [S.DRAFT_VALIDATING, S.DRAFT_SYNCING, S.DRAFT_SYNC_FAILED]


def test_a_check_replaces_only_its_own_issues_and_a_retry_doubts_them_all():
    stale = Issue("critical", "no_address", "No address.", component="app.validate")
    other = Issue("warning", "no_tax_id", "No tax id.", component="meterdesk")
    fresh = Issue("critical", "no_card", "No card.")
    known = replace_issues((stale, other), "app.validate", [fresh])
    assert [(issue.code, issue.component) for issue in known] == [
        ("no_tax_id", "meterdesk"),
        ("no_card", "app.validate"),
    ]
    assert has_critical(known)
    assert not has_critical(downgrade_critical(known))
