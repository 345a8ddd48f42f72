"""Ids that look like Stripe's: a prefix that names the kind, then letters and digits."""

import random
import string

_ALPHABET = string.ascii_letters + string.digits
_random = random.SystemRandom()
_fast = random.Random(_random.getrandbits(128))

PREFIXES = {
    "billing.meter": "mtr_test_",
    "billing.meter_event": "mtrev_test_",
    "billing_portal.configuration": "bpc_1",
    "billing_portal.session": "bps_1",
    "charge": "ch_3",
    "checkout.session": "cs_test_a1",
    "coupon": "",
    "credit_note": "cn_1",
    "credit_note_line_item": "cnli_1",
    "customer": "cus_",
    "customer_balance_transaction": "cbtxn_1",
    "discount": "di_1",
    "dispute": "du_1",
    "event": "evt_1",
    "invoice": "in_1",
    "invoice_payment": "inpay_1",
    "invoiceitem": "ii_1",
    "item": "li_1",
    "line_item": "il_1",
    "mandate": "mandate_1",
    "payment_intent": "pi_3",
    "payment_method": "pm_1",
    "price": "price_1",
    "product": "prod_",
    "refund": "re_3",
    "request": "req_",
    "setup_attempt": "setatt_1",
    "setup_intent": "seti_1",
    "tax.calculation": "taxcalc_1",
    "tax.calculation_line_item": "tax_li_",
    "tax.registration": "taxreg_1",
    "tax_id": "txi_1",
    "tax_rate": "txr_1",
    "test_helpers.test_clock": "clock_1",
    "webhook_endpoint": "we_1",
    "balance_transaction": "txn_3",
}
_LENGTHS = {"customer": 14, "product": 14, "request": 14, "coupon": 8, "checkout.session": 56}


def token(length: int) -> str:
    """Letters and digits, for ids: unique, not secret."""
    return "".join(_fast.choices(_ALPHABET, k=length))


def secret(length: int = 32) -> str:
    """Letters and digits nobody can guess, for signing secrets and page links."""
    return "".join(_random.choices(_ALPHABET, k=length))


def new_id(kind: str) -> str:
    """A fresh id for an object of Stripe's `kind`, such as `in_1…` for an invoice."""
    return PREFIXES[kind] + token(_LENGTHS.get(kind, 23))
