"""What the provider says of an invoice, in any order, becomes its status here."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.service import record_external
from dashboard.billing.views import ExternalInvoice, Invoice, InvoiceStatus, Issue
from dashboard.kit.database import STRIPE
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import bring_cast, draft_for

# Nothing here depends on which database it is; the files beside run on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

S = InvoiceStatus


async def an_open_invoice(house: House, *, by_mail: bool = False) -> Invoice:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    return await house.advance((await draft_for(house.database, cast.globex if by_mail else cast.acme, "80")).id)


async def tell(house: House, external: ExternalInvoice, trigger: str, *, read_after: float | None = None) -> S | None:
    """News from the provider; `read_after` seconds is when its state was asked for."""
    now = house.clock.now()
    read_at = None if read_after is None else now + timedelta(seconds=read_after)
    async with house.database.transaction(STRIPE) as work:
        return await record_external(work, ExternalNews("app_1", external, trigger, now, read_at=read_at))


def open_at_provider(house: House, invoice: Invoice) -> ExternalInvoice:
    return house.app.invoices[invoice.id]


async def test_paid_there_is_paid_here(house: House) -> None:
    invoice = await an_open_invoice(house)
    external = house.app.paid(open_at_provider(house, invoice))
    assert await tell(house, external, "invoice.paid") is S.PAID
    paid = await house.read(invoice.id)
    assert paid.paid_at == house.clock.now()
    assert (paid.transitions[-1].trigger, paid.transitions[-1].actor_label) == ("invoice.paid", "Stripe")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"payment_status": "failed", "failure_message": "Declined."}, S.PAYMENT_FAILED),
        ({"payment_status": "action_required"}, S.PAYMENT_ACTION_REQUIRED),
        ({"payment_status": "processing"}, S.PAYMENT_PENDING),
        ({"payment_status": None}, S.PAYMENT_PENDING),
        ({"status": "uncollectible"}, S.UNCOLLECTIBLE),
        ({"status": "void"}, S.VOIDED),
        ({"status": "paid"}, S.PAID),
    ],
)
async def test_every_state_there_has_one_here(house: House, changes: dict[str, str], status: S) -> None:
    invoice = await an_open_invoice(house)
    external = replace(open_at_provider(house, invoice), **changes)
    assert await tell(house, external, "invoice.updated") is status


async def test_a_failed_payment_says_why_in_the_providers_words(house: House) -> None:
    invoice = await an_open_invoice(house)
    await tell(house, house.app.declined(open_at_provider(house, invoice)), "invoice.payment_failed")
    failed = await house.read(invoice.id)
    assert failed.transitions[-1].error_message == "Your card was declined."
    assert failed.external is not None
    assert failed.external.attempt_count == 1


async def test_a_decline_that_is_paid_later_leaves_no_failure_behind(house: House) -> None:
    invoice = await an_open_invoice(house)
    declined = house.app.declined(open_at_provider(house, invoice))
    await tell(house, declined, "invoice.payment_failed")
    assert await tell(house, house.app.paid(declined), "invoice.paid") is S.PAID


async def test_an_invoice_past_its_day_is_overdue_when_the_provider_mentions_it(house: House) -> None:
    invoice = await an_open_invoice(house, by_mail=True)
    assert invoice.due_at is not None
    house.clock.move_to(invoice.due_at + timedelta(hours=1))
    assert await tell(house, open_at_provider(house, invoice), "invoice.overdue") is S.OVERDUE


async def test_the_day_is_looked_at_before_an_invoice_is_called_overdue(house: House) -> None:
    invoice = await an_open_invoice(house, by_mail=True)
    house.app.invoices[invoice.id] = house.app.paid(open_at_provider(house, invoice))
    assert invoice.due_at is not None
    house.clock.move_to(invoice.due_at)
    assert (await house.advance(invoice.id)).status is S.PAID


@pytest.mark.parametrize("order", list(itertools.permutations(["declined", "paid", "open"])))
async def test_the_end_is_the_same_in_any_order(house: House, order: tuple[str, ...]) -> None:
    """News carries what was read when it was applied; a message that comes late was read late too."""
    invoice = await an_open_invoice(house)
    known = open_at_provider(house, invoice)
    story = {"open": known, "declined": house.app.declined(known), "paid": house.app.paid(known)}
    for name in order:
        await tell(house, story[name], name)
    assert (await house.read(invoice.id)).status is S.PAID


async def test_an_older_reading_never_overrules_a_newer_one(house: House) -> None:
    invoice = await an_open_invoice(house)
    known = open_at_provider(house, invoice)
    await tell(house, replace(known, payment_status="action_required"), "newer", read_after=20)
    assert await tell(house, house.app.declined(known), "older", read_after=10) is S.PAYMENT_ACTION_REQUIRED
    assert await tell(house, house.app.paid(known), "paid", read_after=5) is S.PAID, "what is final always counts"


async def test_given_up_and_paid_after_all(house: House) -> None:
    invoice = await an_open_invoice(house)
    known = open_at_provider(house, invoice)
    await tell(house, replace(known, status="uncollectible"), "invoice.marked_uncollectible")
    assert await tell(house, known, "late news of before") is S.UNCOLLECTIBLE
    assert await tell(house, house.app.paid(known), "invoice.paid") is S.PAID


async def test_the_same_news_twice_is_one_step(house: House) -> None:
    invoice = await an_open_invoice(house)
    external = house.app.paid(open_at_provider(house, invoice))
    await tell(house, external, "invoice.paid")
    once = await house.read(invoice.id)
    await tell(house, external, "invoice.paid")
    assert await house.read(invoice.id) == once


async def test_news_that_overtakes_our_own_answer_is_taken(house: House) -> None:
    """A webhook may tell that an invoice is paid before the call that issued it came back."""
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10")
    house.app.pays_at_once = False

    def overtake(operation: str, _subject: str) -> None:
        if operation == "issue":
            raise RuntimeError("the answer is lost")

    house.app.after_call = overtake
    held = await house.advance(draft.id)
    assert held.status is S.ISSUING
    house.app.after_call = None
    external = house.app.paid(house.app.invoices[draft.id])
    assert await tell(house, external, "invoice.paid") is S.PAID
    paid = await house.read(draft.id)
    assert paid.number == external.number
    assert (paid.sync_state, paid.next_attempt_at) == ("synced", None)
    assert (await house.advance(draft.id)).status is S.PAID


async def test_a_draft_that_somebody_finalised_at_the_provider_goes_on_from_there(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    external = replace(
        house.app.invoices[draft.id], status="open", number="ACCT-1", subtotal=Decimal(10), amount_due=Decimal(10)
    )
    assert await tell(house, external, "invoice.finalized") is S.PAYMENT_PENDING
    issued = await house.read(draft.id)
    assert (issued.number, issued.issued_at) == ("ACCT-1", house.clock.now())


async def test_a_draft_that_somebody_deleted_at_the_provider_is_deleted_here(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    external = replace(house.app.invoices[draft.id], status="deleted")
    assert await tell(house, external, "invoice.deleted") is S.DELETED
    assert (await house.read(draft.id)).deleted_at is not None


async def test_notes_of_the_provider_are_shown_on_the_invoice(house: House) -> None:
    invoice = await an_open_invoice(house)
    note = Issue("warning", "foreign_lines", "A line is not ours.", component="stripe")
    await tell(house, replace(open_at_provider(house, invoice), notes=(note,)), "invoice.updated")
    assert [issue.code for issue in (await house.read(invoice.id)).issues] == ["foreign_lines"]
    await tell(house, open_at_provider(house, invoice), "invoice.updated")
    assert (await house.read(invoice.id)).issues == ()


async def test_news_of_strangers_is_not_ours(house: House) -> None:
    invoice = await an_open_invoice(house)
    stranger = replace(open_at_provider(house, invoice), id="in_of_somebody_else", status="paid")
    assert await tell(house, stranger, "invoice.paid") is None
    async with house.database.transaction(STRIPE) as work:
        news = ExternalNews("another_app", open_at_provider(house, invoice), "invoice.paid", house.clock.now())
        assert await record_external(work, news) is None
    assert (await house.read(invoice.id)).status is S.PAYMENT_PENDING


async def test_an_invoice_of_nothing_is_paid_when_it_is_issued(house: House) -> None:
    house.app.pays_at_once = False
    cast = await bring_cast(house.database)
    paid = await house.advance((await draft_for(house.database, cast.globex, "10", "-10")).id)
    assert (paid.status, paid.totals.total) == (S.PAID, Decimal(0))


async def test_a_credit_as_a_whole_is_issued_too(house: House) -> None:
    cast = await bring_cast(house.database)
    paid = await house.advance((await draft_for(house.database, cast.acme, "10", "-25.5")).id)
    assert (paid.status, paid.totals.total) == (S.PAID, Decimal("-15.5"))
