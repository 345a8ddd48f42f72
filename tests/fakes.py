"""Hand-written stand-ins, each smaller than what it stands for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.invoicing_app import InvoicingAppError, Trouble
from dashboard.billing.views import CollectionMethod, CustomerBilling, ExternalInvoice, Invoice, Issue
from dashboard.kit.clock import Clock
from dashboard.kit.durations import Duration


class RecordingOutbox:
    """Keeps what was enqueued, once per job and key, as the real one would run it."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}

    async def enqueue(self, session: AsyncSession, job: str, key: str, arguments: Mapping[str, Any]) -> None:
        self.jobs.setdefault((job, key), dict(arguments))

    def of(self, job: str) -> list[dict[str, Any]]:
        """The arguments of every run of a job."""
        return [arguments for (name, _), arguments in self.jobs.items() if name == job]


@dataclass
class FakeInvoicingApp:
    """A provider in memory: one invoice per invoice of ours whatever is called how often, tax at a fixed rate.

    `fail_next` holds what the next calls of an operation raise instead; `before_call` is run ahead of every call, and
    may raise too; `calls` is everything that was asked, in order. With `pays_at_once` an issued invoice that is charged
    is paid when it is issued.
    """

    clock: Clock
    tax_rate: Decimal = Decimal(0)
    pays_at_once: bool = True
    issues: tuple[Issue, ...] = ()
    invoices: dict[str, ExternalInvoice] = field(default_factory=dict)
    made: int = 0
    calls: list[tuple[str, str]] = field(default_factory=list)
    fail_next: dict[str, list[InvoicingAppError]] = field(default_factory=dict)
    before_call: Callable[[str, str], None] | None = None
    after_call: Callable[[str, str], None] | None = None
    credits: list[tuple[str | None, Decimal, str, bool]] = field(default_factory=list)

    async def readiness(self, app_id: str, billing: CustomerBilling) -> tuple[Issue, ...]:
        self._begin("readiness", billing.customer_id)
        return self.issues

    async def sync_draft(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("sync_draft", invoice.id)
        known = self.invoices.get(invoice.id)
        if known is None:
            self.made += 1
            known = ExternalInvoice(id=f"in_{self.made}", status="draft")
        if known.status == "draft":
            total = invoice.totals.before_tax
            known = replace(known, subtotal=total, total=total, tax=Decimal(0))
        return self._keep("sync_draft", invoice, known)

    async def issue(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("issue", invoice.id)
        known = self.invoices[invoice.id]
        if known.status == "draft":
            known = self._finalised(invoice, known)
        return self._keep("issue", invoice, known)

    async def delete_draft(self, invoice: Invoice) -> None:
        self._begin("delete_draft", invoice.id)
        self.invoices.pop(invoice.id, None)

    async def read(self, invoice: Invoice) -> ExternalInvoice | None:
        self._begin("read", invoice.id)
        return self.invoices.get(invoice.id)

    async def pay(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("pay", invoice.id)
        return self._keep("pay", invoice, self.paid(self.invoices[invoice.id]))

    async def mark_paid(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("mark_paid", invoice.id)
        return self._keep("mark_paid", invoice, self.paid(self.invoices[invoice.id]))

    async def send(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("send", invoice.id)
        return self._keep("send", invoice, replace(self.invoices[invoice.id], sent_at=self.clock.now()))

    async def void(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("void", invoice.id)
        voided = replace(self.invoices[invoice.id], status="void", voided_at=self.clock.now())
        return self._keep("void", invoice, voided)

    async def mark_uncollectible(self, invoice: Invoice) -> ExternalInvoice:
        self._begin("mark_uncollectible", invoice.id)
        given_up = replace(self.invoices[invoice.id], status="uncollectible", marked_uncollectible_at=self.clock.now())
        return self._keep("mark_uncollectible", invoice, given_up)

    async def credit(self, invoice: Invoice, amount: Decimal, reason: str, *, refund: bool) -> ExternalInvoice:
        self._begin("credit", invoice.id)
        known = self.invoices[invoice.id]
        if all(request_id != invoice.request_id for request_id, *_ in self.credits):
            self.credits.append((invoice.request_id, amount, reason, refund))
            if known.status == "open":
                known = replace(known, amount_remaining=(known.amount_remaining or Decimal(0)) - amount)
        return self._keep("credit", invoice, known)

    # What tests make happen at the provider

    def paid(self, known: ExternalInvoice) -> ExternalInvoice:
        return replace(
            known,
            status="paid",
            payment_status="succeeded",
            amount_paid=known.amount_due,
            amount_remaining=Decimal(0),
            paid_at=self.clock.now(),
            failure_code=None,
            failure_message=None,
        )

    def declined(self, known: ExternalInvoice, message: str = "Your card was declined.") -> ExternalInvoice:
        return replace(
            known,
            payment_status="failed",
            failure_code="card_declined",
            failure_message=message,
            attempt_count=known.attempt_count + 1,
            next_payment_attempt_at=self.clock.now() + timedelta(days=3),
        )

    def fail(self, operation: str, trouble: Trouble, code: str = "oops", message: str = "It did not work.") -> None:
        """The next call of this operation fails."""
        self.fail_next.setdefault(operation, []).append(InvoicingAppError(trouble, code, message, remedy="Mend it."))

    def count(self, operation: str) -> int:
        """How often an operation was asked."""
        return sum(1 for name, _ in self.calls if name == operation)

    def _finalised(self, invoice: Invoice, known: ExternalInvoice) -> ExternalInvoice:
        workflow = invoice.workflow
        assert workflow is not None
        now = self.clock.now()
        subtotal = invoice.totals.before_tax
        tax = (subtotal * self.tax_rate).quantize(Decimal("0.01")) if workflow.tax_enabled else Decimal(0)
        by_mail = workflow.collection_method is CollectionMethod.SEND_INVOICE
        issued = replace(
            known,
            status="open",
            number=f"ACCT-{self.made:04}",
            hosted_url=f"https://pay.test/{known.id}",
            pdf_url=f"https://pay.test/{known.id}.pdf",
            subtotal=subtotal,
            tax=tax,
            total=subtotal + tax,
            amount_due=max(subtotal + tax, Decimal(0)),
            amount_paid=Decimal(0),
            amount_remaining=max(subtotal + tax, Decimal(0)),
            finalized_at=now,
            due_at=Duration.parse(workflow.due_after).added_to(now) if by_mail else None,
            sent_at=now if by_mail else None,
        )
        if not issued.amount_due or (self.pays_at_once and not by_mail):
            return self.paid(issued)
        return issued

    def _begin(self, operation: str, subject: str) -> None:
        self.calls.append((operation, subject))
        if self.before_call is not None:
            self.before_call(operation, subject)
        if self.fail_next.get(operation):
            raise self.fail_next[operation].pop(0)

    def _keep(self, operation: str, invoice: Invoice, external: ExternalInvoice) -> ExternalInvoice:
        self.invoices[invoice.id] = external
        if self.after_call is not None:
            self.after_call(operation, invoice.id)
        return external


class NoUsage:
    """An event store in which nothing was ever stored."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this test measures no usage, yet {name} was asked for")
