from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.billing.views import Workflow
from dashboard.kit.money import to_minor
from dashboard.stripe_app.draft_lines import METADATA_LINE, METADATA_PRINT, STRIPE_LINE_LIMIT
from dashboard.stripe_app.invoice_lines import difference
from dashboard.stripe_app.to_stripe import Party, days_until_due, draft_of
from tests.stripe_invoices import BY_MAIL, END, NO_TAX, WITH_TAX, changed, detail, invoice, line

PARTY = Party("app", "cus_1", "pm_1")


def minors(draft):
    return [one.minor for one in draft.lines]


def as_stripe(draft, **overrides):
    """The lines of a draft as Stripe would list them."""
    return [
        {
            "id": f"il_{number}",
            "amount": overrides.get(one.key, one.minor),
            "description": one.description,
            "currency": draft.currency.lower(),
            "metadata": {METADATA_LINE: one.key, METADATA_PRINT: one.print_of()},
        }
        for number, one in enumerate(draft.lines)
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("USD", "12.34", 1234),
        ("JPY", "1200", 1200),
        ("ISK", "5", 500),
        ("UGX", "5", 500),
        ("HUF", "12.34", 1234),
        ("TWD", "12.34", 1234),
        ("MGA", "5", 5),
        ("KWD", "5.120", 5120),
        ("BHD", "5.124", 5120),
        ("JOD", "0.005", 10),
    ],
)
def test_defect_7_amounts_reach_stripe_in_stripes_own_minor_units(currency, amount, minor):
    assert minors(draft_of(invoice(line(detail(amount)), currency=currency), PARTY)) == [minor]


def test_without_automatic_tax_a_discount_and_credits_are_lines_of_their_own():
    draft = draft_of(invoice(line(detail("100", discounts="30", credits="20"))), PARTY)
    assert minors(draft) == [10_000, -3_000, -2_000]
    assert draft.minor_total == 5_000
    assert len({one.key for one in draft.lines}) == 3


def test_with_automatic_tax_discounts_and_credits_are_netted_because_stripe_refuses_negative_lines():
    draft = draft_of(invoice(line(detail("100", discounts="30", credits="20")), workflow=WITH_TAX), PARTY)
    assert minors(draft) == [5_000]
    assert draft.automatic_tax


def test_with_automatic_tax_a_negative_line_is_taken_off_lines_of_the_same_tax_treatment_first():
    lines = (
        line(detail("90", name="big"), name="Hardware", code="txcd_99999999"),
        line(detail("40", name="small"), name="Software", code="txcd_10000000"),
        line(detail("-50", name="refund"), name="Software", code="txcd_10000000"),
    )
    draft = draft_of(invoice(*lines, workflow=WITH_TAX), PARTY)
    assert minors(draft) == [8_000]
    assert draft.minor_total == 8_000


def test_an_invoice_that_is_a_credit_as_a_whole_goes_without_automatic_tax_and_says_so():
    draft = draft_of(invoice(line(detail("-50")), line(detail("20")), workflow=WITH_TAX), PARTY)
    assert not draft.automatic_tax
    assert draft.minor_total == -3_000
    assert [note.code for note in draft.notes] == ["credit_is_untaxed"]
    assert all("price_data" not in one.params("USD", {}) for one in draft.lines)


def test_tax_code_and_behaviour_travel_on_a_product_and_a_price():
    draft = draft_of(invoice(line(code="txcd_10103001", behavior="inclusive"), workflow=WITH_TAX), PARTY)
    [one] = draft.lines
    [(key, treatment)] = draft.products().items()
    assert treatment.tax_code == "txcd_10103001"
    params = one.params("USD", {key: "prod_1"})
    assert params["price_data"] == {
        "currency": "usd",
        "product": "prod_1",
        "unit_amount": 1000,
        "tax_behavior": "inclusive",
    }
    assert "amount" not in params


def test_lines_of_the_same_name_and_code_share_a_product_and_others_do_not():
    lines = [line(code="txcd_10103001"), line(code="txcd_10103001"), line(code="txcd_10000000"), line(name="Seats")]
    assert len(draft_of(invoice(*lines, workflow=WITH_TAX), PARTY).products()) == 3


def test_manual_charges_share_one_product_per_tax_code_whatever_they_are_called():
    lines = [line(name=f"Charge {n}", feature_key=None) for n in range(5)]
    assert len(draft_of(invoice(*lines, workflow=WITH_TAX), PARTY).products()) == 1


def test_an_account_with_a_default_tax_behaviour_keeps_its_say():
    party = Party("app", "cus_1", None, default_tax_behavior=None)
    draft = draft_of(invoice(line(), workflow=WITH_TAX), party)
    [key] = draft.products()
    assert "tax_behavior" not in draft.lines[0].params("USD", {key: "prod_1"})["price_data"]


def test_defect_1_a_thousand_lines_become_250_that_add_up_and_the_invoice_says_so():
    lines = [line(detail(str(n))) for n in range(1, 1001)]
    draft = draft_of(invoice(*lines), PARTY)
    assert len(draft.lines) == STRIPE_LINE_LIMIT
    assert draft.minor_total == sum(range(1, 1001)) * 100
    assert max(minors(draft)) == sum(range(1, 752)) * 100
    assert draft.lines[-1].description == "Other items (751 lines together)"
    assert [note.code for note in draft.notes] == ["lines_grouped"]


