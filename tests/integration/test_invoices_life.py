"""An invoice from a charge to its money, with a provider in memory."""

from decimal import Decimal

from dashboard.billing.invoicing_app import Trouble
from dashboard.billing.views import InvoiceAction, InvoiceStatus
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import bring_cast, draft_for


async def test_a_charge_by_hand_becomes_a_paid_invoice(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "100.00", "20.50")
    assert draft.status is InvoiceStatus.DRAFT_CREATED
    assert draft.number == "DRAFT-ACIN-1"

    invoice = await house.advance(draft.id)

    assert invoice.status is InvoiceStatus.PAID
    assert invoice.number == "ACCT-0001"
    assert invoice.totals.total == Decimal("120.50")
    assert [line.totals.total for line in invoice.lines] == [Decimal("100.00"), Decimal("20.50")]
    assert [name for name, _ in house.app.calls] == ["readiness", "sync_draft", "issue"]
    assert [step.to_status for step in invoice.transitions] == [
        "draft.created",
        "draft.waiting_for_collection",
        "draft.collecting",
        "draft.validating",
        "draft.syncing",
        "draft.waiting_auto_approval",
        "draft.ready",
        "issuing",
        "issued",
        "paid",
    ]


async def test_an_invoice_by_mail_waits_for_its_money_and_turns_overdue(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.globex, "50")
    invoice = await house.advance(draft.id)
    assert invoice.status is InvoiceStatus.PAYMENT_PENDING
    assert invoice.due_at is not None
    assert (invoice.due_at - house.clock.now()).days == 14

    house.clock.move_to(invoice.due_at)
    assert (await house.advance(draft.id)).status is InvoiceStatus.OVERDUE


async def test_a_network_failure_is_tried_again_later_by_itself(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10")
    house.app.fail("sync_draft", Trouble.TRANSIENT, "timeout", "No answer.")

    held = await house.advance(draft.id)
    assert (held.status, held.sync_state, held.sync_attempts) == (InvoiceStatus.DRAFT_SYNCING, "retrying", 1)
    assert held.next_attempt_at is not None
    assert held.transitions[-1].error_message == "No answer."
    assert (await house.advance(draft.id)).sync_attempts == 1, "it waits for its time"

    house.clock.move_to(held.next_attempt_at)
    assert (await house.advance(draft.id)).status is InvoiceStatus.PAID
    assert house.app.made == 1


async def test_a_declined_card_keeps_the_invoice_open_until_it_is_paid(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert invoice.status is InvoiceStatus.PAYMENT_PENDING
    assert InvoiceAction.PAY in invoice.actions
    paid = await house.act(invoice.id, InvoiceAction.PAY)
    assert paid.status is InvoiceStatus.PAID
    assert paid.requested_action is None
