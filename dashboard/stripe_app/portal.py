"""Stripe's customer portal: a configuration of our own per account, and short-lived doors to it."""

from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import NoStripeCustomer
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.house import resolve_app_id
from dashboard.stripe_app.inputs import CreatePortalSession
from dashboard.stripe_app.links import link_row_of
from dashboard.stripe_app.views import PortalSession
from dashboard.stripe_app.wire import id_of, must_moment

METADATA_PORTAL = "meterdesk_portal"


async def ensure_portal_configuration(gateway: Gateway, account_name: str) -> tuple[str, bool]:
    """The configuration our sessions use, and whether it was made just now.

    The account's own default wins, then one we made earlier. Stripe opens no portal without a configuration.
    """
    active = await gateway.list_portal_configurations()
    known = [c for c in active if c.get("is_default")] or [c for c in active if METADATA_PORTAL in c["metadata"]]
    if known:
        return known[0]["id"], False
    made = await gateway.create_portal_configuration(
        {
            "name": "Meterdesk",
            "business_profile": {"headline": f"Billing for {account_name}"[:60]},
            "features": {
                "payment_method_update": {"enabled": True},
                "customer_update": {
                    "enabled": True,
                    "allowed_updates": ["address", "email", "name", "phone", "tax_id"],
                },
                "invoice_history": {"enabled": True},
            },
            "metadata": {METADATA_PORTAL: "1"},
        }
    )
    return made["id"], True


async def create_portal_session(desk: StripeDesk, request: CreatePortalSession) -> PortalSession:
    """A fresh door for the linked Stripe customer. Raises NoStripeCustomer, StripeObjectMissing (the customer was
    deleted in Stripe, or no such configuration) and what Stripe refuses."""
    async with desk.database.read() as session:
        app_id = await resolve_app_id(session, request.customer_id, request.app_id)
        link = await link_row_of(session, app_id, request.customer_id)
    if link is None:
        raise NoStripeCustomer("This customer is not linked to a Stripe customer.")
    row = await desk.app_row(app_id)
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        answer = await gateway.create_portal_session(
            {
                "customer": link.stripe_customer_id,
                "configuration": request.configuration_id or row.portal_configuration_id,
                "locale": request.locale,
                "return_url": request.return_url,
                "flow_data": {"type": request.flow} if request.flow else None,
            }
        )
    return PortalSession(
        id=answer["id"],
        app_id=app_id,
        customer_id=request.customer_id,
        stripe_customer_id=answer["customer"],
        configuration_id=id_of(answer["configuration"]) or "",
        livemode=answer["livemode"],
        locale=answer.get("locale") or "auto",
        return_url=answer.get("return_url") or "",
        url=answer["url"],
        created_at=must_moment(answer["created"]),
    )
