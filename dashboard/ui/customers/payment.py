"""Payment methods in words."""

from dashboard.billing.invoicing_app import PaymentMethod

_BRANDS = {
    "amex": "American Express",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
    "union_pay": "UnionPay",
}


def payment_words(method: PaymentMethod) -> str:
    """“Visa ending 4242”, “Bank account ending 6789”."""
    if method.kind == "us_bank_account":
        name = "Bank account"
    elif method.brand:
        name = _BRANDS.get(method.brand, method.brand.replace("_", " ").title())
    else:
        name = method.kind.replace("_", " ").capitalize()
    return f"{name} ending {method.last4}" if method.last4 else name


def expiry_words(method: PaymentMethod) -> str:
    """“expires 04/2030”; empty for what does not expire."""
    if method.exp_month is None or method.exp_year is None:
        return ""
    return f"expires {method.exp_month:02d}/{method.exp_year}"
