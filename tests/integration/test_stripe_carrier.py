"""Who applies letters, and when: at once, side by side, each once, whoever else does the same; on both databases."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col
from stripe import WebhookSignature

from dashboard.kit.crypto import SecretBox
from dashboard.kit.database import STRIPE, SYSTEM, Database
from dashboard.kit.ids import new_id
from dashboard.kit.locks import Locks
from dashboard.stripe_app import apply, letter_carrier
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway import Gateways
from dashboard.stripe_app.inbox import POLL, due_letters, file_events
from dashboard.stripe_app.letter_carrier import LetterCarrier
from dashboard.stripe_app.letters import Letter, Outcome, applied, not_yet
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow

SECRET = "whsec_of_the_test"
Handler = Callable[[Letter], Awaitable[Outcome]]


@asynccontextmanager
async def desk_on(database_url: str, clock: Any) -> AsyncIterator[StripeDesk]:
    """A desk as one process has it, with connections and locks of its own."""
    async with AsyncExitStack() as closing:
        database = Database(database_url, clock=clock)
        closing.push_async_callback(database.close)
        gateways = Gateways(sandbox_url="http://127.0.0.1:9")
        closing.push_async_callback(gateways.close)
        locks = Locks(database)
        closing.push_async_callback(locks.close)
        desk = StripeDesk(database, SecretBox("a secret key"), gateways, locks=locks)
        closing.push_async_callback(desk.letterbox.close)
        yield desk


@pytest.fixture
async def desk(database_url, clock):
    async with desk_on(database_url, clock) as made:
        yield made


@pytest.fixture
async def app_id(desk):
    now = desk.database.clock.now()
    row = StripeAppRow(
        id=new_id(), name="Acme", account_id="acct_1", account_name="Acme", livemode=False, state="ready",
        masked_key="sk_…1", sealed_key=desk.secrets.seal("sk_test_sandbox_1"), delivery="webhook",
        sealed_webhook_secret=desk.secrets.seal(SECRET), cursor_at=now, cursor_floor=now, next_poll_at=now,
        created_at=now, updated_at=now,
    )  # fmt: skip
    async with desk.database.transaction(SYSTEM) as work:
        work.session.add(row)
    return row.id


@pytest.fixture
def handle(monkeypatch):
    """Has letters of the type `customer.updated` handled by a function of the test's own."""

    def handle_by(handler: Handler) -> None:
        monkeypatch.setattr(apply, "HANDLERS", {**apply.HANDLERS, "customer.updated": handler})

    return handle_by


@pytest.fixture
def seldom(monkeypatch):
    """No look by itself: only news wakes a carrier."""
    monkeypatch.setattr(letter_carrier, "LOOK_SECONDS", 3600)


def letter(event_id: str, about: str | None = None, **carried: Any) -> dict[str, Any]:
    thing = {"id": about or f"cus_{event_id}", "object": "customer", **carried}
    return {
        "id": event_id, "object": "event", "type": "customer.updated", "created": int(time.time()), "livemode": False,
        "data": {"object": thing},
    }  # fmt: skip


async def send(desk, app_id, one):
    body = json.dumps(one)
    signature = WebhookSignature.generate_signature_header(body, SECRET)
    return await desk.letterbox.receive(app_id, body.encode(), signature)


@asynccontextmanager
async def carrying(*desks: StripeDesk) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(LetterCarrier(desk).run()) for desk in desks]
    # Each has had its first look.
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_settled(desk, *, but: int = 0):
    async with asyncio.timeout(20):
        while True:
            async with desk.database.read() as session:
                rows = list(await session.scalars(select(StripeEventRow)))
            if sum(row.settled_at is None for row in rows) <= but:
                return rows
            await asyncio.sleep(0.01)


async def test_a_letter_is_applied_at_once_and_not_only_at_the_next_look(desk, app_id, handle, seldom):
    async def done(_letter):
        return applied()

    handle(done)
    async with carrying(desk):
        await send(desk, app_id, letter("evt_1"))
        [row] = await until_settled(desk)
    assert (row.state, row.attempts) == ("applied", 1)


async def test_letters_that_were_there_before_the_start_are_applied_too(desk, app_id, handle, seldom):
    async def done(_letter):
        return applied()

    handle(done)
    for number in range(letter_carrier.AT_ONCE + 5):
        await send(desk, app_id, letter(f"evt_{number}"))
    async with carrying(desk):
        rows = await until_settled(desk)
    assert {row.state for row in rows} == {"applied"}


async def test_a_letter_that_hangs_and_one_that_breaks_hold_up_no_other(desk, app_id, handle, seldom):
    release = asyncio.Event()

    async def uneven(one):
        if one.row.event_id == "evt_hangs":
            await release.wait()
        if one.row.event_id == "evt_breaks":
            raise KeyError("status")
        return applied()

    handle(uneven)
    async with carrying(desk):
        for name in ("evt_hangs", "evt_breaks", "evt_1", "evt_2"):
            await send(desk, app_id, letter(name))
        rows = await until_settled(desk, but=2)
        assert {row.event_id for row in rows if row.state == "applied"} == {"evt_1", "evt_2"}
        release.set()
        rows = await until_settled(desk, but=1)
    assert {row.event_id: row.state for row in rows}["evt_breaks"] == "waiting"


