"""However a period is billed, and in whatever order its usage arrives, it costs what rating it once costs."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.billing.progressive import PendingLine, after_billing, due_piece, rate_piece
from dashboard.billing.rating import RatedLine, RateRequest, RatingTerms, rate_line, rate_run, rate_run_by_periods
from dashboard.billing.rating.lines import sum_totals
from dashboard.billing.rating.stored import rated_line_from_json, rated_line_to_json
from dashboard.billing.rating.tiers import tier_pieces, tier_total
from dashboard.catalog.price_json import (
    conversion_from_json,
    conversion_to_json,
    discounts_from_json,
    discounts_to_json,
    price_from_json,
    price_to_json,
)
from dashboard.catalog.price_rules import conversion_problems, discount_problems, price_problems
from dashboard.catalog.prices import (
    Commitments,
    ConversionOperation,
    ConversionRounding,
    Discounts,
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    PaymentTerm,
    Tier,
    TieredPrice,
    TierMode,
    UnitConversion,
    UnitPrice,
)
from dashboard.kit.calendar import Period
from dashboard.kit.money import round_money
from dashboard.usage.meter_rules import Aggregation

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 31
FULL = Period(START, START + timedelta(days=DAYS))

PRICES_PER_UNIT = st.decimals(min_value=0, max_value=50, places=4)
AMOUNTS = st.decimals(min_value=0, max_value=500, places=3)


@st.composite
def commitments(draw) -> Commitments:
    limits = sorted(draw(st.lists(AMOUNTS, min_size=2, max_size=2)))
    return Commitments(
        minimum_amount=draw(st.sampled_from([None, limits[0]])), maximum_amount=draw(st.sampled_from([None, limits[1]]))
    )


@st.composite
def tiered(draw, mode: TierMode) -> TieredPrice:
    limits = [*sorted(draw(st.sets(st.integers(1, 400), max_size=4))), None]
    tiers = []
    for limit in limits:
        unit, flat = draw(PRICES_PER_UNIT), draw(st.none() | AMOUNTS)
        up_to = None if limit is None else Decimal(limit)
        tiers.append(Tier(up_to, draw(st.sampled_from([unit, None])) if flat is not None else unit, flat))
    return TieredPrice(mode, tuple(draw(st.permutations(tiers))), draw(commitments()))


USAGE_PRICES = st.one_of(
    st.builds(UnitPrice, PRICES_PER_UNIT, commitments()),
    tiered(TierMode.GRADUATED),
    tiered(TierMode.VOLUME),
    st.builds(PackagePrice, AMOUNTS, st.integers(1, 40).map(Decimal), commitments()),
    st.builds(DynamicPrice, st.decimals(min_value=0, max_value=3, places=5), commitments()),
)
DISCOUNTS = st.builds(
    Discounts,
    percentage=st.none() | st.decimals(min_value=0, max_value=100, places=2),
    usage_quantity=st.none() | st.decimals(min_value=0, max_value=100, places=1),
)
CONVERSIONS = st.builds(
    UnitConversion,
    operation=st.sampled_from(ConversionOperation),
    factor=st.sampled_from([Decimal(10), Decimal(3), Decimal("1.2")]),
    rounding=st.sampled_from(ConversionRounding),
    precision=st.integers(0, 3),
)


@st.composite
def terms(draw) -> RatingTerms:
    price = draw(USAGE_PRICES)
    convertible = isinstance(price, UnitPrice | TieredPrice)
    return RatingTerms(
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        price=price,
        discounts=draw(DISCOUNTS),
        unit_conversion=draw(st.none() | CONVERSIONS) if convertible else None,
    )


@st.composite
def histories(draw) -> tuple[list[Period], list[tuple[datetime, int, Decimal]]]:
    """Runs over the whole period, and events as (time, run from which they are known, quantity): many arrive late."""
    cuts = sorted(draw(st.sets(st.integers(1, DAYS - 1), max_size=4)))
    edges = [START, *(START + timedelta(days=cut) for cut in cuts), FULL.end]
    runs = [Period(start, end) for start, end in itertools.pairwise(edges)]
    event = st.tuples(
        st.integers(0, DAYS - 1).map(lambda day: START + timedelta(days=day)),
        st.integers(0, len(runs) - 1),
        st.decimals(min_value=0, max_value=120, places=2),
    )
    return runs, draw(st.lists(event, max_size=12))


def metered(events: list[tuple[datetime, int, Decimal]], until: datetime, known_at_run: int) -> Decimal:
    return sum((q for at, known, q in events if at < until and known <= known_at_run), Decimal(0))


def whole(agreed: RatingTerms, events: list[tuple[datetime, int, Decimal]]):
    return rate_line(RateRequest(agreed, sum((quantity for _, _, quantity in events), Decimal(0)))).totals


@settings(max_examples=300, deadline=None)
@given(terms(), histories())
def test_runs_by_difference_add_up_to_rating_the_period_once(agreed, history):
    runs, events = history
    booked: list[RatedLine] = []
    for number, run in enumerate(runs):
        booked += rate_run(agreed, FULL, run, metered(events, run.end, number), booked).lines
    assert sum_totals(line.totals for line in booked) == whole(agreed, events)


@settings(max_examples=300, deadline=None)
@given(terms(), histories())
def test_corrections_that_keep_their_period_add_up_too_and_each_period_holds_what_it_should(agreed, history):
    runs, events = history
    booked: list[RatedLine] = []
    for number in range(len(runs)):
        known = [(run, metered(events, run.end, number)) for run in runs[: number + 1]]
        result = rate_run_by_periods(agreed, FULL, known, booked)
        assert all(line.corrects_earlier_run == (line.service_period != runs[number]) for line in result.lines)
        booked += result.lines
    assert sum_totals(line.totals for line in booked) == whole(agreed, events)


@settings(max_examples=200, deadline=None)
@given(terms(), histories())
def test_pieces_of_a_pending_line_add_up_to_the_line(agreed, history):
    runs, events = history
    rest: PendingLine | None = PendingLine("line", agreed, FULL, FULL, FULL.end, Aggregation.SUM)
    billed, quantity = [], Decimal(0)
    for number, run in enumerate(runs):
        assert rest is not None
        due = due_piece(rest, run.end, True)
        if due is None:
            continue
        piece = rate_piece(due.line, due.service_period, metered(events, due.service_period.end, number))
        billed += piece.rating.lines
        quantity += piece.metered_quantity
        rest = None if due.rest is None else after_billing(due.rest, piece)
    assert rest is None
    assert sum_totals(line.totals for line in billed) == whole(agreed, events)
    assert quantity == sum((q for _, _, q in events), Decimal(0))


@settings(deadline=None)
@given(terms(), st.decimals(min_value=0, max_value=2000, places=2))
def test_a_period_never_costs_more_than_its_maximum_nor_less_than_its_minimum(agreed, quantity):
    total = rate_line(RateRequest(agreed, quantity)).totals.total
    limits = agreed.price.commitments
    if limits.maximum_amount is not None:
        assert total <= round_money(limits.maximum_amount, agreed.currency)
    if limits.minimum_amount is not None:
        assert total >= round_money(limits.minimum_amount, agreed.currency)


@settings(deadline=None)
@given(terms(), st.decimals(min_value=0, max_value=2000, places=2))
def test_every_figure_of_a_line_is_rounded_to_the_currency(agreed, quantity):
    for line in rate_line(RateRequest(agreed, quantity)).lines:
        figures = (line.totals.amount, line.totals.charges, line.totals.discounts, line.total)
        assert all(round_money(figure, agreed.currency) == figure for figure in figures)


@given(tiered(TierMode.GRADUATED), st.integers(0, 500), st.integers(0, 500))
def test_a_stretch_is_cut_into_pieces_that_cover_it(price, start, length):
    stretch = tier_pieces(price, Decimal(start), Decimal(start + length), "USD")
    assert sum(piece.quantity for piece in stretch.pieces) == length
    numbers = [piece.tier.number for piece in stretch.pieces]
    assert numbers == sorted(set(numbers))


@given(tiered(TierMode.GRADUATED), st.integers(0, 500), st.decimals(0, 500, places=3))
def test_the_price_up_to_the_end_of_a_stretch_does_not_depend_on_where_the_stretch_begins(price, start, length):
    stretch = tier_pieces(price, Decimal(start), start + length, "USD")
    assert stretch.amount == tier_total(price, start + length, "USD")


@settings(deadline=None)
@given(terms())
def test_terms_survive_being_stored(agreed):
    assert price_from_json(price_to_json(agreed.price)) == agreed.price
    assert discounts_from_json(discounts_to_json(agreed.discounts)) == agreed.discounts
    if agreed.unit_conversion is not None:
        assert conversion_from_json(conversion_to_json(agreed.unit_conversion)) == agreed.unit_conversion
        assert not conversion_problems(agreed.unit_conversion, agreed.price)
    assert not price_problems(agreed.price)
    assert not discount_problems(agreed.discounts, agreed.price)


@settings(deadline=None)
@given(terms(), st.decimals(min_value=0, max_value=2000, places=2))
def test_rated_lines_survive_being_stored(agreed, quantity):
    for line in rate_run(agreed, FULL, FULL, quantity, ()).lines:
        back = rated_line_from_json(rated_line_to_json(line))
        assert back == line
        assert back.steps == line.steps


@given(st.builds(FlatPrice, AMOUNTS, st.sampled_from(PaymentTerm)))
def test_a_flat_fee_is_billed_once_however_often_its_period_is_run(price):
    agreed = RatingTerms("USD", price)
    half = replace(FULL, end=START + timedelta(days=15))
    first = rate_run(agreed, FULL, half, Decimal(0), ())
    second = rate_run(agreed, FULL, FULL, Decimal(0), first.lines)
    assert second.lines == ()
