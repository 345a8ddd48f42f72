"""What others may hold of subscriptions, which are copies of their plans: later changes of a plan do not reach them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.catalog.plan_views import RateCard
from dashboard.catalog.prices import Price
from dashboard.kit.calendar import Period
from dashboard.subscriptions.status import SubscriptionStatus


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """One rate card while it applies. `key` has versions, counted from 0 in the order of time."""

    id: str
    key: str
    version: int
    rate_card: RateCard
    active_from: datetime
    active_to: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriptionPhase:
    """A stretch of the subscription in the calendar."""

    id: str
    key: str
    name: str
    description: str | None
    active_from: datetime
    active_to: datetime | None
    items: tuple[SubscriptionItem, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is on which plan, since when. All cadences count from `billing_anchor`."""

    id: str
    customer_id: str
    plan_id: str | None
    plan_key: str | None
    plan_version: int | None
    name: str
    description: str | None
    currency: str
    billing_cadence: str
    billing_anchor: datetime
    pro_rating_enabled: bool
    settlement_mode: str
    active_from: datetime
    active_to: datetime | None
    status: SubscriptionStatus
    phases: tuple[SubscriptionPhase, ...]
    current_period: Period | None
    previous_id: str | None
    next_id: str | None
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def is_priced(self) -> bool:
        """Whether anything in it costs something."""
        return any(item.rate_card.price is not None for phase in self.phases for item in phase.items)


@dataclass(frozen=True, slots=True)
class SubscriptionLine:
    """Something a subscription yields to be billed. `reference` names it once and for all.

    A flat price is already prorated: `price` carries the amount of this very period.
    """

    reference: str
    subscription_id: str
    phase_id: str
    item_id: str
    rate_card: RateCard
    price: Price
    service_period: Period
    full_service_period: Period
    billing_period: Period
    invoice_at: datetime
    prorated_from: Decimal | None = None
