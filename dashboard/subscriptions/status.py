"""Where a subscription stands. Like a plan's, the status follows from its dates and is never stored."""

from datetime import datetime
from enum import StrEnum


class SubscriptionStatus(StrEnum):
    SCHEDULED = "scheduled"
    """It starts later."""
    ACTIVE = "active"
    CANCELED = "canceled"
    """Active, with an end in sight."""
    INACTIVE = "inactive"
    """Over, or deleted."""


def subscription_status(
    active_from: datetime, active_to: datetime | None, deleted_at: datetime | None, at: datetime
) -> SubscriptionStatus:
    """The status at a moment of a subscription that lives from (inclusive) to (exclusive)."""
    if deleted_at is not None and deleted_at <= at:
        return SubscriptionStatus.INACTIVE
    if at < active_from:
        return SubscriptionStatus.SCHEDULED
    if active_to is None:
        return SubscriptionStatus.ACTIVE
    return SubscriptionStatus.CANCELED if at < active_to else SubscriptionStatus.INACTIVE
