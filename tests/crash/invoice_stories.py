"""The stories of invoices: made, changed, issued, settled, deleted, collected from usage."""

from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import func, null, select, update
from sqlmodel import col

from dashboard.billing.inputs import TaxConfigInput
from dashboard.billing.invoice_inputs import EditInvoice, EditLine
from dashboard.billing.invoice_rows import SyncState
from dashboard.billing.queries import get_invoice
from dashboard.billing.service import edit_invoice, perform_action
from dashboard.billing.tables import InvoiceRow
from dashboard.billing.views import CollectionMethod, Invoice, InvoiceAction, InvoiceStatus
from dashboard.customers.inputs import AddressInput
from dashboard.customers.queries import live_customer
from dashboard.customers.tables import CustomerRow
from dashboard.kit.ids import new_id
from dashboard.stripe_app.links import get_links
from dashboard.stripe_app.reconcile import reconcile_app
from dashboard.stripe_app.tables import StripeAppRow
from tests.cast import draft_for, make_profile
from tests.crash.stories import ADA, Story, until
from tests.stripe_side import IN_BERLIN, link_payer, switch_tax_on

A = InvoiceAction
S = InvoiceStatus

BY_CARD = {"collection_method": CollectionMethod.CHARGE_AUTOMATICALLY}
BY_MAIL = {"collection_method": CollectionMethod.SEND_INVOICE}
ONCE = ("/finalize", "/pay", "/void", "/mark_uncollectible")


