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

_TOTALS = ("amount", "charges_total", "discounts_total", "credits_total", "total")
_LINE_FIELDS = (
    *("component", "category", "payment_term", "quantity", "per_unit_amount", "discounts", "credits", "totals"),
    *("service_period", "is_reversal", "corrects_earlier_run"),
)


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


def length(text: str | None) -> Duration:
    return Duration.parse(text or "PT0S")


def is_set(given: Given, name: str) -> bool:
    """A yes or no; one that is missing means no."""
    return bool(given.get(name))


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
    """Under the vectors' names; what is missing in a vector is zero."""
    return {
        "amount": totals.amount,
        "charges_total": totals.charges,
        "discounts_total": totals.discounts,
        "credits_total": totals.credits,
        "total": totals.total,
    }


def expected_totals(totals: Given | None) -> dict[str, Decimal]:
    written = {name: amount(value) for name, value in (totals or {}).items() if name in _TOTALS}
    return dict.fromkeys(_TOTALS, Decimal(0)) | written


def assert_same_totals(totals: Totals, expected: Given | None) -> None:
    assert written_totals(totals) == expected_totals(expected)


def assert_same_lines(result: RatingResult, expected: list[Given] | None) -> None:
    """As multisets, and only what the vector tells of its lines: a field that none of them has is left out."""
    names = [name for name in _LINE_FIELDS if any(name in line for line in expected or [])]
    ours = sorted(_comparable(_written(line), names) for line in result.lines)
    theirs = sorted(_comparable(line, names) for line in expected or [])
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


def _comparable(line: Given, names: list[str]) -> list[tuple[str, str]]:
    return [(name, repr(_normal(name, line.get(name)))) for name in names]


def _normal(name: str, value: Any) -> Any:
    match name:
        case "quantity" | "per_unit_amount":
            return amount_text(Decimal(value or NOTHING))
        case "totals":
            return sorted((key, amount_text(figure)) for key, figure in expected_totals(value).items())
        case "discounts":
            pairs = [(discount["reason"], Decimal(discount["amount"])) for discount in value or []]
            return [(reason, amount_text(figure)) for reason, figure in pairs if figure]
        case "credits":
            return [amount_text(Decimal(figure)) for figure in value or [] if Decimal(figure)]
        case "service_period":
            return value and (moment(value["from"]).timestamp(), moment(value["to"]).timestamp())
        case "is_reversal" | "corrects_earlier_run":
            return bool(value)
    return value
