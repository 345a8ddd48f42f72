from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard.billing.progressive import (
    NothingToInvoice,
    PendingLine,
    after_deletion,
    due_piece,
    due_pieces,
    rate_piece,
)
from dashboard.billing.rating import Position, RateRequest, RatingTerms, component_name, explain, rate_line, rate_run
from dashboard.billing.rating.errors import (
    BadDiscount,
    CreditsNotConsumedFully,
    MissingOpenEndedTier,
    NegativeQuantity,
    UnitConversionNotAllowed,
    VolumeSplitNotSupported,
)
from dashboard.catalog.prices import (
    Commitments,
    ConversionOperation,
    ConversionRounding,
    Discounts,
    FlatPrice,
    PackagePrice,
    Price,
    Tier,
    TieredPrice,
    TierMode,
    UnitConversion,
    UnitPrice,
)
from dashboard.kit.calendar import Period
from dashboard.kit.errors import InvalidInput
from dashboard.usage.meter_rules import Aggregation

START, MIDDLE, END = (datetime(2025, 1, day, tzinfo=UTC) for day in (1, 15, 31))
FULL = Period(START, END)
TEN = Decimal(10)
GRADUATED = TieredPrice(
    TierMode.GRADUATED, (Tier(TEN, unit_amount=TEN), Tier(None, unit_amount=Decimal(5), flat_amount=Decimal(200)))
)
TO_THOUSANDS = UnitConversion(ConversionOperation.DIVIDE, Decimal(1000), ConversionRounding.CEILING)


def texts(terms: RatingTerms, quantity: str, **request) -> list[tuple[str, str, tuple[str, ...]]]:
    result = rate_line(RateRequest(terms, Decimal(quantity), **request))
    found = [(line, explain(result, line)) for line in result.lines]
    return [(component_name(line.component), why.sentence, why.texts) for line, why in found]


def test_a_line_tells_how_its_amount_came_about_step_by_step():
    terms = RatingTerms("USD", UnitPrice(Decimal("2.505")), Discounts(Decimal("12.5"), Decimal(3)), TO_THOUSANDS)
    assert texts(terms, "18400") == [
        (
            "Usage",
            "16 × $2.505 = $40.08, less $5.01 discount: $35.07.",
            (
                "18,400 units metered.",
                "18,400 ÷ 1,000 = 18.4, rounded up to 19 billed units.",
                "3 units of 3 free ones used here: 16 units left to price.",
                "16 × $2.505 = $40.08.",
                "12.5 % discount: $5.01 less.",
            ),
        )
    ]


def test_tiers_are_told_by_their_limits():
    assert [(name, why) for name, _, why in texts(RatingTerms("USD", GRADUATED), "15")] == [
        ("Tier 1", ("15 units metered.", "10 units in tier 1 (up to 10 units).", "10 × $10.00 = $100.00.")),
        ("Tier 2", ("15 units metered.", "5 units in tier 2 (over 10 units).", "5 × $5.00 = $25.00.")),
        ("Tier 2, flat part", ("15 units metered.", "Flat part of tier 2 (over 10 units): $200.00.")),
    ]


def test_the_minimum_the_maximum_and_credit_say_what_they_did():
    least = RatingTerms("USD", UnitPrice(TEN, Commitments(minimum_amount=Decimal(100))))
    assert texts(least, "3")[1] == (
        "Minimum spend",
        "Up to the minimum spend: $70.00.",
        ("3 units metered.", "The minimum spend is $100.00 and $30.00 was reached: $70.00 is added."),
    )
    most = RatingTerms("USD", UnitPrice(TEN, Commitments(maximum_amount=Decimal(25))))
    assert texts(most, "3", credits=(Decimal(5),)) == [
        (
            "Usage",
            "3 × $10.00 = $30.00, less $5.00 above the maximum spend, less $5.00 credit: $20.00.",
            (
                "3 units metered.",
                "3 × $10.00 = $30.00.",
                "The maximum spend is $25.00 and $0.00 came before: $5.00 less.",
                "Credit used: $5.00 less.",
            ),
        )
    ]


def test_rounding_is_shown_only_where_it_changed_something():
    assert texts(RatingTerms("JPY", UnitPrice(Decimal("1.5"))), "3")[0][2][1:] == (
        "3 × ¥1.5 = ¥4.5.",
        "¥4.5 is rounded to ¥5.",
    )


def test_a_package_that_was_started_before_is_not_charged_again():
    terms = RatingTerms("USD", PackagePrice(Decimal(15), TEN))
    request = {"position": Position.MIDDLE, "pre_line_quantity": Decimal(17)}
    assert texts(terms, "5", **request)[0][2] == (
        "5 units metered, after 17 units earlier in the period.",
        "22 units in packages of 10: 3 started, 2 of them before.",
        "1 × $15.00 = $15.00.",
    )
    assert texts(terms, "3", **request) == []


