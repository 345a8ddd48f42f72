"""Refusals of this room. (Impossible steps of an invoice are in `state_machine.py`, rating's in `rating/errors.py`.)"""

from dashboard.kit.errors import Conflict, DependencyFailed, InvalidInput, NotFound, PreconditionFailed, Unavailable


class BillingProfileNotFound(NotFound):
    code = "profile_not_found"
    remedy = "Look in the list of billing profiles."


class BillingProfileAppUnknown(InvalidInput):
    code = "invoice_workflow_app_deleted"
    remedy = "Choose an installed app, or install Stripe first."


class DefaultProfileCannotBeDeleted(Conflict):
    code = "default_profile_cannot_be_deleted"
    remedy = "Make another billing profile the default first."


class DefaultProfileCannotBeUnset(Conflict):
    code = "default_profile_cannot_be_unset"
    remedy = "Make another billing profile the default instead; one always is."


class BillingProfileInUse(Conflict):
    """`details["reasons"]` lists who uses it."""

    code = "profile_referenced"
    remedy = "Take the customers that are listed off this profile first."


class NoBillingProfile(PreconditionFailed):
    code = "default_profile_not_found"
    remedy = "Create a billing profile in the settings."


class CustomerOverrideNotFound(NotFound):
    code = "customer_override_not_found"
    remedy = "This customer is billed by the default profile already."


class InvoiceNotFound(NotFound):
    code = "invoice_not_found"
    remedy = "Look in the list of invoices."


class InvoiceLineNotFound(NotFound):
    code = "invoice_line_not_found"
    remedy = "Reload the invoice; the line may have been deleted or billed."


class InvoiceCannotBeEdited(Conflict):
    code = "invoice_cannot_be_edited"
    remedy = "Drafts can be edited until they are sent to the provider; later, void the invoice or credit an amount."


class ZeroAmount(InvalidInput):
    code = "invoice_line_zero_amount_create"
    remedy = "Give a quantity and a price that are not zero."


class AmountTooLarge(InvalidInput):
    code = "amount_too_large"
    remedy = "Split the charge; amounts stay below 1,000,000,000,000."


class LineCurrencyMismatch(InvalidInput):
    code = "invoice_line_currency_mismatch"
    remedy = "Bill the customer in their own currency, or change it on the customer."


class LinesNotBillable(InvalidInput):
    """`details["line_ids"]` names them."""

    code = "invoice_lines_not_billable"
    remedy = "Wait for their date, or invoice them before it by hand."


class AsOfInTheFuture(InvalidInput):
    code = "as_of_in_the_future"
    remedy = "Give a time that has passed, or none for now."


class CannotDeleteGathering(Conflict):
    code = "invoice_cannot_delete_gathering"
    remedy = "Delete its lines instead."


class FeatureHasNoMeter(InvalidInput):
    code = "invoice_line_feature_has_no_meters"
    remedy = "Charge a flat price, or a feature with a meter."


class InvoiceBusy(Unavailable):
    """Another step of the same invoice is being made."""

    code = "invoice_busy"
    remedy = "Try again in a few seconds."


class ActionFailed(DependencyFailed):
    """The provider answered, and refused; nothing changed but what the timeline tells."""

    code = "invoice_action_failed"
    remedy = "See the invoice for the provider's reason."


class CreditTooLarge(InvalidInput):
    code = "credit_too_large"
    remedy = "Credit at most what the invoice was issued for."


class LineIsFixed(InvalidInput):
    code = "invoice_line_no_period_change_for_split_line"
    remedy = "Change the subscription, or its plan; here only the text and the tax can be changed."
