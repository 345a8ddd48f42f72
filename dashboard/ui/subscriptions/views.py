"""What the pages of subscriptions show."""

from dataclasses import dataclass

from dashboard.ui.views import NO_MOMENT, Moment


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    href: str
    name: str
    plan: str
    customer: str
    customer_href: str
    status: str
    since: Moment
    until: Moment


@dataclass(frozen=True, slots=True)
class CustomerHit:
    id: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class SubscriptionDetails:
    id: str = ""
    name: str = ""
    customer: str = ""
    customer_href: str = ""
    plan: str = ""
    plan_href: str = ""
    status: str = "active"
    currency: str = ""
    cadence: str = ""
    anchor: str = ""
    proration: str = ""
    since: Moment = NO_MOMENT
    until: Moment = NO_MOMENT
    period: str = ""
    period_end: str = ""
    previous_href: str = ""
    next_href: str = ""
    is_priced: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class ItemRow:
    name: str
    price: str
    cadence: str
    dates: str


@dataclass(frozen=True, slots=True)
class PhaseRow:
    name: str
    dates: str
    is_now: bool
    cards: list[ItemRow]


@dataclass(frozen=True, slots=True)
class DueLine:
    name: str
    period: str
    amount: str
    note: str


@dataclass(frozen=True, slots=True)
class DueDate:
    """What falls due on one day: its lines, and their sum as far as it can be known."""

    day: Moment
    total: str
    lines: list[DueLine]
