"""The wizard's third step on screen: tax, and the billing profile itself."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.choices import COUNTRIES, CURRENCIES
from dashboard.ui.billing_profiles.fields import TAX_OFF
from dashboard.ui.billing_profiles.form_parts import TAX_CARDS
from dashboard.ui.settings_stripe.setup_state import TAX_FIELD, SetUpBilling
from dashboard.ui.settings_stripe.wizard import WIDTH, wizard_head
from dashboard.ui.tax_codes.picker import tax_code_field


def profile_step() -> rx.Component:
    errors = SetUpBilling.errors
    return ui.stack(
        wizard_head(2, "Tax and billing profile"),
        _chosen_method(),
        ui.form(
            ui.form_error(errors["form"]),
            ui.card(
                ui.stack(
                    ui.radio_cards(
                        "tax",
                        "Should Stripe work out tax on invoices?",
                        TAX_CARDS,
                        value=SetUpBilling.defaults.tax,
                        on_change=SetUpBilling.choose_tax,
                        columns=1,
                        errors=errors,
                    ),
                    rx.cond(SetUpBilling.tax_chosen == TAX_OFF, rx.fragment(), _tax_details()),
                ),
                title="Tax",
            ),
            ui.card(
                ui.stack(
                    ui.text_field(
                        "name",
                        "Profile name",
                        id="profile-name",
                        default_value=SetUpBilling.defaults.name,
                        hint="Only you see it.",
                        errors=errors,
                        auto_complete="off",
                        max_length=256,
                    ),
                    ui.grid(
                        ui.text_field(
                            "supplier_name",
                            "Supplier name",
                            id="supplier-name",
                            default_value=SetUpBilling.defaults.supplier_name,
                            hint="Your company, as it stands on invoices.",
                            errors=errors,
                            auto_complete="organization",
                        ),
                        ui.select_field(
                            "supplier_country",
                            "Supplier country",
                            COUNTRIES,
                            id="supplier-country",
                            empty="Choose a country",
                            default_value=SetUpBilling.defaults.supplier_country,
                            errors=errors,
                        ),
                    ),
                    ui.select_field(
                        "currency",
                        "Default currency",
                        CURRENCIES,
                        id="profile-currency",
                        empty="None: each customer's own",
                        optional=True,
                        default_value=SetUpBilling.defaults.currency,
                        hint="For customers who have no currency of their own.",
                        errors=errors,
                    ),
                    rx.el.p(
                        "Waiting times, due dates and approval start with sensible values. Change them at any time "
                        "under Billing profiles.",
                        class_name="text-[13px] text-muted",
                    ),
                ),
                title="Billing profile",
            ),
            ui.form_actions(
                ui.link_button("Back", href=SetUpBilling.app.setup_href),
                ui.submit_button("Create Billing Profile", busy=SetUpBilling.saving),
            ),
            on_submit=SetUpBilling.create_profile,
            class_name="!gap-6",
        ),
        gap=6,
        class_name=WIDTH,
    )


def _chosen_method() -> rx.Component:
    return ui.inline(
        ui.muted("Collection:"),
        rx.match(
            SetUpBilling.method,
            ("send_invoice", ui.badge("Send Invoice", "open", "mail")),
            ui.badge("Auto Collection", "open", "zap"),
        ),
        ui.link("Change", href=SetUpBilling.app.setup_href),
    )


def _tax_details() -> rx.Component:
    return ui.stack(
        _tax_readiness(),
        tax_code_field(
            TAX_FIELD,
            "Default tax code",
            hint="What most of your products are, for tax. A rate card may say another.",
            none="None: the Stripe account's own default applies",
            errors=SetUpBilling.errors,
        ),
        rx.el.p(
            "Tax law depends on where you and your customers are and what you sell: ask a tax professional first. "
            "Stripe charges a fee per tax calculation.",
            class_name="text-[13px] text-muted",
        ),
    )


def _tax_readiness() -> rx.Component:
    tax = SetUpBilling.tax
    again = ui.button(
        "Check again", size="small", busy=SetUpBilling.checking_tax, on_click=SetUpBilling.check_tax_again
    )
    settings = ui.external_link("Tax settings in Stripe", href=tax.settings_url)
    return rx.cond(
        tax.problem,
        ui.callout(tax.problem, title="Stripe's tax settings could not be read", tone="warning", action=again),
        rx.cond(
            tax.is_active,
            ui.callout(
                "Stripe collects tax where the account has registrations. Review them now and then: ",
                settings,
                title="Stripe Tax is active in this account",
                tone="success",
            ),
            ui.callout(
                rx.el.p("Until then Stripe refuses to work out tax. The account still misses:"),
                rx.el.ul(
                    rx.foreach(tax.missing, lambda line: rx.el.li(line)), class_name="list-disc pl-5 empty:hidden"
                ),
                settings,
                title="Stripe Tax is not set up in this account",
                tone="warning",
                action=again,
            ),
        ),
    )
