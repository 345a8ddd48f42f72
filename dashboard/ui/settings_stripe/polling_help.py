"""Polling in plain words, and the two ways to receive webhooks instead."""

import reflex as rx

from dashboard.ui import components as ui

_WITH_ADDRESS = "METERDESK_PUBLIC_URL=https://billing.example.com uv run meterdesk"
_WITH_STRIPE_CLI = "stripe listen --forward-to http://127.0.0.1:8000/api/v1/apps/APP_ID/stripe/webhook"


def polling_help() -> rx.Component:
    """Folded; for the wizard and the app's page."""
    return rx.el.details(
        rx.el.summary(
            ui.icon("chevron-right", 15, "transition-transform group-open:rotate-90"),
            "How to receive webhooks instead",
            class_name="inline-flex items-center gap-1.5 rounded-sm font-medium text-brand-ink",
        ),
        rx.el.div(
            rx.el.p(
                "Polling works as it is: payments show within seconds, and none is lost. Webhooks are faster, but need "
                "an https address that Stripe can reach. Start the server with it, then register the webhook here:"
            ),
            ui.code_block(_WITH_ADDRESS, "Start with a public address"),
            rx.el.p(
                "Stripe's own command line tool can carry test events to a laptop. With polling it is not needed: the "
                "same event by both ways is applied once."
            ),
            ui.code_block(_WITH_STRIPE_CLI, "Forward test events"),
            class_name="mt-3 flex flex-col gap-3 text-[13px] text-muted",
        ),
        class_name="group min-w-0",
    )
