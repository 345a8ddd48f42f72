"""Amounts of every odd kind, all the way from a charge to what the page shows, to the smallest unit."""

from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.invoicing_app import InvoicingAppError
from dashboard.billing.views import CollectionMethod, Invoice, InvoiceStatus
from dashboard.stripe_app.invoice_issue import TRUSTED_FOR
from dashboard.stripe_app.invoice_rows import external_of
from dashboard.ui.invoices.totals import total_rows
from tests.cast import draft_for, make_profile
from tests.integration.test_stripe_invoices import billing as billing
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_invoices import changed, detail, line
from tests.stripe_side import link_payer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

S = InvoiceStatus


class Desk:
    """One customer who pays by card, billed at once and untaxed."""

    def __init__(self, house: House, app_id: str, customer: Any, stripe_customer_id: str) -> None:
        self.house, self.app_id, self.customer, self.stripe_customer_id = house, app_id, customer, stripe_customer_id

    async def bill(self, *amounts: str) -> Invoice:
        """Charges made into one invoice and issued."""
        draft = await draft_for(self.house.database, self.customer, *amounts)
        await self.house.work_off()
        return await self.house.read(draft.id)

    async def pay(self, invoice: Invoice) -> Invoice:
        """Waits until Stripe has charged it."""

        async def paid() -> bool:
            return (await self.house.read(invoice.id)).status is S.PAID

        await self.house.hear(self.app_id, until=paid)
        return await self.house.read(invoice.id)

    async def at_stripe(self, invoice: Invoice) -> dict[str, Any]:
        assert invoice.external is not None
        return await self.house.stripe("GET", f"/v1/invoices/{invoice.external.id}")

    async def balance(self) -> int:
        return (await self.house.stripe("GET", f"/v1/customers/{self.stripe_customer_id}"))["balance"]

    async def charges(self) -> list[int]:
        return [one["amount"] for one in (await self.house.stripe("GET", "/v1/charges"))["data"]]


async def open_desk(house: House, currency: str = "USD", **workflow: Any) -> Desk:
    app = await house.install()
    async with house.database.transaction(ADA) as work:
        await make_profile(work, app_id=app.id, collection_interval="PT0S", **{"tax_enabled": False, **workflow})
    customer = await house.customer(currency=currency)
    stripe_id = await link_payer(house.desk, ADA, house.stripe, customer.id)
    return Desk(house, app.id, customer, stripe_id)


def rows(invoice: Invoice) -> list[tuple[str, str]]:
    """What the invoice's page shows below its lines."""
    return [(row.name, row.amount) for row in total_rows(invoice)]


# Nothing, less than nothing, and too little


async def test_an_invoice_of_zero_is_paid_without_a_charge_and_shows_zero(house):
    desk = await open_desk(house)
    invoice = await desk.bill("7.50", "-7.50")
    assert (invoice.status, invoice.totals.total) == (S.PAID, 0)
    assert (await desk.at_stripe(invoice))["total"] == 0
    assert await desk.charges() == []
    assert rows(invoice) == [
        ("Charges", "$0.00"),
        ("Before tax", "$0.00"),
        ("Tax (Stripe)", "$0.00"),
        ("Total", "$0.00"),
    ]


async def test_a_negative_invoice_is_kept_as_credit_and_the_next_one_uses_it_to_the_cent(house):
    desk = await open_desk(house)
    credit = await desk.bill("10.00", "-30.25")
    assert (credit.status, credit.totals.total) == (S.PAID, Decimal("-20.25"))
    assert await desk.balance() == -2025
    assert rows(credit)[-2:] == [("Total", "-$20.25"), ("Kept as the customer's credit", "$20.25")]

    billed = await desk.pay(await desk.bill("50.00"))
    assert await desk.charges() == [2975]
    assert await desk.balance() == 0
    assert rows(billed)[-3:] == [("Total", "$50.00"), ("From the customer's credit", "-$20.25"), ("Paid", "-$29.75")]


async def test_a_negative_invoice_with_tax_switched_on_is_issued_untaxed_and_says_so(house):
    desk = await open_desk(house, tax_enabled=True)
    credit = await desk.bill("-20")
    assert (credit.status, credit.totals.total) == (S.PAID, Decimal("-20"))
    assert "credit_is_untaxed" in [issue.code for issue in credit.issues]
    assert await desk.balance() == -2000


