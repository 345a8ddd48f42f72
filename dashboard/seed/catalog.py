"""The demo company's tax codes, meters, features and plans, and what its customers used."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from dashboard.catalog.errors import TaxCodeKeyTaken
from dashboard.catalog.features import create_feature
from dashboard.catalog.plan_errors import FeatureKeyTaken, PlanNotFound
from dashboard.catalog.plan_inputs import CreatePlan, TaxInput
from dashboard.catalog.plans import create_plan, get_plan, publish_plan
from dashboard.catalog.status import PlanStatus
from dashboard.catalog.tax_codes import create_tax_code, ensure_tax_defaults, get_tax_code
from dashboard.kit.database import Work
from dashboard.seed.company import CUSTOMERS, EVENTS_PER_DAY, FEATURES, METERS, PLANS, TAX_CODES, USAGE_DAYS
from dashboard.seed.report import SEED, Seeding
from dashboard.usage.errors import MeterKeyTaken
from dashboard.usage.service import create_meter, ingest_events
from dashboard.usage.views import UsageEvent

SOURCE = "meterdesk-demo"
REGIONS = ("eu-central", "us-east", "us-west")
BATCH = 1000


async def make_catalog(seeding: Seeding) -> None:
    """Tax codes, meters, features, and plans that are published."""
    backend = seeding.backend
    made = 0
    for tax_code in TAX_CODES:
        try:
            async with backend.database.transaction(SEED) as work:
                await ensure_tax_defaults(work)
                await create_tax_code(work, tax_code)
            made += 1
        except TaxCodeKeyTaken:
            continue
    seeding.tell("Tax codes", made, len(TAX_CODES))
    made = 0
    for meter in METERS:
        try:
            await create_meter(backend.database, backend.event_store, SEED, meter)
            made += 1
        except MeterKeyTaken:
            continue
    seeding.tell("Meters", made, len(METERS))
    made = 0
    for feature in FEATURES:
        try:
            async with backend.database.transaction(SEED) as work:
                await create_feature(work, feature)
            made += 1
        except FeatureKeyTaken:
            continue
    seeding.tell("Features", made, len(FEATURES))
    async with backend.database.transaction(SEED) as work:
        made = sum([await _publish(work, number) for number in range(len(PLANS))])
    seeding.tell("Published plans", made, len(PLANS))


async def _publish(work: Work, number: int) -> bool:
    """Makes and publishes a plan; false when a version of it is in effect."""
    wanted = await _taxed(work, PLANS[number])
    try:
        found = await get_plan(work.session, wanted.key, now=work.now)
    except PlanNotFound:
        found = None
    if found is not None and found.status is PlanStatus.ACTIVE:
        return False
    if found is None or found.status is not PlanStatus.DRAFT:
        found = await create_plan(work, wanted)
    await publish_plan(work, found.id)
    return True


async def _taxed(work: Work, plan: CreatePlan) -> CreatePlan:
    """The plan with the demo's tax code on every rate card."""
    tax = TaxInput(tax_code_id=(await get_tax_code(work.session, TAX_CODES[0].key)).id)
    phases = [
        phase.model_copy(
            update={"rate_cards": tuple(card.model_copy(update={"tax": tax}) for card in phase.rate_cards)}
        )
        for phase in plan.phases
    ]
    return plan.model_copy(update={"phases": tuple(phases)})


async def make_usage(seeding: Seeding) -> None:
    """Usage events of the last 90 whole days. Each has a fixed id: a later run only adds the days since."""
    events = sorted(usage_events(seeding.backend.database.clock.now()), key=lambda event: event.time)
    new = 0
    for start in range(0, len(events), BATCH):
        new += await ingest_events(seeding.backend.database, seeding.backend.event_store, events[start : start + BATCH])
    seeding.tell(f"Usage events of {USAGE_DAYS} days", new, len(events))


def usage_events(now: datetime) -> Iterator[UsageEvent]:
    """What the demo customers did: the same amount each day, at times and places of chance."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for customer in CUSTOMERS:
        for day in range(1, USAGE_DAYS + 1) if customer.calls else ():
            start = today - timedelta(days=day)
            chance = random.Random(f"{customer.key} {start:%F}")
            for number in range(EVENTS_PER_DAY):
                region = chance.choice(REGIONS)
                yield UsageEvent(
                    id=f"{customer.key}-{start:%F}-{number}",
                    source=SOURCE,
                    type="api.usage",
                    subject=f"{customer.key}-api",
                    time=start + timedelta(seconds=chance.randrange(24 * 3600)),
                    data_json=f'{{"calls": {customer.calls}, "gigabytes": 2, "region": "{region}"}}',
                )
