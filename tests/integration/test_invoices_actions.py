"""What people do with an invoice, and what they may not."""

from dataclasses import replace
from decimal import Decimal

import pytest

from dashboard.billing.errors import ActionFailed, CreditTooLarge
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices
from dashboard.billing.invoicing_app import ExternalNews, InvoicingAppError, Trouble
from dashboard.billing.queries import (
    available_actions,
    due_for_advance,
    invoices_keep_customer,
    stuck_invoices,
    uses_of_app,
)
from dashboard.billing.service import add_charges, push_on, recheck_customer, record_external, resume_app
from dashboard.billing.state_machine import ActionNotAvailable
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus, Issue
from dashboard.customers.errors import CustomerStillBilled
from dashboard.customers.service import delete_customer
from dashboard.kit.database import STRIPE
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast, draft_for

# Nothing here depends on which database it is; the files beside run on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

A = InvoiceAction
S = InvoiceStatus

NOT_READY = Issue("critical", "no_payment_method", "There is no payment method to charge.", "Send a checkout link.")


async def an_open_invoice(house: House, amount: str = "80", **workflow: object) -> Invoice:
    """Issued to Globex by mail and not paid."""
    cast = await bring_cast(house.database, **workflow)
    return await house.advance((await draft_for(house.database, cast.globex, amount)).id)


