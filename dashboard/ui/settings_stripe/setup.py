"""The wizard after the installation on screen: collection, then tax and profile, then the default."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.preview_card import STRIPE_FEES
from dashboard.ui.settings_stripe.polling_help import polling_help
from dashboard.ui.settings_stripe.setup_profile import profile_step
from dashboard.ui.settings_stripe.setup_state import SetUpBilling
from dashboard.ui.settings_stripe.views import PATH
from dashboard.ui.settings_stripe.wizard import WIDTH, wizard_head

_APP = SetUpBilling.app


def setup_steps() -> rx.Component:
    return rx.cond(
        SetUpBilling.problem,
        ui.stack(
            wizard_head(1, "Set up billing"),
            ui.load_error(SetUpBilling.problem, ui.link_button("All Stripe accounts", href=PATH, size="small")),
        ),
        rx.match(
            SetUpBilling.step,
            ("collection", _collection()),
            ("profile", profile_step()),
            ("default", _default()),
            ("done", _done()),
            ui.stack(ui.page_header("Set up billing"), ui.skeleton_card(4), gap=6, class_name=WIDTH),
        ),
    )


def _collection() -> rx.Component:
    return ui.stack(
        wizard_head(1, "How do you want to be paid?"),
        _installed(),
        ui.grid(
            _method_card(
                "charge_automatically",
                "Auto Collection",
                "zap",
                "Stripe charges the customer's saved payment method as soon as the invoice is final.",
                "Each customer needs a default payment method. A checkout link collects it.",
                "Self-service customers.",
                "Stripe's payment fee on each charge, and its invoicing fee.",
            ),
            _method_card(
                "send_invoice",
                "Send Invoice",
                "mail",
                "Stripe emails the invoice, and the customer pays in the way they prefer until the due date.",
                "Each Stripe customer needs an email address. It is set in Stripe.",
                "Enterprise customers and long payment terms.",
                "Stripe's invoicing fee, and a payment fee by how they pay.",
            ),
        ),
        rx.el.p(
            "You can do both: add another billing profile later, and give it to the customers it is for.",
            class_name="text-muted",
        ),
        gap=6,
        class_name=WIDTH,
    )


def _installed() -> rx.Component:
    return ui.callout(
        rx.cond(
            _APP.is_polling,
            ui.stack(
                rx.el.p(
                    "Nothing was registered in Stripe for events, because this server has no public address. Events "
                    "are polled: Meterdesk asks Stripe for news every few seconds, so payments show up by themselves."
                ),
                polling_help(),
                gap=2,
            ),
            rx.el.p(
                "A webhook was set up automatically in Stripe. It sends events to ",
                ui.code(_APP.webhook_url),
                ".",
            ),
        ),
        title=rx.fragment(_APP.account_name, " is installed"),
        tone="success",
    )


def _method_card(
    method: str, title: str, icon_name: str, money: str, needs: str, good_for: str, fees: str
) -> rx.Component:
    identity = f"method-{method}"
    return rx.el.button(
        rx.el.span(
            rx.el.span(
                ui.icon(icon_name, 18, "text-brand-ink"),
                rx.el.span(title, id=identity, class_name="text-base font-semibold text-ink"),
                class_name="flex items-center gap-2",
            ),
            ui.icon("arrow-right", 16, "text-muted"),
            class_name="flex items-center justify-between",
        ),
        rx.el.span(
            _meaning("The money", money),
            _meaning("What it takes", needs),
            _meaning("Good for", good_for),
            _meaning("Fees", fees),
            id=f"{identity}-meaning",
            class_name="mt-3 flex flex-col gap-2",
        ),
        type="button",
        on_click=SetUpBilling.choose_method(method),
        aria_labelledby=identity,
        aria_describedby=f"{identity}-meaning",
        class_name=(
            "flex h-full w-full flex-col rounded-card border border-line-strong bg-panel p-5 text-left "
            "transition-colors hover:border-brand hover:bg-brand-soft"
        ),
    )


def _meaning(what: str, text: str) -> rx.Component:
    return rx.el.span(
        rx.el.span(what, class_name="block text-[13px] text-muted"), rx.el.span(text, class_name="block text-ink")
    )


def _default() -> rx.Component:
    profile, affected = SetUpBilling.profile_name, SetUpBilling.affected
    return ui.stack(
        wizard_head(3, "Start billing"),
        ui.callout(
            "“", profile, "” exists now. ",
            rx.cond(SetUpBilling.is_default, "As the first one it is the default.", "Nobody is billed by it yet."),
            title="The billing profile was created", tone="success",
        ),
        ui.form_error(SetUpBilling.errors["form"]),
        ui.card(
            ui.stack(
                ui.checkbox_field(
                    "as_default",
                    "Set this as the new default billing profile",
                    default_checked=True,
                    on_change=SetUpBilling.set_as_default,
                    hint="The default bills every customer who has not been given another profile.",
                ),
                rx.cond(
                    SetUpBilling.as_default,
                    ui.callout(
                        affected.if_default,
                        rx.cond(affected.replaces, rx.el.p(affected.replaces, class_name="mt-1"), rx.fragment()),
                        title="Who will be billed by it",
                        tone="info",
                    ),
                    ui.callout(affected.if_kept, title="Nothing changes for now", tone="info"),
                ),
                ui.form_actions(
                    rx.cond(
                        SetUpBilling.as_default,
                        ui.button(
                            "Start Billing",
                            tone="primary",
                            busy=SetUpBilling.saving,
                            on_click=SetUpBilling.start_billing,
                        ),
                        ui.button(
                            "Keep Current Default Profile",
                            tone="primary",
                            busy=SetUpBilling.saving,
                            on_click=SetUpBilling.keep_default,
                        ),
                    ),
                ),
            ),
        ),
        gap=6,
        class_name=WIDTH,
    )  # fmt: skip


def _done() -> rx.Component:
    return ui.stack(
        wizard_head(4, "Stripe is connected"),
        ui.callout(
            rx.cond(
                SetUpBilling.is_default,
                rx.fragment("“", SetUpBilling.profile_name, "” is the default billing profile."),
                rx.fragment(
                    "“", SetUpBilling.profile_name, "” is ready. Choose it on the page of each customer it is for."
                ),
            ),
            title="Billing is set up",
            tone="success",
        ),
        ui.card(
            rx.el.ol(
                _next("users", "Create a customer", "And link them to Stripe, or send a checkout link.", "/customers"),
                _next(
                    "receipt-text", "Invoice them", "Add a charge, press “Invoice now”, watch it get paid.", "/invoices"
                ),
                _next(
                    "key-round",
                    "Send usage",
                    "Create an API key, so that your programs can report usage.",
                    "/settings/api-keys",
                ),
                class_name="divide-y divide-line",
            ),
            title="What next",
            flush=True,
        ),
        ui.inline(
            ui.link_button("Open the Stripe app", href=_APP.href),
            ui.link_button("Billing profiles", href="/settings/billing-profiles"),
        ),
        rx.el.p(STRIPE_FEES, class_name="text-[13px] text-muted"),
        gap=6,
        class_name=WIDTH,
    )


def _next(icon_name: str, title: str, text: str, href: str) -> rx.Component:
    return rx.el.li(
        ui.icon(icon_name, 18, "mt-0.5 text-brand-ink"),
        rx.el.div(
            ui.plain_link(
                title,
                href=href,
                class_name="font-medium text-ink rounded-sm hover:underline after:absolute after:inset-0",
            ),
            rx.el.p(text, class_name="text-[13px] text-muted"),
        ),
        class_name="relative flex gap-3 px-4 py-3 sm:px-5 hover:bg-sunken/60",
    )
