"""Refusals of this room. Those that Stripe gave carry its own words verbatim and our advice beside them."""

from typing import Any

from dashboard.kit.errors import Conflict, DependencyFailed, InvalidInput, NotFound, PreconditionFailed, Unavailable


class StripeRefused(DependencyFailed):
    """Stripe answered, and said no. `message` is Stripe's sentence; `stripe_code` and `param` are Stripe's too."""

    code = "stripe_refused"
    remedy = "Mend what Stripe's message names, then try again."

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        stripe_code: str | None = None,
        decline_code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        replayed: bool = False,
        remedy: str | None = None,
    ) -> None:
        details: dict[str, Any] = {"stripe_code": stripe_code, "param": param, "request_id": request_id}
        super().__init__(message, remedy=remedy, details={k: v for k, v in details.items() if v})
        self.http_status = http_status
        self.stripe_code = stripe_code
        self.decline_code = decline_code
        self.param = param
        self.request_id = request_id
        self.replayed = replayed


class StripeInvalidRequest(StripeRefused):
    """Stripe's 400 (other than the ones below)."""

    code = "stripe_invalid_request"


class StripeObjectMissing(StripeRefused):
    """`resource_missing`: no such object in this account and mode."""

    code = "stripe_object_missing"
    remedy = "Check the id, and that it belongs to the same Stripe account and mode (test or live) as this app."


class StripeUnauthorized(StripeRefused):
    """401: the key is revoked, rolled or mistyped."""

    code = "stripe_unauthorized"
    remedy = "Replace the API key of this Stripe app under Settings → Stripe."


class StripePermissionMissing(StripeRefused):
    """403: a restricted key lacks a permission."""

    code = "stripe_permission_missing"
    remedy = "Give the restricted key the permission that Stripe names, or use a secret key."


class StripeCardDeclined(StripeRefused):
    """402: the payment did not go through."""

    code = "stripe_card_declined"
    remedy = "Ask the customer for another payment method (customer portal or checkout link), then retry the payment."


class StripeTaxProblem(StripeRefused):
    """Stripe cannot compute tax for this invoice as things stand."""

    code = "stripe_tax_problem"
    remedy = "Complete the customer's address or the account's tax settings in Stripe, then retry."


class StripeUnreachable(Unavailable):
    """Network trouble, 5xx, 429 or a lock, for longer than one call may wait. Later it will work."""

    code = "stripe_unreachable"
    remedy = "Nothing is lost: it is tried again by itself."

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        stripe_code: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        executed: bool = False,
        is_final: bool = False,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.stripe_code = stripe_code
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.executed = executed
        """Stripe began to execute it (a 5xx), so its answer is replayed for this idempotency key."""
        self.is_final = is_final
        """Trying again with the same idempotency key is no use."""


class BadStripeKey(InvalidInput):
    code = "bad_stripe_key"
    remedy = (
        "Copy the secret key (sk_test_…, sk_live_…) or a restricted key (rk_…) from Stripe's dashboard, Developers."
    )


class WrongStripeAccount(InvalidInput):
    code = "wrong_stripe_account"
    remedy = "Use a key of the same Stripe account and mode; install another account as an app of its own."


class AccountAlreadyInstalled(Conflict):
    code = "stripe_account_already_installed"
    remedy = "Open the app that is already installed, or uninstall it first."


class StripeAppInUse(Conflict):
    code = "stripe_app_in_use"
    remedy = "Move these to another app, or finish and delete them, then uninstall."


class StripeAppNotFound(NotFound):
    code = "stripe_app_not_found"


class StripeAppDeleted(InvalidInput):
    code = "stripe_app_deleted"
    remedy = "Install the Stripe account again, or use another app."


class StripeAppNotReady(PreconditionFailed):
    code = "stripe_app_not_ready"
    remedy = "Finish the installation, or replace the API key, first."


class NoStripeProfile(NotFound):
    code = "no_stripe_profile"
    remedy = "Create a billing profile that uses a Stripe app, or name the app."


class NoStripeCustomer(PreconditionFailed):
    code = "customer_not_linked"
    remedy = "Link a Stripe customer, or send a checkout link, which makes one."


class StripeCustomerUnusable(PreconditionFailed):
    code = "stripe_customer_unusable"


class StripeCustomerTaken(PreconditionFailed):
    code = "stripe_customer_taken"
    remedy = "One Stripe customer serves one customer per app. Unlink it there first, or choose another."


class PaymentMethodUnusable(PreconditionFailed):
    code = "payment_method_unusable"
    remedy = "Choose a payment method that is attached to this Stripe customer."


class DifferentStripeCustomer(Conflict):
    code = "different_stripe_customer"
    remedy = "Leave the Stripe customer out, or unlink the present one first."


class ReservedMetadata(InvalidInput):
    code = "reserved_metadata"
    remedy = "Keys that begin with meterdesk_ are ours; use another name."


class BadCheckoutOption(InvalidInput):
    code = "bad_checkout_option"


class BadSignature(InvalidInput):
    code = "bad_signature"
    remedy = (
        "Only Stripe can post here. If Stripe itself is refused, register the webhook again under Settings → Stripe."
    )


class WebhookTooLarge(InvalidInput):
    status = 413
    code = "webhook_too_large"


class StripeEventNotFound(NotFound):
    code = "stripe_event_not_found"
