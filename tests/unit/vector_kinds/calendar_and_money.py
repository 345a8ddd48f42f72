from decimal import Decimal

from dashboard.kit.calendar import Duration, Recurrence
from dashboard.kit.money import allocate, round_amount, round_down, round_up, smallest_unit
from vector_kinds.reading import Given, amount, is_set, moment, outcome


def _recurrence(given: Given) -> Recurrence:
    return Recurrence(Duration.parse(given["interval"]), moment(given["anchor"]))


def _is_inclusive(given: Given) -> bool:
    return given.get("boundary") == "inclusive"


def next_after(given: Given, expect: Given) -> None:
    at = outcome(lambda: _recurrence(given).next_after(moment(given["at"]), inclusive=_is_inclusive(given)), expect)
    if at is not None:
        assert at == moment(expect["at"])


def prev_before(given: Given, expect: Given) -> None:
    at = outcome(lambda: _recurrence(given).prev_before(moment(given["at"]), inclusive=_is_inclusive(given)), expect)
    if at is not None:
        assert at == moment(expect["at"])


def period_at(given: Given, expect: Given) -> None:
    found = outcome(lambda: _recurrence(given).period_at(moment(given["at"])), expect)
    if found is not None:
        assert (found.start, found.end) == (moment(expect["from"]), moment(expect["to"]))


def divisible(given: Given, expect: Given) -> None:
    fits = outcome(lambda: Duration.parse(given["larger"]).is_divisible_by(Duration.parse(given["smaller"])), expect)
    if fits is not None:
        assert fits is is_set(expect, "divisible")


def add(given: Given, expect: Given) -> None:
    at = outcome(lambda: Duration.parse(given["duration"]).added_to(moment(given["start"])), expect)
    if at is not None:
        assert at == moment(expect["at"])


def rounded_half_up(given: Given, expect: Given) -> None:
    assert round_amount(amount(given["amount"]), given["decimals"]) == Decimal(expect["amount"])


def rounded_up(given: Given, expect: Given) -> None:
    assert round_up(amount(given["amount"]), given["decimals"]) == Decimal(expect["amount"])


def rounded_down(given: Given, expect: Given) -> None:
    assert round_down(amount(given["amount"]), given["decimals"]) == Decimal(expect["amount"])


def unit_of(given: Given, expect: Given) -> None:
    assert smallest_unit(given["decimals"]) == Decimal(expect["amount"])


def allocation(given: Given, expect: Given) -> None:
    weights = [(item["key"], amount(item["weight"])) for item in given.get("items") or []]
    tie_break = given.get("tie_break") or "order"
    parts = outcome(lambda: allocate(amount(given["amount"]), weights, given["decimals"], tie_break), expect)
    if parts is not None:
        assert parts == [(part["key"], Decimal(part["amount"])) for part in expect.get("allocations") or []]


KINDS = {
    "next_after": next_after,
    "prev_before": prev_before,
    "period_at": period_at,
    "divisible": divisible,
    "add": add,
    "round": rounded_half_up,
    "round_up": rounded_up,
    "round_down": rounded_down,
    "smallest_unit": unit_of,
    "allocate": allocation,
}
