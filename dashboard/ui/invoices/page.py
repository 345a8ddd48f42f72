"""`/invoices`: the monitoring view."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.invoices.state import InvoiceRow, InvoicesState
from dashboard.ui.invoices.words import DOCUMENT, PAYMENT, SYNC
from dashboard.ui.routes import page

S = InvoicesState
COLUMNS = [
    ui.Column("Number"),
    ui.Column("Customer", hide_below="sm"),
    ui.Column("Status", hide_below="sm"),
    ui.Column("Sync", hide_below="lg"),
    ui.Column("Total", sort="total", numeric=True),
    ui.Column("Created", sort="created", hide_below="md"),
    ui.Column("Due", sort="due", hide_below="lg"),
]


@rx.memo
def invoice_row(row: rx.Var[InvoiceRow]) -> rx.Component:
    return ui.row(
        ui.cell(
            ui.row_link(row.number, href=row.href, class_name="whitespace-nowrap"),
            # On a phone one column holds who, how and why, so that the amounts need no scrolling.
            rx.el.div(
                rx.el.p(row.customer, class_name="mb-1 text-[13px] text-muted"), _status(row), class_name="sm:hidden"
            ),
        ),
        ui.cell(ui.link(row.customer, href=row.customer_href, class_name="relative"), hide_below="sm"),
        ui.cell(_status(row), hide_below="sm"),
        ui.cell(ui.status_badge(row.sync, SYNC), hide_below="lg"),
        ui.cell(ui.money(row.total, note=row.beside_total), numeric=True),
        ui.cell(ui.date_time(row.created), hide_below="md"),
        ui.cell(rx.cond(row.due.iso != "", ui.date_time(row.due), ui.muted("none")), hide_below="lg"),
    )


def _status(row: rx.Var[InvoiceRow]) -> rx.Component:
    return rx.fragment(
        ui.inline(
            ui.status_badge(row.document, DOCUMENT),
            rx.cond(row.payment != "", ui.status_badge(row.payment, PAYMENT), rx.fragment()),
        ),
        rx.cond(row.problem != "", rx.el.p(row.problem, class_name="mt-1 text-xs text-danger-ink"), rx.fragment()),
    )


@page("/invoices", title="Invoices", on_load=S.load)
def invoices() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Invoices",
            ui.button("Export CSV", icon_name="download", on_click=S.export),
            description="From draft to paid. What happens in Stripe shows here by itself.",
        ),
        ui.tabs(S.tabs, label="Status"),
        ui.toolbar(
            ui.search_box(S.search, S.find, label="Search invoices", placeholder="Number, customer or id"),
            ui.button("Filters", icon_name="sliders-horizontal", on_click=ui.open_dialog("invoice-filters")),
            rx.cond(S.filtered, ui.button("Clear", tone="quiet", on_click=S.clear), rx.fragment()),
            rx.cond(S.customer_name != "", ui.badge("Customer: " + S.customer_name, "info", "users"), rx.fragment()),
        ),
        rx.cond(S.problem != "", ui.load_error(S.problem), rx.fragment()),
        ui.list_table(
            S,
            COLUMNS,
            invoice_row,
            label="Invoices",
            nothing_fits=("No invoice fits", "Choose another status, or clear the filters."),
            nothing_yet=ui.empty_state(
                "No invoices yet",
                "Add a charge to a customer and choose Invoice now.",
                icon_name="receipt-text",
                action=ui.link_button("Customers", href="/customers"),
            ),
        ),
        ui.dialog("invoice-filters", rx.cond(S.loading, rx.fragment(), _filters()), title="Filters"),
    )


def _filters() -> rx.Component:
    return ui.form(
        ui.grid(
            ui.text_field("from", "Created from", optional=True, type="date", default_value=S.created_from),
            ui.text_field("to", "Created until", optional=True, type="date", default_value=S.created_to),
            ui.text_field("min", "Total from", optional=True, input_mode="decimal", default_value=S.amount_min),
            ui.text_field("max", "Total up to", optional=True, input_mode="decimal", default_value=S.amount_max),
            ui.text_field(
                "currency", "Currency", optional=True, default_value=S.currency, placeholder="USD", max_length=3
            ),
        ),
        ui.form_actions(
            ui.submit_button("Show", on_click=ui.close_dialog("invoice-filters")),
        ),
        on_submit=S.filter,
    )