class InvoiceStory(Story):
    """A customer of Stripe's, with a card, and one invoice of theirs."""

    workflow: ClassVar[dict[str, Any]] = BY_MAIL
    taxed: ClassVar[bool] = False
    amounts: ClassVar[tuple[str, ...]] = ("10",)
    subtotal: ClassVar[str] = "10"
    ends: ClassVar[frozenset[InvoiceStatus]] = frozenset({S.PAYMENT_PENDING})
    at_stripe: ClassVar[str] = "open"

    async def found(self) -> None:
        app_id = await self.site.install(self.site.account)
        async with self.site.backend.database.transaction(ADA) as work:
            await make_profile(work, app_id=app_id, collection_interval="PT0S", tax_enabled=self.taxed, **self.workflow)

    async def prepare(self) -> str:
        """Answers the customer's id."""
        customer_id = await self.site.customer(
            currency="USD", billing_address=AddressInput(**IN_BERLIN), subject_keys=[new_id()]
        )
        address = {f"address[{name}]": value for name, value in IN_BERLIN.items()}
        await link_payer(self.desk, ADA, self.site.stripe, customer_id, name=customer_id, **address)
        return customer_id

    async def is_known(self, subject: str) -> bool:
        """Whether the person sees that their wish has arrived."""
        raise NotImplementedError

    async def finish(self, subject: str) -> None:
        if not await self.is_known(subject):
            await self.act(subject)

        async def has_ended() -> bool:
            return await self.is_done(subject)

        await until(has_ended, f"the invoice to become {' or '.join(sorted(self.ends))}")
        await self.site.rest()

    async def is_done(self, subject: str) -> bool:
        query = select(col(InvoiceRow.id)).where(
            col(InvoiceRow.customer_id) == subject,
            col(InvoiceRow.status).in_([one.value for one in self.ends]),
            col(InvoiceRow.requested_action).is_(None),
            col(InvoiceRow.sync_state) != SyncState.PENDING,
        )
        async with self.site.backend.database.read() as session:
            return await session.scalar(query) is not None

    async def check(self, subject: str) -> None:
        invoice = await self.invoice(subject)
        assert invoice.totals.before_tax == Decimal(self.subtotal)
        assert invoice.issues == ()
        assert [one.error_code for one in invoice.transitions if one.error_code] == []
        [there] = await self.invoices_at_stripe(subject)
        assert invoice.external is not None
        assert (there["id"], there["subtotal"]) == (invoice.external.id, int(Decimal(self.subtotal) * 100))
        assert there["status"] == self.at_stripe or there["status"] == "paid" in self.ends
        lines = (await self.site.stripe("GET", f"/v1/invoices/{there['id']}/lines", limit="100"))["data"]
        ours = sorted(int(detail.totals.before_tax * 100) for line in invoice.lines for detail in line.details)
        assert sorted(line["amount"] for line in lines) == ours

    async def finale(self) -> None:
        """Everything ended as Stripe has it, and nothing was done to an invoice twice."""
        found = await reconcile_app(self.desk, (await self.site.only_app()).id)
        assert found.differences == ()
        await self.site.rest()
        writes = [path for path, _ in await self.site.writes()]
        twice = {path for path in writes if path.endswith(ONCE) and writes.count(path) > 1}
        assert twice == set()
        async with self.site.backend.database.read() as session:
            query = select(col(InvoiceRow.id)).where(col(InvoiceRow.external_id).is_not(None))
            assert writes.count("/v1/invoices") == len(list(await session.scalars(query)))

    async def draft(self, subject: str) -> None:
        """What a person does who types in charges and invoices them."""
        async with self.site.backend.database.read() as session:
            customer = await live_customer(session, subject)
        await draft_for(self.site.backend.database, customer, *self.amounts, tax=await self.tax(subject))

    async def tax(self, _subject: str) -> TaxConfigInput:
        return TaxConfigInput()

    async def draft_until(self, subject: str, status: InvoiceStatus) -> None:
        await self.draft(subject)

        query = select(col(InvoiceRow.id)).where(
            col(InvoiceRow.customer_id) == subject, col(InvoiceRow.status) == status.value
        )

        async def is_there() -> bool:
            async with self.site.backend.database.read() as session:
                return await session.scalar(query) is not None

        await until(is_there, f"the invoice to be {status}")
        await self.site.rest()

    async def perform(self, subject: str, action: InvoiceAction, **arguments: Any) -> None:
        await perform_action(self.site.backend.billing, ADA, (await self.invoice(subject)).id, action, **arguments)

    async def find_invoice(self, customer_id: str) -> Invoice | None:
        query = select(col(InvoiceRow.id)).where(
            col(InvoiceRow.customer_id) == customer_id, col(InvoiceRow.status) != S.GATHERING.value
        )
        async with self.site.backend.database.read() as session:
            invoice_id = (await session.scalars(query)).one_or_none()
            return await get_invoice(session, invoice_id, self.site.backend.clock.now()) if invoice_id else None

    async def invoice(self, customer_id: str) -> Invoice:
        found = await self.find_invoice(customer_id)
        assert found is not None
        return found

    async def invoices_at_stripe(self, customer_id: str) -> list[dict[str, Any]]:
        async with self.site.backend.database.read() as session:
            [link] = await get_links(session, customer_id)
        found = await self.site.stripe("GET", "/v1/invoices", customer=link.stripe_customer_id, limit="100")
        return found["data"]


