"""One customer: who they are, how they pay, what they still need."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.backend import Backend, running
from dashboard.billing.overrides import customer_billing
from dashboard.customers import queries, service
from dashboard.customers.inputs import UpdateCustomer
from dashboard.customers.views import Address, Customer
from dashboard.kit.countries import country_name
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app import checkout, customer_link, links, portal
from dashboard.stripe_app.apps import get_stripe_app
from dashboard.stripe_app.inputs import (
    CreateCheckoutSession,
    CreatePortalSession,
    LinkStripeCustomer,
    UpdateStripeCustomer,
)
from dashboard.stripe_app.readiness import readiness
from dashboard.stripe_app.views import OpenCheckout, StripeLink
from dashboard.ui import components as ui
from dashboard.ui.api_calls import curl, origin_of
from dashboard.ui.customers.forms import errors_on_form, wanted_from
from dashboard.ui.customers.payment import expiry_words, payment_words
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.shell_state import show_environment
from dashboard.ui.views import NO_MOMENT, Moment, moment


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    id: str = ""
    name: str = ""
    key: str = ""
    email: str = ""
    currency: str = ""
    description: str = ""
    address: str = ""
    subjects: str = ""
    created: Moment = NO_MOMENT


@dataclass(frozen=True, slots=True)
class FormValues:
    """The edit form as it opens."""

    name: str = ""
    key: str = ""
    primary_email: str = ""
    currency: str = ""
    subject_keys: str = ""
    country: str = ""
    postal_code: str = ""
    state: str = ""
    city: str = ""
    line1: str = ""
    line2: str = ""
    phone_number: str = ""


@dataclass(frozen=True, slots=True)
class LinkDetails:
    app_id: str = ""
    stripe_customer_id: str = ""
    dashboard_url: str = ""
    name: str = ""
    email: str = ""
    currency: str = ""
    tax: str = ""
    payment: str = ""
    payment_expiry: str = ""
    payment_source: str = "none"
    is_deleted: bool = False
    checked: Moment = NO_MOMENT


@dataclass(frozen=True, slots=True)
class Need:
    """Something the customer still lacks, and what to do about it."""

    message: str
    remedy: str
    tone: str


@dataclass(frozen=True, slots=True)
class CheckoutRow:
    session_id: str
    status: str
    url: str
    problem: str
    created: Moment


@dataclass(frozen=True, slots=True)
class HitRow:
    id: str
    title: str
    detail: str
    taken: bool


TAX_WORDS = {
    "supported": "Location known",
    "not_collecting": "Not registered to collect there",
    "unrecognized_location": "Location not recognised",
    "failed": "Could not be determined",
}


class CustomerState(rx.State):
    loading: bool = True
    missing: bool = False
    customer: CustomerDetails = CustomerDetails()
    values: FormValues = FormValues()
    linked: bool = False
    link: LinkDetails = LinkDetails()
    notices: list[str] = []
    app_name: str = ""
    has_app: bool = False
    checkouts: list[CheckoutRow] = []
    ready: bool = False
    readiness_known: bool = False
    needs_list: list[Need] = []
    problem: str = ""
    busy: str = ""
    editing: bool = False
    linking: bool = False
    errors: dict[str, str] = {}
    hits: list[HitRow] = []
    searched: bool = False
    checkout_url: str = ""
    call_link: str = ""
    call_checkout: str = ""
    call_portal: str = ""

    @rx.event
    @needs("viewer")
    async def load(self):
        self.problem, self.busy, self.checkout_url = "", "", ""
        self.editing, self.linking, self.hits, self.searched = False, False, [], False
        if self.customer.id != self.customer_id:
            self.loading, self.readiness_known, self.needs_list = True, False, []
        await self._refresh()
        return [CustomerState.watch, CustomerState.check_readiness]

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self):
        async for _ in news(self, f"customers/{self.customer_id}", "stripe_apps", "billing_profiles"):
            async with self:
                await self._refresh()
            yield CustomerState.check_readiness

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def check_readiness(self):
        """Asks Stripe what this customer still lacks, without holding up the page."""
        async with self:
            customer_id = self.customer_id
        backend = running()
        try:
            async with backend.database.read() as session:
                billing = await customer_billing(session, customer_id)
            issues = await readiness(backend.stripe, billing.profile.app_id, billing)
            found = [Need(one.message, one.remedy, _tone(one.severity)) for one in issues]
        except MeterdeskError as error:
            found = [Need(error.message, error.what_to_do, "warning")]
        async with self:
            if self.customer_id == customer_id:
                self.needs_list, self.ready, self.readiness_known = found, not found, True

    @rx.event
    @needs("operator")
    async def start_editing(self):
        self.errors, self.editing = {}, True

    @rx.event
    @needs("operator")
    async def stop_editing(self):
        self.editing = False

    @rx.event
    @needs("operator")
    async def save(self, form: dict[str, Any]):
        self.errors = {}
        try:
            wanted = parse_input(UpdateCustomer, {**wanted_from(form), "description": self.customer.description})
            async with running().database.transaction(await acting(self)) as work:
                await service.update_customer(work, self.customer.id, wanted)
        except MeterdeskError as error:
            self.errors = errors_on_form(error.fields, error.for_people())
            return None
        self.editing = False
        await self._refresh()
        return ui.toast_success("Customer saved")

    @rx.event
    @needs("operator")
    async def start_linking(self):
        self.errors, self.hits, self.searched, self.linking = {}, [], False, True

    @rx.event
    @needs("operator")
    async def stop_linking(self):
        self.linking = False

    @rx.event(background=True)
    @needs("operator")
    async def search_stripe(self, form: dict[str, Any]):
        async with self:
            self.busy, self.errors = "search", {}
        backend = running()
        try:
            async with backend.database.read() as session:
                billing = await customer_billing(session, self.customer.id)
            hits = await customer_link.search_stripe_customers(
                backend.stripe, billing.profile.app_id, str(form.get("text") or "")
            )
            rows = [
                HitRow(
                    hit.stripe_customer_id,
                    hit.name or hit.email or hit.stripe_customer_id,
                    " · ".join(part for part in (hit.email, hit.stripe_customer_id) if part),
                    hit.linked_customer_id is not None,
                )
                for hit in hits
            ]
            async with self:
                self.hits, self.searched = rows, True
        except MeterdeskError as error:
            async with self:
                self.errors = {"text": error.for_people()}
        finally:
            async with self:
                self.busy = ""

    @rx.event
    @needs("operator")
    async def link_typed(self, form: dict[str, Any]):
        return CustomerState.link_to(str(form.get("stripe_customer_id") or "").strip())

    @rx.event(background=True)
    @needs("operator")
    async def link_to(self, stripe_customer_id: str):
        async with self:
            self.busy, self.errors = "link", {}
            actor = await acting(self)
        try:
            wanted = parse_input(
                LinkStripeCustomer,
                {"customer_id": self.customer.id, "stripe_customer_id": str(stripe_customer_id)},
            )
            await customer_link.link_stripe_customer(running().stripe, actor, wanted)
            async with self:
                self.linking = False
                await self._refresh()
            yield ui.toast_success("Linked to Stripe")
            yield CustomerState.check_readiness
        except MeterdeskError as error:
            async with self:
                self.errors = {"stripe_customer_id": error.for_people()}
        finally:
            async with self:
                self.busy = ""

    @rx.event(background=True)
    @needs("operator")
    async def create_in_stripe(self):
        async for event in self._with_stripe("create", self._create_in_stripe, "Created in Stripe"):
            yield event

    @rx.event(background=True)
    @needs("operator")
    async def refresh_link(self):
        async for event in self._with_stripe("refresh", self._refresh_link, "Read again from Stripe"):
            yield event

    @rx.event(background=True)
    @needs("operator")
    async def unlink(self):
        async for event in self._with_stripe("unlink", self._unlink, "Unlinked"):
            yield event

    @rx.event(background=True)
    @needs("operator")
    async def send_email_to_stripe(self):
        async for event in self._with_stripe("email", self._send_email, "Email set in Stripe"):
            yield event

    @rx.event(background=True)
    @needs("operator")
    async def create_checkout_link(self):
        async for event in self._with_stripe("checkout", self._create_checkout, "Checkout link created"):
            yield event

    @rx.event(background=True)
    @needs("operator")
    async def open_portal(self):
        async with self:
            self.busy, self.problem = "portal", ""
            customer_id, back = self.customer.id, origin_of(self) + f"/customers/{self.customer.id}"
        try:
            wanted = parse_input(CreatePortalSession, {"customer_id": customer_id, "return_url": back})
            session = await portal.create_portal_session(running().stripe, wanted)
            yield rx.redirect(session.url, is_external=True)
        except MeterdeskError as error:
            async with self:
                self.problem = error.for_people()
        finally:
            async with self:
                self.busy = ""

    @rx.event
    @needs("operator")
    async def delete(self):
        backend = running()
        try:
            async with backend.database.transaction(await acting(self)) as work:
                await service.delete_customer(work, self.customer.id, guards=backend.customer_guards)
        except MeterdeskError as error:
            self.problem = error.for_people()
            return None
        return [ui.toast_success("Customer deleted"), rx.redirect("/customers")]

    async def _with_stripe(self, what: str, act: Any, done: str):
        """Runs something that talks to Stripe without holding the tab, and says how it went."""
        async with self:
            self.busy, self.problem = what, ""
            actor, customer_id = await acting(self), self.customer.id
        try:
            await act(running(), actor, customer_id)
            async with self:
                await self._refresh()
            yield ui.toast_success(done)
            yield CustomerState.check_readiness
        except MeterdeskError as error:
            async with self:
                self.problem = error.for_people()
        finally:
            async with self:
                self.busy = ""

    async def _create_in_stripe(self, backend: Backend, actor: Any, customer_id: str):
        await customer_link.create_stripe_customer(backend.stripe, actor, customer_id)

    async def _refresh_link(self, backend: Backend, actor: Any, customer_id: str):
        await customer_link.refresh_link(backend.stripe, self.link.app_id, customer_id)

    async def _unlink(self, backend: Backend, actor: Any, customer_id: str):
        await customer_link.unlink_stripe_customer(backend.stripe, actor, customer_id)

    async def _send_email(self, backend: Backend, actor: Any, customer_id: str):
        wanted = parse_input(UpdateStripeCustomer, {"customer_id": customer_id, "email": self.customer.email})
        await customer_link.update_stripe_customer(backend.stripe, actor, wanted)

    async def _create_checkout(self, backend: Backend, actor: Any, customer_id: str):
        wanted = parse_input(
            CreateCheckoutSession,
            {"customer_id": customer_id, "success_url": origin_of(self) + "/checkout/complete"},
        )
        session = await checkout.create_checkout_session(backend.stripe, actor, wanted)
        async with self:
            self.checkout_url = session.url or ""

    def _show_calls(self, customer: Customer):
        """The same things by the API, for the people who automate them."""
        origin, who = origin_of(self), f"/api/v1/customers/{customer.id}"
        link = [{"type": "stripe", "stripeCustomerId": self.link.stripe_customer_id or "cus_…"}]
        options = {"successURL": f"{origin}/checkout/complete"}
        checkout_body = {"customer": {"id": customer.id}, "options": options}
        self.call_link = curl(origin, "PUT", f"{who}/apps", link)
        self.call_checkout = curl(origin, "POST", "/api/v1/stripe/checkout/sessions", checkout_body)
        self.call_portal = curl(origin, "POST", f"{who}/stripe/portal", {"returnUrl": origin}) if self.linked else ""

    async def _refresh(self):
        backend = running()
        now = backend.clock.now()
        try:
            async with backend.database.read() as session:
                customer = await queries.live_customer(session, self.customer_id)
                found = await links.get_links(session, customer.id)
                open_checkouts = await checkout.list_checkouts(session, customer.id)
                app_id = found[0].app_id if found else await _app_of(session, customer.id)
                app = await get_stripe_app(session, app_id) if app_id else None
        except MeterdeskError:
            self.missing, self.loading = True, False
            return
        self.missing = False
        self.customer, self.values = _details(customer, now), _values(customer)
        self.linked = bool(found)
        self.link = _link(found[0], now) if found else LinkDetails()
        self.notices = list(found[0].notices) if found else []
        self._show_calls(customer)
        self.has_app, self.app_name = app is not None, app.account_name if app else ""
        self.checkouts = [_checkout(one, now) for one in open_checkouts]
        if app is not None:
            await show_environment(self, "sandbox" if app.is_sandbox else app.mode)
        self.loading = False


async def _app_of(session: Any, customer_id: str) -> str | None:
    try:
        return (await customer_billing(session, customer_id)).profile.app_id
    except MeterdeskError:
        return None


def _tone(severity: str) -> str:
    return "danger" if severity == "critical" else "warning"


def _details(customer: Customer, now: datetime) -> CustomerDetails:
    return CustomerDetails(
        id=customer.id,
        name=customer.name,
        key=customer.key or "",
        email=customer.primary_email or "",
        currency=customer.currency or "",
        description=customer.description or "",
        address=_address(customer.billing_address),
        subjects=", ".join(customer.subject_keys),
        created=moment(customer.created_at, now),
    )


def _address(address: Address | None) -> str:
    if address is None:
        return ""
    city = " ".join(part for part in (address.postal_code, address.city) if part)
    country = country_name(address.country) if address.country else None
    parts = (address.line1, address.line2, city, address.state, country, address.phone_number)
    return ", ".join(part for part in parts if part)


def _values(customer: Customer) -> FormValues:
    address = customer.billing_address or Address()
    return FormValues(
        name=customer.name,
        key=customer.key or "",
        primary_email=customer.primary_email or "",
        currency=customer.currency or "",
        subject_keys="\n".join(customer.subject_keys),
        country=address.country or "",
        postal_code=address.postal_code or "",
        state=address.state or "",
        city=address.city or "",
        line1=address.line1 or "",
        line2=address.line2 or "",
        phone_number=address.phone_number or "",
    )


def _link(link: StripeLink, now: datetime) -> LinkDetails:
    method = link.payment_method
    return LinkDetails(
        app_id=link.app_id,
        stripe_customer_id=link.stripe_customer_id,
        dashboard_url=link.dashboard_url or "",
        name=link.stripe_name or "",
        email=link.stripe_email or "",
        currency=(link.stripe_currency or "").upper(),
        tax=TAX_WORDS.get(link.tax_status or "", ""),
        payment=payment_words(method) if method else "",
        payment_expiry=expiry_words(method) if method else "",
        payment_source=link.payment_method_source,
        is_deleted=link.stripe_deleted_at is not None,
        checked=moment(link.checked_at, now),
    )


def _checkout(one: OpenCheckout, now: datetime) -> CheckoutRow:
    return CheckoutRow(
        one.session_id,
        one.status,
        one.url or "" if one.status == "open" else "",
        one.problem or "",
        moment(one.created_at, now),
    )