async def test_letters_about_one_thing_are_applied_one_after_the_other_others_meanwhile(desk, app_id, handle, seldom):
    running: list[str] = []
    most: dict[str, int] = {}

    async def slow(one):
        about = one.carried["id"]
        running.append(about)
        most[about] = max(most.get(about, 0), running.count(about))
        most["all"] = max(most.get("all", 0), len(running))
        await asyncio.sleep(0.02)
        running.remove(about)
        return applied()

    handle(slow)
    async with carrying(desk):
        for number in range(12):
            await send(desk, app_id, letter(f"evt_{number}", f"cus_{number % 3}"))
        await until_settled(desk)
    together = most.pop("all")
    assert (most, together > 1) == ({"cus_0": 1, "cus_1": 1, "cus_2": 1}, True)


async def test_a_payment_is_about_its_invoice(desk, app_id):
    invoice = {**letter("evt_1", "in_1"), "type": "invoice.paid"}
    payment = {**letter("evt_2", "inpay_1", invoice="in_1"), "type": "invoice_payment.paid"}
    await send(desk, app_id, invoice)
    await send(desk, app_id, payment)
    await send(desk, app_id, letter("evt_3", "cus_1"))
    async with desk.database.read() as session:
        bundles = await due_letters(session, desk.database.clock.now())
    assert [(one.about, len(one.event_ids)) for one in bundles] == [("in_1", 2), ("cus_1", 1)]


async def test_two_workers_apply_every_letter_once(desk, app_id, handle, database_url, clock):
    counts: dict[str, int] = {}

    async def counted(one):
        await asyncio.sleep(0.005)

        async def effect(_work):
            counts[one.row.event_id] = counts.get(one.row.event_id, 0) + 1

        return applied(effect=effect)

    handle(counted)
    async with desk_on(database_url, clock) as second, carrying(desk, second):
        for number in range(40):
            await send(desk if number % 2 else second, app_id, letter(f"evt_{number}", f"cus_{number % 7}"))
        await until_settled(desk)
    assert counts == {f"evt_{number}": 1 for number in range(40)}


async def test_two_who_have_read_for_the_same_letter_write_its_effect_once(desk, app_id, handle, database_url, clock):
    # As if the lock of the first had been lost with its connection.
    both, effects = asyncio.Barrier(2), []

    async def slow(one):
        await both.wait()

        async def effect(_work):
            effects.append(one.row.event_id)
            await asyncio.sleep(0.05)

        return applied(effect=effect)

    handle(slow)
    await send(desk, app_id, letter("evt_1"))
    async with desk.database.read() as session:
        [bundle] = await due_letters(session, clock.now())
    async with desk_on(database_url, clock) as second:
        desk.locks = second.locks = None
        await asyncio.gather(apply.apply_bundle(desk, bundle), apply.apply_bundle(second, bundle))
    assert effects == ["evt_1"]


async def test_a_letter_that_had_to_wait_is_applied_when_its_time_has_come(desk, app_id, handle, clock, monkeypatch):
    monkeypatch.setattr(letter_carrier, "LOOK_SECONDS", 0.02)
    is_ready = False

    async def later(_letter):
        return applied() if is_ready else not_yet("Not written down yet.")

    handle(later)
    async with carrying(desk):
        await send(desk, app_id, letter("evt_1"))
        async with asyncio.timeout(5):
            while (await until_settled(desk, but=1))[0].state != "waiting":
                await asyncio.sleep(0.01)
        is_ready = True
        await asyncio.sleep(0.1)
        [row] = await until_settled(desk, but=1)
        assert row.state == "waiting"
        clock.advance(timedelta(seconds=5))
        [row] = await until_settled(desk)
    assert (row.state, row.attempts) == ("applied", 2)


async def test_letters_that_come_together_are_filed_together_and_each_knows_whether_it_is_new(desk, app_id):
    one, two = letter("evt_1"), letter("evt_2")
    receipts = await asyncio.gather(*[send(desk, app_id, again) for again in (one, two, one, two, one)])
    assert sorted((receipt.event_id, receipt.is_new) for receipt in receipts) == [
        ("evt_1", False), ("evt_1", False), ("evt_1", True), ("evt_2", False), ("evt_2", True),
    ]  # fmt: skip
    async with desk.database.read() as session:
        app = await session.get_one(StripeAppRow, app_id)
        rows = list(await session.scalars(select(StripeEventRow)))
    assert len(rows) == 2
    assert app.last_event_received_at == desk.database.clock.now()


async def test_a_letter_that_cannot_be_stored_spoils_none_of_those_that_come_with_it(desk, app_id):
    broken = {**letter("evt_broken"), "data": {"object": "neither here nor there"}}
    others = [letter(f"evt_{number}") for number in range(6)]
    answers = await asyncio.gather(
        *[send(desk, app_id, one) for one in (*others[:3], broken, *others[3:])], return_exceptions=True
    )
    assert [isinstance(one, Exception) for one in answers] == [False] * 3 + [True] + [False] * 3
    async with desk.database.read() as session:
        assert len(list(await session.scalars(select(col(StripeEventRow.id))))) == 6


async def test_a_letter_that_comes_through_both_doors_at_once_is_filed_once(desk, app_id, database_url, clock):
    told = [letter(f"evt_{number}") for number in range(20)]

    async def poll(polling):
        async with polling.database.transaction(STRIPE) as work:
            return len(await file_events(work, app_id, reversed(told), via=POLL))

    async with desk_on(database_url, clock) as second:
        polling = asyncio.create_task(poll(second))
        receipts = await asyncio.gather(*[send(desk, app_id, one) for one in told])
        polled = await polling
    assert polled + sum(receipt.is_new for receipt in receipts) == 20
    async with desk.database.read() as session:
        assert len(list(await session.scalars(select(col(StripeEventRow.id))))) == 20
