"""Invoices on their way to Stripe, as billing hands them over, against the real sandbox."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import Workflow
from dashboard.kit.ids import new_id
from dashboard.stripe_app import customer_link
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.stripe_app.invoice_issue import TRUSTED_FOR
from dashboard.stripe_app.plug import StripePlug
from dashboard.stripe_app.tables import StripeInvoiceRow, StripeProductRow
from dashboard.stripe_app.to_stripe import METADATA_INVOICE
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_invoices import BY_MAIL, NO_TAX, WITH_TAX, changed, detail, invoice, line
from tests.stripe_side import link_payer, switch_tax_on

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ENFORCED = Workflow(tax_enabled=True, tax_enforced=True)
BERLIN = {"address[country]": "DE", "address[postal_code]": "10115", "address[city]": "Berlin"}


class Billing:
    """What billing has at hand: the plug, an app, a linked customer."""

    def __init__(self, house: House, app_id: str, customer_id: str, stripe_customer_id: str) -> None:
        self.house = house
        self.plug = StripePlug(house.desk)
        self.app_id = app_id
        self.customer_id = customer_id
        self.stripe_customer_id = stripe_customer_id

    def invoice(self, *lines, **more):
        return invoice(*lines, customer_id=self.customer_id, app_id=self.app_id, **more)

    async def at_stripe(self, external) -> dict[str, Any]:
        return await self.house.stripe("GET", f"/v1/invoices/{external.id}")

    async def lines_at_stripe(self, external) -> list[dict[str, Any]]:
        return (await self.house.stripe("GET", f"/v1/invoices/{external.id}/lines", limit="100"))["data"]

    async def calls(self, since: int) -> list[str]:
        return [call.removeprefix("POST /v1/") for call in (await self.house.writes())[since:]]

    async def mark(self) -> int:
        return len(await self.house.writes())

    async def tax_on(self) -> None:
        await switch_tax_on(self.house.stripe)


@pytest.fixture
async def billing(house: House) -> Billing:
    """An installed app and a linked customer who pays by card."""
    app = await house.install()
    customer = await house.customer()
    stripe_id = await link_payer(house.desk, ADA, house.stripe, customer.id)
    return Billing(house, app.id, customer.id, stripe_id)


# Three calls


@pytest.mark.parametrize("count", [1, 10, 100, 250])
async def test_defect_1_an_invoice_of_any_size_takes_three_calls(billing, count):
    made = billing.invoice(*[line(detail("1.25")) for _ in range(count)])
    since = await billing.mark()
    await billing.plug.sync_draft(made)
    external = await billing.plug.issue(made)
    assert await billing.calls(since) == ["invoices", "invoices/{}/add_lines", "invoices/{}/finalize"]
    assert external.total == Decimal("1.25") * count
    assert external.status == "open"
    assert external.number
    assert external.hosted_url


async def test_with_tax_codes_the_products_are_made_once_and_then_it_takes_three_calls(billing):
    await billing.tax_on()
    await billing.house.stripe("POST", f"/v1/customers/{billing.stripe_customer_id}", BERLIN)
    codes = ("txcd_10103001", "txcd_10000000", None)
    lines = [line(detail("10"), name=f"Rate {n % 3}", code=codes[n % 3], behavior="exclusive") for n in range(30)]
    since = await billing.mark()
    external = await billing.plug.issue(billing.invoice(*lines, workflow=WITH_TAX))
    assert (await billing.calls(since)).count("products") == 3
    since = await billing.mark()
    await billing.plug.issue(billing.invoice(*lines, workflow=WITH_TAX))
    assert await billing.calls(since) == ["invoices", "invoices/{}/add_lines", "invoices/{}/finalize"]
    assert external.tax == Decimal("57.00")
    assert external.total == Decimal("357.00")
    assert external.subtotal == Decimal("300.00")
    assert external.automatic_tax_status == "complete"


async def test_a_product_made_by_an_earlier_install_is_found_again(billing):
    made = billing.invoice(line(code="txcd_10103001"), workflow=WITH_TAX)
    await billing.plug.sync_draft(made)
    async with billing.house.database.transaction(ADA) as work:
        await work.session.execute(delete(StripeProductRow))
    await billing.plug.sync_draft(billing.invoice(line(code="txcd_10103001"), workflow=WITH_TAX))
    assert len((await billing.house.stripe("GET", "/v1/products"))["data"]) == 1


async def test_the_draft_does_not_take_in_pending_items_of_others(billing):
    await billing.house.stripe(
        "POST",
        "/v1/invoiceitems",
        {"customer": billing.stripe_customer_id, "amount": "999", "currency": "usd"},
    )
    assert (await billing.plug.sync_draft(billing.invoice())).total == Decimal("10.00")


# Changes


async def test_defect_1_an_unchanged_draft_sends_nothing(billing):
    made = billing.invoice(line(), line())
    first = await billing.plug.sync_draft(made)
    since = len(await billing.house.exchanges())
    assert await billing.plug.sync_draft(made) == first
    assert len(await billing.house.exchanges()) == since


async def test_a_changed_draft_sends_only_its_difference_in_one_call_each(billing):
    details = [detail(str(n)) for n in range(1, 61)]
    before = billing.invoice(*[line(one) for one in details])
    external = await billing.plug.sync_draft(before)
    edited = [line(detail("99", id=details[0].id)), *[line(one) for one in details[1:59]], line(detail("7"))]
    since = await billing.mark()
    after = await billing.plug.sync_draft(changed(before, lines=tuple(edited)))
    assert sorted(await billing.calls(since)) == [
        "invoices/{}/add_lines",
        "invoices/{}/remove_lines",
        "invoices/{}/update_lines",
    ]
    assert after.total == Decimal(sum(range(2, 60)) + 99 + 7)
    assert after.id == external.id


async def test_a_line_removed_and_added_again_is_really_there_again(billing):
    one, two = line(detail("1")), line(detail("2"))
    both = billing.invoice(one, two)
    await billing.plug.sync_draft(both)
    await billing.plug.sync_draft(changed(both, lines=(one,)))
    again = await billing.plug.sync_draft(both)
    assert again.total == Decimal(3)
    only = await billing.plug.sync_draft(changed(both, lines=(one,)))
    assert only.total == Decimal(1)


async def test_defect_5_how_to_pay_follows_the_draft_until_it_is_finalised(billing):
    made = billing.invoice(description="Thanks", purchase_order="PO-1", footer="Ltd", statement_descriptor="ACME API")
    external = await billing.plug.sync_draft(made)
    seen = await billing.at_stripe(external)
    assert seen["collection_method"] == "charge_automatically"
    assert seen["default_payment_method"]
    assert seen["description"] == "Thanks"
    assert seen["custom_fields"] == [{"name": "PO number", "value": "PO-1"}]
    since = await billing.mark()
    by_mail = changed(made, workflow=BY_MAIL, description=None, purchase_order=None, footer="GmbH")
    await billing.plug.sync_draft(by_mail)
    assert await billing.calls(since) == ["invoices/{}"]
    seen = await billing.at_stripe(external)
    assert seen["collection_method"] == "send_invoice"
    assert seen["due_date"]
    assert not seen["description"]
    assert not seen["custom_fields"]
    assert seen["footer"] == "GmbH"
    assert seen["statement_descriptor"] == "ACME API"


async def test_defect_5_a_card_added_after_the_draft_was_made_is_the_one_it_uses(billing):
    made = billing.invoice()
    external = await billing.plug.sync_draft(made)
    card = await billing.house.stripe(
        "POST", "/v1/payment_methods/pm_card_mastercard/attach", {"customer": billing.stripe_customer_id}
    )
    request = LinkStripeCustomer(
        customer_id=billing.customer_id,
        stripe_customer_id=billing.stripe_customer_id,
        default_payment_method_id=card["id"],
    )
    await customer_link.link_stripe_customer(billing.house.desk, ADA, request)
    await billing.plug.sync_draft(made)
    assert (await billing.at_stripe(external))["default_payment_method"] == card["id"]


async def test_switching_tax_on_and_off_while_it_is_a_draft_keeps_the_total(billing):
    await billing.tax_on()
    await billing.house.stripe("POST", f"/v1/customers/{billing.stripe_customer_id}", BERLIN)
    made = billing.invoice(line(detail("100", discounts="10")), line(detail("5")), workflow=NO_TAX)
    plain = await billing.plug.sync_draft(made)
    assert (plain.subtotal, plain.tax) == (Decimal("95.00"), Decimal("0.00"))
    taxed = await billing.plug.sync_draft(changed(made, workflow=WITH_TAX))
    assert taxed.subtotal == Decimal("95.00")
    assert (await billing.at_stripe(taxed))["automatic_tax"]["enabled"] is True
    back = await billing.plug.sync_draft(made)
    assert back.subtotal == Decimal("95.00")
    assert [one["amount"] for one in await billing.lines_at_stripe(back)] != []
    assert (await billing.plug.issue(made)).total == Decimal("95.00")


async def test_a_customer_relinked_to_another_stripe_customer_gets_a_fresh_draft_there(billing):
    made = billing.invoice()
    first = await billing.plug.sync_draft(made)
    other = (await billing.house.stripe("POST", "/v1/customers", {"name": "Acme 2"}))["id"]
    request = LinkStripeCustomer(customer_id=billing.customer_id, stripe_customer_id=other)
    await customer_link.link_stripe_customer(billing.house.desk, ADA, request)
    second = await billing.plug.sync_draft(made)
    assert second.id != first.id
    assert (await billing.at_stripe(second))["customer"] == other
    everyone = (await billing.house.stripe("GET", "/v1/invoices"))["data"]
    assert [one["id"] for one in everyone] == [second.id]


# Amounts


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("JPY", "1200", 1200),
        ("ISK", "500", 50_000),
        ("HUF", "1000", 100_000),
        ("KWD", "5.124", 5120),
        ("MGA", "5000", 5000),
    ],
)
async def test_defect_7_amounts_of_every_kind_of_currency_arrive_exactly(billing, currency, amount, minor):
    external = await billing.plug.issue(billing.invoice(line(detail(amount)), currency=currency))
    assert (await billing.at_stripe(external))["total"] == minor
    assert external.status in ("open", "paid")


async def test_a_zero_invoice_is_issued_and_paid_at_once(billing):
    external = await billing.plug.issue(billing.invoice(line(detail("0"))))
    assert external.status == "paid"
    assert external.total == Decimal("0.00")


async def test_an_invoice_fully_covered_by_credits_is_paid_and_shows_both(billing):
    external = await billing.plug.issue(billing.invoice(line(detail("5", credits="5"))))
    assert external.status == "paid"
    assert sorted(one["amount"] for one in await billing.lines_at_stripe(external)) == [-500, 500]


async def test_an_invoice_without_any_line_is_issued_and_paid(billing):
    made = billing.invoice(line())
    external = await billing.plug.issue(changed(made, lines=()))
    assert external.status == "paid"


async def test_a_negative_invoice_becomes_the_customers_credit(billing):
    external = await billing.plug.issue(billing.invoice(line(detail("-20")), workflow=WITH_TAX))
    assert external.status == "paid"
    assert [note.code for note in external.notes] == ["credit_is_untaxed"]
    seen = await billing.house.stripe("GET", f"/v1/customers/{billing.stripe_customer_id}")
    assert seen["balance"] == -2000


async def test_amounts_under_the_minimum_charge_are_paid_without_a_charge(billing):
    external = await billing.plug.issue(billing.invoice(line(detail("0.20"))))
    assert external.status == "paid"
    assert external.total == Decimal("0.20")


async def test_more_than_250_lines_arrive_grouped_and_the_invoice_says_so(billing):
    made = billing.invoice(*[line(detail("0.10")) for _ in range(600)])
    external = await billing.plug.issue(made)
    assert external.total == Decimal("60.00")
    assert [note.code for note in external.notes] == ["lines_grouped"]


# Other people in the same account


async def test_defect_6_lines_added_by_hand_in_stripe_are_kept_shown_and_explain_the_total(billing):
    made = billing.invoice(line(detail("10")))
    external = await billing.plug.sync_draft(made)
    by_hand = {"lines[0][amount]": "250", "lines[0][description]": "Travel"}
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/add_lines", by_hand)
    billing.house.clock.advance(TRUSTED_FOR * 2)
    issued = await billing.plug.issue(made)
    assert issued.total == Decimal("12.50")
    assert issued.foreign_lines == (("Travel", Decimal("2.50")),)
    assert [note.code for note in issued.notes] == ["foreign_lines"]
    assert len(await billing.lines_at_stripe(issued)) == 2


async def test_the_penny_guard_puts_our_own_lines_right_before_finalising(billing):
    made = billing.invoice(line(detail("10")), line(detail("3")))
    external = await billing.plug.sync_draft(made)
    [first, _] = await billing.lines_at_stripe(external)
    cheaper = {"lines[0][id]": first["id"], "lines[0][amount]": "1"}
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/update_lines", cheaper)
    billing.house.clock.advance(TRUSTED_FOR * 2)
    assert (await billing.plug.issue(made)).total == Decimal("13.00")


async def test_the_penny_guard_stops_when_the_total_before_tax_differs_and_names_both(billing):
    made = billing.invoice(line(detail("10")))
    external = await billing.plug.sync_draft(made)
    async with billing.house.database.transaction(ADA) as work:
        row = await work.session.get_one(StripeInvoiceRow, made.id)
        row.answer = {**(row.answer or {}), "total": 999}
    coupon = await billing.house.stripe("POST", "/v1/coupons", {"percent_off": "50", "duration": "once"})
    [theirs] = await billing.lines_at_stripe(external)
    half = {
        "lines[0][id]": theirs["id"],
        "lines[0][discounts][0][coupon]": coupon["id"],
        "lines[0][discountable]": "true",
    }
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/update_lines", half)
    with pytest.raises(InvoicingAppError) as stop:
        await billing.plug.issue(made)
    assert stop.value.code == "totals_differ"
    assert stop.value.trouble is Trouble.NEEDS_PERSON
    assert "$10.00" in stop.value.message
    assert "$5.00" in stop.value.message
    assert (await billing.at_stripe(external))["status"] == "draft"


async def test_a_draft_somebody_deleted_in_stripe_is_made_again(billing):
    made = billing.invoice(line(detail("1")))
    first = await billing.plug.sync_draft(made)
    await billing.house.stripe("DELETE", f"/v1/invoices/{first.id}")
    second = await billing.plug.sync_draft(changed(made, description="new"))
    assert second.id != first.id
    assert second.total == Decimal("1.00")


async def test_a_draft_somebody_finalised_in_stripe_counts_as_issued(billing):
    made = billing.invoice()
    external = await billing.plug.sync_draft(made)
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/finalize")
    issued = await billing.plug.issue(made)
    assert issued.status == "open"
    assert issued.number


async def test_a_draft_finalised_by_others_and_then_edited_here_stays_as_stripe_has_it(billing):
    made = billing.invoice()
    external = await billing.plug.sync_draft(made)
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/finalize")
    seen = await billing.plug.sync_draft(changed(made, description="late"))
    assert seen.status == "open"
    assert seen.total == Decimal("10.00")


# Tax that cannot be computed


async def test_tax_that_is_enforced_holds_the_invoice_with_a_remedy(billing):
    await billing.tax_on()
    with pytest.raises(InvoicingAppError) as held:
        await billing.plug.issue(billing.invoice(workflow=ENFORCED))
    assert held.value.trouble is Trouble.TAX
    assert held.value.code == "customer_tax_location_invalid"
    assert held.value.remedy


async def test_defect_8_tax_that_is_not_enforced_is_dropped_with_a_note_never_in_silence(billing):
    await billing.tax_on()
    made = billing.invoice(line(detail("10", discounts="2")), workflow=WITH_TAX)
    external = await billing.plug.issue(made)
    assert external.status == "open"
    assert external.total == Decimal("8.00")
    [note] = external.notes
    assert note.code == "tax_dropped"
    assert "Stripe said" in note.message


async def test_tax_that_was_held_goes_on_when_the_address_is_completed(billing):
    await billing.tax_on()
    made = billing.invoice(line(detail("100")), workflow=ENFORCED)
    with pytest.raises(InvoicingAppError):
        await billing.plug.issue(made)
    await billing.house.stripe("POST", f"/v1/customers/{billing.stripe_customer_id}", BERLIN)
    external = await billing.plug.issue(made)
    assert (external.tax, external.total) == (Decimal("19.00"), Decimal("119.00"))


async def test_inclusive_tax_is_inside_the_price(billing):
    await billing.tax_on()
    await billing.house.stripe("POST", f"/v1/customers/{billing.stripe_customer_id}", BERLIN)
    made = billing.invoice(line(detail("119"), behavior="inclusive"), workflow=WITH_TAX)
    external = await billing.plug.issue(made)
    assert (external.tax, external.total, external.subtotal) == (Decimal("19.00"), Decimal("119.00"), Decimal("119.00"))


# Actions


async def test_defect_8_everything_stripe_says_of_a_paid_invoice_is_read_back(billing):
    made = billing.invoice()
    await billing.plug.issue(made)
    external = await billing.plug.pay(made)
    assert external.status == "paid"
    assert external.amount_paid == Decimal("10.00")
    assert external.amount_remaining == Decimal("0.00")
    assert external.paid_at
    assert external.finalized_at
    assert external.payment_status == "succeeded"
    assert external.pdf_url


async def test_paying_twice_charges_once(billing):
    made = billing.invoice()
    await billing.plug.issue(made)
    await billing.plug.pay(made)
    assert (await billing.plug.pay(made)).status == "paid"
    assert len((await billing.house.stripe("GET", "/v1/charges"))["data"]) == 1


async def test_a_declined_card_keeps_the_invoice_open_with_stripes_reason(billing):
    card = await billing.house.stripe(
        "POST", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": billing.stripe_customer_id}
    )
    request = LinkStripeCustomer(
        customer_id=billing.customer_id,
        stripe_customer_id=billing.stripe_customer_id,
        default_payment_method_id=card["id"],
    )
    await customer_link.link_stripe_customer(billing.house.desk, ADA, request)
    made = billing.invoice()
    await billing.plug.issue(made)
    with pytest.raises(InvoicingAppError) as declined:
        await billing.plug.pay(made)
    assert declined.value.trouble is Trouble.NEEDS_PERSON
    assert declined.value.message
    external = await billing.plug.read(made)
    assert external.status == "open"
    assert external.payment_status == "failed"
    assert external.failure_code
    assert external.failure_message
    assert external.attempt_count >= 1


async def test_defect_9_marking_paid_voiding_and_writing_off_do_the_real_thing(billing):
    for verb, status in (("mark_paid", "paid"), ("void", "void"), ("mark_uncollectible", "uncollectible")):
        made = billing.invoice(workflow=BY_MAIL)
        await billing.plug.issue(made)
        external = await getattr(billing.plug, verb)(made)
        assert external.status == status
        assert (await billing.at_stripe(external))["status"] == status
        assert (await getattr(billing.plug, verb)(made)).status == status


async def test_defect_10_a_voided_invoice_says_when(billing):
    made = billing.invoice(workflow=BY_MAIL)
    await billing.plug.issue(made)
    assert (await billing.plug.void(made)).voided_at


async def test_defect_9_an_invoice_can_be_sent_and_sent_again(billing):
    made = billing.invoice(workflow=BY_MAIL)
    await billing.plug.issue(made)
    assert (await billing.plug.send(made)).sent_at
    assert (await billing.plug.send(made)).sent_at
    assert (await billing.plug.read(made)).due_at


async def test_what_stripe_cannot_do_to_a_draft_is_said_before_asking(billing):
    made = billing.invoice()
    for verb in ("pay", "void", "mark_paid", "mark_uncollectible"):
        with pytest.raises(InvoicingAppError) as refusal:
            await getattr(billing.plug, verb)(made)
        assert refusal.value.code == "not_in_stripe"
    await billing.plug.sync_draft(made)
    for verb in ("pay", "void", "mark_paid", "mark_uncollectible"):
        with pytest.raises(InvoicingAppError) as refusal:
            await getattr(billing.plug, verb)(made)
        assert refusal.value.code == "still_a_draft"


async def test_a_credit_lowers_what_is_owed_and_after_payment_is_refunded(billing):
    owed = billing.invoice(line(detail("10")), workflow=BY_MAIL)
    await billing.plug.issue(owed)
    assert (await billing.plug.credit(owed, Decimal(4), "half broken", refund=False)).amount_remaining == Decimal(
        "6.00"
    )
    assert (await billing.plug.credit(owed, Decimal(4), "half broken", refund=False)).amount_remaining == Decimal(
        "2.00"
    )
    paid = billing.invoice(line(detail("10")))
    await billing.plug.issue(paid)
    await billing.plug.pay(paid)
    await billing.plug.credit(paid, Decimal("2.50"), "goodwill", refund=True)
    [refund] = (await billing.house.stripe("GET", "/v1/refunds"))["data"]
    assert refund["amount"] == 250


# Deleting


async def test_a_draft_is_deleted_in_stripe_and_deleting_again_is_fine(billing):
    made = billing.invoice()
    external = await billing.plug.sync_draft(made)
    await billing.plug.delete_draft(made)
    await billing.plug.delete_draft(made)
    assert (await billing.house.stripe("GET", "/v1/invoices"))["data"] == []
    assert await billing.plug.read(made) is None
    assert external.id


async def test_defect_2_a_draft_that_never_reached_stripe_can_be_deleted(billing):
    since = len(await billing.house.exchanges())
    await billing.plug.delete_draft(billing.invoice())
    assert len(await billing.house.exchanges()) == since


async def test_a_draft_whose_answer_never_came_is_found_and_deleted(billing):
    made = billing.invoice()
    await billing.plug.sync_draft(made)
    async with billing.house.database.transaction(ADA) as work:
        (await work.session.get_one(StripeInvoiceRow, made.id)).stripe_invoice_id = None
    await billing.plug.delete_draft(made)
    assert (await billing.house.stripe("GET", "/v1/invoices"))["data"] == []


async def test_an_issued_invoice_is_not_deleted_and_the_remedy_is_to_void_it(billing):
    made = billing.invoice(workflow=BY_MAIL)
    await billing.plug.issue(made)
    with pytest.raises(InvoicingAppError) as refusal:
        await billing.plug.delete_draft(made)
    assert refusal.value.code == "not_a_draft"
    assert "Void" in refusal.value.remedy


# Trouble


async def test_a_customer_without_a_link_needs_a_person(billing):
    with pytest.raises(InvoicingAppError) as refusal:
        await billing.plug.sync_draft(invoice(customer_id=new_id(), app_id=billing.app_id))
    assert refusal.value.trouble is Trouble.NEEDS_PERSON
    assert refusal.value.code == "customer_not_linked"


@pytest.mark.parametrize(
    ("effect", "trouble"),
    [
        ("unavailable", Trouble.TRANSIENT),
        ("rate_limit", Trouble.TRANSIENT),
        ("lock_timeout", Trouble.TRANSIENT),
        ("cut_before", Trouble.TRANSIENT),
        ("unauthorized", Trouble.UNAUTHORIZED),
        ("forbidden", Trouble.NEEDS_PERSON),
    ],
)
async def test_defect_3_every_no_of_stripe_tells_billing_what_to_do_next(billing, effect, trouble):
    await billing.house.fault(effect=effect, path="/v1/invoices", times=9)
    with pytest.raises(InvoicingAppError) as refusal:
        await billing.plug.sync_draft(billing.invoice())
    assert refusal.value.trouble is trouble
    assert refusal.value.message


@pytest.mark.parametrize("effect", ["cut_before", "cut_after", "error_500_before", "error_500_after", "lock_timeout"])
@pytest.mark.parametrize(
    "path", ["/v1/invoices", "/v1/invoices/{id}/add_lines", "/v1/invoices/{id}/finalize", "/v1/products"]
)
async def test_defect_2_bad_weather_at_any_step_ends_in_one_invoice_with_each_line_once(billing, path, effect):
    made = billing.invoice(line(detail("10")), line(detail("5"), code="txcd_10103001"), workflow=WITH_TAX)
    await billing.house.fault(effect=effect, path=path, method="POST", times=4)
    external, troubles = None, []
    while external is None and len(troubles) < 6:
        try:
            external = await billing.plug.issue(made)
        except InvoicingAppError as trouble:
            troubles.append(trouble.trouble)
    assert external is not None
    assert set(troubles) <= {Trouble.TRANSIENT}
    everyone = (await billing.house.stripe("GET", "/v1/invoices"))["data"]
    assert [one["metadata"][METADATA_INVOICE] for one in everyone] == [made.id]
    assert len(await billing.lines_at_stripe(external)) == 2
    assert external.total == Decimal("15.00")
    # Stripe may have charged the card already.
    assert external.status in ("open", "paid")
