"""The connected accounts, or the invitation to connect the first."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.settings_stripe.app_state import StripeAppPage
from dashboard.ui.settings_stripe.list_state import StripeSettings
from dashboard.ui.settings_stripe.views import STATES, AppView
from dashboard.ui.shell_state import ShellState


def apps_list() -> rx.Component:
    return ui.stack(
        ui.page_header(
            "Stripe",
            rx.cond(
                ShellState.may_administer & (StripeSettings.apps.length() > 0),  # pyright: ignore[reportAttributeAccessIssue]
                ui.button("Install another account", icon_name="plus", on_click=StripeSettings.start),
                rx.fragment(),
            ),
            description="Stripe writes, sends and collects the invoices that Meterdesk works out.",
        ),
        ui.load_error(StripeSettings.problem),
        _left_behind(),
        rx.cond(
            StripeSettings.loading,
            ui.skeleton_card(4),
            ui.when_any(
                StripeSettings.apps,
                rx.el.ul(rx.foreach(StripeSettings.apps, _app), class_name="flex flex-col gap-4"),
                _invitation(),
            ),
        ),
        gap=6,
    )


def _app(app: rx.Var[AppView] | Any) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.div(
                ui.plain_link(
                    app.account_name,
                    href=app.href,
                    class_name=(
                        "text-[15px] font-semibold text-ink rounded-sm hover:underline underline-offset-2 "
                        "after:absolute after:inset-0 break-words min-w-0"
                    ),
                ),
                ui.environment_badge(app.environment),
                ui.status_badge(app.state, STATES),
                class_name="flex flex-wrap items-center gap-x-3 gap-y-1.5 min-w-0",
            ),
            ui.icon("chevron-right", 16, "text-muted mt-1"),
            class_name="flex items-start justify-between gap-3",
        ),
        rx.el.div(
            ui.code(app.account_id),
            rx.el.span(app.place),
            rx.cond(
                app.is_polling,
                ui.inline(ui.icon("refresh-cw", 13), "Events are polled", gap=1),
                ui.inline(ui.icon("webhook", 13), "Webhook", gap=1),
            ),
            rx.el.span("installed ", ui.date_time(app.installed)),
            class_name="mt-2 flex flex-wrap items-center gap-x-4 gap-y-1 text-[13px] text-muted",
        ),
        rx.cond(
            app.profile_count > 0,
            rx.el.p(
                app.profile_count,
                rx.cond(app.profile_count == 1, " billing profile uses it", " billing profiles use it"),
                class_name="mt-1 text-[13px] text-muted",
            ),
            rx.el.div(
                ui.callout(
                    "No billing profile uses this account, so nobody is billed by it.",
                    tone="warning",
                    action=ui.link_button("Continue set-up", href=app.setup_href, size="small", class_name="relative"),
                ),
                class_name="mt-3",
            ),
        ),
        class_name=(
            "relative rounded-card border border-line bg-panel p-4 sm:p-5 hover:border-line-strong transition-colors"
        ),
    )


def _left_behind() -> rx.Component:
    title = StripeAppPage.uninstalled_name + " was uninstalled"
    dismiss = ui.button("Dismiss", size="small", on_click=StripeAppPage.dismiss)
    return rx.cond(
        StripeAppPage.uninstalled_name,
        ui.when_any(
            StripeAppPage.left_in_stripe,
            ui.callout(
                rx.el.p("Stripe did not accept the key any more, so this is left there. Remove it by hand:"),
                rx.el.ul(
                    rx.foreach(StripeAppPage.left_in_stripe, lambda line: rx.el.li(line, class_name="break-words")),
                    class_name="list-disc pl-5",
                ),
                title=title,
                tone="warning",
                action=dismiss,
            ),
            ui.callout(
                "Its webhook is gone too. Customers, invoices and payment methods stay in Stripe as they are.",
                title=title,
                tone="success",
                action=dismiss,
            ),
        ),
        rx.fragment(),
    )


def _invitation() -> rx.Component:
    return ui.stack(
        ui.card(
            ui.empty_state(
                "Connect your Stripe account",
                "Meterdesk meters usage and works out what each customer owes. Stripe sends the invoices, collects the "
                "payments and, if you want, calculates the tax.",
                icon_name="credit-card",
                action=rx.cond(
                    ShellState.may_administer,
                    ui.button("Install", tone="primary", on_click=StripeSettings.start),
                    ui.muted("Ask an owner or admin to install it."),
                ),
            ),
            flush=True,
        ),
        ui.grid(
            _part("file-text", "Stripe Invoicing", "Sends invoices and keeps them up to date here."),
            _part(
                "credit-card", "Stripe Payments", "Collects by card, bank debit and more. It keeps the card details."
            ),
            _part("landmark", "Stripe Tax", "Optional: works out tax by where you and your customers are."),
            columns=3,
        ),
        rx.el.p(
            "Stripe charges fees per invoice, payment and tax calculation, by your contract with it. ",
            ui.external_link("Stripe's fees", href="https://stripe.com/pricing"),
            class_name="text-[13px] text-muted",
        ),
    )


def _part(icon_name: str, title: str, text: str) -> rx.Component:
    return rx.el.div(
        ui.icon(icon_name, 18, "text-brand-ink"),
        rx.el.h2(title, class_name="mt-2 font-medium text-ink"),
        rx.el.p(text, class_name="mt-1 text-[13px] text-muted"),
        class_name="rounded-card border border-line bg-panel p-4",
    )
