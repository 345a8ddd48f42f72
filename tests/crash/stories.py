"""The stories of the crash matrix, each told so that it can be played again and again in one installation.

`found` is done once, `prepare` before each time and answers what the story is about; `act` is what a person does and
the worker carries on; `finish` is what the same person does who sees that it was cut off, and waits for the end;
`check` says whether there is exactly one of everything; `finale` looks at all the times together.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
from sqlalchemy import select
from sqlmodel import col
from stripe import WebhookSignature

from dashboard.backend import Backend
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.kit.database import Actor
from dashboard.kit.ids import new_id
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app import app_life, checkout, install, links
from dashboard.stripe_app.errors import AccountAlreadyInstalled, StripeAppDeleted
from dashboard.stripe_app.inputs import CreateCheckoutSession, InstallStripeApp
from dashboard.stripe_app.tables import StripeAppRow, StripeCheckoutSessionRow
from dashboard.stripe_app.views import AppState

ADA = Actor("person", "ada", "Ada")
UNREACHABLE = "http://127.0.0.1:9"
PATIENCE_SECONDS = 100
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Site:
    """Our backend, and the sandbox beside it with an account of this story's own."""

    backend: Backend
    client: httpx.AsyncClient
    account: str

    async def stripe(
        self, method: str, path: str, data: dict[str, Any] | None = None, *, account: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """A call to the sandbox as somebody else would make it, past our gateway."""
        key = {"Authorization": f"Bearer sk_test_sandbox_{account or self.account}"}
        answer = await self.client.request(method, path, data=data, params=params, headers=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def writes(self) -> list[tuple[str, str]]:
        """The writing calls that the sandbox obeyed for this account: path and idempotency key, replays left out."""
        log = (await self.client.get("/_sandbox/exchanges")).json()
        done = {
            (one["path"], one["idempotency_key"] or str(one["n"]))
            for one in log
            if one["account"] == self.account and one["method"] == "POST" and one["status"] == 200
        }
        return sorted(done)

    async def install(self, account: str) -> str:
        """Installs an account of the sandbox; answers the app's id."""
        request = parse_input(InstallStripeApp, {"api_key": f"sk_test_sandbox_{account}"})
        return (await install.install_stripe_app(self.backend.stripe, ADA, request)).id

    async def customer(self, **more: Any) -> str:
        """A new customer of ours."""
        async with self.backend.database.transaction(ADA) as work:
            wanted = {"name": f"Customer {new_id()}", **more}
            return (await create_customer(work, parse_input(CreateCustomer, wanted))).id

    async def app(self, account_id: str) -> StripeAppRow | None:
        """The app of an account that was not uninstalled."""
        async with self.backend.database.read() as session:
            found = await session.scalars(select(StripeAppRow).where(col(StripeAppRow.account_id) == account_id))
            return found.one_or_none()

    async def app_row(self, app_id: str) -> StripeAppRow:
        """The app, also one that left."""
        async with self.backend.database.read() as session:
            return await session.get_one(StripeAppRow, app_id)

    async def only_app(self) -> StripeAppRow:
        """The app of a story that has one."""
        async with self.backend.database.read() as session:
            return (await session.scalars(select(StripeAppRow))).one()

    async def letter(self, app: StripeAppRow, event: dict[str, Any], sealed_secret: str | None) -> bool:
        """Posts a letter as Stripe does, signed with one of the app's secrets; answers whether it is new."""
        body = json.dumps(event)
        secret = self.backend.secrets.open(sealed_secret or "")
        signature = WebhookSignature.generate_signature_header(body, secret)
        return (await self.backend.stripe.letterbox.receive(app.id, body.encode(), signature)).is_new

    async def rest(self) -> None:
        """Waits until no job waits or runs; none may have failed."""

        async def is_idle() -> bool:
            backlog = await self.backend.jobs.backlog()
            return not any(one.waiting or one.running for one in backlog.values())

        await until(is_idle, "the jobs to end")
        assert await self.backend.jobs.failed() == ()


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> None:
    """Waits for what the workers do by themselves."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


class Story:
    """What all stories have in common. What a story is about is a plain text, most often an id."""

    public_url: ClassVar[str | None] = None
    is_swept: ClassVar[bool] = False
    """Whether what a person does is first seen by the sweep."""
    is_told: ClassVar[bool] = False
    """Whether letters alone tell what happened at Stripe: a worker's start does not compare every invoice."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.desk = site.backend.stripe

    async def found(self) -> None:
        await self.site.install(self.site.account)

    async def prepare(self) -> str:
        raise NotImplementedError

    async def act(self, subject: str) -> None:
        raise NotImplementedError

    async def finish(self, subject: str) -> None:
        raise NotImplementedError

    async def check(self, subject: str) -> None:
        raise NotImplementedError

    async def finale(self) -> None:
        await self.site.rest()


class Installing(Story):
    """An account with a webhook; first its interrupted installation is left alone, then tried again."""

    public_url = UNREACHABLE

    async def found(self) -> None:
        pass

    async def prepare(self) -> str:
        return new_id().lower()

    async def act(self, subject: str) -> None:
        await self.site.install(subject)

    async def finish(self, subject: str) -> None:
        account_id = (await self.site.stripe("GET", "/v1/account", account=subject))["id"]

        async def is_settled() -> bool:
            app = await self.site.app(account_id)
            return app is None or app.state == AppState.READY

        await until(is_settled, "the interrupted installation to be taken back")
        if await self.site.app(account_id) is None:
            assert await self._endpoints(subject) == []
        with suppress(AccountAlreadyInstalled):
            await self.site.install(subject)

    async def check(self, subject: str) -> None:
        account_id = (await self.site.stripe("GET", "/v1/account", account=subject))["id"]
        app = await self.site.app(account_id)
        assert app is not None
        assert app.state == AppState.READY
        [endpoint] = await self._endpoints(subject)
        assert (endpoint["id"], endpoint["metadata"]) == (app.webhook_endpoint_id, {"meterdesk_app_id": app.id})
        portals = await self.site.stripe(
            "GET", "/v1/billing_portal/configurations", account=subject, active="true", limit="100"
        )
        assert [one["id"] for one in portals["data"]] == [app.portal_configuration_id]

    async def _endpoints(self, account: str) -> list[dict[str, Any]]:
        return (await self.site.stripe("GET", "/v1/webhook_endpoints", account=account))["data"]


class Uninstalling(Story):
    """An account with a webhook leaves."""

    public_url = UNREACHABLE

    async def found(self) -> None:
        pass

    async def prepare(self) -> str:
        account = new_id().lower()
        return f"{account} {await self.site.install(account)}"

    async def act(self, subject: str) -> None:
        await app_life.uninstall_stripe_app(self.desk, ADA, subject.split()[1])

    async def finish(self, subject: str) -> None:
        app_id = subject.split()[1]
        if (await self.site.app_row(app_id)).state == AppState.READY:
            await self.act(subject)

        async def is_gone() -> bool:
            return (await self.site.app_row(app_id)).state == AppState.UNINSTALLED

        await until(is_gone, "the app to be uninstalled")
        with suppress(StripeAppDeleted):
            await self.act(subject)

    async def check(self, subject: str) -> None:
        account, app_id = subject.split()
        app = await self.site.app_row(app_id)
        assert app.deleted_at is not None
        assert app.sealed_key is None
        assert (await self.site.stripe("GET", "/v1/webhook_endpoints", account=account))["data"] == []


class CheckoutForNewCustomer(Story):
    """A checkout page for somebody Stripe does not know yet."""

    async def prepare(self) -> str:
        return await self.site.customer()

    async def act(self, subject: str) -> None:
        request = CreateCheckoutSession(customer_id=subject, success_url="https://acme.example.com/thanks")
        await checkout.create_checkout_session(self.desk, ADA, request)

    async def finish(self, subject: str) -> None:
        if not await self._pages(subject):
            await self.act(subject)

    async def check(self, subject: str) -> None:
        mine = [one for one in await self._customers() if one["metadata"].get("meterdesk_customer_id") == subject]
        async with self.site.backend.database.read() as session:
            linked = await links.get_links(session, subject)
        assert [link.stripe_customer_id for link in linked] == [one["id"] for one in mine]
        assert len(mine) == 1
        [page] = await self._pages(subject)
        there = await self.site.stripe("GET", f"/v1/checkout/sessions/{page.session_id}")
        assert (there["customer"], there["metadata"]["meterdesk_customer_id"]) == (mine[0]["id"], subject)

    async def finale(self) -> None:
        await self.site.rest()
        made = [path for path, _ in await self.site.writes() if path == "/v1/customers"]
        assert len(made) == len(await self._customers())

    async def _pages(self, customer_id: str) -> list[StripeCheckoutSessionRow]:
        async with self.site.backend.database.read() as session:
            query = select(StripeCheckoutSessionRow).where(col(StripeCheckoutSessionRow.customer_id) == customer_id)
            return list(await session.scalars(query))

    async def _customers(self) -> list[dict[str, Any]]:
        return (await self.site.stripe("GET", "/v1/customers", limit="100"))["data"]
