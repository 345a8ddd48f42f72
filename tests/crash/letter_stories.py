"""The stories of Stripe's letters: one that tells of a payment, one that had to wait, the webhook they come through."""

from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from dashboard.billing.views import InvoiceStatus
from dashboard.kit.ids import new_id
from dashboard.stripe_app import webhook_endpoint
from dashboard.stripe_app.apply import in_hand
from dashboard.stripe_app.inbox import Bundle
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow, StripeInvoiceRow
from dashboard.stripe_app.views import EventState
from tests.crash.invoice_stories import InvoiceStory
from tests.crash.stories import ADA, UNREACHABLE, Story, until

S = InvoiceStatus


class HearingOfPayment(InvoiceStory):
    """A customer has paid at Stripe, and a letter tells so."""

    public_url = UNREACHABLE
    is_told = True
    ends = frozenset({S.PAID})
    at_stripe = "paid"

    async def prepare(self) -> str:
        subject = await super().prepare()
        await self.draft_until(subject, S.PAYMENT_PENDING)
        [there] = await self.invoices_at_stripe(subject)
        page = f"/_sandbox/invoices/{there['id']}/pay_page"
        paid = await self.site.client.post(page, json={"payment_method": "pm_card_visa"})
        assert paid.status_code == 200, paid.text
        return subject

    async def act(self, subject: str) -> None:
        app = await self.site.only_app()
        await self.site.letter(app, await self._event(subject), app.sealed_webhook_secret)

    async def is_known(self, subject: str) -> bool:
        """Never: Stripe sends again what was not thanked for, and now and then what was."""
        return False

    async def finish(self, subject: str) -> None:
        await super().finish(subject)
        [there] = await self.invoices_at_stripe(subject)
        bundle = Bundle((await self.site.only_app()).id, there["id"], ())

        async def is_settled() -> bool:
            # Whoever settled it has also ended.
            async with in_hand(self.desk, bundle) as ours:
                return ours and all(one.settled_at is not None for one in await self.letters(subject))

        await until(is_settled, "the letter to be settled")

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [letter] = await self.letters(subject)
        assert (letter.state, letter.reason) == (EventState.APPLIED, None)
        steps = [one.to_status for one in (await self.invoice(subject)).transitions]
        assert steps.count(S.PAID) == 1

    async def letters(self, subject: str) -> list[StripeEventRow]:
        event = await self._event(subject)
        async with self.site.backend.database.read() as session:
            query = select(StripeEventRow).where(col(StripeEventRow.event_id) == event["id"])
            return list(await session.scalars(query))

    async def _event(self, subject: str) -> dict[str, Any]:
        [there] = await self.invoices_at_stripe(subject)
        found = await self.site.stripe("GET", "/v1/events", type="invoice.paid", limit="100")
        [event] = [one for one in found["data"] if one["data"]["object"]["id"] == there["id"]]
        return event


class HearingTooEarly(HearingOfPayment):
    """The letter comes before it is written down which invoice of ours this is; it waits until that is known."""

    async def prepare(self) -> str:
        subject = await super().prepare()
        async with self.site.backend.database.transaction(ADA) as work:
            ours = col(StripeInvoiceRow.customer_id) == subject
            await work.session.execute(update(StripeInvoiceRow).where(ours).values(stripe_invoice_id=None))
        return subject

    async def finish(self, subject: str) -> None:
        await self.act(subject)

        async def has_waited() -> bool:
            [letter] = await self.letters(subject)
            return letter.attempts > 0

        await until(has_waited, "the letter to be put off")
        [there] = await self.invoices_at_stripe(subject)
        async with self.site.backend.database.transaction(ADA) as work:
            ours = col(StripeInvoiceRow.customer_id) == subject
            await work.session.execute(update(StripeInvoiceRow).where(ours).values(stripe_invoice_id=there["id"]))
        await super().finish(subject)

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [letter] = await self.letters(subject)
        assert letter.attempts > 1


class RotatingSecret(Story):
    """Somebody gives the webhook a new signing secret, and does so again when the page still shows the old one."""

    public_url = UNREACHABLE

    async def found(self) -> None:
        pass

    async def prepare(self) -> str:
        """Answers the account, the app, and the endpoint it has before."""
        account = new_id().lower()
        app_id = await self.site.install(account)
        return f"{account} {app_id} {(await self.site.app_row(app_id)).webhook_endpoint_id}"

    async def act(self, subject: str) -> None:
        await webhook_endpoint.rotate_signing_secret(self.desk, ADA, subject.split()[1])

    async def finish(self, subject: str) -> None:
        _account, app_id, before = subject.split()
        if (await self.site.app_row(app_id)).webhook_endpoint_id == before:
            await self.act(subject)
        await webhook_endpoint.remove_forgotten_endpoints(self.desk, app_id)

    async def check(self, subject: str) -> None:
        """One endpoint is left, it is the one we know, and letters under either secret are taken."""
        account, app_id, before = subject.split()
        app = await self.site.app_row(app_id)
        [endpoint] = (await self.site.stripe("GET", "/v1/webhook_endpoints", account=account))["data"]
        assert (endpoint["id"], endpoint["url"]) == (app.webhook_endpoint_id, app.webhook_url)
        assert endpoint["id"] != before
        assert endpoint["status"] == "enabled"
        assert app.webhook_problem is None
        for sealed in (app.sealed_webhook_secret, app.sealed_previous_secret):
            event = {"id": f"evt_{new_id()}", "type": "mandate.updated", "created": 1, "data": {}}
            assert await self.site.letter(app, event, sealed)


class MovingHouse(RotatingSecret):
    """Meterdesk has another public address than the one its webhook was made for; the next sweep makes a new one."""

    async def act(self, subject: str) -> None:
        """As if this start were the first with the address of now."""
        async with self.site.backend.database.transaction(ADA) as work:
            app = await work.session.get_one(StripeAppRow, subject.split()[1])
            app.webhook_url = app.webhook_url and app.webhook_url.replace(UNREACHABLE, "https://old.example.com")

    async def finish(self, subject: str) -> None:
        _account, app_id, before = subject.split()
        app = await self.site.app_row(app_id)
        if app.webhook_endpoint_id == before and webhook_endpoint.is_current(app, UNREACHABLE):
            await self.act(subject)

        async def has_moved() -> bool:
            return (await self.site.app_row(app_id)).webhook_endpoint_id != before

        await until(has_moved, "the webhook to be registered at the new address")
        await webhook_endpoint.remove_forgotten_endpoints(self.desk, app_id)
