"""Whatever is interrupted, and whoever works at the same time: one invoice at the provider, one state here."""

import asyncio
from datetime import timedelta

import pytest

from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoicing_app import ExternalNews
from dashboard.billing.jobs import A_JOB_TAKES, sweep
from dashboard.billing.service import advance_invoice, perform_action, record_external
from dashboard.billing.views import InvoiceAction, InvoiceStatus
from dashboard.kit.database import STRIPE
from dashboard.kit.locks import Locks
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, bring_cast, draft_for


class Killed(BaseException):
    """The process ends here: nothing that comes after runs."""


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

    assert await sweep(house.desk) == 0, "its job may still be at it"
    house.clock.advance(A_JOB_TAKES)
    assert await sweep(house.desk) == 1
    assert house.outbox.of("invoice.advance") == [{"invoice_id": draft.id}]


async def test_the_sweep_asks_for_no_second_job_while_the_first_waits_and_wakes_what_falls_due_at_once(
    house: House,
) -> None:
    cast = await bring_cast(house.database, draft_period="P1D")
    draft = await draft_for(house.database, cast.acme, "10")
    assert await sweep(house.desk) == 0
    await house.advance(draft.id)
    house.outbox.jobs.clear()
    house.clock.advance(timedelta(days=1))
    assert await sweep(house.desk) == 1
    assert house.outbox.of("invoice.advance") == [{"invoice_id": draft.id}]


async def test_the_sweep_leaves_alone_what_rests(house: House) -> None:
    cast = await bring_cast(house.database, draft_period="P1D")
    await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    assert await sweep(house.desk) == 0
