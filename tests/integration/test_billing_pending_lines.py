"""Lines that wait: how they gather, what can be invoiced of them, and how a draft is changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.errors import (
    AmountTooLarge,
    AsOfInTheFuture,
    InvoiceCannotBeEdited,
    InvoiceLineNotFound,
    LineCurrencyMismatch,
    LinesNotBillable,
    ZeroAmount,
)
from dashboard.billing.inputs import TaxConfigInput, UpdateBillingProfile, WorkflowInput
from dashboard.billing.invoice_inputs import (
    AddCharges,
    ChargeInput,
    CreatePendingLines,
    EditInvoice,
    EditLine,
    EditWorkflow,
    InvoicePendingLines,
    PendingLineInput,
    SimulatedLine,
    SimulateInvoice,
)
from dashboard.billing.jobs import collect, sweep
from dashboard.billing.progressive import NothingToInvoice
from dashboard.billing.queries import due_for_collection, pending_of_customer
from dashboard.billing.service import (
    add_charges,
    create_pending_lines,
    delete_pending_line,
    edit_invoice,
    invoice_pending_lines,
    update_billing_profile,
    update_pending_line,
)
from dashboard.billing.simulation import simulate_invoice
from dashboard.billing.views import (
    CollectionMethod,
    Invoice,
    InvoiceAction,
    InvoiceLine,
    InvoiceStatus,
    TaxBehavior,
    TaxConfig,
)
from dashboard.catalog.inputs import CreateTaxCode
from dashboard.catalog.price_rules import BadPrice
from dashboard.catalog.tax_codes import create_tax_code
from dashboard.customers.inputs import UpdateCustomer
from dashboard.customers.service import update_customer
from dashboard.customers.views import Customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, any_app, bring_cast, draft_for, make_customer

FEBRUARY = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


def charge(amount: str = "10", **changes: Any) -> ChargeInput:
    return ChargeInput(**{"name": "Setup", "unit_price": amount, **changes})


async def pending(house: House, customer: Customer, *charges: ChargeInput) -> tuple[InvoiceLine, ...]:
    async with house.database.transaction(ANN) as work:
        return (await add_charges(work, AddCharges(customer_id=customer.id, charges=charges))).lines


async def gathering_of(house: House, customer: Customer) -> list[Invoice]:
    async with house.database.read() as session:
        return await pending_of_customer(session, customer.id, house.clock.now())


async def invoice_now(house: House, customer: Customer, **wanted: Any) -> tuple[Invoice, ...]:
    async with house.database.transaction(ANN) as work:
        return await invoice_pending_lines(
            work, InvoicePendingLines(**{"customer_id": customer.id, "before_its_date": True, **wanted})
        )


async def test_charges_gather_in_one_place_until_they_are_invoiced(house: House) -> None:
    cast = await bring_cast(house.database)
    await pending(house, cast.acme, charge("10", quantity="3"))
    await pending(house, cast.acme, charge("0.5"))
    (gathering,) = await gathering_of(house, cast.acme)
    assert gathering.number == "GATHER-ACIN-USD-1"
    assert gathering.totals.total == Decimal("30.5")
    assert [line.details[0].quantity for line in gathering.lines] == [3, 1]
    assert gathering.lines[0].details[0].explanation == ("3 × $10.00 = $30.00.",)

    (draft,) = await invoice_now(house, cast.acme)
    assert draft.totals.total == Decimal("30.5")
    assert {line.id for line in draft.lines} == {line.id for line in gathering.lines}
    assert await gathering_of(house, cast.acme) == []
    assert house.outbox.of("invoice.advance") == [{"invoice_id": draft.id}]


async def test_chosen_lines_are_invoiced_and_the_others_wait_on(house: House) -> None:
    cast = await bring_cast(house.database)
    first, second = await pending(house, cast.acme, charge("1"), charge("2"))
    (draft,) = await invoice_now(house, cast.acme, line_ids=(second.id,))
    assert [line.id for line in draft.lines] == [second.id]
    (gathering,) = await gathering_of(house, cast.acme)
    assert ([line.id for line in gathering.lines], gathering.totals.total) == ([first.id], Decimal(1))
    with pytest.raises(LinesNotBillable) as refusal:
        await invoice_now(house, cast.acme, line_ids=(first.id, second.id))
    assert refusal.value.details["line_ids"] == [second.id]
    assert len(await gathering_of(house, cast.acme)) == 1, "all or nothing"


async def test_a_line_waits_for_its_date_unless_a_person_says_otherwise(house: House) -> None:
    cast = await bring_cast(house.database)
    await pending(house, cast.acme, charge())
    with pytest.raises(NothingToInvoice):
        await invoice_now(house, cast.acme, before_its_date=False)
    (gathering,) = await gathering_of(house, cast.acme)
    assert gathering.collection_at == datetime(2026, 1, 16, tzinfo=UTC), "the end of its period, today"


async def test_what_is_due_is_collected_by_itself(house: House) -> None:
    cast = await bring_cast(house.database)
    await pending(house, cast.acme, charge("10"))
    assert await sweep(house.desk) == 0
    house.clock.advance(timedelta(days=1))
    assert await sweep(house.desk) == 1
    assert house.outbox.of("invoice.collect") == [{"customer_id": cast.acme.id}]
    await collect(house.desk, cast.acme.id)
    (advance,) = house.outbox.of("invoice.advance")
    assert (await house.advance(advance["invoice_id"])).status is InvoiceStatus.PAID
    await collect(house.desk, cast.acme.id)
    assert len(house.outbox.of("invoice.advance")) == 1


async def test_collecting_on_fixed_dates_waits_for_them(house: House) -> None:
    first_of_month = datetime(2026, 1, 1, tzinfo=UTC)
    cast = await bring_cast(
        house.database,
        collection_alignment="anchored",
        collection_anchor=first_of_month,
        collection_anchor_interval="P1M",
    )
    await pending(house, cast.acme, charge())
    (gathering,) = await gathering_of(house, cast.acme)
    assert gathering.collection_at == datetime(2026, 2, 1, tzinfo=UTC)
    house.clock.move_to(datetime(2026, 1, 20, tzinfo=UTC))
    async with house.database.read() as session:
        assert await due_for_collection(session, house.clock.now()) == []
    house.clock.move_to(datetime(2026, 2, 1, tzinfo=UTC))
    await collect(house.desk, cast.acme.id)
    assert await gathering_of(house, cast.acme) == []


async def test_each_currency_has_its_own_gathering_and_draft(house: House) -> None:
    await bring_cast(house.database)
    async with house.database.transaction(ANN) as work:
        free = await make_customer(work, name="Polyglot")
        for currency in ("EUR", "JPY"):
            await add_charges(work, AddCharges(customer_id=free.id, charges=(charge("500"),), currency=currency))
    drafts = await invoice_now(house, free)
    assert [draft.currency for draft in drafts] == ["EUR", "JPY"]


async def test_adding_at_the_same_time_fills_one_gathering(house: House) -> None:
    cast = await bring_cast(house.database)
    await asyncio.gather(*(pending(house, cast.acme, charge("1")) for _ in range(5)))
    (gathering,) = await gathering_of(house, cast.acme)
    assert gathering.totals.total == 5


async def test_invoicing_at_the_same_time_bills_each_line_once(house: House) -> None:
    cast = await bring_cast(house.database)
    await pending(house, cast.acme, charge("1"), charge("2"))
    outcomes = await asyncio.gather(*(invoice_now(house, cast.acme) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(one, tuple) for one in outcomes) == 1
    assert sum(isinstance(one, NothingToInvoice) for one in outcomes) == 2


async def test_a_waiting_line_is_changed_and_taken_back(house: House) -> None:
    cast = await bring_cast(house.database)
    first, second = await pending(house, cast.acme, charge("1"), charge("2"))
    changed = charge("5", name="Bigger setup").to_pending_line(house.clock.now())
    async with house.database.transaction(ANN) as work:
        line = await update_pending_line(work, first.id, changed)
        assert line.details[0].per_unit_amount == 5
        await delete_pending_line(work, second.id)
    (gathering,) = await gathering_of(house, cast.acme)
    assert [(line.name, line.totals.total) for line in gathering.lines] == [("Bigger setup", Decimal(5))]
    async with house.database.transaction(ANN) as work:
        await delete_pending_line(work, first.id)
    assert await gathering_of(house, cast.acme) == []
    with pytest.raises(InvoiceLineNotFound):
        async with house.database.transaction(ANN) as work:
            await delete_pending_line(work, first.id)


async def test_a_billed_line_can_no_longer_be_taken_back(house: House) -> None:
    cast = await bring_cast(house.database)
    (line,) = await pending(house, cast.acme, charge())
    await invoice_now(house, cast.acme)
    with pytest.raises(InvoiceLineNotFound):
        async with house.database.transaction(ANN) as work:
            await delete_pending_line(work, line.id)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"unit_price": "0"}, ZeroAmount),
        ({"quantity": "0"}, ZeroAmount),
        ({"quantity": "-1"}, ZeroAmount),
        ({"unit_price": "999999999999", "quantity": "100"}, AmountTooLarge),
    ],
)
async def test_a_charge_that_makes_no_sense_is_refused(
    house: House, changes: dict[str, str], refusal: type[Exception]
) -> None:
    cast = await bring_cast(house.database)
    with pytest.raises(refusal):
        await pending(house, cast.acme, charge(**changes))
    assert await gathering_of(house, cast.acme) == []


@pytest.mark.parametrize("amount", ["1,5", "1e3", "NaN", "", "abc", 1.5, True])
def test_an_amount_is_a_plain_decimal(amount: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_input(ChargeInput, {"name": "Setup", "unit_price": amount})
    assert "unit_price" in refusal.value.fields


async def test_usage_needs_a_feature_and_a_sound_price(house: House) -> None:
    cast = await bring_cast(house.database)
    start, end = FEBRUARY

    async def add(price: dict[str, Any]) -> None:
        line = PendingLineInput(name="API", price=price, period_from=start, period_to=end, invoice_at=end)
        async with house.database.transaction(ANN) as work:
            await create_pending_lines(work, CreatePendingLines(customer_id=cast.acme.id, lines=(line,)))

    with pytest.raises(InvalidInput, match="feature"):
        await add({"type": "unit", "amount": "1"})
    with pytest.raises(BadPrice):
        await add({"type": "unit", "amount": "-1"})
    with pytest.raises(BadPrice):
        await add({"type": "barter"})


async def test_a_customer_is_billed_in_their_own_currency(house: House) -> None:
    cast = await bring_cast(house.database)
    wanted = AddCharges(customer_id=cast.acme.id, charges=(charge(),), currency="EUR")
    with pytest.raises(LineCurrencyMismatch):
        async with house.database.transaction(ANN) as work:
            await add_charges(work, wanted)


async def test_what_has_not_come_yet_cannot_be_billed(house: House) -> None:
    cast = await bring_cast(house.database)
    await pending(house, cast.acme, charge())
    with pytest.raises(AsOfInTheFuture):
        await invoice_now(house, cast.acme, as_of=house.clock.now() + timedelta(seconds=1))


async def test_the_line_s_tax_beats_the_profile_which_beats_the_organisation(house: House) -> None:
    async with house.database.transaction(ANN) as work:
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
    cast = await bring_cast(
        house.database, default_tax=TaxConfigInput(behavior=TaxBehavior.INCLUSIVE, stripe_code="txcd_20030000")
    )
    own, other = await pending(house, cast.acme, charge(tax=TaxConfigInput(tax_code_id=code.id)), charge())
    assert own.effective_tax == TaxConfig(TaxBehavior.INCLUSIVE, code.id, "txcd_10103001")
    assert other.effective_tax == TaxConfig(TaxBehavior.INCLUSIVE, None, "txcd_20030000")
    with pytest.raises(InvalidInput):
        await pending(house, cast.acme, charge(tax=TaxConfigInput(tax_code_id="01JHXXXXXXXXXXXXXXXXXXXXXX")))


async def test_an_invoice_keeps_what_it_was_made_with(house: House) -> None:
    cast = await bring_cast(house.database, draft_period="P1D")
    draft = await draft_for(house.database, cast.acme, "10")
    async with house.database.transaction(ANN) as work:
        await update_customer(work, cast.acme.id, UpdateCustomer(name="Renamed", key="acme"))
        changed = UpdateBillingProfile(
            name="Changed",
            supplier={"name": "Other supplier", "country": "FR"},  # pyright: ignore[reportArgumentType]
            workflow=WorkflowInput(draft_period="P9D", auto_advance=False),
        )
        await update_billing_profile(work, cast.profile.id, changed, apps=any_app)
    kept = await house.advance(draft.id)
    assert kept.status is InvoiceStatus.DRAFT_WAITING_AUTO_APPROVAL
    assert (kept.customer_name, kept.customer_snapshot["name"]) == ("Acme Inc", "Acme Inc")
    assert kept.supplier == cast.profile.supplier
    assert kept.workflow == cast.profile.workflow


# Changing a draft


async def test_a_changed_draft_is_sent_again_before_it_is_issued(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10", "20")).id)
    kept = draft.lines[0]
    lines = (
        EditLine(
            id=kept.id,
            name="Cheaper",
            price={"type": "flat", "amount": "7"},
            period_from=kept.period_from,
            period_to=kept.period_to,
            invoice_at=kept.invoice_at,
        ),
        EditLine(**charge("1").to_pending_line(house.clock.now()).model_dump()),
    )
    async with house.database.transaction(ANN) as work:
        edited = await edit_invoice(
            work, draft.id, EditInvoice(description="Thanks!", purchase_order="PO-7", lines=lines)
        )
    assert (edited.status, edited.totals.total) == (InvoiceStatus.DRAFT_CREATED, Decimal(8))
    again = await house.advance(draft.id)
    assert again.status is InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED
    assert house.app.count("sync_draft") == 2
    assert house.app.made == 1
    assert again.lines[0].id == kept.id
    assert [line.name for line in again.lines] == ["Cheaper", "Setup"]
    assert again.purchase_order == "PO-7"


async def test_a_draft_may_be_paid_another_way_than_its_customer_s_others(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    by_mail = EditWorkflow(collection_method=CollectionMethod.SEND_INVOICE, due_after="P5D")
    async with house.database.transaction(ANN) as work:
        await edit_invoice(work, draft.id, EditInvoice(workflow=by_mail))
    await house.advance(draft.id)
    issued = await house.act(draft.id, InvoiceAction.APPROVE)
    assert issued.status is InvoiceStatus.PAYMENT_PENDING
    assert issued.due_at == house.clock.now() + timedelta(days=5)


async def test_a_draft_by_mail_says_when_it_will_be_due(house: House) -> None:
    cast = await bring_cast(house.database, draft_period="P2D")
    draft = await house.advance((await draft_for(house.database, cast.globex, "10")).id)
    assert draft.due_at == house.clock.now() + timedelta(days=16)


async def test_an_issued_invoice_cannot_be_edited(house: House) -> None:
    cast = await bring_cast(house.database)
    paid = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    with pytest.raises(InvoiceCannotBeEdited):
        async with house.database.transaction(ANN) as work:
            await edit_invoice(work, paid.id, EditInvoice(description="too late"))


async def test_a_draft_without_lines_is_deleted_instead_of_issued(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    async with house.database.transaction(ANN) as work:
        await edit_invoice(work, draft.id, EditInvoice(lines=()))
    emptied = await house.advance(draft.id)
    assert emptied.status is InvoiceStatus.DRAFT_MANUAL_APPROVAL_NEEDED
    assert (await house.act(draft.id, InvoiceAction.APPROVE)).status is InvoiceStatus.DELETED
    assert house.app.invoices == {}
    assert house.app.count("issue") == 0


async def test_a_simulation_rates_without_storing_anything(house: House) -> None:
    cast = await bring_cast(house.database)
    start, end = FEBRUARY
    tiers = [{"up_to_amount": "10", "unit_amount": "2"}, {"up_to_amount": None, "unit_amount": "1"}]
    lines = (
        SimulatedLine(
            name="Base", price={"type": "flat", "amount": "49"}, period_from=start, period_to=end, invoice_at=end
        ),
        SimulatedLine(
            name="Calls",
            price={"type": "tiered", "mode": "graduated", "tiers": tiers},
            feature_key="api",
            quantity=Decimal(15),
            period_from=start,
            period_to=end,
            invoice_at=end,
        ),
    )
    async with house.database.read() as session:
        wanted = SimulateInvoice(customer_id=cast.acme.id, lines=lines)
        invoice = await simulate_invoice(session, wanted, house.clock.now())
    assert (invoice.number, invoice.totals.total) == ("INV-SIMULATED", Decimal(74))
    assert [detail.name for detail in invoice.lines[1].details] == ["tier 1", "tier 2"]
    assert await gathering_of(house, cast.acme) == []
