"""The lines of a Stripe invoice, and how lines that Stripe cannot take are made to fit. Pure.

- Negative with automatic tax: taken off the largest lines, those with the same tax treatment first.
- More than 250: the largest stay as they are, the rest is one line per tax treatment that says how many it stands for.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dashboard.stripe_app.calls import content_hash

STRIPE_LINE_LIMIT = 250
METADATA_LINE = "meterdesk_line_id"
METADATA_PRINT = "meterdesk_print"


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """What Stripe needs to tax a line: a product that carries the code, and whether tax is inside the price."""

    product_name: str
    tax_code: str | None
    behavior: str | None

    @property
    def product_key(self) -> str:
        """The same name and code are the same product."""
        return content_hash([self.product_name, self.tax_code])[:24]

    @property
    def group(self) -> tuple[str, str]:
        return self.tax_code or "", self.behavior or ""


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One Stripe line. `key` is our id for it; `minor` is Stripe's integer; `tax` only when tax is automatic."""

    key: str
    description: str
    minor: int
    period_from: datetime
    period_to: datetime
    tax: TaxTreatment | None
    stands_for: int = 1

    def print_of(self) -> str:
        """Equal for lines that Stripe would show and tax alike."""
        tax = (self.tax.product_key, self.tax.behavior) if self.tax else None
        return self.kind + content_hash([self.description, self.minor, *self._period(), tax])

    @property
    def kind(self) -> str:
        """`p` for a line with a price and product, `a` for a bare amount; Stripe turns neither into the other."""
        return "p" if self.tax else "a"

    def params(self, currency: str, product_ids: dict[str, str]) -> dict[str, Any]:
        """As `add_lines` and `update_lines` take it."""
        start, end = self._period()
        params: dict[str, Any] = {
            "description": self.description,
            "period": {"start": start, "end": end},
            "metadata": {METADATA_LINE: self.key, METADATA_PRINT: self.print_of()},
        }
        if self.tax is None:
            return params | {"amount": self.minor, "discountable": False}
        price = {
            "currency": currency.lower(),
            "product": product_ids[self.tax.product_key],
            "unit_amount": self.minor,
        }
        if self.tax.behavior:
            price["tax_behavior"] = self.tax.behavior
        return params | {"price_data": price, "quantity": 1, "discountable": False}

    def _period(self) -> tuple[int, int]:
        return int(self.period_from.timestamp()), int(self.period_to.timestamp())


def without_negatives(lines: list[DraftLine]) -> list[DraftLine]:
    """Takes negative amounts off positive lines: same tax treatment first, the largest first, never below zero."""
    minors = {line.key: line.minor for line in lines}
    by_key = {line.key: line for line in lines}
    for negative in [line for line in lines if line.minor < 0]:
        owed = -negative.minor
        minors[negative.key] = 0
        for line in sorted(lines, key=lambda other: _takes_first(negative, other)):
            taken = min(owed, max(0, minors[line.key]))
            minors[line.key] -= taken
            owed -= taken
    return [replace(by_key[key], minor=minor) for key, minor in minors.items()]


def _takes_first(negative: DraftLine, other: DraftLine) -> tuple[bool, int, str]:
    same = negative.tax is not None and other.tax is not None and negative.tax.group == other.tax.group
    return not same, -other.minor, other.key


def grouped(lines: list[DraftLine]) -> list[DraftLine]:
    """At most 250 lines with the same sum: the largest as they are, the rest together, one line per tax treatment."""
    groups = {_group_of(line) for line in lines}
    room = STRIPE_LINE_LIMIT - len(groups)
    largest = {line.key for line in sorted(lines, key=lambda line: (-abs(line.minor), line.key))[: max(0, room)]}
    kept = [line for line in lines if line.key in largest]
    rest: dict[str, list[DraftLine]] = {}
    for line in lines:
        if line.key not in largest:
            rest.setdefault(_group_of(line), []).append(line)
    return kept + [_together(group, members) for group, members in sorted(rest.items())]


def _group_of(line: DraftLine) -> str:
    return "/".join(line.tax.group) if line.tax else ""


def _together(group: str, members: list[DraftLine]) -> DraftLine:
    first = members[0]
    if len(members) == 1:
        return first
    tax = replace(first.tax, product_name="Other items") if first.tax else None
    return DraftLine(
        key=f"rest.{group}",
        description=f"Other items ({len(members)} lines together)",
        minor=sum(line.minor for line in members),
        period_from=min(line.period_from for line in members),
        period_to=max(line.period_to for line in members),
        tax=tax,
        stands_for=len(members),
    )
