"""Changes of a draft, one at a time: read the version, change its document, write it back, in one transaction."""

from collections.abc import Callable
from typing import Any

from dashboard.backend import running
from dashboard.catalog.plan_inputs import UpdatePlan
from dashboard.catalog.plan_json import phase_to_json
from dashboard.catalog.plan_views import Plan
from dashboard.catalog.plans import get_plan, update_plan
from dashboard.kit.database import Actor
from dashboard.kit.errors import Conflict
from dashboard.kit.inputs import parse_input

Json = dict[str, Any]


class PlanMovedOn(Conflict):
    code = "plan_moved_on"
    remedy = "Look at the plan as it is now, and try again."


async def edit_plan(actor: Actor, plan_id: str, change: Callable[[Json], None]) -> Plan:
    """Applies `change` to the document of a draft. Raises what `update_plan` raises, and what `change` does."""
    backend = running()
    async with backend.database.transaction(actor) as work:
        plan = await get_plan(work.session, plan_id, now=work.now)
        document = document_of_plan(plan)
        change(document)
        return await update_plan(work, plan.id, parse_input(UpdatePlan, document))


def document_of_plan(plan: Plan) -> Json:
    """The version as `UpdatePlan` takes it."""
    return {
        "name": plan.name,
        "description": plan.description,
        "billing_cadence": plan.billing_cadence,
        "pro_rating_enabled": plan.pro_rating_enabled,
        "settlement_mode": plan.settlement_mode,
        "metadata": plan.metadata,
        "phases": [phase_to_json(phase) for phase in plan.phases],
    }


def phase_at(document: Json, place: str, key: str) -> int:
    """The number of the phase that was shown at `place` under this key. Raises PlanMovedOn when it is gone."""
    return _found(document["phases"], place, key, "phase")


def card_at(document: Json, place: str, key: str) -> tuple[int, int]:
    """The numbers of phase and rate card shown at `place` under this key. Raises PlanMovedOn when it is gone."""
    phase, _, card = place.partition(".")
    if not phase.isdecimal() or int(phase) >= len(document["phases"]):
        raise PlanMovedOn("Somebody removed this phase meanwhile.")
    return int(phase), _found(document["phases"][int(phase)]["rate_cards"], card, key, "rate card")


def _found(entries: list[Json], place: str, key: str, what: str) -> int:
    if not place.isdecimal() or int(place) >= len(entries) or entries[int(place)]["key"] != key:
        raise PlanMovedOn(f"Somebody changed or removed this {what} meanwhile.")
    return int(place)
