"""The verbs of this room, in one place. Those that take a desk call the invoicing app outside of their transactions."""

from dashboard.billing.actions import perform_action, push_on
from dashboard.billing.advance import advance_invoice
from dashboard.billing.editing import edit_invoice
from dashboard.billing.external import record_external
from dashboard.billing.gathering import add_charges, create_pending_lines, delete_pending_line, update_pending_line
from dashboard.billing.invoicing import invoice_pending_lines
from dashboard.billing.overrides import delete_customer_override, set_customer_override
from dashboard.billing.profiles import (
    create_billing_profile,
    delete_billing_profile,
    make_default_profile,
    update_billing_profile,
)
from dashboard.billing.waiting import recheck_customer, resume_app

__all__ = [
    "add_charges",
    "advance_invoice",
    "create_billing_profile",
    "create_pending_lines",
    "delete_billing_profile",
    "delete_customer_override",
    "delete_pending_line",
    "edit_invoice",
    "invoice_pending_lines",
    "make_default_profile",
    "perform_action",
    "push_on",
    "recheck_customer",
    "record_external",
    "resume_app",
    "set_customer_override",
    "update_billing_profile",
    "update_pending_line",
]
