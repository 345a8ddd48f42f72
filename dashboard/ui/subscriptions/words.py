"""Subscriptions in words, and times as people type them."""

from datetime import UTC, datetime

from dashboard.catalog.plan_views import Plan
from dashboard.kit.errors import InvalidInput
from dashboard.ui import components as ui

STATUSES = {
    "scheduled": ui.Status("Scheduled", "review"),
    "active": ui.Status("Active", "success"),
    "canceled": ui.Status("Ends soon", "warning", "calendar-x"),
    "inactive": ui.Status("Ended", "spent"),
}


def plan_in_words(plan: Plan) -> str:
    """“Team, version 2 (USD)”: tells plans apart where one is chosen."""
    return f"{plan.name}, version {plan.version} ({plan.currency})"


def moment_from(text: object, field: str) -> datetime | None:
    """The moment in UTC that a browser's date-and-time field sends; None for an empty one. Raises InvalidInput."""
    written = str(text or "").strip()
    if not written:
        return None
    try:
        return datetime.fromisoformat(written).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput("Give a date and a time.", field=field) from None
