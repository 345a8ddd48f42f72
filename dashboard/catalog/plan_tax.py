"""Which plans tax something with a tax code: asked before the code goes, and of subscriptions made from those plans."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, String, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.plan_json import Json
from dashboard.catalog.plan_tables import PlanRow


async def rate_cards_using_tax_code(session: AsyncSession, tax_code_id: str) -> list[str]:
    """Names of the rate cards with this tax code, of plan versions that can still be published or subscribed to."""
    # Archiving writes down the moment as the end; an end that was set for later still lets people subscribe.
    open_ended = or_(col(PlanRow.effective_to).is_(None), col(PlanRow.effective_to) > col(PlanRow.updated_at))
    statement = (
        select(PlanRow)
        .where(col(PlanRow.deleted_at).is_(None), open_ended, _mentions(tax_code_id))
        .order_by(col(PlanRow.key), col(PlanRow.version))
    )
    return [
        f"rate card “{name}” of plan {plan.name} (version {plan.version})"
        for plan in await session.scalars(statement)
        for name in rate_cards_with(plan.phases, "rate_cards", tax_code_id)
    ]


async def plan_versions_using_tax_code(session: AsyncSession, tax_code_id: str) -> list[str]:
    """Ids of all versions with this tax code, archived and deleted ones too: subscriptions are copies of them."""
    return list(await session.scalars(select(col(PlanRow.id)).where(_mentions(tax_code_id))))


def rate_cards_with(phases: Sequence[Json], name: str, tax_code_id: str) -> Iterator[str]:
    """Names of the rate cards with this tax code; `name` is where a phase keeps them."""
    for phase in phases:
        for document in phase[name]:
            card = document.get("rate_card", document)
            if (card.get("tax") or {}).get("tax_code_id") == tax_code_id:
                yield card["name"]


def _mentions(tax_code_id: str) -> ColumnElement[bool]:
    return cast(PlanRow.phases, String).contains(tax_code_id, autoescape=True)
