"""The wizard's first step on screen: the key, and what it opens."""

from typing import Any

import reflex as rx

from dashboard.stripe_app.install import RESTRICTED_KEY_PERMISSIONS
from dashboard.ui import components as ui
from dashboard.ui.settings_stripe.connect_state import SANDBOX_KEY, ConnectStripe
from dashboard.ui.settings_stripe.key_field import KEY_FIELD
from dashboard.ui.settings_stripe.views import PATH, KeyView
from dashboard.ui.settings_stripe.wizard import WIDTH, wizard_head


def connect_step() -> rx.Component:
    return ui.stack(
        wizard_head(0, "Connect a Stripe account"),
        ui.card(
            ui.form(
                _key_field(),
                rx.el.div(_result(), aria_live="polite", class_name="empty:hidden"),
                ui.form_actions(
                    ui.link_button("Cancel", href=PATH),
                    ui.submit_button(
                        "Install Stripe app", busy=ConnectStripe.installing, disabled=ConnectStripe.checking
                    ),
                ),
                on_submit=ConnectStripe.install,
            ),
        ),
        ui.grid(_what_happens(), _permissions()),
        gap=6,
        class_name=WIDTH,
    )


def _key_field() -> rx.Component:
    described = f"{KEY_FIELD}-hint {KEY_FIELD}-error"
    return rx.el.div(
        rx.el.label("Stripe API Key", html_for=KEY_FIELD, class_name="font-medium text-ink"),
        rx.el.div(
            rx.el.div(
                rx.el.input(
                    id=KEY_FIELD,
                    name="api_key",
                    type=rx.cond(ConnectStripe.revealed, "text", "password"),
                    placeholder="sk_test_…",
                    required=True,
                    auto_focus=True,
                    auto_complete="off",
                    spell_check=False,
                    custom_attrs={"data-1p-ignore": "", "data-lpignore": "true"},
                    aria_describedby=described,
                    aria_invalid=rx.cond(ConnectStripe.errors["api_key"], "true", "false"),
                    on_change=ConnectStripe.look.debounce(500),
                    class_name=(
                        "h-9 w-full rounded-control border border-line-strong bg-panel pl-3 pr-10 font-mono text-base "
                        "md:text-sm text-ink aria-invalid:border-danger-ink"
                    ),
                ),
                rx.el.button(
                    rx.cond(ConnectStripe.revealed, ui.icon("eye-off"), ui.icon("eye")),
                    type="button",
                    on_click=ConnectStripe.reveal,
                    aria_pressed=ConnectStripe.revealed,
                    aria_label="Show key",
                    title="Show key",
                    class_name=(
                        "absolute right-0.5 top-0.5 inline-flex size-8 items-center justify-center rounded-control "
                        "text-muted hover:text-ink"
                    ),
                ),
                class_name="relative min-w-0 flex-1 basis-72",
            ),
            ui.button(
                "Try without a Stripe account",
                icon_name="flask-conical",
                on_click=[rx.set_value(KEY_FIELD, SANDBOX_KEY), ConnectStripe.look(SANDBOX_KEY)],
            ),
            class_name="flex flex-wrap gap-2",
        ),
        rx.el.p(
            "A secret key (sk_…) or restricted key (rk_…) from ",
            ui.external_link("your API keys in Stripe", href="https://dashboard.stripe.com/apikeys"),
            ". It is encrypted here and shown to nobody again.",
            id=f"{KEY_FIELD}-hint",
            class_name="text-[13px] text-muted",
        ),
        rx.el.div(_error(), id=f"{KEY_FIELD}-error", role="alert", class_name="empty:hidden"),
        class_name="flex flex-col gap-1.5 min-w-0",
    )


def _error() -> rx.Component:
    return rx.cond(
        ConnectStripe.errors["api_key"],
        rx.el.p(
            ui.icon("circle-alert", 14, "mt-[3px]"),
            rx.el.span(
                ConnectStripe.errors["api_key"],
                rx.cond(
                    ConnectStripe.installed_already,
                    rx.fragment(" ", ui.link("Open the installed app", href=ConnectStripe.installed_already)),
                    rx.fragment(),
                ),
            ),
            class_name="flex gap-1.5 text-[13px] text-danger-ink",
        ),
        rx.fragment(),
    )


