from dataclasses import replace
from decimal import Decimal
from typing import cast

from dashboard.billing.rating.adjustments import apply_credits, max_spend_overage
from dashboard.billing.rating.difference import rate_run, rate_run_by_periods, rerate_difference
from dashboard.billing.rating.lines import Position, RatedLine, RateRequest, priced_line
from dashboard.billing.rating.pricing import package_count
from dashboard.billing.rating.quantities import convert, discount_usage
from dashboard.billing.rating.rate import rate_line
from dashboard.billing.rating.tiers import tier_pieces, tier_total, volume_tier
from dashboard.catalog.price_json import conversion_from_json, price_from_json
from dashboard.catalog.prices import TieredPrice
from dashboard.kit.money import round_money
from vector_kinds.reading import (
    Given,
    amount,
    assert_same_lines,
    assert_same_totals,
    is_set,
    outcome,
    period,
    terms,
)


def single_line(given: Given, expect: Given) -> None:
    result = outcome(lambda: rate_line(_request(given)), expect)
    if result is not None:
        assert_same_lines(result, expect.get("lines"))
        assert_same_totals(result.totals, expect.get("totals"))


def _request(given: Given) -> RateRequest:
    return RateRequest(
        terms=terms(given),
        quantity=amount(given.get("quantity")),
        position=Position(given["position"]),
        pre_line_quantity=amount(given.get("pre_line_quantity")),
        previously_billed_amount=amount(given.get("previously_billed_amount")),
        credits=tuple(amount(credit) for credit in given.get("credits") or []),
        ignore_minimum_commitment=is_set(given, "ignore_minimum_commitment"),
        ignore_credits=is_set(given, "ignore_credits"),
    )


def cumulative_runs(given: Given, expect: Given) -> None:
    outcome(lambda: _cumulative_runs(given, expect), expect)


def _cumulative_runs(given: Given, expect: Given) -> None:
    agreed, full, booked = terms(given), period(given["full_service_period"]), list[RatedLine]()
    for number, run in enumerate(given["runs"]):
        result = rate_run(agreed, full, period(run["service_period"]), amount(run.get("cumulative_quantity")), booked)
        if not expect.get("error"):
            assert_same_lines(result, expect["runs"][number].get("lines"))
            assert_same_totals(result.totals, expect["runs"][number].get("totals"))
        booked += _with_booked_credits(result.lines, run)


def late_usage_runs(given: Given, expect: Given) -> None:
    outcome(lambda: _late_usage_runs(given, expect), expect)


def _late_usage_runs(given: Given, expect: Given) -> None:
    agreed, full, booked = terms(given), period(given["full_service_period"]), list[RatedLine]()
    periods = [period(run["service_period"]) for run in given["runs"]]
    for number, run in enumerate(given["runs"]):
        quantities = [amount(quantity) for quantity in run["cumulative_quantities"]]
        known = list(zip(periods[: number + 1], quantities, strict=True))
        result = rate_run_by_periods(agreed, full, known, booked)
        if not expect.get("error"):
            assert_same_lines(result, expect["runs"][number].get("lines"))
            assert_same_totals(result.totals, expect["runs"][number].get("totals"))
        booked += _with_booked_credits(result.lines, run)


def _with_booked_credits(lines: tuple[RatedLine, ...], run: Given) -> list[RatedLine]:
    credit = amount(run.get("booked_credits_on_first_line"))
    if not credit or not lines:
        return list(lines)
    first = lines[0]
    return [replace(first, credits=(credit,), totals=replace(first.totals, credits=credit)), *lines[1:]]


def rerate(given: Given, expect: Given) -> None:
    result = outcome(
        lambda: rerate_difference(
            terms(given), amount(given.get("previous_quantity")), amount(given.get("new_quantity"))
        ),
        expect,
    )
    if result is not None:
        assert_same_lines(result, expect.get("lines"))
        assert_same_totals(result.totals, expect.get("totals"))


def graduated_total(given: Given, expect: Given) -> None:
    price = cast(TieredPrice, price_from_json(given["price"]))
    total = outcome(lambda: tier_total(price, amount(given["quantity"]), given["currency"]), expect)
    if total is not None:
        assert total == Decimal(expect["amount"])


