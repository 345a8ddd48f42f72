"""API keys: the bearer tokens with which programs call the REST API."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.api_keys.secret_once import secret_field
from dashboard.ui.api_keys.state import TOKEN_FIELD, ApiKeysState
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

ROLE_OPTIONS = (
    ui.Option("admin", "Admin: everything, Stripe and settings included"),
    ui.Option("operator", "Operator: customers, usage, catalog, invoices"),
    ui.Option("viewer", "Viewer: reads, changes nothing"),
)
_COLUMNS = (
    ui.Column("Name"),
    ui.Column("Role", hide_below="sm"),
    ui.Column("Key", hide_below="md"),
    ui.Column("Created", hide_below="lg"),
    ui.Column("Last used"),
    ui.Column("Actions", numeric=True, hidden_label=True),
)


@page("/settings/api-keys", title="API keys", on_load=ApiKeysState.load)
def api_keys() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "API keys",
            rx.cond(ShellState.may_administer, _create_button(), rx.fragment()),
            description="With a key, your programs send usage and call the REST API. Each has a role of its own.",
        ),
        ui.load_error(ApiKeysState.problem),
        ui.tabs(ApiKeysState.tabs, "Which keys"),
        ui.data_table(
            _COLUMNS,
            ApiKeysState.keys,
            _row,
            label="API keys",
            loading=ApiKeysState.loading,
            empty=rx.cond(ApiKeysState.showing_revoked, _nothing_revoked(), _nothing_yet()),
        ),
        ui.card(
            ui.code_block(ApiKeysState.example, "Example call"),
            title="How a program uses one",
            description="Send it as a bearer token. OpenMeter's SDKs take it as their API key.",
        ),
        _create_dialog(),
        _revoke_dialog(),
    )


def _create_button() -> rx.Component:
    return ui.button("Create API key", tone="primary", icon_name="plus", on_click=ApiKeysState.start_creating)


def _nothing_yet() -> rx.Component:
    return ui.empty_state(
        "No API keys yet",
        "Create one for each program that sends usage or calls the API, so that each can be revoked by itself.",
        icon_name="key-round",
        action=rx.cond(ShellState.may_administer, _create_button(), rx.fragment()),
    )


def _nothing_revoked() -> rx.Component:
    return ui.empty_state(
        "No key was revoked", "Keys you revoke are listed here for the record.", icon_name="key-round"
    )


def _row(key: Any) -> rx.Component:
    return ui.row(
        ui.cell(
            rx.el.span(key.name, class_name="font-medium text-ink"),
            rx.el.span(key.role, class_name="block text-[13px] text-muted capitalize sm:hidden"),
        ),
        ui.cell(rx.el.span(key.role, class_name="capitalize"), hide_below="sm"),
        ui.cell(ui.code(key.hint), hide_below="md"),
        ui.cell(ui.date_time(key.created), ui.muted(" by ", key.created_by), hide_below="lg"),
        ui.cell(rx.cond(key.last_used.iso, ui.date_time(key.last_used), ui.muted("never"))),
        ui.cell(
            rx.cond(
                key.revoked.iso,
                ui.muted("revoked ", ui.date_time(key.revoked)),
                rx.cond(
                    ShellState.may_administer,
                    ui.button(
                        "Revoke",
                        ui.screen_reader_only(" ", key.name),
                        size="small",
                        on_click=ApiKeysState.ask_to_revoke(key.id),
                    ),
                    rx.fragment(),
                ),
            ),
            numeric=True,
        ),
    )


def _create_dialog() -> rx.Component:
    return ui.dialog(
        "create-key",
        rx.cond(ApiKeysState.created, rx.fragment(), _create_form()),
        # Always mounted: the token is put into this field the moment it exists.
        rx.el.div(
            ui.stack(
                secret_field(TOKEN_FIELD, "API key"),
                ui.form_actions(ui.button("Done", tone="primary", on_click=ApiKeysState.stop_creating)),
            ),
            class_name=rx.cond(ApiKeysState.created, "", "hidden"),
        ),
        title=rx.cond(ApiKeysState.created, "Your new API key: " + ApiKeysState.created_name, "Create API key"),
        shown=ApiKeysState.creating,
        on_close=ApiKeysState.stop_creating,
    )


def _create_form() -> rx.Component:
    return ui.form(
        rx.cond(ApiKeysState.errors["form"], ui.callout(ApiKeysState.errors["form"], tone="danger"), rx.fragment()),
        ui.text_field(
            "name",
            "Name",
            id="key-name",
            hint="What uses it, such as “Usage exporter”.",
            errors=ApiKeysState.errors,
            auto_complete="off",
            max_length=100,
        ),
        ui.select_field(
            "role", "Role", ROLE_OPTIONS, id="key-role", hint="The least it can work with.", errors=ApiKeysState.errors
        ),
        ui.form_actions(
            ui.button("Cancel", on_click=ApiKeysState.stop_creating),
            ui.submit_button("Create API key", busy=ApiKeysState.saving),
        ),
        on_submit=ApiKeysState.create,
    )


def _revoke_dialog() -> rx.Component:
    key = ApiKeysState.asked_about
    return ui.dialog(
        "revoke-key",
        ui.stack(
            rx.el.p("Programs that use it are refused at once. It cannot be taken back; create a new key instead."),
            rx.cond(
                key.last_used.iso,
                ui.callout("It was last used ", ui.date_time(key.last_used), ".", tone="warning"),
                ui.muted("It was never used."),
            ),
            ui.form_actions(
                ui.button("Keep it", on_click=ApiKeysState.keep),
                ui.button("Revoke key", tone="danger", busy=ApiKeysState.saving, on_click=ApiKeysState.revoke),
            ),
        ),
        title=rx.cond(key.name, "Revoke “" + key.name + "”?", "Revoke this key?"),
        shown=key.id != "",
        on_close=ApiKeysState.keep,
    )