@pytest.mark.parametrize(
    ("currency", "amount", "minor", "shown"),
    [("USD", "0.49", 49, "$0.49"), ("GBP", "0.29", 29, "£0.29"), ("JPY", "49", 49, "¥49"), ("EUR", "0.01", 1, "€0.01")],
)
async def test_an_amount_under_the_minimum_is_carried_to_the_next_invoice_and_the_page_says_so(
    house, currency, amount, minor, shown
):
    desk = await open_desk(house, currency)
    small = await desk.bill(amount)
    assert (small.status, small.totals.total) == (S.PAID, Decimal(amount))
    assert await desk.balance() == minor
    assert await desk.charges() == []
    assert rows(small)[-2:] == [("Total", shown), ("Too small to charge: carried to the next invoice", f"-{shown}")]


async def test_what_was_too_small_is_charged_with_the_next_invoice(house):
    desk = await open_desk(house)
    await desk.bill("0.20")
    billed = await desk.pay(await desk.bill("10.00"))
    assert await desk.charges() == [1020]
    assert await desk.balance() == 0
    assert rows(billed)[-3:] == [
        ("Total", "$10.00"),
        ("Carried over from earlier invoices", "$0.20"),
        ("Paid", "-$10.20"),
    ]


async def test_exactly_the_minimum_is_charged(house):
    desk = await open_desk(house)
    await desk.pay(await desk.bill("0.50"))
    assert await desk.charges() == [50]


async def test_an_invoice_paid_by_credits_alone_is_zero_at_stripe_with_both_sides_shown(billing):
    external = await billing.plug.issue(billing.invoice(line(detail("12.34", credits="12.34"))))
    assert (external.status, external.total, external.amount_due) == ("paid", Decimal("0.00"), Decimal("0.00"))
    assert sorted(one["amount"] for one in await billing.lines_at_stripe(external)) == [-1234, 1234]
    assert (await billing.house.stripe("GET", "/v1/charges"))["data"] == []


# Currencies


@pytest.mark.parametrize(
    ("currency", "amounts", "minor", "total"),
    [
        ("JPY", ("1200", "33"), 1233, "1233"),
        ("KRW", ("15000",), 15_000, "15000"),
        ("ISK", ("500",), 50_000, "500"),
        ("UGX", ("7000",), 700_000, "7000"),
        ("HUF", ("1000.50",), 100_050, "1000.50"),
        ("TWD", ("99.90",), 9_990, "99.90"),
        ("KWD", ("5.120", "1.250"), 6_370, "6.370"),
        ("BHD", ("0.500",), 500, "0.500"),
    ],
)
async def test_defect_7_what_is_charged_is_what_we_billed_in_every_kind_of_currency(
    house, currency, amounts, minor, total
):
    desk = await open_desk(house, currency)
    invoice = await desk.pay(await desk.bill(*amounts))
    assert await desk.charges() == [minor]
    assert invoice.totals.total == Decimal(total)
    assert invoice.external is not None
    assert invoice.external.amount_paid == Decimal(total)
    assert invoice.issues == ()


@pytest.mark.parametrize(
    ("currency", "amounts", "minor", "rest"),
    [
        ("KWD", ("5.124", "0.003"), 5_130, ("Rounded by Stripe", "KWD\N{NO-BREAK SPACE}0.003")),
        ("MGA", ("5000.40",), 5_000, ("Rounded by Stripe", "-MGA\N{NO-BREAK SPACE}0.40")),
    ],
)
async def test_defect_7_what_stripe_counts_more_coarsely_is_rounded_once_and_explained(
    house, currency, amounts, minor, rest
):
    desk = await open_desk(house, currency)
    invoice = await desk.bill(*amounts)
    assert (await desk.at_stripe(invoice))["total"] == minor
    [issue] = invoice.issues
    assert issue.code == "rounded_by_stripe"
    assert "steps of" in issue.message
    assert rest in rows(invoice)


async def test_a_note_of_a_draft_goes_when_the_draft_no_longer_needs_it(billing):
    made = billing.invoice(line(detail("5.124")), currency="KWD")
    assert [note.code for note in (await billing.plug.sync_draft(made)).notes] == ["rounded_by_stripe"]
    assert (await billing.plug.sync_draft(changed(made, lines=(line(detail("5.120")),)))).notes == ()


