"""v1's installed app and the listing it came from."""

from typing import Any

from dashboard.api.shapes import optional_time, time_text, without_none
from dashboard.stripe_app.views import StripeApp

STRIPE_LISTING: dict[str, Any] = {
    "type": "stripe",
    "name": "Stripe",
    "description": "Sends invoices through Stripe, collects their payment and has Stripe compute tax.",
    "capabilities": [
        {
            "type": "calculateTax",
            "key": "stripe_calculate_tax",
            "name": "Calculate tax",
            "description": "Stripe Tax computes the tax of every invoice.",
        },
        {
            "type": "invoiceCustomers",
            "key": "stripe_invoice_customer",
            "name": "Invoice customers",
            "description": "Invoices are written and sent by Stripe Invoicing.",
        },
        {
            "type": "collectPayments",
            "key": "stripe_collect_payment",
            "name": "Collect payments",
            "description": "Stripe charges the customer's payment method, or waits for their transfer.",
        },
    ],
    "installMethods": ["with_api_key"],
}
CAPABILITY_TYPES = [capability["type"] for capability in STRIPE_LISTING["capabilities"]]


def app_to_v1(app: StripeApp) -> dict[str, Any]:
    """v1's `StripeApp`."""
    return without_none(
        [
            ("id", app.id),
            ("type", "stripe"),
            ("name", app.name),
            ("description", app.description),
            ("metadata", app.metadata),
            ("listing", STRIPE_LISTING),
            ("status", app.status),
            ("stripeAccountId", app.account_id),
            ("livemode", app.livemode),
            ("maskedAPIKey", app.masked_key),
            ("createdAt", time_text(app.created_at)),
            ("updatedAt", time_text(app.updated_at)),
            ("deletedAt", optional_time(app.deleted_at)),
        ]
    )
