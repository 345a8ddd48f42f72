"""What a plan's effective period makes of it. The status is never stored, so it can never be stale."""

from datetime import datetime
from enum import StrEnum


class PlanStatus(StrEnum):
    DRAFT = "draft"
    """Not published."""
    SCHEDULED = "scheduled"
    """Published from a time that has not come."""
    ACTIVE = "active"
    ARCHIVED = "archived"
    """Its time is over; existing subscriptions keep it."""
    INVALID = "invalid"
    """It would end before it starts."""


def plan_status(effective_from: datetime | None, effective_to: datetime | None, at: datetime) -> PlanStatus:
    """The status at a moment of a plan that is effective from (inclusive) to (exclusive); None is an open bound."""
    if effective_from is not None and effective_to is not None and effective_from > effective_to:
        return PlanStatus.INVALID
    if effective_from is None and effective_to is None:
        return PlanStatus.DRAFT
    if effective_to is not None and effective_to <= at:
        return PlanStatus.ARCHIVED
    return PlanStatus.SCHEDULED if effective_from is not None and effective_from > at else PlanStatus.ACTIVE