def _result() -> rx.Component:
    found = ConnectStripe.found
    return rx.cond(
        ConnectStripe.checking,
        ui.inline(ui.spinner(), ui.muted("Asking Stripe what this key opens…"), class_name="min-h-[74px]"),
        rx.cond(found.account_id, _found(found), rx.fragment()),
    )


def _found(found: rx.Var[KeyView] | Any) -> rx.Component:
    return ui.stack(
        rx.el.div(
            ui.inline(
                rx.el.span(found.account_name, class_name="text-base font-semibold text-ink"),
                ui.environment_badge(found.environment),
                rx.cond(found.restricted, ui.badge("Restricted key", "info", "shield"), rx.fragment()),
            ),
            rx.el.p(ui.code(found.account_id), " ", found.place, class_name="mt-1 text-[13px] text-muted break-words"),
            class_name="rounded-card border border-success-line bg-success-soft p-4",
        ),
        rx.match(
            found.environment,
            ("live", ui.callout("Invoices move real money.", title="This is a live account", tone="warning")),
            rx.fragment(),
        ),
        rx.cond(
            ConnectStripe.confirm_live,
            ui.callout("Is this the right account? Then press “Install Stripe app” once more.", tone="info"),
            rx.fragment(),
        ),
        ui.when_any(
            found.missing,
            ui.callout(
                rx.el.ul(
                    rx.foreach(found.missing, lambda line: rx.el.li(line, class_name="break-words")),
                    class_name="mt-1 list-disc pl-5",
                ),
                rx.el.p("Add them to the key in Stripe and paste it again. Without them parts of Meterdesk will fail."),
                title="This restricted key lacks permissions",
                tone="warning",
            ),
            rx.fragment(),
        ),
        rx.cond(
            found.installed_app_id,
            ui.callout(
                "It cannot be installed twice. To change its key, open it.",
                title="This account is installed already",
                tone="warning",
                action=ui.link_button(
                    "Open the installed app", href=PATH + "?app=" + found.installed_app_id.to(str), size="small"
                ),
            ),
            ui.inline(
                rx.cond(
                    found.is_polling, ui.icon("refresh-cw", 15, "text-muted"), ui.icon("webhook", 15, "text-muted")
                ),
                rx.el.span(found.delivery, class_name="min-w-0 flex-1 text-[13px] text-muted"),
                class_name="!flex-nowrap !items-start",
            ),
        ),
        gap=3,
    )


def _what_happens() -> rx.Component:
    return ui.card(
        rx.el.ul(
            *(
                rx.el.li(ui.icon("check", 15, "mt-[3px] text-success-ink"), rx.el.span(line), class_name="flex gap-2")
                for line in (
                    "The key is checked and stored encrypted.",
                    "A webhook is registered in Stripe if this server has a public address; if not, events are polled.",
                    "A customer portal configuration is made when the account has none.",
                    "If any of it fails, nothing stays behind, here or in Stripe.",
                )
            ),
            class_name="flex flex-col gap-2",
        ),
        title="What installing does",
    )


def _permissions() -> rx.Component:
    return ui.card(
        rx.el.details(
            rx.el.summary(
                ui.icon("chevron-right", 15, "transition-transform group-open:rotate-90"),
                "Show the permissions",
                class_name="inline-flex items-center gap-1.5 rounded-sm font-medium text-brand-ink",
            ),
            rx.el.ul(
                *(
                    rx.el.li(
                        rx.el.span(needed.area),
                        ui.muted(needed.level),
                        class_name="flex justify-between gap-4 border-b border-line py-1.5",
                    )
                    for needed in RESTRICTED_KEY_PERMISSIONS
                ),
                class_name="mt-3 text-[13px]",
            ),
            class_name="group",
        ),
        title="With a restricted key",
        description="It needs these permissions, and the wizard names those that are missing.",
    )
