"""How invoices are numbered. The counters themselves live in the database; a final number is taken from one in the very
transaction that issues the invoice, so that no number is ever missing."""

from anyascii import anyascii

_UNKNOWN_PREFIX = "UNKN"


def customer_prefix(customer_name: str) -> str:
    """Up to four letters a reader recognises the customer by: `JOHN` for John, `LIHO` for Líb Hosted, `UNKN` for none.

    The name in capital ASCII, split at spaces: the first four characters of a single word, or the first two of each of
    the first two.
    """
    words = anyascii(customer_name).upper().split()
    if not words:
        return _UNKNOWN_PREFIX
    if len(words) == 1:
        return words[0][:4]
    return words[0][:2] + words[1][:2]


def gathering_number(customer_name: str, currency: str, count: int) -> str:
    """The name of the collecting of pending lines: `GATHER-ACME-USD-7`."""
    return f"GATHER-{customer_prefix(customer_name)}-{currency.upper()}-{count}"


def draft_number(customer_name: str, count: int) -> str:
    """The number an invoice carries until it is issued: `DRAFT-ACME-7`."""
    return f"DRAFT-{customer_prefix(customer_name)}-{count}"


def issued_number(customer_name: str, count: int) -> str:
    """The final number where the invoicing app does not give one: `INV-ACME-7`."""
    return f"INV-{customer_prefix(customer_name)}-{count}"
