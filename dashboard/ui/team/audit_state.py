"""The audit log: who did what to what, and when, with filters in the address."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import reflex as rx

from dashboard.access.inputs import AuditFilter
from dashboard.access.queries import list_audit_entries, list_people
from dashboard.access.views import AuditRecord
from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.ui.components import Option
from dashboard.ui.listing import Address, Pager
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.views import NO_MOMENT, Moment, moment

SUBJECTS = (
    ("", "Everything"),
    ("customer", "Customers"),
    ("invoice", "Invoices"),
    ("billing_profile", "Billing profiles"),
    ("stripe_app", "Stripe"),
    ("stripe_customer", "Stripe customers"),
    ("subscription", "Subscriptions"),
    ("plan", "Plans"),
    ("meter", "Meters"),
    ("feature", "Features"),
    ("tax_code", "Tax codes"),
    ("api_key", "API keys"),
    ("person", "People"),
)
PERIODS = (("", "Any time"), ("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days"))
_FILTERS = ("what", "who", "days")


@dataclass(frozen=True, slots=True)
class AuditView:
    """A row of the log."""

    at: Moment = NO_MOMENT
    who: str = ""
    kind: str = ""
    what: str = ""
    action: str = ""
    subject: str = ""
    subject_href: str = ""
    details: str = ""


class AuditState(rx.State):
    """One page of the log."""

    loading: bool = True
    problem: str = ""
    entries: list[AuditView] = []
    actors: list[Option] = []
    what: str = ""
    who: str = ""
    days: str = ""
    is_filtered: bool = False
    newest_href: str = ""
    pager: Pager = Pager()

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Fills the page that the address asks for, then keeps it true."""
        address = Address.of(self)
        self.what = address.choice("what", dict(SUBJECTS), "")
        self.days = address.choice("days", dict(PERIODS), "")
        self.who = address.text("who")
        self.is_filtered = bool(self.what or self.days or self.who)
        self.problem = ""
        try:
            self.actors = await _actors()
            self.entries, self.pager = await _read(address, self._filter())
            self.newest_href = address.having() if address.text("after") else ""
        except MeterdeskError as error:
            self.entries, self.pager, self.problem = [], Pager(), error.for_people()
        self.loading = False
        return AuditState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows new entries, unless one is reading older ones."""
        async for _ in news(self, "audit"):
            async with self:
                address, wanted = Address.of(self), self._filter()
            if address.text("after"):
                continue
            entries, pager = await _read(address, wanted)
            async with self:
                self.entries, self.pager = entries, pager

    @rx.event
    @needs("viewer")
    def choose(self, name: str, value: str) -> Any:
        """Sets one filter by going to its address."""
        if name not in _FILTERS:
            return None
        return rx.redirect(Address.of(self).having(**{name: value}), replace=True)

    def _filter(self) -> AuditFilter:
        since = running().clock.now() - timedelta(days=int(self.days)) if self.days else None
        return AuditFilter(actor_id=self.who or None, subject_type=self.what or None, since=since)


async def _actors() -> list[Option]:
    async with running().database.read() as session:
        people = await list_people(session)
    own = [Option("system", "Meterdesk itself"), Option("stripe", "Stripe")]
    return [*(Option(person.id, person.name) for person in people), *own]


async def _read(address: Address, wanted: AuditFilter) -> tuple[list[AuditView], Pager]:
    backend = running()
    async with backend.database.read() as session:
        page = await list_audit_entries(session, wanted, cursor=address.text("after") or None)
    now = backend.clock.now()
    count = len(page.entries)
    summary = f"{count} {'entry' if count == 1 else 'entries'}" if count else ""
    return [audit_view(entry, now) for entry in page.entries], address.keyset_pager(summary, None, page.next_cursor)


def audit_view(entry: AuditRecord, now: datetime) -> AuditView:
    """An entry as the log shows it: the action in words, its subject linked where it has a page."""
    return AuditView(
        at=moment(entry.at, now),
        who=entry.actor.label,
        kind=_KINDS.get(entry.actor.kind, entry.actor.kind),
        what=action_in_words(entry.action),
        action=entry.action,
        subject=_name_of(entry),
        subject_href=_SUBJECT_PAGES[entry.subject_type] + entry.subject_id if _has_page(entry) else "",
        details=_details(entry),
    )


def action_in_words(action: str) -> str:
    """`billing_profile.made_default` as “Billing profile made default”."""
    words = action.replace(".", " ").replace("_", " ").strip()
    words = words[:1].upper() + words[1:]
    for short, long in (("Api ", "API "), ("Stripe app ", "Stripe app ")):
        words = words.replace(short, long)
    return words


_KINDS = {"person": "Person", "api_key": "API key", "system": "Meterdesk", "stripe": "Stripe"}
_NAMES = ("number", "name", "key", "email")
_SUBJECT_PAGES = {"customer": "/customers/", "invoice": "/invoices/", "stripe_app": "/settings/stripe?app="}


def _name_of(entry: AuditRecord) -> str:
    """What people call it, where the entry says that; its id else."""
    is_its_own = entry.action.partition(".")[0] == entry.subject_type
    names = [str(entry.details[name]) for name in _NAMES if is_its_own and entry.details.get(name)]
    return names[0] if names else entry.subject_id


def _has_page(entry: AuditRecord) -> bool:
    return entry.subject_type in _SUBJECT_PAGES and not entry.action.endswith((".deleted", ".uninstalled"))


def _details(entry: AuditRecord) -> str:
    return " · ".join(f"{name.replace('_', ' ')}: {_written(value)}" for name, value in entry.details.items())


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
