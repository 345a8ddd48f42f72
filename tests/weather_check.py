"""After the storm: are our books Stripe's, is there one of each, does everything rest?"""

from collections import Counter, defaultdict
from typing import Any

from dashboard.billing.queries import stuck_invoices
from dashboard.billing.views import Invoice
from dashboard.kit.money import to_minor
from dashboard.stripe_app.reconcile import reconcile_app
from dashboard.stripe_app.views import EventState
from tests.stripe_house import House, contract_breaches
from tests.weather_kinds import Story

Json = dict[str, Any]
DISTURBED = (0, 409, 429, 500, 503)
"""How a struck call ended: cut (0), or refused as Stripe does when it is not our fault."""


def disturbed_share(exchanges: list[Json]) -> tuple[int, float]:
    """How many calls there were, and how many of them a fault disturbed."""
    disturbed = sum(one["status"] in DISTURBED for one in exchanges)
    return len(exchanges), disturbed / max(1, len(exchanges))


async def is_over(house: House, stories: list[Story]) -> bool:
    """Whether everything has come to where it ends."""
    if any(story.to_do for story in stories) or house.jobs.waiting:
        return False
    return all([(await house.read(story.invoice_id)).status is story.kind.ends[1] for story in stories])


async def wrongs(house: House, app_id: str, stories: list[Story]) -> list[str]:
    """A sentence for everything that is not as it should be."""
    found = [f"“{story.kind.name}” {story.invoice_id}: nobody could finish" for story in stories if story.to_do]
    theirs: dict[str, list[Json]] = defaultdict(list)
    for one in await _all(house, "/v1/invoices"):
        theirs[one["metadata"].get("meterdesk_invoice_id", "somebody else's")].append(one)
    charges = Counter()
    for charge in await _all(house, "/v1/charges"):
        if charge["status"] == "succeeded":
            charges[charge["payment_intent"]] += 1
    for story in stories:
        ours = await house.read(story.invoice_id)
        name = f"“{story.kind.name}” {ours.number} ({ours.id})"
        found += [f"{name}: {wrong}" for wrong in _about(story, ours, theirs.pop(story.invoice_id, []))]
    found += [f"Stripe has {len(left)} invoices of {ours}, which we do not know" for ours, left in theirs.items()]
    found += [f"{intent} was charged {count} times" for intent, count in charges.items() if count > 1]
    found += await _doubles(house)
    found += await _restless(house, app_id)
    # Every tenth request is held against Stripe's contract here, all of them where they are made in quiet.
    return found + contract_breaches((await house.exchanges())[::10])


def _about(story: Story, ours: Invoice, theirs: list[Json]) -> list[str]:
    status, our_status = story.kind.ends
    found = [f"is {ours.status.value}, not {our_status.value}: {ours.issues}"] if ours.status is not our_status else []
    if status is None:
        return found + ([f"is still there: {[one['id'] for one in theirs]}"] if theirs else [])
    if len(theirs) != 1 or ours.external is None:
        return [*found, f"Stripe has it {len(theirs)} times, we know of {ours.external}"]
    (invoice,) = theirs
    ids = [line["metadata"]["meterdesk_line_id"] for line in invoice["lines"]["data"]]
    pairs = {
        "id": (ours.external.id, invoice["id"]),
        "status": (status, invoice["status"]),
        "known status": (ours.external.status, invoice["status"]),
        "number": (ours.number, invoice["number"]),
        "subtotal": (to_minor(story.subtotal, story.currency), invoice["subtotal"]),
        "total": (to_minor(ours.totals.total, story.currency), invoice["total"]),
        "paid": (_minor(ours.external.amount_paid, story), invoice["amount_paid"]),
        "remaining": (_minor(ours.external.amount_remaining, story), invoice["amount_remaining"]),
        "tax": (story.kind.taxed, bool(invoice["total"] - invoice["subtotal"])),
        "lines": (
            sorted(to_minor(line.totals.total, story.currency) for line in ours.lines),
            sorted(line["amount"] for line in invoice["lines"]["data"]),
        ),
        "doubled lines": (0, len(ids) - len(set(ids))),
    }
    return found + [f"{what} is {a} here and {b} in Stripe" for what, (a, b) in pairs.items() if a != b]


def _minor(amount: Any, story: Story) -> int | None:
    return None if amount is None else to_minor(amount, story.currency)


async def _doubles(house: House) -> list[str]:
    """Customers, products and webhook endpoints are made once, however often it had to be tried."""
    found = []
    customers = Counter(one["metadata"]["meterdesk_customer_id"] for one in await _all(house, "/v1/customers"))
    products = Counter(one["metadata"]["meterdesk_product"] for one in await _all(house, "/v1/products"))
    for kind, counted in (("customer", customers), ("product", products)):
        found += [f"the {kind} {ours} was made {times} times" for ours, times in counted.items() if times > 1]
    return found


async def _restless(house: House, app_id: str) -> list[str]:
    """What still waits, failed, or differs from what the daily comparison reads."""
    async with house.database.read() as session:
        stuck = await stuck_invoices(session, house.clock.now())
    found = [f"stuck: {one}" for one in stuck]
    settled = (EventState.APPLIED, EventState.IGNORED)
    found += [
        f"a letter is {one.state.value}: {one.type}, {one.attempts} times, {one.reason}"
        for one in await house.inbox()
        if one.state not in settled
    ]
    found += [f"the comparison found {one}" for one in (await reconcile_app(house.desk, app_id)).differences]
    return found


async def _all(house: House, path: str) -> list[Json]:
    found: list[Json] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = await house.stripe("GET", path, limit="100", **after)
        found += page["data"]
        if not page["has_more"]:
            return found
