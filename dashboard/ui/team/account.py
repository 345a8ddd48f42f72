"""The tab of one's own account."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.shell_state import ShellState
from dashboard.ui.team.account_state import PASSWORD_FORM, AccountState

_COLUMNS = (ui.Column("Browser"), ui.Column("Address", hide_below="sm"), ui.Column("Last seen"))


def account_tab() -> rx.Component:
    return ui.stack(
        ui.load_error(AccountState.problem),
        ui.card(
            ui.definition_list(
                ("Name", ShellState.user_name),
                ("Email", ShellState.user_email),
                ("Role", rx.el.span(ShellState.user_role, class_name="capitalize")),
            ),
            title="You",
        ),
        ui.card(_password_form(), title="Change password", description="Other browsers are signed out."),
        ui.stack(
            ui.section_header(
                "Where you are signed in",
                ui.button(
                    "Sign out everywhere else",
                    size="small",
                    busy=AccountState.saving_out,
                    on_click=AccountState.leave_others,
                ),
            ),
            ui.data_table(
                _COLUMNS, AccountState.sessions, _row, label="Where you are signed in", loading=AccountState.loading
            ),
            gap=3,
        ),
    )


def _password_form() -> rx.Component:
    return ui.form(
        rx.cond(AccountState.errors["form"], ui.callout(AccountState.errors["form"], tone="danger"), rx.fragment()),
        # Password managers tie a new password to an account by this field.
        rx.el.input(
            type="text",
            name="username",
            value=ShellState.user_email,
            auto_complete="username",
            read_only=True,
            class_name="hidden",
            aria_hidden=True,
            tab_index=-1,
        ),
        _password("current_password", "Current password", "current-password"),
        _password("new_password", "New password", "new-password", hint="At least 8 characters."),
        _password("new_password_again", "New password again", "new-password"),
        ui.form_actions(ui.submit_button("Change password", busy=AccountState.saving)),
        on_submit=AccountState.change,
        id=PASSWORD_FORM,
        class_name="max-w-md",
    )


def _password(name: str, label: str, auto_complete: str, hint: str | None = None) -> rx.Component:
    return ui.text_field(
        name, label, type="password", auto_complete=auto_complete, hint=hint, errors=AccountState.errors
    )


def _row(session: Any) -> rx.Component:
    return ui.row(
        ui.cell(session.browser), ui.cell(session.address, hide_below="sm"), ui.cell(ui.date_time(session.last_seen))
    )
