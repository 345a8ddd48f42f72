"""The process dies before and after every call to Stripe and every commit; then there is exactly one of everything.

Dying means: from that point on nothing more is called or written, whatever the code would still like to do.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.views import Invoice
from dashboard.kit.database import Actor, Database, Work
from dashboard.kit.ids import new_id
from dashboard.stripe_app import app_life, apps, checkout, customer_link, install, links
from dashboard.stripe_app.errors import AccountAlreadyInstalled, StripeAppDeleted
from dashboard.stripe_app.gateway_calls import Caller
from dashboard.stripe_app.inputs import CreateCheckoutSession
from dashboard.stripe_app.jobs import stripe_sweep
from dashboard.stripe_app.plug import StripePlug
from tests.stripe_house import ADA, House
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_invoices import BY_MAIL, NO_TAX, WITH_TAX, changed, detail, invoice, line

PUBLIC = "http://127.0.0.1:9"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Mortal:
    """Counts the points at which a process can die, and dies at one of them."""

    passed: int = 0
    dies_at: int | None = None
    is_dead: bool = False

    def point(self) -> None:
        if self.is_dead:
            raise Killed
        self.passed += 1
        if self.passed == self.dies_at:
            self.is_dead = True
            raise Killed

    def revive(self) -> None:
        self.passed, self.dies_at, self.is_dead = 0, None, False


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Mortal:
    """Makes every call to Stripe and every transaction a point to die at, before and after."""
    made = Mortal()
    call, transaction = Caller.call, Database.transaction

    async def mortal_call(caller: Caller, operation: str, send: Callable[[], Awaitable[Any]]) -> Any:
        made.point()
        answer = await call(caller, operation, send)
        made.point()
        return answer

    @asynccontextmanager
    async def mortal_transaction(database: Database, actor: Actor) -> AsyncIterator[Work]:
        async with transaction(database, actor) as work:
            yield work
            made.point()
        made.point()

    monkeypatch.setattr(Caller, "call", mortal_call)
    monkeypatch.setattr(Database, "transaction", mortal_transaction)
    return made


async def die_everywhere(mortal: Mortal, prepare: Any, act: Any, check: Any, *, restart: Any = None) -> int:
    """Plays `prepare`, `act` until death at the n-th point, restart, `act`, `check`, for every n; answers how many."""
    point = 0
    while True:
        point += 1
        mortal.revive()
        stage = await prepare()
        mortal.revive()
        mortal.dies_at = point
        died = False
        try:
            await act(stage)
        except Killed:
            died = True
        mortal.revive()
        if not died:
            await check(stage)
            return point - 1
        if restart is not None:
            await restart()
        await act(stage)
        await check(stage)


async def restarted(house: House) -> None:
    house.clock.advance(install.ABANDONED_AFTER * 2)
    await stripe_sweep(house.desk)


async def test_installing(house, mortal):
    house.desk.public_url = PUBLIC
    house.desk.events_poll_seconds = 1e6

    async def prepare():
        house.account = new_id().lower()
        return house.account

    async def act(_stage):
        # Dead after the last commit, it is installed, and the person who tries again is told so.
        with suppress(AccountAlreadyInstalled):
            await house.install()

    async def check(_stage):
        endpoints = (await house.stripe("GET", "/v1/webhook_endpoints"))["data"]
        assert len(endpoints) == 1
        account = await house.account_id()
        async with house.database.read() as session:
            [app] = [one for one in await apps.list_stripe_apps(session) if one.account_id == account]
        assert endpoints[0]["metadata"] == {"meterdesk_app_id": app.id}

    assert await die_everywhere(mortal, prepare, act, check, restart=lambda: restarted(house)) >= 10


@on_sqlite
async def test_an_abandoned_installation_leaves_nothing_behind(house, mortal):
    house.desk.public_url = PUBLIC
    for point in range(1, 12):
        mortal.revive()
        house.account = new_id().lower()
        mortal.dies_at = point
        with pytest.raises(Killed):
            await house.install()
        mortal.revive()
        await restarted(house)
        account = await house.account_id()
        async with house.database.read() as session:
            found = [one for one in await apps.list_stripe_apps(session) if one.account_id == account]
        assert (await house.stripe("GET", "/v1/webhook_endpoints"))["data"] == [] or found != []


_numbers = iter(range(10_000))


def mortal_number() -> int:
    return next(_numbers)


async def test_a_checkout_page_for_a_new_customer(house, mortal):
    app = await house.install()

    async def prepare():
        return await house.customer(f"Customer {mortal_number()}")

    async def act(customer):
        request = CreateCheckoutSession(customer_id=customer.id, success_url="https://acme.example.com/thanks")
        await checkout.create_checkout_session(house.desk, ADA, request)

    async def check(customer):
        made = (await house.stripe("GET", "/v1/customers", limit="100"))["data"]
        mine = [one for one in made if one["metadata"].get("meterdesk_customer_id") == customer.id]
        async with house.database.read() as session:
            linked = await links.get_links(session, customer.id)
        assert [(link.app_id, link.stripe_customer_id) for link in linked] == [(app.id, one["id"]) for one in mine]
        assert len(mine) == 1

    assert await die_everywhere(mortal, prepare, act, check) >= 6


async def test_five_people_asking_for_a_checkout_page_at_once_make_one_stripe_customer(house):
    await house.install()
    customer = await house.customer()
    request = CreateCheckoutSession(customer_id=customer.id, success_url="https://acme.example.com/thanks")
    pages = await asyncio.gather(*(checkout.create_checkout_session(house.desk, ADA, request) for _ in range(5)))
    assert len({page.stripe_customer_id for page in pages}) == 1
    assert len((await house.stripe("GET", "/v1/customers"))["data"]) == 1


@dataclass
class Billing:
    house: House
    plug: StripePlug
    app_id: str
    customer_id: str
    stripe_customer_id: str

    def invoice(self, *lines, **more) -> Invoice:
        return invoice(*lines, customer_id=self.customer_id, app_id=self.app_id, **more)

    async def check(self, made: Invoice, total: str, status: str, lines: int) -> None:
        """One invoice of ours at Stripe, in this state, with these lines, and we know it so."""
        everyone = (await self.house.stripe("GET", "/v1/invoices", limit="100"))["data"]
        [mine] = [one for one in everyone if one["metadata"].get("meterdesk_invoice_id") == made.id]
        assert mine["status"] == status
        assert mine["subtotal"] == int(Decimal(total) * 100)
        there = await self.house.stripe("GET", f"/v1/invoices/{mine['id']}/lines", limit="100")
        assert len(there["data"]) == lines
        external = await self.plug.read(made)
        assert external is not None
        assert (external.id, external.status) == (mine["id"], status)


@pytest.fixture
async def billing(house: House) -> Billing:
    app, customer = await house.install(), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    email = {"email": "pay@acme.example.com"}
    await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", email)
    return Billing(house, StripePlug(house.desk), app.id, customer.id, link.stripe_customer_id)


@pytest.mark.parametrize(("count", "workflow"), [(60, BY_MAIL), (3, WITH_TAX)], ids=["60 lines", "3 taxed lines"])
async def test_a_new_invoice(billing, mortal, count, workflow):
    async def prepare():
        names = [f"Rate {mortal_number()}" for _ in range(count)]
        return billing.invoice(*[line(detail("2"), name=name) for name in names], workflow=workflow)

    async def act(made):
        await billing.plug.sync_draft(made)
        await billing.plug.issue(made)

    async def check(made):
        await billing.check(made, str(2 * count), "open", count)

    assert await die_everywhere(mortal, prepare, act, check) >= 18


@on_sqlite
async def test_a_changed_draft(billing, mortal):
    async def prepare():
        kept, edited, gone = (line(detail(n)) for n in ("1", "2", "4"))
        made = billing.invoice(kept, edited, gone, workflow=NO_TAX)
        await billing.plug.sync_draft(made)
        dearer = line(detail("20", id=edited.details[0].id))
        return changed(made, lines=(kept, dearer, line(detail("300"))), description="changed")

    async def act(made):
        await billing.plug.sync_draft(made)

    async def check(made):
        await billing.check(made, "321", "draft", 3)

    assert await die_everywhere(mortal, prepare, act, check) >= 15


@on_sqlite
@pytest.mark.parametrize(
    ("verb", "status"), [("mark_paid", "paid"), ("void", "void"), ("mark_uncollectible", "uncollectible")]
)
async def test_an_action_on_an_issued_invoice(billing, mortal, verb, status):
    async def prepare():
        made = billing.invoice(workflow=BY_MAIL)
        await billing.plug.issue(made)
        return made

    async def act(made):
        await getattr(billing.plug, verb)(made)

    async def check(made):
        await billing.check(made, "10", status, 1)

    assert await die_everywhere(mortal, prepare, act, check) >= 8


@on_sqlite
async def test_paying_charges_once(billing, mortal):
    card = {"customer": billing.stripe_customer_id}
    method = await billing.house.stripe("POST", "/v1/payment_methods/pm_card_visa/attach", card)
    default = {"invoice_settings[default_payment_method]": method["id"]}
    await billing.house.stripe("POST", f"/v1/customers/{billing.stripe_customer_id}", default)
    paid = []

    async def prepare():
        made = billing.invoice(workflow=BY_MAIL)
        await billing.plug.issue(made)
        return made

    async def act(made):
        await billing.plug.pay(made)

    async def check(made):
        paid.append(made)
        await billing.check(made, "10", "paid", 1)
        charges = (await billing.house.stripe("GET", "/v1/charges", limit="100"))["data"]
        assert len(charges) == len(paid)

    assert await die_everywhere(mortal, prepare, act, check) >= 8


@on_sqlite
async def test_crediting_once_however_often_it_dies(billing, mortal):
    async def prepare():
        made = billing.invoice(workflow=BY_MAIL)
        await billing.plug.issue(made)
        return made

    async def act(made):
        await billing.plug.credit(made, Decimal(4), "sorry", refund=False)

    died = 0
    for point in range(1, 9):
        mortal.revive()
        made = await prepare()
        mortal.revive()
        mortal.dies_at = point
        with pytest.raises(Killed):
            await act(made)
        died += 1
        mortal.revive()
        known = (await billing.plug.read(made)).amount_remaining
        await act(changed(made))
        owed = (await billing.plug.read(made)).amount_remaining
        # Dead after its answer was written, the same wish again is a second credit; before, it is the same one.
        assert owed == Decimal("6.00") or (owed, known) == (Decimal("2.00"), Decimal("6.00"))
    assert died == 8


@on_sqlite
async def test_a_named_credit_is_given_once_wherever_it_dies(billing, mortal):
    async def prepare():
        made = billing.invoice(workflow=BY_MAIL, request_id=f"wish-{mortal_number()}")
        await billing.plug.issue(made)
        return made

    async def act(made):
        await billing.plug.credit(made, Decimal(4), "sorry", refund=False)

    async def check(made):
        external = await billing.plug.read(made)
        assert external.amount_remaining == Decimal("6.00")

    assert await die_everywhere(mortal, prepare, act, check) >= 8


@on_sqlite
async def test_deleting_a_draft(billing, mortal):
    async def prepare():
        made = billing.invoice(workflow=NO_TAX)
        await billing.plug.sync_draft(made)
        return made

    async def act(made):
        await billing.plug.delete_draft(made)

    async def check(made):
        everyone = (await billing.house.stripe("GET", "/v1/invoices", limit="100"))["data"]
        assert [one for one in everyone if one["metadata"].get("meterdesk_invoice_id") == made.id] == []
        assert await billing.plug.read(made) is None

    assert await die_everywhere(mortal, prepare, act, check) >= 4


@on_sqlite
async def test_a_draft_whose_making_died_can_be_deleted(billing, mortal):
    async def prepare():
        return billing.invoice(workflow=NO_TAX)

    for point in range(1, 14):
        mortal.revive()
        made = await prepare()
        mortal.dies_at = point
        with pytest.raises(Killed):
            await billing.plug.sync_draft(made)
        mortal.revive()
        await billing.plug.delete_draft(made)
        everyone = (await billing.house.stripe("GET", "/v1/invoices", limit="100"))["data"]
        assert [one for one in everyone if one["metadata"].get("meterdesk_invoice_id") == made.id] == []


@on_sqlite
async def test_uninstalling(house, mortal):
    house.desk.public_url = PUBLIC

    async def prepare():
        house.account = new_id().lower()
        return await house.install()

    async def act(app):
        # After the restart the sweep may have finished it already.
        with suppress(StripeAppDeleted):
            await app_life.uninstall_stripe_app(house.desk, ADA, app.id)

    async def check(app):
        assert (await house.stripe("GET", "/v1/webhook_endpoints"))["data"] == []
        async with house.database.read() as session:
            assert (await apps.get_stripe_app(session, app.id)).deleted_at is not None

    assert await die_everywhere(mortal, prepare, act, check, restart=lambda: restarted(house)) >= 6
