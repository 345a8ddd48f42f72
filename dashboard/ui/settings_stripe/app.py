"""The page of an installed account on screen."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.settings_stripe.app_dialogs import key_dialog, uninstall_dialog
from dashboard.ui.settings_stripe.app_state import StripeAppPage
from dashboard.ui.settings_stripe.polling_help import polling_help
from dashboard.ui.settings_stripe.views import PATH, STATES
from dashboard.ui.shell_state import ShellState

_APP = StripeAppPage.app
_HEALTH = StripeAppPage.health


def app_page() -> rx.Component:
    return ui.stack(
        ui.link(
            ui.icon("arrow-left", 14), "All Stripe accounts", href=PATH, class_name="inline-flex items-center gap-1"
        ),
        rx.cond(
            StripeAppPage.loading,
            ui.stack(ui.page_header("Stripe"), ui.skeleton_card(4), ui.skeleton_card(4), gap=6),
            rx.cond(StripeAppPage.problem, _missing(), _page()),
        ),
        gap=4,
    )


def _missing() -> rx.Component:
    return ui.stack(ui.page_header("Stripe"), ui.load_error(StripeAppPage.problem))


def _page() -> rx.Component:
    return ui.stack(
        ui.page_header(
            _APP.account_name,
            rx.cond(
                ShellState.may_administer,
                ui.link_button("Add billing profile", href=_APP.setup_href, icon_name="plus"),
                rx.fragment(),
            ),
            beside=ui.inline(ui.environment_badge(_APP.environment), ui.status_badge(_APP.state, STATES)),
            description="The Stripe account that writes, sends and collects invoices for the billing profiles below.",
        ),
        ui.when_any(_HEALTH.problems, _problems(), rx.fragment()),
        ui.grid(_account(), _hearing(), columns=2),
        _profiles(),
        rx.cond(ShellState.may_administer, _danger(), rx.fragment()),
        key_dialog(),
        uninstall_dialog(),
        gap=6,
    )


def _problems() -> rx.Component:
    return ui.callout(
        rx.el.ul(rx.foreach(_HEALTH.problems, lambda line: rx.el.li(line, class_name="break-words"))),
        rx.cond(
            _APP.status_reason,
            rx.el.p("Stripe said: ", _APP.status_reason, class_name="mt-1 break-words"),
            rx.fragment(),
        ),
        title="This needs you",
        tone="danger",
        action=rx.cond(
            (_APP.state == "unauthorized") & ShellState.may_administer,
            ui.button("Replace key", size="small", on_click=StripeAppPage.open("key")),
            rx.fragment(),
        ),
    )


def _account() -> rx.Component:
    return ui.card(
        ui.definition_list(
            (
                "Account",
                rx.cond(
                    _APP.dashboard_url,
                    ui.identifier(_APP.account_id, href=_APP.dashboard_url),
                    ui.identifier(_APP.account_id),
                ),
            ),
            ("Country and currency", rx.cond(_APP.place, _APP.place, ui.muted("not told by Stripe"))),
            (
                "Key",
                ui.inline(
                    ui.code(_APP.masked_key),
                    rx.cond(
                        ShellState.may_administer,
                        ui.button("Replace key", size="small", on_click=StripeAppPage.open("key")),
                        rx.fragment(),
                    ),
                    gap=3,
                ),
            ),
            ("Installed", ui.date_time(_APP.installed)),
            ("App id", ui.identifier(_APP.id)),
        ),
        title="Account",
    )


def _hearing() -> rx.Component:
    return ui.card(
        rx.cond(_APP.is_polling, _polling(), _webhook()),
        title="News from Stripe",
        actions=ui.link("All events", href="/stripe/events", class_name="text-[13px]"),
    )


def _webhook() -> rx.Component:
    return ui.stack(
        ui.definition_list(
            ("Webhook", ui.identifier(_APP.webhook_url)),
            ("API version", ui.code(_APP.api_version)),
            ("Last event", _last_event()),
            ("Looked for gaps", _last_asked()),
            *_counts(),
        ),
        rx.cond(
            ShellState.may_administer,
            ui.inline(
                ui.button(
                    "Register again",
                    size="small",
                    busy=StripeAppPage.busy == "register",
                    on_click=StripeAppPage.register_webhook,
                ),
                ui.button(
                    "Rotate signing secret",
                    size="small",
                    busy=StripeAppPage.busy == "rotate",
                    on_click=StripeAppPage.rotate_secret,
                ),
            ),
            rx.fragment(),
        ),
    )


def _polling() -> rx.Component:
    return ui.stack(
        ui.definition_list(
            ("How", "Events are polled: Meterdesk asks Stripe for news every few seconds."),
            ("Last asked", _last_asked()),
            ("Last event", _last_event()),
            *_counts(),
        ),
        polling_help(),
        rx.cond(
            ~_HEALTH.webhook_is_current & ShellState.may_administer,
            ui.inline(
                ui.button(
                    "Register webhook",
                    size="small",
                    busy=StripeAppPage.busy == "register",
                    on_click=StripeAppPage.register_webhook,
                )
            ),
            rx.fragment(),
        ),
    )


def _last_asked() -> rx.Component:
    return rx.cond(_HEALTH.last_poll.iso, ui.date_time(_HEALTH.last_poll), ui.muted("not yet"))


def _last_event() -> rx.Component:
    return rx.cond(
        _HEALTH.last_event.iso,
        rx.fragment(
            ui.date_time(_HEALTH.last_event),
            rx.cond(_HEALTH.lag, ui.muted(", ", _HEALTH.lag, " after it happened"), rx.fragment()),
        ),
        ui.muted("none yet"),
    )


def _counts() -> list[tuple[Any, Any]]:
    return [
        (
            "Events to apply",
            rx.fragment(
                _HEALTH.waiting,
                " waiting, ",
                rx.cond(
                    _HEALTH.failed > 0,
                    ui.link(_HEALTH.failed, " failed", href="/stripe/events?state=failed"),
                    "0 failed",
                ),
                rx.cond(
                    _HEALTH.gaps_healed > 0,
                    ui.muted("; ", _HEALTH.gaps_healed, " missed webhooks were fetched"),
                    rx.fragment(),
                ),
            ),
        )
    ]


def _profiles() -> rx.Component:
    return ui.card(
        ui.when_any(
            StripeAppPage.profiles,
            rx.el.ul(rx.foreach(StripeAppPage.profiles, _profile), class_name="divide-y divide-line"),
            ui.empty_state(
                "No billing profile uses this account",
                "A billing profile says how invoices are collected and taxed. Until there is one, nobody is billed.",
                icon_name="sliders-horizontal",
                action=rx.cond(
                    ShellState.may_administer,
                    ui.link_button("Continue set-up", href=_APP.setup_href, tone="primary"),
                    rx.fragment(),
                ),
            ),
        ),
        title="Billing profiles that use it",
        flush=True,
    )


def _profile(profile: Any) -> rx.Component:
    return rx.el.li(
        ui.plain_link(
            profile.name,
            href=profile.href,
            class_name="font-medium text-ink rounded-sm hover:underline after:absolute after:inset-0",
        ),
        rx.cond(profile.is_default, ui.badge("Default", "open", "star"), rx.fragment()),
        ui.muted(profile.method, class_name="text-[13px]"),
        class_name="relative flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-3 sm:px-5 hover:bg-sunken/60",
    )


def _danger() -> rx.Component:
    return ui.danger_card(
        ui.inline(
            rx.el.p(
                "Uninstalling removes the key and the webhook. Customers, invoices and payment methods stay in Stripe.",
                class_name="min-w-0 flex-1 basis-72 text-muted",
            ),
            ui.button("Uninstall", tone="danger", on_click=StripeAppPage.open("uninstall")),
        ),
    )