def graduated_pieces(given: Given, expect: Given) -> None:
    price = cast(TieredPrice, price_from_json(given["price"]))
    stretch = outcome(
        lambda: tier_pieces(
            price, amount(given.get("from_quantity")), amount(given.get("to_quantity")), given["currency"]
        ),
        expect,
    )
    if stretch is None:
        return
    assert stretch.amount == Decimal(expect["amount"])
    ours = [(piece.tier.number, piece.quantity, piece.at_tier_start, piece.amount_before) for piece in stretch.pieces]
    assert sorted(ours) == sorted(
        (
            piece["tier"],
            amount(piece.get("quantity")),
            is_set(piece, "at_tier_start"),
            amount(piece.get("amount_before")),
        )
        for piece in expect.get("pieces") or []
    )


def tier_by_volume(given: Given, expect: Given) -> None:
    price = cast(TieredPrice, price_from_json(given["price"]))
    numbered = outcome(lambda: volume_tier(price, amount(given["quantity"])), expect)
    if numbered is not None:
        assert numbered.number == expect["tier"]


def packages(given: Given, expect: Given) -> None:
    count = outcome(lambda: package_count(amount(given["quantity"]), amount(given["quantity_per_package"])), expect)
    if count is not None:
        assert count == Decimal(expect["packages"])


def unit_conversion(given: Given, expect: Given) -> None:
    def calculation():
        conversion = conversion_from_json(given["unit_conversion"])
        assert conversion is not None
        return convert(conversion, amount(given["quantity"]))

    result = outcome(calculation, expect)
    if result is not None:
        assert result.billed == Decimal(expect["billed_quantity"])
        if expect.get("exact_quantity") is not None:
            assert result.exact == Decimal(expect["exact_quantity"])


def usage_discount(given: Given, expect: Given) -> None:
    after = outcome(
        lambda: discount_usage(
            amount(given.get("discount_quantity")),
            amount(given.get("quantity")),
            amount(given.get("pre_line_quantity")),
        ),
        expect,
    )
    if after is not None:
        assert after.quantity == amount(expect.get("quantity"))
        assert after.pre_line_quantity == amount(expect.get("pre_line_quantity"))
        assert after.discounted_now == amount(expect.get("discounted_now"))
        assert after.discounted_before == amount(expect.get("discounted_before"))


def maximum_overage(given: Given, expect: Given) -> None:
    line = given["line"]
    priced = priced_line("usage", amount(line["quantity"]), amount(line["per_unit_amount"]), given["currency"])
    over = max_spend_overage(
        priced.total, amount(given["maximum_amount"]), amount(given.get("billed_before_line")), given["currency"]
    )
    assert over == amount(expect.get("discount_amount"))


def credit_allocation(given: Given, expect: Given) -> None:
    currency = given["currency"]
    lines = [_line_with_credits(line, currency) for line in given["lines"]]
    credits = [amount(credit) for credit in given.get("credits") or []]
    result = outcome(lambda: apply_credits(lines, credits, currency), expect)
    if result is not None:
        new = [after.credits[len(before.credits) :] for before, after in zip(lines, result, strict=True)]
        assert new == [tuple(Decimal(credit) for credit in line or []) for line in expect["new_credits_per_line"]]


def _line_with_credits(line: Given, currency: str) -> RatedLine:
    priced = priced_line("usage", amount(line["quantity"]), amount(line["per_unit_amount"]), currency)
    credits = tuple(amount(credit) for credit in line.get("credits_already_applied") or [])
    return replace(priced, credits=credits, totals=replace(priced.totals, credits=sum(credits, Decimal(0))))


def round_totals(given: Given, expect: Given) -> None:
    rounded = {name: round_money(amount(value), given["currency"]) for name, value in given["totals"].items()}
    assert rounded == {name: amount(value) for name, value in expect["totals"].items()}


KINDS = {
    "single_line": single_line,
    "cumulative_runs": cumulative_runs,
    "late_usage_runs": late_usage_runs,
    "rerate_difference": rerate,
    "tier_total": graduated_total,
    "tier_pieces": graduated_pieces,
    "volume_tier": tier_by_volume,
    "package_count": packages,
    "unit_conversion": unit_conversion,
    "usage_discount": usage_discount,
    "max_spend_overage": maximum_overage,
    "credit_allocation": credit_allocation,
    "round_totals": round_totals,
}
