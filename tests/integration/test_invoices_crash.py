"""Whatever is interrupted, and whoever works at the same time: one invoice at the provider, one state here."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from sqlalchemy import event

from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.jobs import sweep
from dashboard.billing.service import advance_invoice, perform_action, record_external
from dashboard.billing.views import InvoiceAction, InvoiceStatus
from dashboard.kit.database import STRIPE
from dashboard.kit.locks import Locks
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast, draft_for


class Killed(BaseException):
    """The process ends here: nothing that comes after runs."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["readiness", "sync_draft", "issue"])
async def test_a_kill_around_any_call_is_survived(house: House, operation: str, moment: str) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10", "20")

    def die(called: str, _subject: str) -> None:
        if called == operation:
            raise Killed

    if moment == "before" or operation == "readiness":
        house.app.before_call = die
    else:
        house.app.after_call = die
    with pytest.raises(Killed):
        await house.advance(draft.id)

    house.app.before_call = house.app.after_call = None
    paid = await house.advance(draft.id)
    assert (paid.status, paid.totals.total) == (InvoiceStatus.PAID, Decimal("30"))
    assert house.app.made == 1
    statuses = [step.to_status for step in paid.transitions]
    assert len(statuses) == len(set(statuses)), "no step is written twice"


async def test_a_kill_at_any_commit_is_survived(house: House) -> None:
    cast = await bring_cast(house.database)
    reached = 0
    for survived in range(40):
        draft = await draft_for(house.database, cast.acme, "10")
        with killed_at_commit(house, survived) as was_killed:
            try:
                await house.advance(draft.id)
            except Killed:
                reached += 1
        paid = await house.advance(draft.id)
        assert paid.status is InvoiceStatus.PAID
        statuses = [step.to_status for step in paid.transitions]
        assert len(statuses) == len(set(statuses)), "no step is written twice"
        if not was_killed:
            break
    assert reached >= 6, "the kills have to hit something"
    assert house.app.made == reached + 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_kill_around_a_void_voids_once(house: House, moment: str) -> None:
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.globex, "10")).id)

    def die(called: str, _subject: str) -> None:
        if called == "void":
            raise Killed

    setattr(house.app, f"{moment}_call", die)
    with pytest.raises(Killed):
        await house.act(invoice.id, InvoiceAction.VOID)
    assert (await house.read(invoice.id)).requested_action == "void"

    house.app.before_call = house.app.after_call = None
    voided = await house.advance(invoice.id)
    assert voided.status is InvoiceStatus.VOIDED
    assert voided.transitions[-1].actor_label == "Ann"


async def test_news_settles_what_was_asked_before_a_kill(house: House) -> None:
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.globex, "10")).id)

    def die(called: str, _subject: str) -> None:
        if called == "void":
            raise Killed

    house.app.after_call = die
    with pytest.raises(Killed):
        await house.act(invoice.id, InvoiceAction.VOID)
    async with house.database.transaction(STRIPE) as work:
        news = ExternalNews("app_1", house.app.invoices[invoice.id], "invoice.voided", house.clock.now())
        await record_external(work, news)
    voided = await house.read(invoice.id)
    assert (voided.status, voided.requested_action, voided.actions) == (InvoiceStatus.VOIDED, None, ())


async def test_a_kill_during_a_credit_credits_once(house: House) -> None:
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.globex, "10")).id)

    def die(called: str, _subject: str) -> None:
        if called == "credit":
            raise Killed

    house.app.after_call = die
    with pytest.raises(Killed):
        await house.act(invoice.id, InvoiceAction.CREDIT, amount=Decimal("4"))
    house.app.after_call = None
    credited = await house.advance(invoice.id)
    assert [amount for _, amount, *_ in house.app.credits] == [Decimal("4")]
    assert credited.external is not None
    assert credited.external.amount_remaining == Decimal("6")


async def test_many_at_once_carry_an_invoice_one_at_a_time(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10")
    # Desks of other processes have locks of their own.
    others = [Locks(house.database) for _ in range(3)] if not house.database.is_sqlite else [house.desk.locks] * 3
    desks = [BillingDesk(house.database, house.app, house.desk.event_store, locks) for locks in others]

    outcomes = await asyncio.gather(
        *(advance_invoice(desk, draft.id, wait_seconds=20) for desk in desks for _ in range(2))
    )

    assert set(outcomes) == {InvoiceStatus.PAID}
    assert [name for name, _ in house.app.calls] == ["readiness", "sync_draft", "issue"]
    for locks in others:
        await locks.close()


async def test_two_people_voiding_at_once_void_once(house: House) -> None:
    cast = await bring_cast(house.database)
    invoice = await house.advance((await draft_for(house.database, cast.globex, "10")).id)
    void = perform_action(house.desk, ANN, invoice.id, InvoiceAction.VOID)
    again = perform_action(house.desk, ANN, invoice.id, InvoiceAction.VOID)
    outcomes = await asyncio.gather(void, again, return_exceptions=True)
    assert sum(isinstance(one, Exception) for one in outcomes) == 1
    assert house.app.count("void") == 1


async def test_the_sweep_finds_what_a_dead_worker_left(house: House) -> None:
    cast = await bring_cast(house.database)
    draft = await draft_for(house.database, cast.acme, "10")

    def die(called: str, _subject: str) -> None:
        if called == "sync_draft":
            raise Killed

    house.app.before_call = die
    with pytest.raises(Killed):
        await house.advance(draft.id)
    house.outbox.jobs.clear()

    assert await sweep(house.desk) == 1
    assert house.outbox.of("invoice.advance") == [{"invoice_id": draft.id}]


async def test_the_sweep_leaves_alone_what_rests(house: House) -> None:
    cast = await bring_cast(house.database, draft_period="P1D")
    await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert await sweep(house.desk) == 0


@contextmanager
def killed_at_commit(house: House, number: int) -> Iterator[list[int]]:
    """The process ends right before its n-th commit in the block, counted from 0; a list with it if it came."""
    engine = house.database.write_engine.sync_engine
    hits: list[int] = []
    commits = itertools.count()

    def die(_connection: object) -> None:
        if next(commits) == number:
            hits.append(number)
            raise Killed

    event.listen(engine, "commit", die)
    try:
        yield hits
    finally:
        event.remove(engine, "commit", die)
