"""Parts of the form of a billing profile that the wizard shows too."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.fields import TAX_ENFORCED, TAX_OFF, TAX_ON
from dashboard.ui.billing_profiles.form_state import BillingProfileForm
from dashboard.ui.billing_profiles.waits import UNITS

METHOD_CARDS = (
    ui.RadioCard(
        "charge_automatically",
        "Auto Collection",
        "Stripe charges the customer's saved payment method as soon as the invoice is final. Each customer needs one.",
        "zap",
    ),
    ui.RadioCard(
        "send_invoice",
        "Send Invoice",
        "Stripe emails the invoice, and the customer pays as they prefer. Each needs an email address in Stripe.",
        "mail",
    ),
)
TAX_CARDS = (
    ui.RadioCard(TAX_OFF, "Off", "Invoices carry no tax. Choose this if you do not charge any, or add it yourself."),
    ui.RadioCard(
        TAX_ON,
        "On",
        "Stripe Tax works it out. If Stripe cannot place a customer, their invoice goes out without tax and says so.",
    ),
    ui.RadioCard(
        TAX_ENFORCED,
        "On and enforced",
        "The same, but an invoice whose tax cannot be worked out is held until somebody mends it.",
    ),
)
_CONTROL = (
    "h-9 rounded-control border border-line-strong bg-panel px-3 text-base md:text-sm text-ink "
    "aria-invalid:border-danger-ink"
)


def wait_field(name: str, label: str, wait: Any, hint: str, errors: Any) -> rx.Component:
    """A number and a unit. They post `<name>_amount` and `<name>_unit`."""
    invalid = rx.cond(errors[name], "true", "false")
    described = f"{name}-hint {name}-error"
    control = rx.el.div(
        rx.el.input(
            id=name,
            name=f"{name}_amount",
            default_value=wait.amount,
            auto_complete="off",
            input_mode="numeric",
            aria_invalid=invalid,
            aria_describedby=described,
            on_change=lambda value: BillingProfileForm.type_wait(f"{name}_amount", value),
            class_name=f"w-28 {_CONTROL}",
        ),
        rx.el.select(
            *(rx.el.option(text, value=unit) for unit, text in UNITS),
            name=f"{name}_unit",
            default_value=wait.unit,
            aria_label=f"{label}: unit",
            on_change=lambda value: BillingProfileForm.type_wait(f"{name}_unit", value),
            class_name=_CONTROL,
        ),
        class_name="flex gap-2",
    )
    return ui.field(name, label, control, hint=hint, errors=errors)