# Credit notes


async def test_credits_before_and_after_payment_are_rows_of_their_own(house):
    desk = await open_desk(house, collection_method=CollectionMethod.SEND_INVOICE)
    owed = await desk.bill("10.00")
    assert owed.external is not None
    note = {"invoice": owed.external.id, "amount": "400"}
    await house.stripe("POST", "/v1/credit_notes", note)
    await house.hear(desk.app_id)
    owed = await house.read(owed.id)
    assert rows(owed)[-3:] == [("Total", "$10.00"), ("Credited", "-$4.00"), ("Still open", "$6.00")]


# Other people in the same account


async def by_hand(billing, external, amount="250", text="Travel") -> None:
    """Somebody adds a line in Stripe's dashboard."""
    added = {"lines[0][amount]": amount, "lines[0][description]": text}
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/add_lines", added)


async def test_defect_6_a_line_added_just_before_finalising_is_still_shown_as_not_ours(billing):
    made = billing.invoice(line(detail("10")))
    external = await billing.plug.sync_draft(made)
    await by_hand(billing, external)
    issued = await billing.plug.issue(made)
    assert issued.total == Decimal("12.50")
    assert issued.foreign_lines == (("Travel", Decimal("2.50")),)
    assert [note.code for note in issued.notes] == ["foreign_lines"]


async def test_defect_6_the_page_adds_up_with_lines_that_are_not_ours(house):
    desk = await open_desk(house, auto_advance=False)
    draft = await desk.bill("10.00")
    assert draft.external is not None
    await house.stripe(
        "POST",
        f"/v1/invoices/{draft.external.id}/add_lines",
        {"lines[0][amount]": "250", "lines[0][description]": "Travel"},
    )
    await house.hear(desk.app_id)
    seen = await house.read(draft.id)
    assert seen.external is not None
    assert seen.external.foreign_lines == (("Travel", Decimal("2.50")),), "it is known while it is still a draft"
    assert any("not ours (Travel)" in issue.message for issue in seen.issues)


async def test_lines_added_by_hand_are_found_beyond_the_first_ten_too(billing):
    made = billing.invoice(*[line(detail("1")) for _ in range(14)])
    external = await billing.plug.sync_draft(made)
    await by_hand(billing, external)
    await billing.house.hear(billing.app_id)
    async with billing.house.database.read() as session:
        seen = await external_of(session, made.id)
    assert seen is not None
    assert seen.foreign_lines == (("Travel", Decimal("2.50")),)


async def test_the_penny_guard_names_the_line_that_differs_with_both_amounts(billing):
    made = billing.invoice(line(detail("3"), name="Seats"), line(detail("10"), name="Storage"))
    external = await billing.plug.sync_draft(made)
    coupon = await billing.house.stripe("POST", "/v1/coupons", {"percent_off": "50", "duration": "once"})
    [storage] = [one for one in await billing.lines_at_stripe(external) if one["amount"] == 1000]
    half = {
        "lines[0][id]": storage["id"],
        "lines[0][discounts][0][coupon]": coupon["id"],
        "lines[0][discountable]": "true",
    }
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/update_lines", half)
    billing.house.clock.advance(TRUSTED_FOR * 2)
    with pytest.raises(InvoicingAppError) as stop:
        await billing.plug.issue(made)
    assert stop.value.code == "totals_differ"
    assert "$13.00 here and $8.00 in Stripe" in stop.value.message
    assert "Storage" in stop.value.message
    assert "is $10.00 here and $5.00 in Stripe" in stop.value.message
    assert (await billing.at_stripe(external))["status"] == "draft"


async def test_an_edit_that_slipped_in_before_finalising_is_never_left_unsaid(billing):
    made = billing.invoice(line(detail("10"), name="Storage"))
    external = await billing.plug.sync_draft(made)
    [theirs] = await billing.lines_at_stripe(external)
    cheaper = {"lines[0][id]": theirs["id"], "lines[0][amount]": "900"}
    await billing.house.stripe("POST", f"/v1/invoices/{external.id}/update_lines", cheaper)
    issued = await billing.plug.issue(made)
    [note] = issued.notes
    assert (note.severity, note.code) == ("critical", "issued_total_differs")
    assert "$10.00 here and $9.00 in Stripe" in note.message
    assert "Credit the difference" in note.remedy
