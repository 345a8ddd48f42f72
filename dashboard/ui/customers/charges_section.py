"""Pending charges and invoices on the customer page."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.customers.charges_state import ChargesState, CustomerInvoiceRow, PendingGroup, PendingRow
from dashboard.ui.invoices.words import DOCUMENT
from dashboard.ui.shell_state import ShellState

S = ChargesState


def charges_section() -> rx.Component:
    """Two cards: what waits to be invoiced, and the newest invoices."""
    return rx.fragment(
        ui.card(
            rx.cond(S.problem != "", ui.callout(S.problem, tone="danger"), rx.fragment()),
            rx.cond(
                S.groups.length() > 0,
                ui.stack(rx.foreach(S.groups, _group)),
                ui.muted(
                    "Nothing waits to be invoiced. Charges added here gather until you invoice, or their date comes."
                ),
            ),
            title="Pending charges",
            actions=rx.cond(
                ShellState.may_operate,
                ui.button("Add charge", icon_name="plus", size="small", on_click=S.start_adding),
                rx.fragment(),
            ),
        ),
        ui.section_header(
            "Invoices",
            ui.link_button("All", ui.screen_reader_only(" invoices"), href=S.invoices_href, size="small"),
        ),
        ui.data_table(
            [
                ui.Column("Invoice"),
                ui.Column("Status"),
                ui.Column("Total", numeric=True),
                ui.Column("Created", hide_below="sm"),
            ],
            S.invoices,
            lambda row: invoice_row(row=row),
            label="Invoices of this customer",
            loading=~S.known,
            empty=ui.empty_state(
                "No invoices yet", "They show here as soon as there is one.", icon_name="receipt-text"
            ),
        ),
        ui.dialog("add-charge", _form(), title="Add charge", shown=S.adding, on_close=S.stop_adding, width="medium"),
    )


@rx.memo
def invoice_row(row: rx.Var[CustomerInvoiceRow]) -> rx.Component:
    return ui.row(
        ui.cell(ui.row_link(row.number, href=row.href)),
        ui.cell(ui.status_badge(row.document, DOCUMENT)),
        ui.cell(ui.money(row.total, note=row.beside_total), numeric=True),
        ui.cell(ui.date_time(row.created), hide_below="sm"),
    )


def _group(group: rx.Var[PendingGroup]) -> rx.Component:
    return rx.el.div(
        rx.el.ul(rx.foreach(group.lines, _line), class_name="-mt-2.5 divide-y divide-line border-b border-line"),
        rx.el.div(
            rx.el.p("Before tax ", ui.money(group.total, class_name="font-semibold text-ink"), class_name="text-muted"),
            rx.cond(
                ShellState.may_operate,
                ui.button("Invoice now", tone="primary", icon_name="send", on_click=S.invoice_now(group.currency)),
                rx.fragment(),
            ),
            class_name="flex flex-wrap items-center justify-between gap-3 pt-3",
        ),
    )


def _line(line: rx.Var[PendingRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.p(line.detail, " ", line.name, class_name="font-medium"),
            rx.el.p(line.period, " · due ", ui.date_time(line.due), class_name="text-[13px] text-muted"),
            class_name="min-w-0 flex-1",
        ),
        ui.money(line.amount),
        rx.cond(
            line.by_hand & ShellState.may_operate,
            ui.icon_button("trash-2", "Remove charge", on_click=S.remove(line.id)),
            rx.fragment(),
        ),
        class_name="flex items-center gap-3 py-2.5",
    )


def _form() -> rx.Component:
    return rx.cond(
        S.adding,
        ui.form(
            rx.cond(S.errors["form"], ui.form_error(S.errors["form"]), rx.fragment()),
            ui.text_field("name", "Description", errors=S.errors, id="charge-name", auto_complete="off"),
            ui.grid(
                ui.text_field(
                    "quantity",
                    "Quantity",
                    errors=S.errors,
                    id="charge-quantity",
                    default_value="1",
                    input_mode="decimal",
                ),
                ui.text_field(
                    "unit_price",
                    "Unit price",
                    errors=S.errors,
                    id="charge-price",
                    input_mode="decimal",
                    placeholder="12.50",
                    hint="In the customer's currency; below zero is a credit.",
                ),
                ui.text_field(
                    "period_from", "Period from", errors=S.errors, optional=True, id="charge-from", type="date"
                ),
                ui.text_field("period_to", "Period to", errors=S.errors, optional=True, id="charge-to", type="date"),
            ),
            ui.select_field(
                "tax_code_id",
                "Tax code",
                S.tax_codes,
                errors=S.errors,
                optional=True,
                empty="The default",
                id="charge-tax",
            ),
            ui.form_actions(ui.button("Cancel", on_click=S.stop_adding), ui.submit_button("Add charge")),
            on_submit=S.add,
        ),
        rx.fragment(),
    )
