"""Billing profiles: how customers are billed. One is the default, others are given to customers."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.list_state import BillingProfilesState
from dashboard.ui.billing_profiles.profiles import PATH
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

_COLUMNS = (
    ui.Column("Name"),
    ui.Column("Collection"),
    ui.Column("Tax", hide_below="md"),
    ui.Column("Stripe account", hide_below="lg"),
    ui.Column("Customers", numeric=True, hide_below="sm"),
    ui.Column("Actions", numeric=True, hidden_label=True),
)


@page(PATH, title="Billing profiles", on_load=BillingProfilesState.load)
def billing_profiles() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Billing profiles",
            rx.cond(ShellState.may_administer & BillingProfilesState.has_stripe, _create_button(), rx.fragment()),
            description=(
                "How invoices are collected, when they are sent and how they are taxed. The default bills all who "
                "have not been given another."
            ),
        ),
        ui.load_error(BillingProfilesState.problem),
        ui.data_table(
            _COLUMNS,
            BillingProfilesState.rows,
            _row,
            label="Billing profiles",
            loading=BillingProfilesState.loading,
            empty=rx.cond(BillingProfilesState.has_stripe, _nothing_yet(), _no_stripe()),
        ),
        _promote_dialog(),
        _delete_dialog(),
    )


def _create_button() -> rx.Component:
    return ui.link_button("Create billing profile", href=f"{PATH}/new", tone="primary", icon_name="plus")


def _nothing_yet() -> rx.Component:
    return ui.empty_state(
        "No billing profile yet",
        "Until there is one, nobody can be billed.",
        icon_name="sliders-horizontal",
        action=rx.cond(ShellState.may_administer, _create_button(), rx.fragment()),
    )


def _no_stripe() -> rx.Component:
    return ui.empty_state(
        "Connect Stripe first",
        "A billing profile says how a Stripe account bills customers. The set-up creates the first one.",
        icon_name="credit-card",
        action=ui.link_button("Connect Stripe", href="/settings/stripe", tone="primary"),
    )


def _row(profile: Any) -> rx.Component:
    return ui.row(
        ui.cell(
            ui.inline(
                ui.row_link(profile.name, href=profile.href),
                rx.cond(profile.is_default, ui.badge("Default", "open", "star"), rx.fragment()),
            )
        ),
        ui.cell(
            rx.el.span(profile.method_words, class_name="block text-ink"),
            rx.el.span(profile.terms, class_name="text-[13px] text-muted"),
        ),
        ui.cell(profile.tax, hide_below="md"),
        ui.cell(ui.link(profile.account, href=profile.account_href, class_name="relative"), hide_below="lg"),
        ui.cell(profile.customers, numeric=True, hide_below="sm"),
        ui.cell(rx.cond(ShellState.may_administer, _actions(profile), rx.fragment()), numeric=True),
    )


def _actions(profile: Any) -> rx.Component:
    return ui.inline(
        rx.cond(
            profile.is_default,
            rx.fragment(),
            ui.icon_button(
                "star",
                "Make " + profile.name + " the default",
                on_click=BillingProfilesState.ask_to_promote(profile.id),
                class_name="relative",
            ),
        ),
        ui.icon_button(
            "trash-2",
            "Delete " + profile.name,
            on_click=BillingProfilesState.ask_to_delete(profile.id),
            class_name="relative",
        ),
        gap=1,
        class_name="justify-end !flex-nowrap",
    )


def _promote_dialog() -> rx.Component:
    profile, affected = BillingProfilesState.promoting, BillingProfilesState.affected
    return ui.dialog(
        "promote-profile",
        ui.stack(
            ui.form_error(BillingProfilesState.errors["form"]),
            rx.el.p(affected.if_default),
            rx.cond(affected.replaces, rx.el.p(affected.replaces), rx.fragment()),
            ui.form_actions(
                ui.button("Cancel", on_click=BillingProfilesState.close),
                ui.button(
                    "Make default",
                    tone="primary",
                    busy=BillingProfilesState.saving,
                    on_click=BillingProfilesState.promote,
                ),
            ),
        ),
        title=rx.cond(profile.name, "Make “" + profile.name + "” the default?", "Make it the default?"),
        shown=profile.id != "",
        on_close=BillingProfilesState.close,
    )


def _delete_dialog() -> rx.Component:
    profile = BillingProfilesState.deleting
    return ui.dialog(
        "delete-profile",
        ui.stack(
            rx.cond(
                BillingProfilesState.errors["form"],
                ui.callout(
                    BillingProfilesState.errors["form"],
                    rx.el.ul(
                        rx.foreach(BillingProfilesState.reasons, lambda reason: rx.el.li(reason)),
                        class_name="list-disc pl-5 empty:hidden",
                    ),
                    tone="danger",
                ),
                rx.el.p("It can no longer be given to customers. Invoices that were made with it stay as they are."),
            ),
            ui.form_actions(
                ui.button("Keep it", on_click=BillingProfilesState.close),
                ui.button(
                    "Delete profile",
                    tone="danger",
                    busy=BillingProfilesState.saving,
                    disabled=rx.cond(BillingProfilesState.errors["form"], True, False),
                    on_click=BillingProfilesState.delete,
                ),
            ),
        ),
        title=rx.cond(profile.name, "Delete “" + profile.name + "”?", "Delete this profile?"),
        shown=profile.id != "",
        on_close=BillingProfilesState.close,
    )
