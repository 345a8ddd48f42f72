"""Changes of a subscription in its own calendar: items and phases, as stored documents.

Only what has not come yet can change: an item ends, or begins, where the edit takes effect. Lines that were made name
an item by its version, so a version that has begun is never taken away, and versions count on.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_never

from dashboard.catalog.plan_json import rate_card_to_json
from dashboard.catalog.plan_rules import SHORTEST_SECONDS
from dashboard.catalog.plan_views import RateCard
from dashboard.kit.calendar import Duration
from dashboard.kit.ids import new_id
from dashboard.subscriptions.errors import EditNotPossible, EditsScheduled, TimingNotPossible
from dashboard.subscriptions.inputs import (
    AddItem,
    AddPhase,
    EditOperation,
    RemoveItem,
    RemovePhase,
    StretchPhase,
    UnscheduleEdit,
)

Json = dict[str, Any]

PHASES_MAX = 100
ITEMS_MAX = 1000
"""How many versions of items a phase may come to have."""


class Calendar:
    """The phases of a running subscription while they are being edited. `now` is the present, `at` when the edit takes
    effect. Raises TimingNotPossible when that is after the present phase.

    A verb that raises (EditNotPossible, EditsScheduled) may have changed a part: throw the calendar away then.
    """

    def __init__(self, phases: Sequence[Json], active_from: datetime, now: datetime, at: datetime) -> None:
        self.phases: list[Json] = [phase | {"items": [dict(item) for item in phase["items"]]} for phase in phases]
        self._active_from = active_from
        self._now = now
        self._at = at
        end = _end(next(self._from_present()))
        if end is not None and end <= at:
            raise TimingNotPossible(
                "The present phase is over by then.", remedy='Edit the subscription now: "immediate".', field="timing"
            )

    def apply(self, operation: EditOperation, card: RateCard | None) -> None:
        """Does one operation; `card` is the rate card that it adds."""
        match operation:
            case AddItem():
                assert card is not None
                self._add_item(operation.phase_key, card)
            case RemoveItem():
                self._remove_item(operation.phase_key, operation.item_key)
            case AddPhase():
                self._add_phase(operation)
            case RemovePhase():
                self._remove_phase(operation.phase_key, operation.shift)
            case StretchPhase():
                self._stretch_phase(operation.phase_key, Duration.parse(operation.extend_by))
            case UnscheduleEdit():
                self._unschedule()
            case _:
                assert_never(operation)

    def check(self) -> None:
        """Raises EditNotPossible for a phase that is too short or has nothing in it, and for too much of anything."""
        if len(self.phases) > PHASES_MAX:
            raise EditNotPossible(f"A subscription has at most {PHASES_MAX} phases.")
        for phase in self._from_present():
            start, end = _time(phase["from"]), _end(phase)
            if end is not None and (end - start).total_seconds() < SHORTEST_SECONDS:
                raise EditNotPossible(f"The phase {phase['key']} would be shorter than an hour.")
            if len(phase["items"]) > ITEMS_MAX:
                raise EditNotPossible(
                    f"The phase {phase['key']} was edited {ITEMS_MAX} times.", remedy="Change to a custom plan instead."
                )
            if not any(item["to"] is None or _time(item["to"]) > self._at for item in phase["items"]):
                raise EditNotPossible(
                    f"The phase {phase['key']} would be left without an item.",
                    remedy="Add another item to it, remove the phase, or cancel the subscription.",
                )

    def _add_item(self, phase_key: str, card: RateCard) -> None:
        phase = self._open_phase(phase_key)
        versions = [item for item in phase["items"] if item["key"] == card.key]
        start = max(_time(phase["from"]), self._at)
        self._end_version(phase, versions, start)
        kept = [item for item in phase["items"] if item["key"] == card.key]
        phase["items"].append(
            {
                "id": new_id(),
                "key": card.key,
                "version": len(kept),
                "from": start.isoformat(),
                "to": None,
                "rate_card": rate_card_to_json(card),
            }
        )

    def _remove_item(self, phase_key: str, item_key: str) -> None:
        phase = self._open_phase(phase_key)
        versions = [item for item in phase["items"] if item["key"] == item_key]
        start = max(_time(phase["from"]), self._at)
        if not self._end_version(phase, versions, start):
            raise EditNotPossible(f"The phase {phase_key} has no item {item_key!r} then.")

    def _end_version(self, phase: Json, versions: Sequence[Json], at: datetime) -> bool:
        """Ends what is in effect at `at`; one that would begin just then goes. False when there is none."""
        if any(_time(item["from"]) > at for item in versions):
            raise EditsScheduled(f"A change of {versions[0]['key']} is scheduled for later.")
        running = next((item for item in versions if item["to"] is None or _time(item["to"]) > at), None)
        if running is None:
            return False
        if running["to"] is not None:
            raise EditsScheduled(f"{running['key']} is about to end.")
        if _time(running["from"]) == at:
            phase["items"].remove(running)
        else:
            running["to"] = at.isoformat()
        return True

    def _add_phase(self, wanted: AddPhase) -> None:
        if any(phase["key"] == wanted.key for phase in self.phases):
            raise EditNotPossible(f"There already is a phase {wanted.key}.")
        start = Duration.parse(wanted.start_after or "PT0S").added_to(self._active_from)
        if start <= self._at:
            raise EditNotPossible("A new phase has to begin later than the edit takes effect.")
        before = [phase for phase in self.phases if _time(phase["from"]) < start]
        after = self.phases[len(before) :]
        if after and wanted.duration is None:
            raise EditNotPossible("Say how long the phase lasts: another one follows it.")
        if not after and wanted.duration is not None:
            raise EditNotPossible("The last phase runs on; it has no duration.")
        if _end(before[-1]) != start:
            self._set_end(before[-1], start)
        made = {
            "id": new_id(),
            "key": wanted.key,
            "name": wanted.name,
            "description": wanted.description,
            "duration": wanted.duration,
            "from": start.isoformat(),
            "to": None,
            "items": [],
        }
        self.phases = [*before, made, *after]
        self._lay_out(len(before))

    def _remove_phase(self, phase_key: str, shift: str) -> None:
        phase = self._open_phase(phase_key)
        number = self.phases.index(phase)
        if _time(phase["from"]) <= self._at:
            raise EditNotPossible(f"The phase {phase_key} has begun by then.", remedy="Remove its items, or cancel.")
        if shift == "next" and number == len(self.phases) - 1:
            raise EditNotPossible(
                f"No phase follows {phase_key}.", remedy='Let the one before it run on: shift "prev".'
            )
        del self.phases[number]
        if shift == "prev":
            previous, end = self.phases[number - 1], _end(phase)
            if end is None:
                previous["duration"] = previous["to"] = None
            else:
                self._set_end(previous, end, longer_by=phase["duration"])
        self._lay_out(number)

    def _stretch_phase(self, phase_key: str, by: Duration) -> None:
        phase = self._open_phase(phase_key)
        end = _end(phase)
        if end is None:
            raise EditNotPossible(f"The phase {phase_key} runs on; there is nothing to stretch.")
        end = by.added_to(end)
        if end <= max(self._at, _time(phase["from"])):
            raise EditNotPossible(f"The phase {phase_key} would be over before the edit takes effect.")
        self._set_end(phase, end, longer_by=str(by))
        self._lay_out(self.phases.index(phase) + 1)

    def _unschedule(self) -> None:
        phase = next(self._from_present())
        now = self._now
        phase["items"] = [item for item in phase["items"] if _time(item["from"]) <= now]
        for item in phase["items"]:
            if item["to"] is not None and _time(item["to"]) > now:
                item["to"] = None

    def _set_end(self, phase: Json, end: datetime, *, longer_by: str | None = None) -> None:
        """Lets a phase end then. Its length stays one of calendar months where it was and became longer by such."""
        if any(_time(moment) >= end for item in phase["items"] for moment in (item["from"], item["to"]) if moment):
            raise EditsScheduled(f"A change in the phase {phase['key']} is scheduled for after its new end.")
        start = _time(phase["from"])
        duration = None if longer_by is None else _together(phase["duration"], longer_by)
        if duration is None or duration.added_to(start) != end:
            duration = Duration(seconds=Decimal(str((end - start).total_seconds())))
        phase["duration"], phase["to"] = str(duration), end.isoformat()

    def _lay_out(self, first: int) -> None:
        """Lets the phases from number `first` on follow one another; none of them has begun."""
        for number in range(first, len(self.phases)):
            phase = self.phases[number]
            start, duration = self.phases[number - 1]["to"], phase["duration"]
            phase["from"] = start
            phase["to"] = None if duration is None else Duration.parse(duration).added_to(_time(start)).isoformat()
            for item in phase["items"]:
                item["from"] = start

    def _open_phase(self, key: str) -> Json:
        """The phase, unless it is over when the edit takes effect."""
        found = next((phase for phase in self.phases if phase["key"] == key), None)
        if found is None:
            raise EditNotPossible(f"There is no phase {key!r}.")
        end = _end(found)
        if end is not None and end <= self._at:
            raise EditNotPossible(f"The phase {key} is over then.")
        return found

    def _from_present(self) -> Iterator[Json]:
        for phase in self.phases:
            end = _end(phase)
            if end is None or end > self._now:
                yield phase


def _together(one: str | None, other: str) -> Duration | None:
    """Two durations as one; None when they run in different directions, or one has no end."""
    if one is None:
        return None
    first, second = Duration.parse(one), Duration.parse(other)
    return first.plus(second) if first.is_negative == second.is_negative else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _end(phase: Json) -> datetime | None:
    return None if phase["to"] is None else _time(phase["to"])
