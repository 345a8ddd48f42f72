"""Whether the names the demo company wants are free: nothing of somebody's own is ever taken for the demo's."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.catalog.features import features_by_key
from dashboard.catalog.plans import list_plans
from dashboard.catalog.tax_codes import list_tax_codes
from dashboard.customers.queries import customers_by_id, customers_of_subjects
from dashboard.kit.errors import Conflict
from dashboard.kit.paging import PageRequest
from dashboard.seed.company import CUSTOMERS, DEMO, FEATURES, METERS, PLANS, TAX_CODES
from dashboard.seed.report import Seeding
from dashboard.usage.queries import live_meters


class NamesTaken(Conflict):
    code = "demo_names_taken"
    remedy = "Seed an installation of its own: name another data directory with METERDESK_DATA_DIR."


async def check_names_free(seeding: Seeding) -> None:
    """Nothing if every key is free or the demo company's already. Raises NamesTaken before anything is made."""
    async with seeding.backend.database.read() as session:
        taken = await _taken(session, seeding)
    if taken:
        raise NamesTaken(f"Some names of the demo company are in use here: {', '.join(taken)}.")


async def _taken(session: AsyncSession, seeding: Seeding) -> list[str]:
    now, many = seeding.backend.database.clock.now(), PageRequest(1, 1000)
    names = [name for demo in CUSTOMERS for name in (demo.key, f"{demo.key}-api")]
    owners = await customers_of_subjects(session, names)
    customers = await customers_by_id(session, owners.values())
    features = await features_by_key(session, [wanted.key for wanted in FEATURES])
    plans = await list_plans(session, many, now=now, keys=[wanted.key for wanted in PLANS])
    kinds = (
        ("customer", {name: customers[owner].metadata for name, owner in owners.items()}, names),
        ("meter", {one.key: one.metadata for one in await live_meters(session)}, _keys(METERS)),
        ("feature", {key: one.metadata for key, one in features.items() if one.archived_at is None}, _keys(FEATURES)),
        ("plan", {one.key: one.metadata for one in plans.items}, _keys(PLANS)),
        ("tax code", {one.key: one.metadata for one in (await list_tax_codes(session, many)).items}, _keys(TAX_CODES)),
    )
    return [f"{kind} {key}" for kind, there, wanted in kinds for key in wanted if _is_foreign(there, key)]


def _keys(wanted: Any) -> list[str]:
    return [one.key for one in wanted]


def _is_foreign(there: Mapping[str, Mapping[str, str]], key: str) -> bool:
    return key in there and there[key] != DEMO
