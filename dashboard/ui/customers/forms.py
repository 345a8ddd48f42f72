"""The customer form: its fields, and reading what came back from it."""

from typing import Any

import reflex as rx

from dashboard.kit.countries import known_countries
from dashboard.kit.currencies import known_currencies
from dashboard.ui import components as ui

ADDRESS_FIELDS = ("country", "postal_code", "state", "city", "line1", "line2", "phone_number")
COUNTRIES = [ui.Option(country.code, country.name) for country in known_countries()]
CURRENCIES = [ui.Option(code, code) for code in known_currencies()]


def wanted_from(form: dict[str, Any]) -> dict[str, Any]:
    """The fields of a customer form as the service's input takes them; subjects are one per line or comma."""
    subjects = str(form.get("subject_keys") or "").replace(",", "\n").splitlines()
    address = {name: str(form.get(f"address_{name}") or "") for name in ADDRESS_FIELDS}
    return {
        "name": str(form.get("name") or ""),
        "key": str(form.get("key") or ""),
        "description": str(form.get("description") or ""),
        "currency": str(form.get("currency") or ""),
        "primary_email": str(form.get("primary_email") or ""),
        "billing_address": address if any(value.strip() for value in address.values()) else None,
        "subject_keys": [subject.strip() for subject in subjects if subject.strip()],
    }


def errors_on_form(fields: dict[str, str], otherwise: str) -> dict[str, str]:
    """Refusals on the names that the form's fields have; `otherwise` when no field is to blame."""
    errors: dict[str, str] = {}
    for name, sentence in fields.items():
        if name.startswith("billing_address."):
            name = "address_" + name.removeprefix("billing_address.")
        elif name.startswith("subject_keys"):
            name = "subject_keys"
        errors.setdefault(name, sentence)
    return errors or {"form": otherwise}


def customer_fields(errors: Any, prefix: str, values: Any = None) -> rx.Component:
    """The fields of a customer. `values` is a state's `FormValues`, for a customer that exists."""

    def value(name: str) -> dict[str, Any]:
        return {} if values is None else {"default_value": getattr(values, name)}

    return rx.fragment(
        rx.cond(errors["form"], ui.form_error(errors["form"]), rx.fragment()),
        ui.grid(
            ui.text_field("name", "Name", errors=errors, id=f"{prefix}-name", auto_complete="off", **value("name")),
            ui.text_field(
                "key",
                "Key",
                errors=errors,
                optional=True,
                id=f"{prefix}-key",
                hint="Your own id for this customer",
                **value("key"),
            ),
            ui.text_field(
                "primary_email",
                "Email",
                errors=errors,
                optional=True,
                id=f"{prefix}-email",
                type="email",
                **value("primary_email"),
            ),
            ui.select_field(
                "currency",
                "Currency",
                CURRENCIES,
                errors=errors,
                optional=True,
                empty="The billing profile's",
                id=f"{prefix}-currency",
                **value("currency"),
            ),
        ),
        ui.textarea_field(
            "subject_keys",
            "Usage subjects",
            errors=errors,
            optional=True,
            rows=2,
            id=f"{prefix}-subjects",
            hint="The subjects of usage events that count for this customer, one per line. The key counts by itself.",
            **value("subject_keys"),
        ),
        rx.el.details(
            rx.el.summary("Billing address", class_name="cursor-pointer font-medium text-ink"),
            rx.el.div(
                ui.grid(
                    ui.select_field(
                        "address_country",
                        "Country",
                        COUNTRIES,
                        errors=errors,
                        optional=True,
                        empty="None",
                        id=f"{prefix}-country",
                        **value("country"),
                    ),
                    *(
                        ui.text_field(
                            f"address_{name}", label, errors=errors, optional=True, id=f"{prefix}-{name}", **value(name)
                        )
                        for name, label in (
                            ("postal_code", "Postal code"),
                            ("city", "City"),
                            ("state", "State or province"),
                            ("line1", "Street"),
                            ("line2", "Street, second line"),
                            ("phone_number", "Phone"),
                        )
                    ),
                ),
                class_name="pt-3",
            ),
            class_name="rounded-control border border-line px-3 py-2",
        ),
    )
