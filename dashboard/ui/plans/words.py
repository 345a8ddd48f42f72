"""Plans in words: how often, how long, which status; and the choices of their forms."""

from dashboard.kit.errors import InvalidInput
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.waits import wait_in_words

STATUSES = {
    "draft": ui.Status("Draft", "neutral"),
    "scheduled": ui.Status("Scheduled", "review"),
    "active": ui.Status("Active", "success"),
    "archived": ui.Status("Archived", "spent", "archive"),
    "invalid": ui.Status("Invalid", "danger"),
}
PLAN_CADENCES = {
    "P1W": "Every week",
    "P2W": "Every 2 weeks",
    "P4W": "Every 4 weeks",
    "P1M": "Every month",
    "P3M": "Every 3 months",
    "P6M": "Every 6 months",
    "P1Y": "Every year",
}
CARD_CADENCES = {"PT1H": "Every hour", "P1D": "Every day", **PLAN_CADENCES}
DURATION_UNITS = [
    ui.Option("", "Runs on"),
    *(ui.Option(unit, unit) for unit in ("hours", "days", "weeks", "months")),
    ui.Option("iso", "ISO 8601"),
]


def cadence_in_words(cadence: str | None) -> str:
    """“every month”; “once” for none; the duration itself where no word is known."""
    if cadence is None:
        return "once"
    return CARD_CADENCES.get(cadence, f"every {cadence}").replace("Every", "every")


def cadence_options(known: dict[str, str], current: str) -> list[ui.Option]:
    """The usual cadences, and the one that is set if it is none of them."""
    found = [ui.Option(value, words) for value, words in known.items()]
    if current and current not in known:
        found.append(ui.Option(current, f"Every {current}"))
    return found


def duration_in_words(duration: str | None) -> str:
    """“3 months”; “runs on” for none."""
    if duration is None:
        return "runs on"
    try:
        return wait_in_words(duration)
    except InvalidInput:
        return duration
