"""Home: what needs somebody, where the money stands, and how far the set-up is."""

from dataclasses import dataclass
from datetime import timedelta

import reflex as rx

from dashboard.backend import running
from dashboard.billing.invoice_list import InvoiceFilter, list_invoices, tab_counts
from dashboard.billing.profiles import default_billing_profile
from dashboard.billing.queries import money_figures, stuck_invoices
from dashboard.billing.service import push_on
from dashboard.billing.views import InvoiceStatus, InvoiceSummary
from dashboard.customers.queries import count_customers
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_money
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.stripe_app.links import count_links
from dashboard.ui import components as ui
from dashboard.ui.invoices.words import STATUS_WORDS, document_of, owed_on
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.shell_state import show_environment
from dashboard.ui.views import NO_MOMENT, Moment, moment

LOOKED_BACK = timedelta(days=30)
ATTENTION_SHOWN = 6
RETRIED_AT_ONCE = (InvoiceStatus.DRAFT_INVALID, InvoiceStatus.DRAFT_SYNC_FAILED, InvoiceStatus.ISSUING_FAILED)
"""What one click may try again here. A declined payment is charged again on the invoice's own page only."""


@dataclass(frozen=True, slots=True)
class AttentionRow:
    href: str
    number: str
    customer: str
    words: str
    document: str
    amount: str
    since: Moment
    id: str = ""
    next_attempt: Moment = NO_MOMENT
    can_retry: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the set-up."""

    title: str
    hint: str
    href: str
    done: bool


@dataclass(frozen=True, slots=True)
class CurrencyFigures:
    """Money of one currency, never added up with another's."""

    currency: str
    billed: str
    collected: str
    outstanding: str
    overdue: str


class HomeState(LiveState, rx.State):
    loading: bool = True
    attention: list[AttentionRow] = []
    attention_count: str = ""
    stuck: list[AttentionRow] = []
    figures: list[CurrencyFigures] = []
    steps: list[Step] = []
    steps_left: int = 0
    retrying: str = ""

    @rx.event(background=True)
    @needs("operator")
    async def retry(self, invoice_id: str):
        """Tries again what failed on one invoice, or carries it on from where it is."""
        async with self:
            self.retrying = str(invoice_id)
            actor = await acting(self)
        try:
            after = await push_on(running().billing, actor, str(invoice_id))
            yield ui.toast_success(f"{after.number}: {STATUS_WORDS.get(after.status.value, after.status.value)}")
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            async with self:
                self.retrying = ""
                await self._refresh()

    def _topics(self):
        return ("invoices", "stripe_apps", "billing_profiles", "customers")

    async def _refresh(self):
        backend = running()
        now = backend.clock.now()
        wanted = InvoiceFilter(tab="needs_attention")
        async with backend.database.read() as session:
            found = await list_invoices(session, wanted, limit=ATTENTION_SHOWN)
            counts = {count.tab: count for count in await tab_counts(session, InvoiceFilter())}
            stuck = await stuck_invoices(session, now, limit=ATTENTION_SHOWN)
            figures = await money_figures(session, now - LOOKED_BACK, now)
            apps = await list_stripe_apps(session)
            profile = await default_billing_profile(session)
            customers = await count_customers(session)
            links = await count_links(session)
        needing = counts["needs_attention"]
        self.attention = [_attention(one, moment(one.created_at, now)) for one in found.items]
        self.attention_count = f"{needing.count}{'+' if needing.is_more else ''}" if needing.count else ""
        self.stuck = [
            AttentionRow(
                f"/invoices/{one.id}",
                one.number,
                one.customer_name,
                f"{one.reason} {one.remedy}",
                "",
                "",
                moment(one.since, now),
                one.id,
                moment(one.next_attempt_at, now),
                can_retry=True,
            )
            for one in stuck
        ]
        self.figures = [
            CurrencyFigures(
                one.currency,
                format_money(one.billed, one.currency),
                format_money(one.collected, one.currency),
                format_money(one.outstanding, one.currency),
                format_money(one.overdue, one.currency),
            )
            for one in figures
        ]
        self.steps = [
            Step("Connect Stripe", "Or try it with the built-in sandbox.", "/settings/stripe", bool(apps)),
            Step(
                "Create a billing profile",
                "How invoices are collected and taxed.",
                "/settings/stripe",
                profile is not None,
            ),
            Step("Create a customer", "Who is billed.", "/customers", customers > 0),
            Step("Link a customer to Stripe", "By id, by search, or with a checkout link.", "/customers", links > 0),
            Step(
                "Send the first invoice",
                "Add a charge to a customer and choose Invoice now.",
                "/customers",
                counts["all"].count > 0,
            ),
        ]
        self.steps_left = sum(not step.done for step in self.steps)
        if apps:
            await show_environment(self, "sandbox" if apps[0].is_sandbox else apps[0].mode)
        self.loading = False


def _attention(one: InvoiceSummary, since: Moment) -> AttentionRow:
    owed = owed_on(one)
    return AttentionRow(
        href=f"/invoices/{one.id}",
        number=one.number,
        customer=one.customer_name,
        words=one.problem or STATUS_WORDS.get(one.status.value, one.status.value),
        document=document_of(one),
        amount=format_money(one.total if owed is None else owed, one.currency),
        since=since,
        id=one.id,
        can_retry=one.status in RETRIED_AT_ONCE,
    )
