"""Rated lines as plain JSON, so that what was booked can be subtracted from the next rating exactly as it was."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard.billing.rating.lines import Category, DiscountReason, LineDiscount, RatedLine
from dashboard.billing.rating.steps import step_from_json
from dashboard.billing.views import Totals
from dashboard.catalog.prices import PaymentTerm
from dashboard.kit.calendar import Period
from dashboard.kit.money import amount_text

_TOTALS = ("amount", "charges", "discounts", "credits", "taxes_inclusive", "taxes_exclusive")


def rated_line_to_json(line: RatedLine) -> dict[str, Any]:
    """The line as JSON; `rated_line_from_json` gives it back."""
    period = line.service_period
    return {
        "component": line.component,
        "category": line.category.value,
        "payment_term": line.payment_term.value,
        "quantity": amount_text(line.quantity),
        "per_unit_amount": amount_text(line.per_unit_amount),
        "totals": {name: amount_text(getattr(line.totals, name)) for name in _TOTALS},
        "discounts": [{"reason": one.reason.value, "amount": amount_text(one.amount)} for one in line.discounts],
        "credits": [amount_text(credit) for credit in line.credits],
        "service_period": period and {"from": period.start.isoformat(), "to": period.end.isoformat()},
        "is_reversal": line.is_reversal,
        "corrects_earlier_run": line.corrects_earlier_run,
        "steps": [step.to_json() for step in line.steps],
    }


def rated_line_from_json(document: Mapping[str, Any]) -> RatedLine:
    """The line that `rated_line_to_json` wrote."""
    period = document["service_period"]
    return RatedLine(
        component=document["component"],
        quantity=Decimal(document["quantity"]),
        per_unit_amount=Decimal(document["per_unit_amount"]),
        totals=Totals(**{name: Decimal(document["totals"][name]) for name in _TOTALS}),
        category=Category(document["category"]),
        payment_term=PaymentTerm(document["payment_term"]),
        discounts=tuple(
            LineDiscount(DiscountReason(one["reason"]), Decimal(one["amount"])) for one in document["discounts"]
        ),
        credits=tuple(Decimal(credit) for credit in document["credits"]),
        service_period=period and Period(_time(period["from"]), _time(period["to"])),
        is_reversal=document["is_reversal"],
        corrects_earlier_run=document["corrects_earlier_run"],
        steps=tuple(step_from_json(step) for step in document["steps"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
