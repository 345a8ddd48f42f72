"""Tiers: which one a quantity falls into, and how a stretch of quantity is cut at their limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dashboard.billing.rating.errors import MissingOpenEndedTier
from dashboard.catalog.prices import Tier, TieredPrice
from dashboard.kit.money import ZERO, exact_arithmetic, format_quantity, round_money


@dataclass(frozen=True, slots=True)
class NumberedTier:
    """A tier with its place (from 1, in ascending order) and the last quantity that belongs to the tier below."""

    number: int
    tier: Tier
    lower_limit: Decimal

    @property
    def name(self) -> str:
        """`tier 2 (over 10, up to 20 units)`."""
        upper = self.tier.up_to_amount
        if upper is None:
            reach = f"over {format_quantity(self.lower_limit)} units" if self.lower_limit else "all units"
        elif self.lower_limit:
            reach = f"over {format_quantity(self.lower_limit)}, up to {format_quantity(upper)} units"
        else:
            reach = f"up to {format_quantity(upper)} units"
        return f"tier {self.number} ({reach})"


@dataclass(frozen=True, slots=True)
class TierPiece:
    """What of a stretch falls into one tier.

    `amount_before` is the price of everything before the piece; where it starts its tier, without that one's flat part.
    """

    tier: NumberedTier
    quantity: Decimal
    at_tier_start: bool
    amount_before: Decimal


@dataclass(frozen=True, slots=True)
class TieredStretch:
    """The pieces of a stretch, and the price of everything from zero up to its end."""

    pieces: tuple[TierPiece, ...]
    amount: Decimal


def numbered_tiers(price: TieredPrice) -> Iterator[NumberedTier]:
    """The tiers in ascending order. Raises MissingOpenEndedTier when none is open-ended."""
    lower = ZERO
    for number, tier in enumerate(price.sorted_tiers, start=1):
        yield NumberedTier(number, tier, lower)
        if tier.up_to_amount is None:
            return
        lower = tier.up_to_amount
    raise MissingOpenEndedTier("The price has no tier without a limit.")


def volume_tier(price: TieredPrice, quantity: Decimal) -> NumberedTier:
    """The one tier that contains the quantity; the first one when nothing was used."""
    for numbered in numbered_tiers(price):
        limit = numbered.tier.up_to_amount
        if limit is None or quantity <= limit:
            return numbered
    raise MissingOpenEndedTier("The price has no tier without a limit.")


def tier_pieces(price: TieredPrice, from_quantity: Decimal, to_quantity: Decimal, currency: str) -> TieredStretch:
    """The stretch after `from_quantity` up to and including `to_quantity`, cut at the tiers' limits.

    Without any usage so far (`to_quantity` 0) there is one piece of nothing at the start of the first tier. A stretch
    that adds nothing to earlier usage has no pieces.
    """
    pieces: list[TierPiece] = []
    amount = ZERO
    with exact_arithmetic():
        for numbered in numbered_tiers(price):
            tier, lower = numbered.tier, numbered.lower_limit
            if lower >= to_quantity and numbered.number > 1:
                break
            upper = to_quantity if tier.up_to_amount is None else min(tier.up_to_amount, to_quantity)
            start = min(max(lower, from_quantity), upper)
            amount_at_start = amount + _unit_part(tier, start - lower, currency)
            if start > lower:
                amount_at_start += _flat_part(tier, currency)
            if upper > start or (lower == upper and from_quantity == lower):
                pieces.append(TierPiece(numbered, upper - start, start == lower, amount_at_start))
            amount += _flat_part(tier, currency) + _unit_part(tier, upper - lower, currency)
    return TieredStretch(tuple(pieces), amount)


def tier_total(price: TieredPrice, quantity: Decimal, currency: str) -> Decimal:
    """The graduated price of everything from zero, before discounts."""
    return tier_pieces(price, ZERO, quantity, currency).amount


def _unit_part(tier: Tier, quantity: Decimal, currency: str) -> Decimal:
    return ZERO if tier.unit_amount is None else round_money(quantity * tier.unit_amount, currency)


def _flat_part(tier: Tier, currency: str) -> Decimal:
    return ZERO if tier.flat_amount is None else round_money(tier.flat_amount, currency)