class NewInvoiceByCard(InvoiceStory):
    """Three lines with tax, and the customer's card is charged by Stripe."""

    workflow = BY_CARD
    taxed = True
    amounts = ("10", "20", "30.50")
    subtotal = "60.50"
    ends = frozenset({S.PAYMENT_PENDING, S.PAID})

    async def found(self) -> None:
        await super().found()
        await switch_tax_on(self.site.stripe)

    async def prepare(self) -> str:
        subject = await super().prepare()
        async with self.site.backend.database.transaction(ADA) as work:
            # As for the first invoice of an account, whose tax settings nobody has asked for yet.
            await work.session.execute(update(StripeAppRow).values(tax_settings=null(), tax_settings_at=None))
        return subject

    async def tax(self, subject: str) -> TaxConfigInput:
        """A code that no customer before had, so that its product has to be made."""
        async with self.site.backend.database.read() as session:
            before = await session.scalar(select(func.count()).where(col(CustomerRow.id) < subject))
        codes = (await self.site.stripe("GET", "/v1/tax_codes", limit="100"))["data"]
        return TaxConfigInput(stripe_code=codes[before or 0]["id"])

    async def act(self, subject: str) -> None:
        await self.draft(subject)

    async def is_known(self, subject: str) -> bool:
        return await self.find_invoice(subject) is not None

    async def finale(self) -> None:
        async def are_paid() -> bool:
            made = await self.site.stripe("GET", "/v1/invoices", limit="100")
            return all(one["status"] == "paid" for one in made["data"])

        await until(are_paid, "all invoices to be paid")
        await reconcile_app(self.desk, (await self.site.only_app()).id)
        await super().finale()
        made = await self.site.stripe("GET", "/v1/invoices", limit="100")
        charges = (await self.site.stripe("GET", "/v1/charges", limit="100"))["data"]
        assert all(one["total"] >= one["subtotal"] for one in made["data"])
        assert sorted(one["amount"] for one in charges) == sorted(one["total"] for one in made["data"])


class NewLongInvoice(InvoiceStory):
    """Sixty lines, sent by mail."""

    amounts = ("2",) * 60
    subtotal = "120"

    async def act(self, subject: str) -> None:
        await self.draft(subject)

    async def is_known(self, subject: str) -> bool:
        return await self.find_invoice(subject) is not None


class HeldDraft(InvoiceStory):
    """A draft that waits for somebody's approval."""

    workflow = {**BY_MAIL, "auto_advance": False}

    async def prepare(self) -> str:
        subject = await super().prepare()
        await self.draft_until(subject, S.DRAFT_MANUAL_APPROVAL_NEEDED)
        return subject


class ChangingDraft(HeldDraft):
    """Of three lines one stays, one becomes dearer, one goes, and one comes."""

    amounts = ("1", "2", "4")
    subtotal = "321"
    ends = frozenset({S.DRAFT_MANUAL_APPROVAL_NEEDED})
    at_stripe = "draft"

    async def act(self, subject: str) -> None:
        invoice = await self.invoice(subject)
        kept, dearer = (line for line in invoice.lines if line.totals.total in (1, 2))
        changed = EditInvoice(
            description="changed", lines=(_edited(kept), _edited(dearer, "20"), _edited(dearer, "300", id=None))
        )
        async with self.site.backend.database.transaction(ADA) as work:
            await edit_invoice(work, invoice.id, changed)

    async def is_known(self, subject: str) -> bool:
        return (await self.invoice(subject)).description == "changed"

    async def check(self, subject: str) -> None:
        await super().check(subject)
        [there] = await self.invoices_at_stripe(subject)
        assert there["description"] == "changed"


class Issuing(HeldDraft):
    """Somebody approves a draft."""

    async def act(self, subject: str) -> None:
        await self.perform(subject, A.APPROVE)

    async def is_known(self, subject: str) -> bool:
        return A.APPROVE not in (await self.invoice(subject)).actions


class Deleting(HeldDraft):
    """Somebody deletes a draft that Stripe has."""

    ends = frozenset({S.DELETED})

    async def act(self, subject: str) -> None:
        await self.perform(subject, A.DELETE)

    async def is_known(self, subject: str) -> bool:
        return A.DELETE not in (await self.invoice(subject)).actions

    async def check(self, subject: str) -> None:
        assert (await self.invoice(subject)).deleted_at is not None
        assert await self.invoices_at_stripe(subject) == []


def _edited(line: Any, amount: str | None = None, **more: Any) -> EditLine:
    price = line.price if amount is None else {**line.price, "amount": amount}
    values = {
        "id": line.id,
        "name": line.name,
        "price": price,
        "quantity": line.quantity,
        "period_from": line.period_from,
        "period_to": line.period_to,
        "invoice_at": line.invoice_at,
    }
    return EditLine(**(values | more))