async def test_a_person_approves_where_the_profile_asks_for_it(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert draft.status is S.DRAFT_MANUAL_APPROVAL_NEEDED
    assert draft.draft_until is None
    assert set(available_actions(draft, house.clock.now())) == {A.APPROVE, A.DELETE}
    async with house.database.read() as session:
        assert len(await uses_of_app(session, "app_1")) == 2

    paid = await house.act(draft.id, A.APPROVE)

    assert paid.status is S.PAID
    (approval,) = [step for step in paid.transitions if step.trigger == "approve"]
    assert (approval.actor_label, approval.to_status) == ("Ann", "draft.ready")


async def test_a_draft_that_waits_for_approval_needs_attention_until_it_is_approved(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    async with house.database.read() as session:
        (listed,) = (await list_invoices(session, InvoiceFilter(tab="needs_attention"))).items
    assert (listed.id, listed.problem) == (draft.id, "Waits for somebody's approval.")
    await house.act(draft.id, A.APPROVE)
    async with house.database.read() as session:
        assert (await list_invoices(session, InvoiceFilter(tab="needs_attention"))).items == ()


async def test_what_gathers_is_invoiced_and_carried_on_at_once(house: House) -> None:
    cast = await bring_cast(house.database)
    async with house.database.transaction(ANN) as work:
        charges = (ChargeInput(name="Setup", unit_price=Decimal(5)),)
        gathering = (await add_charges(work, AddCharges(customer_id=cast.acme.id, charges=charges))).invoice
    assert gathering.actions == (A.INVOICE,)
    paid = await house.act(gathering.id, A.INVOICE)
    assert (paid.status, paid.totals.total) == (S.PAID, Decimal(5))
    with pytest.raises(ActionNotAvailable):
        await house.act(gathering.id, A.DELETE)


async def test_a_draft_waits_its_review_time_unless_it_is_approved(house: House) -> None:
    cast = await bring_cast(house.database, draft_period="P2D")
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert draft.status is S.DRAFT_WAITING_AUTO_APPROVAL
    assert draft.draft_until is not None
    assert (draft.draft_until - house.clock.now()).days == 2
    assert (await house.act(draft.id, A.APPROVE)).status is S.PAID


async def test_a_customer_who_is_not_ready_holds_the_draft_until_they_are(house: House) -> None:
    cast = await bring_cast(house.database)
    house.app.issues = (NOT_READY,)
    held = await house.advance((await draft_for(house.database, cast.initech, "10")).id)
    assert held.status is S.DRAFT_INVALID
    assert [(issue.code, issue.remedy) for issue in held.issues] == [("no_payment_method", "Send a checkout link.")]
    assert house.app.count("sync_draft") == 0

    again = await house.act(held.id, A.RETRY)
    assert again.status is S.DRAFT_INVALID

    house.app.issues = ()
    async with house.database.transaction(ANN) as work:
        assert await recheck_customer(work, cast.initech.id) == 1
    paid = await house.advance(held.id)
    assert (paid.status, paid.issues) == (S.PAID, ())


async def test_a_failure_that_needs_a_person_waits_for_one(house: House) -> None:
    cast = await bring_cast(house.database)
    house.app.fail("sync_draft", Trouble.NEEDS_PERSON, "currency_mismatch", "The customer is billed in EUR.")
    failed = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert (failed.status, failed.sync_state) == (S.DRAFT_SYNC_FAILED, "failed")
    assert failed.next_attempt_at is None
    assert failed.issues[0].message == "The customer is billed in EUR."
    assert failed.issues[0].remedy == "Mend it."
    assert failed.transitions[-1].error_code == "currency_mismatch"
    paid = await house.act(failed.id, A.RETRY)
    assert (paid.status, paid.issues) == (S.PAID, ())


async def test_issuing_that_failed_is_tried_again_with_the_draft_sent_anew(house: House) -> None:
    cast = await bring_cast(house.database)
    house.app.fail("issue", Trouble.NEEDS_PERSON, "totals_differ", "The totals differ by 0.01.")
    failed = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert failed.status is S.ISSUING_FAILED
    assert {A.RETRY, A.DELETE} <= set(failed.actions)
    assert (await house.act(failed.id, A.RETRY)).status is S.PAID
    assert house.app.count("sync_draft") == 2


async def test_a_revoked_key_lets_everything_wait_until_it_is_replaced(house: House) -> None:
    cast = await bring_cast(house.database)
    house.app.fail("sync_draft", Trouble.UNAUTHORIZED, "invalid_api_key", "Invalid API Key.")
    held = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert (held.status, held.sync_state, held.next_attempt_at) == (S.DRAFT_SYNCING, "unauthorized", None)
    async with house.database.read() as session:
        (stuck,) = await stuck_invoices(session, house.clock.now())
    assert "key" in stuck.reason
    assert (await house.advance(held.id)).status is S.DRAFT_SYNCING, "it does not try by itself"

    house.outbox.jobs.clear()
    async with house.database.transaction(ANN) as work:
        assert await resume_app(work, "app_1") == 1
    assert house.outbox.of("invoice.advance") == [{"invoice_id": held.id}]
    assert (await house.advance(held.id)).status is S.PAID


async def test_tax_that_is_enforced_holds_the_invoice_with_a_remedy(house: House) -> None:
    cast = await bring_cast(house.database, tax_enforced=True)
    house.app.fail("issue", Trouble.TAX, "customer_tax_location_invalid", "The location is unknown.")
    failed = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert failed.status is S.ISSUING_FAILED
    assert failed.issues[0].code == "customer_tax_location_invalid"


async def test_tax_that_is_not_enforced_is_given_up_in_writing(house: House) -> None:
    house.app.tax_rate = Decimal("0.2")
    cast = await bring_cast(house.database)
    house.app.fail("issue", Trouble.TAX, "customer_tax_location_invalid", "The location is unknown.")
    paid = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert paid.status is S.PAID
    assert paid.totals.taxes_exclusive == 0
    assert [(issue.severity, issue.code) for issue in paid.issues] == [("warning", "issued_without_tax")]
    assert "The location is unknown." in paid.issues[0].message
    assert any(step.trigger == "tax_given_up" for step in paid.transitions)


async def test_tax_as_the_provider_computed_it_is_read_back(house: House) -> None:
    house.app.tax_rate = Decimal("0.19")
    invoice = await an_open_invoice(house, "100")
    assert invoice.totals.taxes_exclusive == Decimal("19.00")
    assert invoice.totals.total == Decimal("119.00")
    assert invoice.external is not None
    assert invoice.external.amount_remaining == Decimal("119.00")


async def test_an_overdue_invoice_can_be_voided(house: House) -> None:
    invoice = await an_open_invoice(house)
    assert invoice.due_at is not None
    house.clock.move_to(invoice.due_at)
    assert (await house.advance(invoice.id)).status is S.OVERDUE
    voided = await house.act(invoice.id, A.VOID)
    assert voided.status is S.VOIDED
    assert voided.voided_at == house.clock.now()
    assert house.app.invoices[invoice.id].status == "void"
    assert voided.actions == ()


@pytest.mark.parametrize(
    ("action", "status", "asked"),
    [
        (A.PAY, S.PAID, "pay"),
        (A.MARK_PAID, S.PAID, "mark_paid"),
        (A.MARK_UNCOLLECTIBLE, S.UNCOLLECTIBLE, "mark_uncollectible"),
        (A.SEND, S.PAYMENT_PENDING, "send"),
        (A.VOID, S.VOIDED, "void"),
    ],
)
async def test_an_action_does_the_real_thing_and_says_who(
    house: House, action: InvoiceAction, status: InvoiceStatus, asked: str
) -> None:
    invoice = await an_open_invoice(house)
    after = await house.act(invoice.id, action)
    assert after.status is status
    assert house.app.calls[-1] == (asked, invoice.id)
    assert after.transitions[-1].trigger == action.value
    assert after.transitions[-1].actor_label == "Ann"


async def test_what_was_given_up_may_still_be_paid(house: House) -> None:
    invoice = await an_open_invoice(house)
    await house.act(invoice.id, A.MARK_UNCOLLECTIBLE)
    assert (await house.act(invoice.id, A.MARK_PAID)).status is S.PAID


async def test_a_credit_lowers_what_is_owed_once(house: House) -> None:
    invoice = await an_open_invoice(house, "80")
    with pytest.raises(CreditTooLarge):
        await house.act(invoice.id, A.CREDIT, amount=Decimal("80.01"))
    with pytest.raises(CreditTooLarge):
        await house.act(invoice.id, A.CREDIT)
    credited = await house.act(invoice.id, A.CREDIT, amount=Decimal("30"), reason="goodwill")
    assert credited.external is not None
    assert credited.external.amount_remaining == Decimal("50")
    assert credited.status is S.PAYMENT_PENDING


async def test_a_declined_card_shows_the_providers_words(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.acme, "10")).id)

    def decline(operation: str, invoice_id: str) -> None:
        if operation == "pay":
            house.app.invoices[invoice_id] = house.app.declined(house.app.invoices[invoice_id])
            raise InvoicingAppError(Trouble.NEEDS_PERSON, "card_declined", "Your card was declined.")

    house.app.before_call = decline
    with pytest.raises(ActionFailed) as refusal:
        await house.act(invoice.id, A.PAY)
    assert refusal.value.message == "Your card was declined."
    failed = await house.read(invoice.id)
    assert failed.status is S.PAYMENT_FAILED
    assert failed.external is not None
    assert failed.external.failure_message == "Your card was declined."
    assert failed.external.next_payment_attempt_at is not None
    assert failed.requested_action is None
    assert {A.RETRY, A.PAY, A.VOID, A.MARK_UNCOLLECTIBLE} <= set(failed.actions)

    house.app.before_call = None
    assert (await house.act(invoice.id, A.RETRY)).status is S.PAID


