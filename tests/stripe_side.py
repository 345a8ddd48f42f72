"""What is there at Stripe before a story of ours begins: a customer with a card, an account with tax switched on.

`stripe` is a call past our gateway, as somebody else would make it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from dashboard.kit.database import Actor
from dashboard.stripe_app.customer_link import link_stripe_customer
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.inputs import LinkStripeCustomer

StripeCall = Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]

IN_BERLIN = {"country": "DE", "postal_code": "10115", "city": "Berlin", "line1": "Invalidenstr. 1"}


async def link_payer(
    desk: StripeDesk, actor: Actor, stripe: StripeCall, customer_id: str, *, card: str = "pm_card_visa", **who: str
) -> str:
    """Links a customer of ours to a fresh one of Stripe's who pays with `card`; answers that one's id."""
    made = await stripe("POST", "/v1/customers", {"name": "Acme", "email": "pay@acme.example.com", **who})
    method = await stripe("POST", f"/v1/payment_methods/{card}/attach", {"customer": made["id"]})
    request = LinkStripeCustomer(
        customer_id=customer_id, stripe_customer_id=made["id"], default_payment_method_id=method["id"]
    )
    await link_stripe_customer(desk, actor, request)
    return made["id"]


async def switch_tax_on(stripe: StripeCall) -> None:
    """Stripe Tax for the account: a head office in Berlin and a registration in Germany."""
    office = {f"head_office[address][{name}]": value for name, value in IN_BERLIN.items()}
    await stripe("POST", "/v1/tax/settings", office)
    registration = {
        "country": "DE",
        "active_from": "now",
        "country_options[de][type]": "standard",
        "country_options[de][standard][place_of_supply_scheme]": "standard",
    }
    await stripe("POST", "/v1/tax/registrations", registration)
