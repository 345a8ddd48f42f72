"""The list of customers, and creating one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.customers import queries, service
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.views import Customer
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.links import links_of_customers
from dashboard.stripe_app.views import StripeLink
from dashboard.ui import components as ui
from dashboard.ui.customers.forms import errors_on_form, wanted_from
from dashboard.ui.customers.payment import payment_words
from dashboard.ui.listing import Address, CreatingState, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.views import Moment, moment

SORTS = ["name", "key", "created_at"]


@dataclass(frozen=True, slots=True)
class CustomerRow:
    href: str
    name: str
    key: str
    email: str
    currency: str
    stripe: str
    payment: str
    created: Moment


class CustomersState(CreatingState, ListState, rx.State):
    rows: list[CustomerRow] = []

    @rx.event
    @needs("operator")
    async def start_creating(self):
        self.errors, self.creating = {}, True

    @rx.event
    @needs("operator")
    async def create(self, form: dict[str, Any]):
        self.errors = {}
        try:
            wanted = parse_input(CreateCustomer, wanted_from(form))
            async with running().database.transaction(await acting(self)) as work:
                customer = await service.create_customer(work, wanted)
        except MeterdeskError as error:
            self.errors = errors_on_form(error.fields, error.for_people())
            return None
        self.creating = False
        return [ui.toast_success("Customer created"), rx.redirect(f"/customers/{customer.id}")]

    def _topics(self):
        return ("customers",)

    async def _refresh(self):
        address = Address.of(self)
        backend = running()
        order = address.order(SORTS, "-created_at")
        async with backend.database.read() as session:
            found = await queries.list_customers(
                session,
                address.page_request(),
                search=address.search(),
                sort=order.key,
                descending=order.descending,
            )
            links = await links_of_customers(session, found.items)
        now = backend.clock.now()
        self.rows = [_row(customer, links.get(customer.id, ()), now) for customer in found.items]
        self._show(address, address.pager(found), order)


def _row(customer: Customer, links: tuple[StripeLink, ...], now: datetime) -> CustomerRow:
    linked = links[0] if links else None
    stripe = "none" if linked is None else "deleted" if linked.stripe_deleted_at else "linked"
    return CustomerRow(
        href=f"/customers/{customer.id}",
        name=customer.name,
        key=customer.key or "",
        email=customer.primary_email or "",
        currency=customer.currency or "",
        stripe=stripe,
        payment=payment_words(linked.payment_method) if linked and linked.payment_method else "",
        created=moment(customer.created_at, now),
    )
