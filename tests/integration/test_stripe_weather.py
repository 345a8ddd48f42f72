"""Many invoices in bad weather: calls that fail in every way, letters shuffled, doubled, dropped. Nothing is lost."""

import os
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from dashboard.billing import jobs as billing_jobs
from dashboard.billing.views import InvoiceStatus
from dashboard.kit.database import SYSTEM
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app import customer_link
from dashboard.stripe_app.apply import retry_waiting_events
from dashboard.stripe_app.events_cursor import poll_app
from dashboard.stripe_app.inbox import file_events, get_event
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.stripe_app.reconcile import reconcile_app
from tests.cast import draft_for, make_profile
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SEEDS = [int(seed) for seed in os.environ.get("WEATHER_SEEDS", "1,2").split(",")]
INVOICES = int(os.environ.get("WEATHER_INVOICES", "12"))
WEATHER = (
    "rate_limit", "lock_timeout", "error_500_before", "error_500_after", "unavailable", "cut_before", "cut_after",
)  # fmt: skip


async def bring_customers(house: House, app_id: str) -> list[Any]:
    async with house.database.transaction(ADA) as work:
        await make_profile(work, app_id=app_id, collection_interval="PT0S", tax_enabled=False)
    customers = []
    for number in range(INVOICES):
        customer = await house.customer(f"Customer {number}", currency="USD")
        card = "pm_card_chargeCustomerFail" if number % 4 == 3 else "pm_card_visa"
        made = await house.stripe("POST", "/v1/customers", {"name": customer.name, "email": "pay@acme.example.com"})
        method = await house.stripe("POST", f"/v1/payment_methods/{card}/attach", {"customer": made["id"]})
        request = LinkStripeCustomer(
            customer_id=customer.id, stripe_customer_id=made["id"], default_payment_method_id=method["id"]
        )
        await customer_link.link_stripe_customer(house.desk, ADA, request)
        customers.append(customer)
    return customers


async def one_round(house: House, app_id: str, chance: random.Random, *, calm: bool) -> None:
    """What the worker does in half a minute; in bad weather half of the letters are dropped, some come twice."""
    with suppress(MeterdeskError):
        if calm or chance.random() < 0.5:
            await poll_app(house.desk, app_id)
    if not calm:
        seen = await house.inbox()
        doubled = [event for event in seen if chance.random() < 0.1]
        chance.shuffle(doubled)
        async with house.database.transaction(SYSTEM) as work:
            letters = [
                {**(await _payload(work, event)), "id": f"{event.event_id}x{chance.random()}"} for event in doubled
            ]
            await file_events(work, app_id, letters, via="webhook")
    waiting = list(house.jobs.waiting.items())
    chance.shuffle(waiting)
    house.jobs.waiting = dict(waiting)
    await house.work_off()
    house.clock.advance(timedelta(seconds=31 if not calm else 600))
    await billing_jobs.sweep(house.billing)
    await retry_waiting_events(house.desk)
    await house.work_off()


async def _payload(work: Any, event: Any) -> dict[str, Any]:
    return (await get_event(work.session, event.id)).payload


@pytest.mark.parametrize("seed", SEEDS)
async def test_after_the_storm_every_invoice_is_as_stripe_has_it_and_there_is_one_of_each(house, seed):
    chance = random.Random(seed)
    app = await house.install()
    customers = await bring_customers(house, app.id)
    for effect in WEATHER:
        await house.fault(effect=effect, path="/v1/invoices", times=0, probability=0.04)
        await house.fault(effect=effect, path="/v1/events", times=0, probability=0.02)
    drafts = [await draft_for(house.database, one, "12.34", str(number + 1)) for number, one in enumerate(customers)]
    for _ in range(10):
        await one_round(house, app.id, chance, calm=False)
    disturbed = [one for one in await house.exchanges() if one["status"] >= 400]
    await house.clear_faults()
    for _ in range(8):
        await one_round(house, app.id, chance, calm=True)
    await reconcile_app(house.desk, app.id)
    everyone = (await house.stripe("GET", "/v1/invoices", limit="100"))["data"]
    assert len(everyone) == INVOICES
    assert len(disturbed) > INVOICES / 2
    by_ours = {one["metadata"]["meterdesk_invoice_id"]: one for one in everyone}
    for number, draft in enumerate(drafts):
        ours, theirs = await house.read(draft.id), by_ours[draft.id]
        assert ours.external is not None
        assert ours.external.id == theirs["id"]
        assert theirs["subtotal"] == 1234 + (number + 1) * 100
        assert theirs["status"] == ours.external.status == ("open" if number % 4 == 3 else "paid")
        assert ours.status is (InvoiceStatus.PAYMENT_FAILED if number % 4 == 3 else InvoiceStatus.PAID)
        lines = await house.stripe("GET", f"/v1/invoices/{theirs['id']}/lines")
        assert len(lines["data"]) == 2
    charges = (await house.stripe("GET", "/v1/charges", limit="100"))["data"]
    assert len([one for one in charges if one["status"] == "succeeded"]) == INVOICES - INVOICES // 4
