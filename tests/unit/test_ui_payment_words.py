"""Payment methods in words."""

import pytest

from dashboard.billing.invoicing_app import PaymentMethod
from dashboard.ui.customers.payment import payment_words


@pytest.mark.parametrize(
    ("kind", "brand", "words"),
    [
        ("card", "visa", "Visa ending 4242"),
        ("card", "amex", "American Express ending 4242"),
        ("card", "american_express", "American Express ending 4242"),
        ("card", "cartes_bancaires", "Cartes Bancaires ending 4242"),
        ("us_bank_account", None, "Bank account ending 4242"),
        ("sepa_debit", None, "Sepa debit ending 4242"),
    ],
)
def test_a_payment_method_is_called_as_its_holder_knows_it(kind: str, brand: str | None, words: str):
    assert payment_words(PaymentMethod(id="pm_1", kind=kind, brand=brand, last4="4242")) == words
