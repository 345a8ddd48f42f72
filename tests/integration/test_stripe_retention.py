"""What is kept of Stripe's letters and of our steps there, and what goes after its time; on both databases."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from dashboard.kit.crypto import SecretBox
from dashboard.kit.database import SYSTEM
from dashboard.kit.ids import new_id
from dashboard.settings import Settings
from dashboard.stripe_app import retention
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway import Gateways
from dashboard.stripe_app.retention import forget_what_is_over
from dashboard.stripe_app.tables import StripeAppRow, StripeCallRow, StripeEventRow, StripeInvoiceRow


@pytest.fixture
async def desk(database):
    gateways = Gateways(sandbox_url="http://127.0.0.1:9")
    yield StripeDesk(database, SecretBox("a secret key"), gateways, letters_kept=timedelta(days=40))
    await gateways.close()


@pytest.fixture
async def app(database, clock):
    now = clock.now()
    row = StripeAppRow(
        id=new_id(), name="Acme", account_id="acct_1", account_name="Acme", livemode=False, state="ready",
        masked_key="sk_…1", cursor_at=now, cursor_floor=now, next_poll_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    async with database.transaction(SYSTEM) as work:
        work.session.add(row)
    return row


def letter(app, name, now, state="applied"):
    return StripeEventRow(
        id=new_id(), app_id=app.id, event_id=name, type="invoice.paid", via="webhook", state=state, payload={},
        created_at=now, received_at=now, settled_at=None if state in ("received", "waiting") else now,
    )  # fmt: skip


def step(app, subject, name, now, state="answered"):
    return StripeCallRow(
        id=new_id(), app_id=app.id, subject=subject, step=name, revision="1", idempotency_key=new_id(), state=state,
        created_at=now, updated_at=now,
    )  # fmt: skip


def invoice(app, name, now, status):
    return StripeInvoiceRow(invoice_id=name, app_id=app.id, customer_id="customer", status=status, created_at=now)


async def put(database, *rows):
    async with database.transaction(SYSTEM) as work:
        for row in rows:
            work.session.add(row)
            await work.session.flush()


async def left(database, column):
    async with database.read() as session:
        return sorted(await session.scalars(select(column)))


async def test_settled_letters_go_after_their_time_and_what_waits_or_failed_stays(desk, app, clock):
    states = ("applied", "ignored", "received", "waiting", "failed")
    await put(desk.database, *[letter(app, f"old-{state}", clock.now(), state) for state in states])
    clock.advance(timedelta(days=2))
    await put(desk.database, *[letter(app, f"young-{state}", clock.now(), state) for state in states])
    clock.advance(timedelta(days=39))
    assert await forget_what_is_over(desk) == 2
    kept = await left(desk.database, StripeEventRow.event_id)
    assert kept == ["old-failed", "old-received", "old-waiting", *sorted(f"young-{state}" for state in states)]
    assert await forget_what_is_over(desk) == 0


async def test_a_letter_that_was_settled_late_is_kept_from_then_on(desk, app, clock):
    late = letter(app, "late", clock.now())
    late.settled_at = clock.now() + timedelta(days=10)
    await put(desk.database, late)
    clock.advance(timedelta(days=45))
    assert await forget_what_is_over(desk) == 0
    clock.advance(timedelta(days=6))
    assert await forget_what_is_over(desk) == 1


async def test_steps_go_only_for_invoices_that_stripe_will_never_change_again(desk, app, clock):
    now = clock.now()
    statuses = ("paid", "void", "deleted", "open", "draft", "uncollectible", "none")
    await put(desk.database, *[invoice(app, status, now, status) for status in statuses])
    await put(desk.database, *[step(app, status, "finalize", now) for status in statuses])
    clock.advance(timedelta(days=41))
    assert await forget_what_is_over(desk) == 3
    assert await left(desk.database, StripeCallRow.subject) == ["draft", "none", "open", "uncollectible"]


async def test_a_step_that_a_later_try_would_look_at_stays(desk, app, clock):
    now = clock.now()
    await put(
        desk.database,
        invoice(app, "paid", now, "paid"),
        step(app, "paid", "create", now, "refused"),
        step(app, "paid", "finalize", now, "intended"),
        step(app, "paid", "credit", now),
        step(app, "somebody", "customer-create", now),
        step(app, "a tax code", "product-create", now),
    )
    clock.advance(timedelta(days=400))
    assert await forget_what_is_over(desk) == 1
    steps = ["credit", "customer-create", "finalize", "product-create"]
    assert await left(desk.database, StripeCallRow.step) == steps


async def test_much_goes_in_small_transactions(desk, app, clock, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    await put(desk.database, *[letter(app, f"evt_{number}", clock.now()) for number in range(10)])
    clock.advance(timedelta(days=41))
    assert await forget_what_is_over(desk) == 10
    assert await left(desk.database, StripeEventRow.event_id) == []


def test_letters_are_kept_longer_than_stripe_keeps_them():
    """Or else one that we forgot could be fetched and filed once more."""
    with pytest.raises(ValidationError, match="stripe_letters_days"):
        Settings(stripe_letters_days=30)