async def test_an_action_that_got_no_answer_is_tried_again_by_itself(house: House) -> None:
    invoice = await an_open_invoice(house)
    house.app.fail("void", Trouble.TRANSIENT, "timeout", "No answer.")
    held = await house.act(invoice.id, A.VOID)
    assert (held.status, held.requested_action, held.sync_state) == (S.PAYMENT_PENDING, "void", "retrying")
    assert held.actions == (A.RETRY,)
    assert held.next_attempt_at is not None
    house.clock.move_to(held.next_attempt_at)
    voided = await house.advance(invoice.id)
    assert voided.status is S.VOIDED
    assert voided.transitions[-1].actor_label == "Ann"


async def test_news_that_comes_meanwhile_does_not_put_off_an_action_that_waits(house: House) -> None:
    invoice = await an_open_invoice(house)
    house.app.fail("void", Trouble.TRANSIENT, "timeout", "No answer.")
    held = await house.act(invoice.id, A.VOID)
    assert held.external is not None
    async with house.database.transaction(STRIPE) as work:
        sent = replace(held.external, sent_at=work.now)
        news = ExternalNews("app_1", sent, "invoice.sent", work.now, invoice.id, work.now)
        await record_external(work, news)
    after = await house.read(invoice.id)
    assert after.external == sent
    assert (after.requested_action, after.sync_state) == ("void", "retrying")
    assert after.next_attempt_at is not None
    assert after.next_attempt_at == held.next_attempt_at
    async with house.database.read() as session:
        due = await due_for_advance(session, after.next_attempt_at)
    assert [invoice_id for invoice_id, _ in due] == [invoice.id]


async def test_an_action_that_waits_can_be_tried_at_once(house: House) -> None:
    invoice = await an_open_invoice(house)
    house.app.fail("void", Trouble.TRANSIENT)
    await house.act(invoice.id, A.VOID)
    assert (await house.act(invoice.id, A.RETRY)).status is S.VOIDED


async def test_a_refused_action_changes_nothing_but_the_timeline(house: House) -> None:
    invoice = await an_open_invoice(house)
    house.app.fail("void", Trouble.NEEDS_PERSON, "locked", "A payment is being processed.")
    with pytest.raises(ActionFailed):
        await house.act(invoice.id, A.VOID)
    after = await house.read(invoice.id)
    assert (after.status, after.requested_action) == (S.PAYMENT_PENDING, None)
    assert "A payment is being processed." in [step.error_message for step in after.transitions]