def test_a_correction_says_what_was_billed_before_and_what_is_taken_back():
    terms = RatingTerms("USD", UnitPrice(TEN))
    first = rate_run(terms, FULL, Period(START, MIDDLE), Decimal(5), ())
    more = rate_run(terms, FULL, Period(MIDDLE, END), Decimal(8), first.lines)
    assert explain(more, more.lines[0]).texts[-1] == "Billed before: 5 for $50.00."
    assert explain(more, more.lines[0]).sentence == "3 × $10.00 = $30.00."
    nothing = rate_run(terms, FULL, Period(MIDDLE, END), Decimal(0), first.lines)
    assert explain(nothing, nothing.lines[0]).sentence == "Taken back: -$50.00."


@pytest.mark.parametrize(
    ("refusal", "terms", "request_fields"),
    [
        (NegativeQuantity, RatingTerms("USD", UnitPrice(TEN)), {"quantity": Decimal(-1)}),
        (CreditsNotConsumedFully, RatingTerms("USD", UnitPrice(TEN)), {"credits": (Decimal(11),)}),
        (
            VolumeSplitNotSupported,
            RatingTerms("USD", TieredPrice(TierMode.VOLUME, (Tier(None, TEN),))),
            {"pre_line_quantity": Decimal(1), "position": Position.LAST},
        ),
        (
            VolumeSplitNotSupported,
            RatingTerms("USD", TieredPrice(TierMode.VOLUME, (Tier(None, TEN),))),
            {"pre_line_quantity": Decimal(1), "position": Position.MIDDLE},
        ),
        (MissingOpenEndedTier, RatingTerms("USD", TieredPrice(TierMode.VOLUME, (Tier(Decimal("0.5"), TEN),))), {}),
        (MissingOpenEndedTier, RatingTerms("USD", TieredPrice(TierMode.GRADUATED, (Tier(Decimal("0.5"), TEN),))), {}),
        (UnitConversionNotAllowed, RatingTerms("USD", PackagePrice(TEN, TEN), unit_conversion=TO_THOUSANDS), {}),
        (BadDiscount, RatingTerms("USD", UnitPrice(TEN), Discounts(percentage=Decimal(101))), {}),
        (BadDiscount, RatingTerms("USD", UnitPrice(TEN), Discounts(usage_quantity=Decimal(-1))), {}),
        (InvalidInput, RatingTerms("XXX", UnitPrice(TEN)), {}),
    ],
)
def test_what_cannot_be_rated_is_refused_with_a_remedy(refusal, terms, request_fields):
    request = RateRequest(**{"terms": terms, "quantity": Decimal(1), **request_fields})
    with pytest.raises(refusal) as refused:
        rate_line(request)
    assert refused.value.what_to_do


def test_a_very_long_quantity_times_a_very_small_price_stays_exact():
    terms = RatingTerms("USD", UnitPrice(Decimal("0.000000000001")))
    result = rate_line(RateRequest(terms, Decimal("123456789012345678901234567890.12")))
    assert result.totals.total == Decimal("123456789012345678.90")


def test_credit_does_not_change_what_later_runs_bill():
    terms = RatingTerms("USD", UnitPrice(TEN))
    credited = rate_line(RateRequest(terms, Decimal(5), credits=(Decimal(20),))).lines
    second = rate_run(terms, FULL, FULL, Decimal(8), credited)
    assert second.totals.total == 30


def pending(price: Price) -> PendingLine:
    aggregation = None if isinstance(price, FlatPrice) else Aggregation.SUM
    return PendingLine("line", RatingTerms("USD", price), FULL, FULL, END, aggregation)


def test_what_a_deleted_invoice_would_have_cost_counts_neither_as_used_again_nor_towards_the_maximum():
    line = pending(UnitPrice(TEN, Commitments(maximum_amount=Decimal(200))))
    first = due_piece(line, MIDDLE, True)
    assert first is not None
    assert first.rest is not None
    piece = rate_piece(first.line, first.service_period, TEN)
    rest = after_deletion(first.rest, piece)
    last = due_piece(rest, END, True)
    assert last is not None
    final = rate_piece(last.line, last.service_period, Decimal(35))
    assert (final.rating.totals.amount, final.rating.totals.total) == (Decimal(250), Decimal(200))


def test_there_is_nothing_to_invoice_before_anything_is_due():
    with pytest.raises(NothingToInvoice):
        due_pieces([pending(FlatPrice(TEN)), pending(UnitPrice(TEN))], START, progressive_billing=True)