def test_grouped_lines_keep_their_tax_treatments_apart():
    codes = ["txcd_10000000", "txcd_10103001", None]
    lines = [line(detail("1"), code=codes[n % 3]) for n in range(300)]
    draft = draft_of(invoice(*lines, workflow=WITH_TAX), PARTY)
    assert len(draft.lines) == STRIPE_LINE_LIMIT
    assert {one.tax and one.tax.tax_code for one in draft.lines if one.stands_for > 1} == set(codes)
    assert draft.minor_total == 30_000


def test_exactly_250_lines_are_left_as_they_are():
    draft = draft_of(invoice(*[line() for _ in range(250)]), PARTY)
    assert len(draft.lines) == 250
    assert draft.notes == ()


@pytest.mark.parametrize(("due", "days"), [("P30D", 30), ("PT36H", 2), ("P0D", 0), ("P1M", 28), ("P1M15D", 43)])
def test_days_until_due_count_the_whole_period_not_only_its_days(due, days):
    assert days_until_due(Workflow(due_after=due), END) == days


def test_defect_5_and_16_the_header_carries_how_to_pay_memo_footer_po_and_descriptor():
    draft = draft_of(
        invoice(description="Thanks", footer="Ltd", purchase_order="PO-77", statement_descriptor="ACME API"), PARTY
    )
    assert draft.header["default_payment_method"] == "pm_1"
    assert draft.header["description"] == "Thanks"
    assert draft.header["footer"] == "Ltd"
    assert draft.header["statement_descriptor"] == "ACME API"
    assert draft.header["custom_fields"] == [{"name": "PO number", "value": "PO-77"}]
    assert draft.header["automatic_tax"] == {"enabled": False}


def test_an_invoice_by_mail_has_days_until_due_and_no_payment_method():
    header = draft_of(invoice(workflow=BY_MAIL), PARTY).header
    assert header["days_until_due"] == 30
    assert "default_payment_method" not in header


def test_a_long_purchase_order_goes_on_in_the_next_field_instead_of_being_cut():
    fields = draft_of(invoice(purchase_order="X" * 70), PARTY).header["custom_fields"]
    assert "".join(field["value"] for field in fields) == "X" * 70
    assert all(len(field["value"]) <= 30 and len(field["name"]) <= 40 for field in fields)


# The difference


def test_an_unchanged_draft_has_no_difference():
    draft = draft_of(invoice(line(), line()), PARTY)
    assert difference(draft, as_stripe(draft)).is_empty


def test_defect_1_only_what_changed_is_sent():
    kept, edited, removed = detail("1"), detail("2"), detail("3")
    before = invoice(line(kept), line(edited), line(removed))
    after = changed(before, lines=(line(kept), line(detail("2.50", id=edited.id)), line(detail("4"))))
    then, now = draft_of(before, PARTY), draft_of(after, PARTY)
    found = difference(now, as_stripe(then))
    assert [one.minor for one in found.add] == [400]
    assert [(line_id, one.minor) for line_id, one in found.update] == [("il_1", 250)]
    assert found.remove == ("il_2",)


def test_a_line_somebody_edited_in_stripe_is_put_right():
    draft = draft_of(invoice(line(), line()), PARTY)
    found = difference(draft, as_stripe(draft, **{draft.lines[0].key: 1}))
    assert [line_id for line_id, _ in found.update] == ["il_0"]


def test_defect_6_lines_that_are_not_ours_are_left_alone():
    draft = draft_of(invoice(line()), PARTY)
    foreign = {"id": "il_x", "amount": 5, "currency": "usd", "description": "by hand", "metadata": {}}
    assert difference(draft, [*as_stripe(draft), foreign]).is_empty


def test_defect_2_a_line_that_is_there_twice_is_removed_once():
    draft = draft_of(invoice(line()), PARTY)
    [one] = as_stripe(draft)
    assert difference(draft, [one, {**one, "id": "il_twin"}]).remove == ("il_twin",)


def test_a_line_that_becomes_taxable_is_made_anew_because_stripe_cannot_turn_one_into_the_other():
    plain = invoice(line(code="txcd_10103001"), workflow=NO_TAX)
    found = difference(draft_of(changed(plain, workflow=WITH_TAX), PARTY), as_stripe(draft_of(plain, PARTY)))
    assert len(found.add) == 1
    assert found.update == ()
    assert found.remove == ("il_0",)


cents = st.integers(-100_000, 100_000).map(lambda n: Decimal(n) / 100)


@settings(max_examples=150, deadline=None)
@given(
    amounts=st.lists(
        st.tuples(cents, st.sampled_from([None, "txcd_10000000", "txcd_10103001"])), min_size=1, max_size=300
    ),
    taxed=st.booleans(),
    currency=st.sampled_from(["USD", "JPY", "ISK", "KWD", "MGA"]),
)
def test_whatever_the_lines_their_integers_add_up_and_stripe_can_take_them(amounts, taxed, currency):
    made = invoice(
        *[line(detail(str(amount)), code=code) for amount, code in amounts],
        workflow=WITH_TAX if taxed else NO_TAX,
        currency=currency,
    )
    draft = draft_of(made, PARTY)
    assert draft.minor_total == to_minor(sum((amount for amount, _ in amounts), Decimal(0)), currency)
    assert len(draft.lines) <= STRIPE_LINE_LIMIT
    assert len({one.key for one in draft.lines}) == len(draft.lines)
    if draft.automatic_tax:
        assert all(one.minor >= 0 for one in draft.lines)
