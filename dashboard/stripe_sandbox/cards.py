"""The test cards and bank accounts: how each is named, what it looks like, and what it does when charged.

https://docs.stripe.com/testing
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One card number. `behaviour`: `ok`, `decline:<decline code>`, `fail_later:<code>` (attaches, then declines),
    `3ds` (always asks), `3ds_once` (asks unless set up), `dispute`."""

    number: str
    behaviour: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"


_CARDS = {
    "visa": Card("4242424242424242", "ok"),
    "visa_debit": Card("4000056655665556", "ok", funding="debit"),
    "mastercard": Card("5555555555554444", "ok", "mastercard"),
    "mastercard_debit": Card("5200828282828210", "ok", "mastercard", "debit"),
    "mastercard_prepaid": Card("5105105105105100", "ok", "mastercard", "prepaid"),
    "amex": Card("378282246310005", "ok", "amex"),
    "discover": Card("6011111111111117", "ok", "discover"),
    "diners": Card("3056930009020004", "ok", "diners"),
    "jcb": Card("3566002020360505", "ok", "jcb"),
    "unionpay": Card("6200000000000005", "ok", "unionpay"),
    "us": Card("4242424242424242", "ok"),
    "gb": Card("4000008260000000", "ok", country="GB"),
    "de": Card("4000002760000016", "ok", country="DE"),
    "fr": Card("4000002500000003", "ok", country="FR"),
    "bypassPending": Card("4000000000000077", "ok"),
    "chargeDeclined": Card("4000000000000002", "decline:generic_decline"),
    "chargeDeclinedInsufficientFunds": Card("4000000000009995", "decline:insufficient_funds"),
    "chargeDeclinedLostCard": Card("4000000000009987", "decline:lost_card"),
    "chargeDeclinedStolenCard": Card("4000000000009979", "decline:stolen_card"),
    "chargeDeclinedExpiredCard": Card("4000000000000069", "decline:expired_card"),
    "chargeDeclinedIncorrectCvc": Card("4000000000000127", "decline:incorrect_cvc"),
    "chargeDeclinedProcessingError": Card("4000000000000119", "decline:processing_error"),
    "chargeDeclinedVelocityLimitExceeded": Card("4000000000006975", "decline:card_velocity_exceeded"),
    "chargeDeclinedFraudulent": Card("4100000000000019", "decline:fraudulent"),
    "chargeCustomerFail": Card("4000000000000341", "fail_later:generic_decline"),
    "authenticationRequired": Card("4000002760003184", "3ds"),
    "threeDSecure2Required": Card("4000000000003220", "3ds"),
    "threeDSecureRequired": Card("4000000000003063", "3ds"),
    "authenticationRequiredOnSetup": Card("4000002500003155", "3ds_once"),
    "authenticationRequiredSetupForOffSession": Card("4000002500003155", "3ds_once"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card("4000008260003178", "3ds_then_decline"),
    "createDispute": Card("4000000000000259", "dispute"),
    "createDisputeProductNotReceived": Card("4000000000002685", "dispute"),
}

# Banks: routing 110000000 and the account numbers of https://docs.stripe.com/testing#ach-direct-debit
BANK_ACCOUNTS = {
    "000123456789": "ok",
    "000111111116": "decline:no_account",
    "000111111113": "decline:account_closed",
    "000222222227": "decline:insufficient_funds",
    "000333333335": "decline:debit_not_authorized",
}
_BANK_NAMES = {
    "usBankAccount": "000123456789",
    "usBankAccount_success": "000123456789",
    "usBankAccount_noAccount": "000111111116",
    "usBankAccount_accountClosed": "000111111113",
    "usBankAccount_insufficientFunds": "000222222227",
    "usBankAccount_debitNotAuthorized": "000333333335",
}

MESSAGES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "fraudulent": ("card_declined", "Your card was declined."),
    "card_velocity_exceeded": (
        "card_declined", "Your card was declined for making repeated attempts too frequently or exceeding its limit."
    ),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "processing_error": ("processing_error", "An error occurred while processing your card. Try again later."),
    "authentication_required": (
        "authentication_required", "This transaction requires authentication. Please check your card details."
    ),
    "no_account": ("no_account", "The bank account could not be located."),
    "account_closed": ("account_closed", "The customer's bank account has been closed."),
    "debit_not_authorized": ("debit_not_authorized", "The customer told their bank that this was unauthorized."),
}  # fmt: skip


def card_by_name(name: str) -> Card | None:
    """The card behind a test payment method such as `pm_card_visa` or `pm_card_visa_chargeDeclined`."""
    if not name.startswith("pm_card_"):
        return None
    short = name.removeprefix("pm_card_")
    return _CARDS.get(short) or _CARDS.get(short.removeprefix("visa_"))


def card_by_number(number: str) -> Card | None:
    """The card with this number, spaces and dashes aside."""
    digits = number.replace(" ", "").replace("-", "")
    return next((card for card in _CARDS.values() if card.number == digits), None)


def bank_account_by_name(name: str) -> str | None:
    """The account number behind `pm_usBankAccount_success` and its kin."""
    return _BANK_NAMES.get(name.removeprefix("pm_"))


def card_names() -> list[str]:
    """Every `pm_card_…` name, for pages that offer them."""
    return [f"pm_card_{name}" for name in _CARDS]
