"""Stripe promises no order: every permutation of what it tells of one invoice ends in the state Stripe has."""

import itertools
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from dashboard.billing.tables import InvoiceRow, IssueRow, TransitionRow
from dashboard.billing.views import CollectionMethod, InvoiceStatus
from dashboard.kit.database import SYSTEM
from dashboard.stripe_app.inbox import file_events
from dashboard.stripe_app.tables import StripeEventRow, StripeInvoiceRow
from dashboard.stripe_app.views import EventState
from tests.integration.test_stripe_amounts import Desk, open_desk
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

S = InvoiceStatus
CARD, BAD_CARD = "pm_card_visa", "pm_card_chargeCustomerFail"
OUT_OF_BAND = {"paid_out_of_band": "true"}

STORIES: dict[str, tuple[list[tuple[str, dict[str, str]]], InvoiceStatus]] = {
    "a charge": ([("pay", {"payment_method": CARD})], S.PAID),
    "a decline, then paid": ([("pay", {"payment_method": BAD_CARD}), ("pay", {"payment_method": CARD})], S.PAID),
    "a void": ([("void", {})], S.VOIDED),
    "uncollectible, then paid": ([("mark_uncollectible", {}), ("pay", OUT_OF_BAND)], S.PAID),
    "uncollectible, then void": ([("mark_uncollectible", {}), ("void", {})], S.VOIDED),
}
NOT_TOLD = ("invoice.created", "invoice.updated", "invoice.sent")
ALL_OF = 5
"""Of so many letters every permutation is tried; of more, each turned and mirrored."""
TWICE = 10
"""In one order of so many, a letter comes twice."""


# A hundred and twenty orders of five letters, each letter applied by reading over HTTP.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", STORIES)
async def test_every_order_of_letters_ends_in_the_state_stripe_has(house, story):
    steps, end = STORIES[story]
    desk = await open_desk(house, collection_method=CollectionMethod.SEND_INVOICE)
    invoice = await desk.bill("10.00")
    before = await remembered(house, invoice.id)
    assert invoice.external is not None
    for verb, data in steps:
        await play(desk, f"/v1/invoices/{invoice.external.id}/{verb}", data)
    told = await letters(house)
    assert len(told) >= 2
    last: dict[str, Any] = {}
    for number, order in enumerate(orders(told)):
        # Each order begins where nobody had told anything yet.
        await restore(house, before)
        again = [*order, order[0]] if number % TWICE == 0 else list(order)
        for place, one in enumerate(again):
            async with house.database.transaction(SYSTEM) as work:
                await file_events(work, desk.app_id, [{**one, "id": f"{one['id']}_{number}_{place}"}], via="webhook")
            await house.work_off()
        after = await house.read(invoice.id)
        names = [one["type"] for one in again]
        assert after.status is end, names
        assert {event.state for event in await house.inbox(invoice_id=invoice.id)} == {EventState.APPLIED}, names
        figures = (after.paid_at, after.voided_at, after.totals, after.external, after.issues)
        assert last.setdefault("figures", figures) == figures, names


def orders(told: list[dict[str, Any]]) -> list[tuple[dict[str, Any], ...]]:
    if len(told) <= ALL_OF:
        return list(itertools.permutations(told))
    turned = [tuple(told[at:] + told[:at]) for at in range(len(told))]
    return [*turned, *(tuple(reversed(one)) for one in turned)]


async def letters(house: House) -> list[dict[str, Any]]:
    """What Stripe told of the invoice since it was issued; of equal kinds the last, since all are read the same."""
    events = (await house.stripe("GET", "/v1/events", limit="100"))["data"]
    about = {"invoice", "invoice_payment"}
    kinds: dict[str, dict[str, Any]] = {}
    for one in events:
        if one["data"]["object"].get("object") in about and one["type"] not in NOT_TOLD:
            kinds.setdefault(one["type"], one)
    return list(kinds.values())


async def play(desk: Desk, path: str, data: dict[str, str]) -> None:
    """Somebody does it at Stripe; a declined card is refused there."""
    if "payment_method" in data:
        attach = f"/v1/payment_methods/{data['payment_method']}/attach"
        card = await desk.house.stripe("POST", attach, {"customer": desk.stripe_customer_id})
        data = {"payment_method": card["id"]}
    answer = await desk.house.sandbox.post(
        path, data=data, headers={"Authorization": f"Bearer {desk.house.key}", "Stripe-Version": "2026-10-28.endive"}
    )
    assert answer.status_code in (200, 402), answer.text


async def remembered(house: House, invoice_id: str) -> dict[Any, list[dict[str, Any]]]:
    """Everything we know of the invoice now."""
    async with house.database.read() as session:
        found: dict[Any, list[dict[str, Any]]] = {}
        for row, key in ((InvoiceRow, "id"), (StripeInvoiceRow, "invoice_id"), (IssueRow, "invoice_id")):
            rows = await session.execute(
                select(*row.__table__.columns).where(row.__table__.c[key] == invoice_id)  # pyright: ignore
            )
            found[row] = [dict(one._mapping) for one in rows]
        return found


async def restore(house: House, known: dict[Any, list[dict[str, Any]]]) -> None:
    """As if nothing had been told."""
    async with house.database.transaction(ADA) as work:
        invoice_id = known[InvoiceRow][0]["id"]
        for row, key in ((InvoiceRow, "id"), (StripeInvoiceRow, "invoice_id")):
            table = row.__table__  # pyright: ignore[reportAttributeAccessIssue]
            await work.session.execute(update(table).where(table.c[key] == invoice_id).values(known[row][0]))
        issues = IssueRow.__table__  # pyright: ignore[reportAttributeAccessIssue]
        await work.session.execute(delete(issues).where(issues.c.invoice_id == invoice_id))
        if known[IssueRow]:
            await work.session.execute(insert(issues), known[IssueRow])
        await work.session.execute(delete(StripeEventRow))
        await work.session.execute(delete(TransitionRow))
