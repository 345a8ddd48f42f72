"""What people type into the pages' forms, read once and complained about in place."""

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.pages.countries import COUNTRIES, TAX_ID_TYPES
from dashboard.stripe_sandbox.resources import payment_methods
from dashboard.stripe_sandbox.resources.common import ADDRESS_FIELDS

TEST_CARDS = [
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0027 6000 3184", "asks for 3-D Secure every time"),
    ("4000 0025 0000 3155", "asks for 3-D Secure once, then works off-session"),
    ("4000 0000 0000 0341", "can be saved, then declines every charge"),
    ("4000 0000 0000 0002", "declined"),
    ("4000 0000 0000 9995", "declined: insufficient funds"),
    ("4000 0000 0000 0259", "succeeds, then is disputed"),
]
_EXPIRY = re.compile(r"(\d{1,2})\s*/?\s*(\d{2}|\d{4})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass
class Entered:
    """The values of a form and what is wrong with them, for showing it again."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """What was typed."""
        return self.values.get(name, default)

    def error(self, name: str) -> str | None:
        """The complaint about a field; `""` is the one about the whole form."""
        return self.errors.get(name)


def entered(form: FormData | None = None, /, **defaults: str) -> Entered:
    """The typed values over the defaults."""
    typed = {name: value.strip() for name, value in form.items() if isinstance(value, str)} if form else {}
    return Entered(defaults | typed)


def form_values(types: list[str]) -> dict[str, Any]:
    """What every payment form's template needs."""
    usable = [kind for kind in types if kind in ("card", "us_bank_account", "sepa_debit")] or ["card"]
    return {"types": usable, "countries": COUNTRIES, "tax_id_types": TAX_ID_TYPES, "test_cards": TEST_CARDS}


def read_method(ctx: Context, given: Entered, types: list[str]) -> dict[str, Any] | None:
    """The payment method that was typed, unsaved; None with complaints."""
    kind = given.get("method_type") or form_values(types)["types"][0]
    details = {"address": read_address(given) or {}, "email": given.get("email"), "name": given.get("name")}
    try:
        if kind == "us_bank_account":
            number = given.get("account_number") or "000123456789"
            bank = {"account_number": number, "routing_number": given.get("routing_number") or "110000000"}
            return payment_methods.build(ctx, {"type": kind, "billing_details": details, "us_bank_account": bank})
        if kind == "sepa_debit":
            data = {
                "type": kind,
                "billing_details": details,
                "sepa_debit": {"iban": given.get("iban").replace(" ", "")},
            }
            return payment_methods.build(ctx, data)
        return _read_card(ctx, given, details)
    except ApiError as error:
        fields = {"number": "number", "exp_month": "expiry", "exp_year": "expiry"}
        given.errors[fields.get(error.body.get("param", ""), "")] = error.body["message"]
        return None


def read_address(given: Entered) -> dict[str, str] | None:
    """The typed address, if a country was chosen."""
    place = {name: given.get(name) for name in ADDRESS_FIELDS if given.get(name)}
    return place if place.get("country") else None


def check_email(given: Entered, *, required: bool) -> None:
    """Complains about an email address that is missing or cannot be one."""
    email = given.get("email")
    if (required and not email) or (email and not _EMAIL.fullmatch(email)):
        given.errors["email"] = "Enter an email address, such as name@example.com."


def _read_card(ctx: Context, given: Entered, details: dict[str, Any]) -> dict[str, Any] | None:
    expiry = _EXPIRY.fullmatch(given.get("expiry"))
    if not given.get("number"):
        given.errors["number"] = "Enter the card number."
    if not expiry:
        given.errors["expiry"] = "Enter the expiry date as MM / YY."
    if not re.fullmatch(r"\d{3,4}", given.get("cvc")):
        given.errors["cvc"] = "Enter the three or four digits of the security code."
    if given.errors or not expiry:
        return None
    year = int(expiry[2])
    card = {"exp_month": int(expiry[1]), "exp_year": year + 2000 if year < 100 else year, "cvc": given.get("cvc")}
    method = payment_methods.from_number(ctx, given.get("number"), card, {})
    method["billing_details"] |= {name: value or None for name, value in details.items() if name != "address"}
    return method
