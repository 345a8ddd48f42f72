"""What others may hold of the catalog: features, plans, phases, rate cards."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dashboard.catalog.prices import NO_DISCOUNTS, Discounts, Price, UnitConversion
from dashboard.catalog.status import PlanStatus


class RateCardType(StrEnum):
    FLAT_FEE = "flat_fee"
    USAGE_BASED = "usage_based"


@dataclass(frozen=True, slots=True)
class RateCardTax:
    """How what a rate card charges is taxed. None means: the next default decides (customer, profile, organization)."""

    behavior: str | None = None
    tax_code_id: str | None = None
    stripe_code: str | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """What is sold: a meter's usage, perhaps only of some dimension values, or something without usage."""

    id: str
    key: str
    name: str
    description: str | None
    meter_id: str | None
    meter_key: str | None
    filters: dict[str, tuple[str, ...]] = field(hash=False)
    unit_cost: Decimal | None
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RateCard:
    """One position of a plan. `billing_cadence` None: charged once. `price` None: free."""

    key: str
    name: str
    type: RateCardType
    description: str | None = None
    feature_key: str | None = None
    billing_cadence: str | None = None
    price: Price | None = None
    discounts: Discounts = NO_DISCOUNTS
    unit_conversion: UnitConversion | None = None
    tax: RateCardTax = RateCardTax()
    entitlement: dict[str, Any] | None = field(default=None, hash=False)
    metadata: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a plan; only the last one has no duration and runs on."""

    key: str
    name: str
    rate_cards: tuple[RateCard, ...]
    duration: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PlanIssue:
    """What is wrong with a draft: a sentence and the field it belongs to (`phases.0.rate_cards.2.price.amount`)."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of a plan. Subscriptions keep the version they were made from."""

    id: str
    key: str
    version: int
    name: str
    description: str | None
    currency: str
    billing_cadence: str
    pro_rating_enabled: bool
    settlement_mode: str
    effective_from: datetime | None
    effective_to: datetime | None
    status: PlanStatus
    phases: tuple[Phase, ...]
    issues: tuple[PlanIssue, ...]
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
