"""Waiting times as people set them: a number and a unit, and ISO 8601 for everything else."""

from dataclasses import dataclass

from dashboard.kit.durations import BadDuration, Duration

UNITS: tuple[tuple[str, str], ...] = (
    ("minutes", "minutes"),
    ("hours", "hours"),
    ("days", "days"),
    ("weeks", "weeks"),
    ("months", "months"),
    ("iso", "ISO 8601"),
)
_DATE_LETTERS = {"days": "D", "weeks": "W", "months": "M"}
_TIME_LETTERS = {"minutes": "M", "hours": "H"}
_LARGEST_NUMBER = 9999


@dataclass(frozen=True, slots=True)
class Wait:
    """A waiting time in two fields of a form. With the unit `iso`, `amount` is the ISO 8601 text itself."""

    amount: str = "0"
    unit: str = "days"


NO_WAIT = Wait()
USUAL_COLLECTION, USUAL_DRAFT, USUAL_DUE = Wait("1", "hours"), NO_WAIT, Wait("30", "days")
"""What a new profile begins with, as in OpenMeter."""


def wait_from_text(text: str) -> Wait:
    """The two fields for an ISO 8601 duration: `PT1H` is 1 hours; one that mixes units stays as it is written."""
    duration = Duration.parse(text)
    parts = {
        "months": duration.whole_months,
        "weeks": duration.weeks,
        "days": duration.days,
        "hours": duration.hours,
        "minutes": duration.minutes,
    }
    used = [unit for unit, number in parts.items() if number]
    if duration.is_zero:
        return NO_WAIT
    if len(used) == 1 and not duration.seconds and not duration.is_negative:
        return Wait(str(parts[used[0]]), used[0])
    return Wait(text, "iso")


def text_from_wait(amount: str, unit: str, *, field: str) -> str:
    """ISO 8601 for two fields of a form. Raises BadDuration with a sentence for `field`."""
    amount = amount.strip()
    if unit == "iso":
        duration = Duration.parse(amount, field=field)
        if duration.is_negative:
            raise BadDuration("A waiting time cannot be negative.", field=field)
        return str(duration)
    letter = _DATE_LETTERS.get(unit) or _TIME_LETTERS.get(unit)
    if letter is None:
        raise BadDuration("Choose minutes, hours, days, weeks or months.", field=field)
    if not amount.isdecimal() or int(amount) > _LARGEST_NUMBER:
        raise BadDuration(f"Give a whole number from 0 to {_LARGEST_NUMBER}.", field=field)
    number = int(amount)
    if number == 0:
        return "P0D"
    return f"PT{number}{letter}" if unit in _TIME_LETTERS else f"P{number}{letter}"


def wait_in_words(text: str) -> str:
    """“1 hour”, “2 days”, “no wait”; ISO 8601 as it is written when units are mixed."""
    wait = wait_from_text(text)
    if wait.unit == "iso":
        return wait.amount
    if wait.amount == "0":
        return "no wait"
    return f"{wait.amount} {wait.unit[:-1] if wait.amount == '1' else wait.unit}"
