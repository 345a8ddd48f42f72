"""The people tab: list, invitation, another role, removal."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.api_keys.secret_once import secret_field
from dashboard.ui.shell_state import ShellState
from dashboard.ui.team.people_state import LINK_FIELD, PeopleState

_COLUMNS = (
    ui.Column("Name"),
    ui.Column("Role"),
    ui.Column("Last signed in", hide_below="md"),
    ui.Column("Actions", numeric=True, hidden_label=True),
)


def people_tab() -> rx.Component:
    return ui.stack(
        ui.load_error(PeopleState.problem),
        ui.data_table(_COLUMNS, PeopleState.people, _row, label="People", loading=PeopleState.loading),
        _invite_dialog(),
        _role_dialog(),
        _remove_dialog(),
    )


def invite_button() -> rx.Component:
    """For the page's head."""
    return rx.cond(
        ShellState.may_administer,
        ui.button("Invite person", tone="primary", icon_name="user-plus", on_click=PeopleState.start_inviting),
        rx.fragment(),
    )


def _row(person: Any) -> rx.Component:
    return ui.row(
        ui.cell(
            ui.inline(
                rx.el.span(person.name, class_name="font-medium text-ink"),
                rx.cond(person.is_self, ui.badge("You", icon_name=""), rx.fragment()),
                rx.cond(person.is_invited, ui.badge("Invited", "review", "mail"), rx.fragment()),
            ),
            rx.el.span(person.email, class_name="block text-[13px] text-muted break-all"),
        ),
        ui.cell(rx.el.span(person.role, class_name="capitalize")),
        ui.cell(
            rx.cond(person.last_signed_in.iso, ui.date_time(person.last_signed_in), ui.muted("never")), hide_below="md"
        ),
        ui.cell(rx.cond(person.manageable, _actions(person), rx.fragment()), numeric=True),
    )


def _actions(person: Any) -> rx.Component:
    return ui.inline(
        ui.icon_button("shield", "Change role of " + person.name, on_click=PeopleState.ask_for_role(person.id)),
        ui.icon_button("link", "New password link for " + person.name, on_click=PeopleState.make_link(person.id)),
        ui.icon_button("user-x", "Remove " + person.name, on_click=PeopleState.ask_to_remove(person.id)),
        gap=1,
        class_name="justify-end !flex-nowrap",
    )


def _invite_dialog() -> rx.Component:
    has_link = PeopleState.link_for != ""
    return ui.dialog(
        "invite-person",
        rx.cond(has_link, rx.fragment(), _invite_form()),
        # Always mounted: the link is put into this field the moment it exists.
        rx.el.div(
            ui.stack(
                rx.el.p(
                    "Send this link to ", PeopleState.link_for, " yourself: Meterdesk mails nothing. They choose a "
                    "password with it, once, until ", PeopleState.link_until, ".",
                ),
                secret_field(LINK_FIELD, "Password link", "Copy it now: it is not shown again. Older links are void."),
                ui.form_actions(ui.button("Done", tone="primary", on_click=PeopleState.close)),
            ),
            class_name=rx.cond(has_link, "", "hidden"),
        ),
        title=rx.cond(has_link, "A password link for " + PeopleState.link_for, "Invite person"),
        shown=PeopleState.inviting,
        on_close=PeopleState.close,
    )  # fmt: skip


def _invite_form() -> rx.Component:
    return ui.form(
        rx.cond(PeopleState.errors["form"], ui.callout(PeopleState.errors["form"], tone="danger"), rx.fragment()),
        ui.text_field("name", "Name", id="person-name", errors=PeopleState.errors, auto_complete="off", max_length=100),
        ui.text_field(
            "email", "Email", id="person-email", type="email", errors=PeopleState.errors, auto_complete="off"
        ),
        ui.select_field(
            "role",
            "Role",
            PeopleState.roles,
            id="person-role",
            hint="It can be changed at any time.",
            errors=PeopleState.errors,
        ),
        ui.form_actions(
            ui.button("Cancel", on_click=PeopleState.close),
            ui.submit_button("Make invitation link", busy=PeopleState.saving),
        ),
        on_submit=PeopleState.invite,
    )


def _role_dialog() -> rx.Component:
    person = PeopleState.changing
    return ui.dialog(
        "change-role",
        ui.form(
            ui.select_field(
                "role",
                "Role",
                PeopleState.roles,
                id="new-role",
                default_value=person.role,
                errors=PeopleState.errors,
                key=person.id,
            ),
            ui.muted("They are signed out everywhere and come back with the new role."),
            ui.form_actions(
                ui.button("Cancel", on_click=PeopleState.close),
                ui.submit_button("Change role", busy=PeopleState.saving),
            ),
            on_submit=PeopleState.give_role,
        ),
        title=rx.cond(person.name, "Role of " + person.name, "Role"),
        shown=person.id != "",
        on_close=PeopleState.close,
    )


def _remove_dialog() -> rx.Component:
    person = PeopleState.removing
    return ui.dialog(
        "remove-person",
        ui.stack(
            rx.cond(PeopleState.errors["form"], ui.callout(PeopleState.errors["form"], tone="danger"), rx.fragment()),
            rx.el.p("They are signed out at once and cannot sign in again. What they did stays in the audit log."),
            ui.form_actions(
                ui.button("Cancel", on_click=PeopleState.close),
                ui.button("Remove person", tone="danger", busy=PeopleState.saving, on_click=PeopleState.remove),
            ),
        ),
        title=rx.cond(person.name, "Remove " + person.name + "?", "Remove this person?"),
        shown=person.id != "",
        on_close=PeopleState.close,
    )