async def test_a_draft_is_deleted_at_the_provider_too(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert draft.id in house.app.invoices
    deleted = await house.act(draft.id, A.DELETE)
    assert (deleted.status, deleted.deleted_at) == (S.DELETED, house.clock.now())
    assert house.app.invoices == {}


async def test_a_draft_that_never_reached_the_provider_can_be_deleted(house: House) -> None:
    cast = await bring_cast(house.database)
    house.app.issues = (NOT_READY,)
    held = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert (await house.act(held.id, A.DELETE)).status is S.DELETED


async def test_a_deletion_that_fails_can_be_tried_again(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    house.app.fail("delete_draft", Trouble.NEEDS_PERSON, "finalised", "It was finalised in Stripe.")
    failed = await house.act(draft.id, A.DELETE)
    assert failed.status is S.DELETE_FAILED
    assert (await house.act(draft.id, A.DELETE)).status is S.DELETED


class Killed(BaseException):
    """The worker ends here."""


@pytest.mark.parametrize("operation", ["sync_draft", "issue", "delete_draft"])
async def test_continuing_what_a_dead_worker_left_does_the_work_and_never_skips_it(
    house: House, operation: str
) -> None:
    cast = await bring_cast(house.database, auto_advance=operation != "delete_draft")
    draft = await draft_for(house.database, cast.acme, "10")

    def die(called: str, _subject: str) -> None:
        if called == operation:
            raise Killed

    if operation == "delete_draft":
        await house.advance(draft.id)
    house.app.before_call = die
    with pytest.raises(Killed):
        await (house.act(draft.id, A.DELETE) if operation == "delete_draft" else house.advance(draft.id))
    house.app.before_call = None
    left = await house.read(draft.id)
    assert A.ADVANCE in left.actions
    after = await push_on(house.desk, ANN, draft.id)
    assert house.app.count(operation) == 2
    if operation == "delete_draft":
        assert (after.status, house.app.invoices) == (S.DELETED, {})
    else:
        assert (after.status, after.external and after.external.total) == (S.PAID, Decimal("10"))


async def test_one_click_never_charges_a_declined_card_again(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    declined = house.app.declined(house.app.invoices[invoice.id])
    async with house.database.transaction(ANN) as work:
        news = ExternalNews(invoice.app_id or "", declined, "invoice.payment_failed", work.now, invoice.id)
        assert await record_external(work, news) is S.PAYMENT_FAILED
    with pytest.raises(ActionNotAvailable):
        await push_on(house.desk, ANN, invoice.id)
    assert house.app.count("pay") == 0


@pytest.mark.parametrize("action", [A.APPROVE, A.PAY, A.VOID, A.DELETE, A.RETRY, A.ADVANCE, A.SEND])
async def test_nothing_can_be_done_with_a_paid_invoice_but_a_credit(house: House, action: InvoiceAction) -> None:
    cast = await bring_cast(house.database)
    paid = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert paid.actions == (A.CREDIT,)
    before = len(house.app.calls)
    with pytest.raises(ActionNotAvailable):
        await house.act(paid.id, action)
    assert len(house.app.calls) == before
    assert await house.read(paid.id) == paid


async def test_only_invoices_by_mail_are_sent_again(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    by_card = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert A.SEND not in by_card.actions


async def test_a_customer_with_unfinished_invoices_stays(house: House) -> None:
    invoice = await an_open_invoice(house)
    with pytest.raises(CustomerStillBilled):
        async with house.database.transaction(ANN) as work:
            await delete_customer(work, invoice.customer_id, guards=[invoices_keep_customer])
    await house.act(invoice.id, A.VOID)
    async with house.database.transaction(ANN) as work:
        await delete_customer(work, invoice.customer_id, guards=[invoices_keep_customer])


async def test_a_fault_of_the_app_holds_up_one_invoice_only(house: House) -> None:
    cast = await bring_cast(house.database)
    bad = await draft_for(house.database, cast.acme, "10")
    good = await draft_for(house.database, cast.acme, "10")

    def explode(_operation: str, subject: str) -> None:
        if subject == bad.id:
            raise RuntimeError("a fault of ours")

    house.app.before_call = explode
    held = await house.advance(bad.id)
    assert (held.status, held.sync_state) == (S.DRAFT_SYNCING, "retrying")
    assert (await house.advance(good.id)).status is S.PAID


async def test_several_failures_in_a_row_are_shown_as_stuck(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10")
    waits = []
    for _ in range(3):
        house.app.fail("sync_draft", Trouble.TRANSIENT, "timeout", "No answer.")
        held = await house.advance(draft.id)
        assert held.next_attempt_at is not None
        waits.append((held.next_attempt_at - house.clock.now()).total_seconds())
        house.clock.move_to(held.next_attempt_at)
    assert waits == [5, 10, 20]
    async with house.database.read() as session:
        (stuck,) = await stuck_invoices(session, house.clock.now())
    assert (stuck.attempts, stuck.reason) == (3, "No answer.")
