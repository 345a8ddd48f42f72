"""Tax codes: the company's own library, mapped to Stripe's list, and which of them apply by default."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState
from dashboard.ui.tax_codes.picker import tax_code_field
from dashboard.ui.tax_codes.state import CODE_FIELD, TaxCodesState

_COLUMNS = (
    ui.Column("Name"),
    ui.Column("Key", hide_below="md"),
    ui.Column("Stripe code"),
    ui.Column("Used by", hide_below="lg"),
    ui.Column("Actions", numeric=True, hidden_label=True),
)


@page("/settings/tax-codes", title="Tax codes", on_load=TaxCodesState.load)
def tax_codes() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Tax codes",
            rx.cond(ShellState.may_administer, _create_button(), rx.fragment()),
            description=(
                "A tax code says what kind of product something is, so that Stripe Tax applies the right rate. "
                "Rate cards point to these; each points to one of Stripe's."
            ),
        ),
        ui.load_error(TaxCodesState.problem),
        ui.when_any(TaxCodesState.choices, _defaults(), rx.fragment()),
        ui.toolbar(ui.search_box(TaxCodesState.search, TaxCodesState.find, label="Search tax codes")),
        ui.data_table(
            _COLUMNS,
            TaxCodesState.rows,
            _row,
            label="Tax codes",
            loading=TaxCodesState.loading,
            pager=rx.cond(TaxCodesState.pager.summary, ui.pager(TaxCodesState.pager), rx.fragment()),
            empty=rx.cond(TaxCodesState.search, _nothing_matches(), _nothing_yet()),
        ),
        _editor(),
        _delete_dialog(),
    )


def _create_button() -> rx.Component:
    return ui.button("Create tax code", tone="primary", icon_name="plus", on_click=TaxCodesState.edit(""))


def _defaults() -> rx.Component:
    return ui.card(
        rx.cond(
            TaxCodesState.loading,
            ui.grid(ui.skeleton("h-9 w-full"), ui.skeleton("h-9 w-full")),
            ui.form(
                ui.grid(
                    ui.select_field(
                        "invoicing_tax_code_id",
                        "For what is invoiced",
                        TaxCodesState.choices,
                        default_value=TaxCodesState.defaults.invoicing,
                        hint="Where neither rate card nor billing profile says one.",
                        disabled=~ShellState.may_administer,
                        key="i" + TaxCodesState.defaults.invoicing.to(str),
                    ),
                    ui.select_field(
                        "credit_grant_tax_code_id",
                        "For credit grants",
                        TaxCodesState.choices,
                        default_value=TaxCodesState.defaults.credit_grant,
                        hint="Credit itself is usually not taxed; what is bought with it is.",
                        disabled=~ShellState.may_administer,
                        key="c" + TaxCodesState.defaults.credit_grant.to(str),
                    ),
                ),
                rx.cond(
                    ShellState.may_administer,
                    ui.form_actions(ui.submit_button("Save defaults", busy=TaxCodesState.saving == "defaults")),
                    rx.fragment(),
                ),
                on_submit=TaxCodesState.save_defaults,
            ),
        ),
        title="Organisation defaults",
        description=(
            "Order of precedence: rate card, then what is set for the customer, then billing profile, then these, "
            "then the Stripe account's own."
        ),
    )


def _nothing_yet() -> rx.Component:
    return ui.empty_state(
        "No tax codes yet",
        "Create one for each kind of product you sell, such as software for business use.",
        icon_name="landmark",
        action=rx.cond(ShellState.may_administer, _create_button(), rx.fragment()),
    )


def _nothing_matches() -> rx.Component:
    return ui.empty_state(
        "No tax code matches",
        "The search looks in names, keys and Stripe's codes.",
        icon_name="search-x",
        action=ui.link_button("Clear the search", href="/settings/tax-codes"),
    )


def _row(code: Any) -> rx.Component:
    return ui.row(
        ui.cell(
            rx.el.span(code.name, class_name="block font-medium text-ink break-words"),
            rx.cond(
                code.description,
                rx.el.span(code.description, class_name="block text-[13px] text-muted line-clamp-2"),
                rx.fragment(),
            ),
        ),
        ui.cell(ui.code(code.key), hide_below="md"),
        ui.cell(rx.cond(code.stripe_code, ui.code(code.stripe_code), ui.muted("Account's default"))),
        ui.cell(
            ui.when_any(
                code.used,
                rx.fragment(_uses(code.used), ui.when_any(code.used_more, _more_uses(code), rx.fragment())),
                ui.muted("nothing"),
            ),
            hide_below="lg",
        ),
        ui.cell(
            rx.cond(
                ShellState.may_administer,
                ui.inline(
                    ui.button(
                        "Edit",
                        ui.screen_reader_only(" ", code.name),
                        size="small",
                        on_click=TaxCodesState.edit(code.id),
                    ),
                    ui.icon_button("trash-2", "Delete " + code.name, on_click=TaxCodesState.ask_to_delete(code.id)),
                    class_name="justify-end !flex-nowrap",
                ),
                rx.fragment(),
            ),
            numeric=True,
        ),
    )


def _uses(names: Any) -> rx.Component:
    return rx.el.ul(rx.foreach(names, lambda use: rx.el.li(use)), class_name="text-[13px] text-muted")


def _more_uses(code: Any) -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            "More",
            ui.screen_reader_only(" uses of ", code.name),
            class_name="cursor-pointer text-[13px] text-brand-ink",
        ),
        _uses(code.used_more),
    )


def _editor() -> rx.Component:
    editing = TaxCodesState.editing
    return ui.dialog(
        "edit-tax-code",
        rx.cond(
            TaxCodesState.editor_open,
            ui.form(
                ui.form_error(TaxCodesState.errors["form"]),
                ui.text_field(
                    "name",
                    "Name",
                    id="tax-name",
                    default_value=editing.name,
                    errors=TaxCodesState.errors,
                    auto_complete="off",
                    max_length=256,
                ),
                rx.cond(
                    editing.id,
                    ui.read_only_field("Key", ui.code(editing.key), hint="Programs use it, so it stays."),
                    ui.text_field(
                        "key",
                        "Key",
                        id="tax-key",
                        optional=True,
                        hint="For programs: small letters, digits, underscores. Made from the name if left empty.",
                        errors=TaxCodesState.errors,
                        auto_complete="off",
                        max_length=64,
                    ),
                ),
                ui.textarea_field(
                    "description",
                    "Description",
                    id="tax-description",
                    optional=True,
                    rows=2,
                    default_value=editing.description,
                    errors=TaxCodesState.errors,
                    max_length=1024,
                ),
                tax_code_field(
                    CODE_FIELD,
                    "Stripe tax code",
                    hint="What Stripe Tax calls this kind of product.",
                    none="None: the Stripe account's own default applies",
                    errors=TaxCodesState.errors,
                ),
                ui.form_actions(
                    ui.button("Cancel", on_click=TaxCodesState.close),
                    ui.submit_button(
                        rx.cond(editing.id, "Save", "Create tax code"), busy=TaxCodesState.saving == "code"
                    ),
                ),
                on_submit=TaxCodesState.save,
            ),
            rx.fragment(),
        ),
        title=rx.cond(editing.id, "Edit " + editing.name, "Create tax code"),
        shown=TaxCodesState.editor_open,
        on_close=TaxCodesState.close,
        width="medium",
    )


def _delete_dialog() -> rx.Component:
    code = TaxCodesState.deleting
    return ui.dialog(
        "delete-tax-code",
        ui.stack(
            ui.form_error(TaxCodesState.errors["form"]),
            ui.when_any(
                TaxCodesState.refused_by,
                ui.callout(
                    rx.el.ul(
                        rx.foreach(TaxCodesState.refused_by, lambda use: rx.el.li(use)), class_name="list-disc pl-5"
                    ),
                    rx.el.p("Let these use another tax code first."),
                    title="It is still used by",
                    tone="warning",
                ),
                rx.el.p("It can no longer be chosen. Invoices that were made with it keep it."),
            ),
            ui.form_actions(
                ui.button("Keep it", on_click=TaxCodesState.close),
                ui.button(
                    "Delete tax code",
                    tone="danger",
                    busy=TaxCodesState.saving == "delete",
                    disabled=TaxCodesState.refused_by.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]
                    on_click=TaxCodesState.delete,
                ),
            ),
        ),
        title=rx.cond(code.name, "Delete “" + code.name + "”?", "Delete this tax code?"),
        shown=code.id != "",
        on_close=TaxCodesState.close,
    )
