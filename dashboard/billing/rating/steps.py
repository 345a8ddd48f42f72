"""Why an amount is what it is: ordered steps, each a sentence for people and its figures for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dashboard.kit.money import amount_text, format_money, format_quantity, format_unit_price


class StepKind(StrEnum):
    METERED = "metered"
    CONVERTED = "converted"
    FREE_UNITS = "free_units"
    FIXED = "fixed"
    TIER = "tier"
    PACKAGES = "packages"
    MULTIPLIED = "multiplied"
    ROUNDED = "rounded"
    DISCOUNT = "discount"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    CREDIT = "credit"
    ALREADY_BILLED = "already_billed"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a calculation, in the order it happened."""

    kind: StepKind
    sentence: str
    figures: Mapping[str, Decimal] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """For storing on the line; `step_from_json` gives it back."""
        figures = {name: amount_text(value) for name, value in self.figures.items()}
        return {"kind": self.kind.value, "sentence": self.sentence, "figures": figures}


def step_from_json(document: Mapping[str, Any]) -> Step:
    """The step that `Step.to_json` wrote."""
    figures = {name: Decimal(value) for name, value in document.get("figures", {}).items()}
    return Step(StepKind(document["kind"]), document["sentence"], figures)


def units(quantity: Decimal) -> str:
    """`1 unit`, `1,200 units`."""
    return f"{format_quantity(quantity)} unit{'' if quantity == 1 else 's'}"


def multiplied(quantity: Decimal, per_unit_amount: Decimal, amount: Decimal, currency: str) -> tuple[Step, ...]:
    """Quantity times price, and the rounding to the currency where it changed something."""
    exact = quantity * per_unit_amount
    price = format_unit_price(per_unit_amount, currency)
    product = format_unit_price(exact, currency)
    steps = [
        Step(
            StepKind.MULTIPLIED,
            f"{format_quantity(quantity)} × {price} = {product}.",
            {"quantity": quantity, "per_unit_amount": per_unit_amount, "amount": exact},
        )
    ]
    if exact != amount:
        steps.append(rounded(exact, amount, currency))
    return tuple(steps)


def rounded(exact: Decimal, amount: Decimal, currency: str) -> Step:
    """The rounding of an exact figure to the currency."""
    return Step(
        StepKind.ROUNDED,
        f"{format_unit_price(exact, currency)} is rounded to {format_money(amount, currency)}.",
        {"exact": exact, "amount": amount},
    )
