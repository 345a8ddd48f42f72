"""A plan in the calendar, and back from its stored form."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboard.catalog.plan_json import rate_card_from_json, rate_card_to_json
from dashboard.catalog.plan_views import Phase
from dashboard.kit.calendar import Duration, Period, Recurrence
from dashboard.kit.ids import new_id
from dashboard.subscriptions.errors import TimingNotPossible
from dashboard.subscriptions.views import SubscriptionItem, SubscriptionPhase

Json = dict[str, Any]


def scheduled(phases: Sequence[Phase], start: datetime, starting_phase: str | None) -> list[Json]:
    """The phases as they fall from `start` on, beginning with `starting_phase`. Raises TimingNotPossible."""
    keys = [phase.key for phase in phases]
    if starting_phase is not None and starting_phase not in keys:
        raise TimingNotPossible(f"The plan has no phase {starting_phase!r}.", field="starting_phase")
    wanted = phases[keys.index(starting_phase) if starting_phase else 0 :]
    documents: list[Json] = []
    for phase in wanted:
        end = None if phase.duration is None else Duration.parse(phase.duration).added_to(start)
        documents.append(
            {
                "id": new_id(),
                "key": phase.key,
                "name": phase.name,
                "description": phase.description,
                "duration": phase.duration,
                "from": start.isoformat(),
                "to": None if end is None else end.isoformat(),
                "items": [
                    {
                        "id": new_id(),
                        "key": card.key,
                        "version": 0,
                        "from": start.isoformat(),
                        "to": None,
                        "rate_card": rate_card_to_json(card),
                    }
                    for card in phase.rate_cards
                ],
            }
        )
        if end is not None:
            start = end
    return documents


def phases_from(documents: Sequence[Json], active_to: datetime | None) -> tuple[SubscriptionPhase, ...]:
    """The stored phases; none ends later than the subscription."""
    return tuple(_phase(document, active_to) for document in documents)


def billing_period_at(anchor: datetime, cadence: str, at: datetime) -> Period:
    """The billing period that contains `at`."""
    return Recurrence(Duration.parse(cadence), anchor).period_at(at)


def _phase(document: Json, active_to: datetime | None) -> SubscriptionPhase:
    end = _earliest(_moment(document["to"]), active_to)
    return SubscriptionPhase(
        id=document["id"],
        key=document["key"],
        name=document["name"],
        description=document.get("description"),
        active_from=datetime.fromisoformat(document["from"]),
        active_to=end,
        items=tuple(_item(item, end) for item in document["items"]),
    )


def _item(document: Json, phase_end: datetime | None) -> SubscriptionItem:
    return SubscriptionItem(
        id=document["id"],
        key=document["key"],
        version=document["version"],
        rate_card=rate_card_from_json(document["rate_card"]),
        active_from=datetime.fromisoformat(document["from"]),
        active_to=_earliest(_moment(document["to"]), phase_end),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
