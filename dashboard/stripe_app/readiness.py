"""Can this customer be billed as their profile says? Answered from what we last saw of Stripe, without asking it."""

from dashboard.billing.views import CollectionMethod, CustomerBilling, Issue
from dashboard.customers.queries import customers_by_id
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.links import currency_clash, effective_payment_method, link_row_of
from dashboard.stripe_app.tables import StripeCustomerLinkRow

_TAX_BLOCKERS = {
    "not_collecting": "Stripe does not collect tax where this customer is.",
    "unrecognized_location": "Stripe cannot tell where this customer is.",
    "failed": "Stripe could not work out this customer's tax location.",
}


async def readiness(desk: StripeDesk, app_id: str, billing: CustomerBilling) -> tuple[Issue, ...]:
    """What this customer lacks to be billed as `billing` says; empty when ready. Each issue has a remedy."""
    async with desk.database.read() as session:
        row = await link_row_of(session, app_id, billing.customer_id)
        customer = (await customers_by_id(session, [billing.customer_id])).get(billing.customer_id)
    if row is None:
        return (
            _issue(
                "customer_not_linked",
                "This customer is not linked to a Stripe customer.",
                "Link a Stripe customer, or send a checkout link, which makes one.",
            ),
        )
    if row.stripe_deleted_at is not None:
        return (
            _issue(
                "stripe_customer_deleted",
                "The linked customer was deleted in Stripe.",
                "Unlink it, then link or create another.",
            ),
        )
    clash = currency_clash(row, customer.currency if customer else None)
    warnings = [Issue("warning", "currency_differs", clash, _SAME_CURRENCY, component="stripe")] if clash else []
    return tuple(_lacks(row, billing) + warnings)


_SAME_CURRENCY = "Bill in Stripe's currency, or link another Stripe customer."


def _lacks(row: StripeCustomerLinkRow, billing: CustomerBilling) -> list[Issue]:
    workflow, issues = billing.workflow, []
    if workflow.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY and effective_payment_method(row)[0] is None:
        issues.append(
            _issue(
                "no_payment_method",
                "There is no payment method to charge.",
                "Send the customer a checkout link, or bill them by invoice instead.",
            )
        )
    if workflow.collection_method is CollectionMethod.SEND_INVOICE and not row.stripe_email:
        issues.append(
            _issue(
                "no_stripe_email",
                "Stripe has no email address to send invoices to.",
                "Set the email on the Stripe customer; it can be done from here.",
            )
        )
    if workflow.tax_enabled and workflow.tax_enforced and row.stripe_tax_status in _TAX_BLOCKERS:
        issues.append(
            _issue(
                "tax_location",
                _TAX_BLOCKERS[row.stripe_tax_status],
                "Complete the address in Stripe, or stop enforcing tax in the billing profile.",
            )
        )
    return issues


def _issue(code: str, message: str, remedy: str) -> Issue:
    return Issue("critical", code, message, remedy, component="stripe")
