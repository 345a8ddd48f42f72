"""How the vectors write things, and how results are compared with them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.rating.lines import RatedLine, RatingResult, RatingTerms
from dashboard.billing.views import Totals
from dashboard.catalog.price_json import conversion_from_json, discounts_from_json, price_from_json
from dashboard.kit.calendar import Duration, Period
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import amount_text, parse_amount

Given = Mapping[str, Any]
NOTHING = "0"
OUR_CODE = {
    "credits_not_consumed_fully": "credits_not_consumed_fully",
    "progressive_not_supported": "progressive_not_supported",
    "no_lines": "invoice_create_no_lines",
    "cannot_advance": "invoice_cannot_advance",
}
"""The vectors' names of refusals, where they name one; others only have to be typed."""


def time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def amount(text: str | None) -> Decimal:
    return parse_amount(text or NOTHING)


def period(written: Given) -> Period:
    return Period(moment(written["from"]), moment(written["to"]))


def duration(text: str | None) -> Duration | None:
    return None if text is None else Duration.parse(text)


def terms(given: Given) -> RatingTerms:
    return RatingTerms(
        currency=given["currency"],
        price=price_from_json(given["price"]),
        discounts=discounts_from_json(given.get("discounts")),
        unit_conversion=conversion_from_json(given.get("unit_conversion")),
    )


def outcome(calculation: Callable[[], Any], expect: Given) -> Any:
    """The calculation's result; or None after making sure that an expected refusal happened, as a typed one."""
    if not expect.get("error"):
        return calculation()
    with pytest.raises(MeterdeskError) as refused:
        calculation()
    assert refused.value.message
    assert refused.value.what_to_do
    assert refused.value.code == OUR_CODE.get(expect["error"], refused.value.code)
    return None


def written_totals(totals: Totals) -> dict[str, Decimal]:
    return {
        "amount": totals.amount,
        "charges_total": totals.charges,
        "discounts_total": totals.discounts,
        "credits_total": totals.credits,
        "total": totals.total,
    }


def expected_totals(totals: Given) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in totals.items()}


def assert_same_totals(totals: Totals, expected: Given) -> None:
    assert written_totals(totals) == expected_totals(expected)


def assert_same_lines(result: RatingResult, expected: list[Given]) -> None:
    """As multisets, and only what the vector tells of its lines."""
    shapes = [tuple(line) for line in expected]
    names = shapes[0] if shapes else ()
    assert all(set(shape) == set(names) for shape in shapes), "the vector's own lines differ in their fields"
    ours = sorted(_comparable(_written(line), names) for line in result.lines)
    theirs = sorted(_comparable(line, names) for line in expected)
    assert ours == theirs


def _written(line: RatedLine) -> dict[str, Any]:
    service = line.service_period
    return {
        "component": line.component,
        "category": line.category.value,
        "payment_term": line.payment_term.value,
        "quantity": line.quantity,
        "per_unit_amount": line.per_unit_amount,
        "discounts": [{"reason": discount.reason.value, "amount": discount.amount} for discount in line.discounts],
        "credits": list(line.credits),
        "totals": written_totals(line.totals),
        "service_period": service and {"from": service.start.isoformat(), "to": service.end.isoformat()},
        "is_reversal": line.is_reversal,
        "corrects_earlier_run": line.corrects_earlier_run,
    }


def _comparable(line: Given, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return sorted((name, repr(_normal(name, line[name]))) for name in names)


def _normal(name: str, value: Any) -> Any:
    match name:
        case "quantity" | "per_unit_amount":
            return amount_text(Decimal(value))
        case "totals":
            return sorted((key, amount_text(Decimal(figure))) for key, figure in value.items())
        case "discounts":
            pairs = [(discount["reason"], Decimal(discount["amount"])) for discount in value]
            return [(reason, amount_text(figure)) for reason, figure in pairs if figure]
        case "credits":
            return [amount_text(Decimal(figure)) for figure in value if Decimal(figure)]
        case "service_period":
            return (moment(value["from"]).timestamp(), moment(value["to"]).timestamp())
    return value
