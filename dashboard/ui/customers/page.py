"""`/customers`: the list, and creating a customer."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.customers.forms import customer_fields
from dashboard.ui.customers.state import CustomerRow, CustomersState
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = CustomersState
COLUMNS = [
    ui.Column("Name", sort="name"),
    ui.Column("Email", hide_below="lg"),
    ui.Column("Stripe"),
    ui.Column("Payment method", hide_below="md"),
    ui.Column("Created", sort="created_at", hide_below="sm"),
]
STRIPE = {
    "linked": ui.Status("Linked", "success", "link"),
    "deleted": ui.Status("Deleted in Stripe", "danger"),
    "none": ui.Status("Not linked", "neutral", "unlink"),
}


@rx.memo
def customer_row(row: rx.Var[CustomerRow]) -> rx.Component:
    return ui.row(
        ui.cell(
            ui.row_link(row.name, href=row.href),
            rx.cond(row.key != "", rx.el.div(row.key, class_name="font-mono text-xs text-muted"), rx.fragment()),
        ),
        ui.cell(row.email, hide_below="lg"),
        ui.cell(ui.status_badge(row.stripe, STRIPE)),
        ui.cell(rx.cond(row.payment != "", row.payment, ui.muted("none")), hide_below="md"),
        ui.cell(ui.date_time(row.created), hide_below="sm"),
    )


@page("/customers", title="Customers", on_load=S.load)
def customers() -> rx.Component:
    create = ui.button("Create Customer", tone="primary", icon_name="plus", on_click=S.start_creating)
    return rx.fragment(
        ui.page_header(
            "Customers",
            rx.cond(ShellState.may_operate, create, rx.fragment()),
            description="Who is billed, how they pay, and what they still need.",
        ),
        ui.toolbar(ui.search_box(S.search, S.find, label="Search customers", placeholder="Name, key or email")),
        ui.list_table(
            S,
            COLUMNS,
            customer_row,
            label="Customers",
            nothing_fits=("No customer fits", "Search for another name, key or email."),
            nothing_yet=ui.empty_state(
                "No customers yet",
                "Create one, then link them to Stripe or send them a checkout link.",
                icon_name="users",
            ),
        ),
        ui.dialog(
            "create-customer",
            rx.cond(S.creating, _form(), rx.fragment()),
            title="Create Customer",
            shown=S.creating,
            on_close=S.stop_creating,
            width="medium",
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        customer_fields(S.errors, "new"),
        ui.form_actions(ui.button("Cancel", on_click=S.stop_creating), ui.submit_button("Save", icon_name="check")),
        on_submit=S.create,
    )
