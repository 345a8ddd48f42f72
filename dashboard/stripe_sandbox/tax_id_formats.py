"""The form of tax ids, the country that each names, and how its verification ends in test mode.

https://docs.stripe.com/tax/invoicing/tax-ids and https://docs.stripe.com/billing/customer/tax-ids (test values: nine
zeros are verified, nine ones unverified, nine twos stay pending).
"""

import re
from typing import Any

_FORMS = {
    "eu_vat": r"(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)[0-9A-Z+*]{2,12}",
    "gb_vat": r"GB\d{9}(\d{3})?|XI\d{9}",
    "us_ein": r"\d{2}-?\d{7}",
    "au_abn": r"\d{11}",
    "ch_vat": r"CHE-?\d{3}\.?\d{3}\.?\d{3} ?(MWST|TVA|IVA)",
    "no_vat": r"\d{9}MVA",
    "ca_bn": r"\d{9}",
    "ca_gst_hst": r"\d{9}RT\d{4}",
    "in_gst": r"\d{2}[A-Z]{5}\d{4}[A-Z]\d[A-Z][0-9A-Z]",
    "jp_cn": r"\d{13}",
    "nz_gst": r"\d{8,9}",
    "sg_gst": r"[0-9A-Z]{9,10}",
    "br_cnpj": r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}",
    "mx_rfc": r"[A-ZÑ&]{3,4}\d{6}[0-9A-Z]{3}",
}
VERIFIED_TYPES = ("eu_vat", "gb_vat", "au_abn")
EU = tuple(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)


def fits(type: str, value: str) -> bool:
    """Whether the value has the form of its type; types without a table entry only need to be non-empty and short."""
    form = _FORMS.get(type)
    if form is None:
        return 0 < len(value) <= 60
    return bool(re.fullmatch(form, value.replace(" ", "").upper() if type != "ch_vat" else value.upper()))


def country(type: str, value: str) -> str | None:
    """The country that the id belongs to."""
    if type == "eu_vat":
        head = value[:2].upper()
        return "GR" if head == "EL" else "GB" if head == "XI" else head
    head = type.split("_", 1)[0].upper()
    return head if len(head) == 2 and head != "EU" else None


def verification(type: str, value: str) -> dict[str, Any]:
    """How the check with the tax office ends."""
    if type not in VERIFIED_TYPES:
        return {"status": "unavailable", "verified_address": None, "verified_name": None}
    status = "unverified" if "11111111" in value else "pending" if "22222222" in value else "verified"
    name = "Sandbox Company" if status == "verified" else None
    return {"status": status, "verified_address": None, "verified_name": name}
