"""What a handler of Stripe's letters gets, and what it may answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dashboard.kit.database import Work
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow
from dashboard.stripe_app.views import EventState

Json = dict[str, Any]
Effect = Callable[[Work], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Letter:
    """One event being applied. `carried` is the object as it was then: good for its id, never for its state.

    `others` are letters about the same thing, by our ids, that were here before anything is read for this one.
    """

    desk: StripeDesk
    gateway: Gateway
    app: StripeAppRow
    row: StripeEventRow
    others: tuple[str, ...] = ()

    @property
    def carried(self) -> Json:
        return self.row.payload["data"]["object"]

    @property
    def type(self) -> str:
        return self.row.type


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter. `effect` is written in the same transaction as the outcome itself."""

    state: EventState
    reason: str | None = None
    effect: Effect | None = None
    customer_id: str | None = None
    invoice_id: str | None = None


def applied(
    reason: str | None = None,
    *,
    effect: Effect | None = None,
    customer_id: str | None = None,
    invoice_id: str | None = None,
) -> Outcome:
    """It had its effect."""
    return Outcome(EventState.APPLIED, reason, effect, customer_id, invoice_id)


def ignored(reason: str) -> Outcome:
    """It is none of our business, and this is why."""
    return Outcome(EventState.IGNORED, reason)


def not_yet(reason: str) -> Outcome:
    """Something it needs is not here yet; it waits and is tried again."""
    return Outcome(EventState.WAITING, reason)
