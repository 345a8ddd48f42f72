"""What something may cost: the price models, their commitments, discounts and unit conversion.

These are plain facts without validation, so that a draft may hold what is not yet right; `price_rules.py` says what is
wrong with them, `price_json.py` reads and writes them.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar


class PriceType(StrEnum):
    FLAT = "flat"
    UNIT = "unit"
    TIERED = "tiered"
    PACKAGE = "package"
    DYNAMIC = "dynamic"


class PaymentTerm(StrEnum):
    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


class TierMode(StrEnum):
    GRADUATED = "graduated"
    """Each unit costs what its own tier says."""
    VOLUME = "volume"
    """The tier the whole quantity falls into prices every unit."""


class ConversionOperation(StrEnum):
    MULTIPLY = "multiply"
    DIVIDE = "divide"


class ConversionRounding(StrEnum):
    NONE = "none"
    CEILING = "ceiling"
    FLOOR = "floor"
    HALF_UP = "half_up"


@dataclass(frozen=True, slots=True)
class Commitments:
    """What a customer spends at least and at most over the full service period. None: no limit."""

    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """The same amount every period, or once."""

    type: ClassVar[PriceType] = PriceType.FLAT
    amount: Decimal
    payment_term: PaymentTerm = PaymentTerm.IN_ADVANCE


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """So much per unit used."""

    type: ClassVar[PriceType] = PriceType.UNIT
    amount: Decimal
    commitments: Commitments = Commitments()


@dataclass(frozen=True, slots=True)
class Tier:
    """A stretch of quantity; `up_to_amount` is the last quantity that still belongs to it, None an open end."""

    up_to_amount: Decimal | None = None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TieredPrice:
    """A price that changes with the quantity. The tiers may be given in any order."""

    type: ClassVar[PriceType] = PriceType.TIERED
    mode: TierMode
    tiers: tuple[Tier, ...]
    commitments: Commitments = Commitments()

    @property
    def sorted_tiers(self) -> tuple[Tier, ...]:
        """The tiers from the lowest limit up, the open end last."""
        return tuple(sorted(self.tiers, key=lambda tier: (tier.up_to_amount is None, tier.up_to_amount or Decimal(0))))


@dataclass(frozen=True, slots=True)
class PackagePrice:
    """So much per package of units; a started package counts whole."""

    type: ClassVar[PriceType] = PriceType.PACKAGE
    amount: Decimal
    quantity_per_package: Decimal
    commitments: Commitments = Commitments()


@dataclass(frozen=True, slots=True)
class DynamicPrice:
    """The metered quantity already is a cost; it is multiplied (1.2 = 20 % on top)."""

    type: ClassVar[PriceType] = PriceType.DYNAMIC
    multiplier: Decimal = Decimal(1)
    commitments: Commitments = Commitments()


UsagePrice = UnitPrice | TieredPrice | PackagePrice | DynamicPrice
Price = FlatPrice | UsagePrice


@dataclass(frozen=True, slots=True)
class Discounts:
    """`percentage` off every line (50 = half), and units that are free over the full service period."""

    percentage: Decimal | None = None
    usage_quantity: Decimal | None = None


NO_DISCOUNTS = Discounts()


@dataclass(frozen=True, slots=True)
class UnitConversion:
    """How a metered unit becomes a billed one: bytes divided by 1,000,000,000, rounded up to whole gigabytes."""

    operation: ConversionOperation
    factor: Decimal
    rounding: ConversionRounding = ConversionRounding.NONE
    precision: int = 0


def commitments_of(price: Price) -> Commitments:
    """The price's minimum and maximum spend; none for flat prices."""
    return Commitments() if isinstance(price, FlatPrice) else price.commitments


def payment_term_of(price: Price) -> PaymentTerm:
    """When it is paid: everything but a flat fee in arrears."""
    return price.payment_term if isinstance(price, FlatPrice) else PaymentTerm.IN_ARREARS
