"""Whether a customer can be billed for a paid subscription: fills `subscriptions.PaymentReadiness`."""

from dataclasses import dataclass

from dashboard.billing.desk import BillingDesk
from dashboard.billing.invoicing_app import InvoicingAppError
from dashboard.billing.issues import CRITICAL
from dashboard.billing.overrides import customer_billing
from dashboard.kit.errors import MeterdeskError


@dataclass(frozen=True, slots=True)
class PaymentSetup:
    """Asks the invoicing app of the customer's billing profile, as OpenMeter does when a paid subscription begins."""

    desk: BillingDesk

    async def __call__(self, customer_id: str) -> tuple[str, str] | None:
        """What the customer lacks, as (what, remedy); None when nothing."""
        try:
            async with self.desk.database.read() as session:
                billing = await customer_billing(session, customer_id)
            issues = await self.desk.app.readiness(billing.profile.app_id, billing)
        except InvoicingAppError as error:
            return error.message, error.remedy
        except MeterdeskError as error:
            return error.message, error.what_to_do
        lacking = [issue for issue in issues if issue.severity == CRITICAL]
        return (lacking[0].message, lacking[0].remedy) if lacking else None
