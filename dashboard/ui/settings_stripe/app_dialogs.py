"""What an account's page asks before it acts: another key, and the way out."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.settings_stripe.app_state import StripeAppPage
from dashboard.ui.settings_stripe.key_field import NEW_KEY_FIELD

_APP = StripeAppPage.app


def key_dialog() -> rx.Component:
    return ui.dialog(
        "replace-key",
        ui.form(
            rx.el.p(
                "Paste a new key of the same account and mode: ",
                ui.code(_APP.account_id), ", ", _APP.environment, ". The present one stays until then.",
            ),
            ui.text_field(
                "api_key",
                "New Stripe API Key",
                id=NEW_KEY_FIELD,
                type="password",
                auto_complete="off",
                spell_check=False,
                placeholder="sk_…",
                errors=StripeAppPage.errors,
                hint="Revoke the old key in Stripe afterwards.",
                class_name="font-mono",
            ),
            ui.form_actions(
                ui.button("Cancel", on_click=StripeAppPage.close),
                ui.submit_button("Replace key", busy=StripeAppPage.busy == "key"),
            ),
            on_submit=StripeAppPage.change_key,
        ),
        title="Replace key",
        shown=StripeAppPage.dialog == "key",
        on_close=StripeAppPage.close,
    )  # fmt: skip


def uninstall_dialog() -> rx.Component:
    return ui.dialog(
        "uninstall-app",
        ui.when_any(StripeAppPage.used_by, _still_used(), _ask()),
        title="Uninstall " + _APP.account_name.to(str) + "?",
        shown=StripeAppPage.dialog == "uninstall",
        on_close=StripeAppPage.close,
    )


def _ask() -> rx.Component:
    return ui.form(
        rx.cond(StripeAppPage.errors["form"], ui.callout(StripeAppPage.errors["form"], tone="danger"), rx.fragment()),
        rx.el.ul(
            rx.el.li("The key and the signing secret are erased here."),
            rx.el.li("The webhook endpoint is deleted in Stripe."),
            rx.el.li("Links between your customers and Stripe's are removed."),
            rx.el.li("Customers, invoices and payment methods stay in Stripe."),
            class_name="list-disc pl-5",
        ),
        ui.text_field(
            "typed",
            rx.fragment("Type ", ui.code(_APP.account_id), " to confirm"),
            id="uninstall-typed",
            auto_complete="off",
            errors=StripeAppPage.errors,
        ),
        ui.form_actions(
            ui.button("Cancel", on_click=StripeAppPage.close),
            ui.submit_button("Uninstall", tone="danger", busy=StripeAppPage.busy == "uninstall"),
        ),
        on_submit=StripeAppPage.uninstall,
    )


def _still_used() -> rx.Component:
    return ui.stack(
        ui.callout(
            rx.el.ul(
                rx.foreach(StripeAppPage.used_by, lambda line: rx.el.li(line, class_name="break-words")),
                class_name="list-disc pl-5",
            ),
            title="It is still in use",
            tone="danger",
        ),
        rx.el.p("Move these to another account, or finish and delete them. Then uninstall."),
        ui.form_actions(
            ui.link_button("Billing profiles", href="/settings/billing-profiles"),
            ui.button("Close", on_click=StripeAppPage.close),
        ),
    )
