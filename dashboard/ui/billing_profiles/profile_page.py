"""The form of one billing profile, new or existing."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.choices import COUNTRIES, CURRENCIES
from dashboard.ui.billing_profiles.fields import TAX_OFF
from dashboard.ui.billing_profiles.form_parts import METHOD_CARDS, TAX_CARDS, wait_field
from dashboard.ui.billing_profiles.form_state import TAX_FIELD, BillingProfileForm
from dashboard.ui.billing_profiles.preview_card import STRIPE_FEES, preview_card
from dashboard.ui.billing_profiles.profiles import PATH
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState
from dashboard.ui.tax_codes.picker import tax_code_field

_FIELDS = BillingProfileForm.fields
_ERRORS = BillingProfileForm.errors


@page(
    f"{PATH}/[profile_id]",
    title="Billing profile",
    name=BillingProfileForm.title,
    parent=PATH,
    on_load=BillingProfileForm.load,
)
def billing_profile() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            rx.cond(BillingProfileForm.title, BillingProfileForm.title, "Billing profile"),
            beside=rx.cond(BillingProfileForm.is_default, ui.badge("Default", "open", "star"), rx.fragment()),
        ),
        rx.cond(
            BillingProfileForm.loading,
            ui.stack(ui.skeleton_card(3), ui.skeleton_card(6), gap=6),
            rx.cond(
                BillingProfileForm.problem,
                ui.load_error(
                    BillingProfileForm.problem, ui.link_button("All billing profiles", href=PATH, size="small")
                ),
                _form(),
            ),
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        ui.form_error(_ERRORS["form"]),
        rx.el.div(
            rx.el.fieldset(
                ui.stack(_basics(), _collection(), _tax(), _supplier(), _labels(), gap=6),
                disabled=~ShellState.may_administer,
                class_name="min-w-0",
            ),
            rx.el.div(
                preview_card(BillingProfileForm.steps, BillingProfileForm.preview_problem),
                class_name="min-w-0 lg:sticky lg:top-20",
            ),
            class_name="grid grid-cols-1 items-start gap-6 lg:grid-cols-[minmax(0,1fr)_340px]",
        ),
        ui.form_actions(
            ui.link_button(rx.cond(ShellState.may_administer, "Cancel", "Back"), href=PATH),
            rx.cond(
                ShellState.may_administer,
                ui.submit_button(
                    rx.cond(_FIELDS.id, "Save changes", "Create billing profile"), busy=BillingProfileForm.saving
                ),
                rx.fragment(),
            ),
        ),
        on_submit=BillingProfileForm.save,
    )


def _basics() -> rx.Component:
    return ui.card(
        ui.stack(
            _text("name", "Name", hint="Only you see it.", max_length=256),
            _text("description", "Description", optional=True, max_length=1024),
            ui.grid(
                ui.select_field(
                    "app_id",
                    "Stripe account",
                    BillingProfileForm.accounts,
                    empty="Choose an account",
                    default_value=_FIELDS.app_id,
                    errors=_ERRORS,
                    hint="New invoices use it; those that exist stay where they are.",
                ),
                ui.select_field(
                    "currency",
                    "Default currency",
                    CURRENCIES,
                    empty="None: each customer's own",
                    optional=True,
                    default_value=_FIELDS.currency,
                    errors=_ERRORS,
                    hint="For customers who have no currency of their own.",
                ),
            ),
        ),
        title="Basics",
    )


def _collection() -> rx.Component:
    return ui.card(
        ui.stack(
            ui.radio_cards(
                "method",
                "How is the money collected?",
                METHOD_CARDS,
                value=_FIELDS.method,
                on_change=lambda value: BillingProfileForm.choose("method", value),
                errors=_ERRORS,
            ),
            rx.el.p(STRIPE_FEES, class_name="text-[13px] text-muted"),
            rx.el.div(
                wait_field(
                    "due", "Days until due", _FIELDS.due, "Counted from sending. Afterwards the invoice is overdue.",
                    _ERRORS,
                ),
                class_name=rx.cond(BillingProfileForm.method == "send_invoice", "", "hidden"),
            ),
            wait_field(
                "collection", "Wait for late usage", _FIELDS.collection,
                "Usage that arrives late still counts until then. Too short a wait can make amounts wrong.", _ERRORS,
            ),
            wait_field(
                "draft", "Wait before sending", _FIELDS.draft, "Time to look at the complete draft.", _ERRORS
            ),
            _select(
                "approval",
                "Approval",
                [("auto", "Automatic: approved by itself"), ("manual", "Manual: somebody approves each invoice")],
                _FIELDS.approval,
                on_change=lambda value: BillingProfileForm.choose("approval", value),
            ),
            ui.switch_field(
                "progressive",
                "Progressive billing",
                default_checked=_FIELDS.progressive,
                hint="Usage may be invoiced before its period ends, for example by “Invoice now”.",
            ),
            _select(
                "proration",
                "When a subscription ends early",
                [("bill_actual_period", "Bill the days it ran"), ("bill_full_period", "Bill the whole period")],
                _FIELDS.proration,
            ),
            _select(
                "alignment",
                "Collect",
                [
                    ("subscription", "With each subscription's own dates"),
                    ("anchored", "On fixed dates, everything together"),
                ],
                _FIELDS.alignment,
                on_change=lambda value: BillingProfileForm.choose("alignment", value),
            ),
            rx.cond(BillingProfileForm.alignment == "anchored", _anchor(), rx.fragment()),
        ),
        title="Collection and timing",
    )  # fmt: skip


def _anchor() -> rx.Component:
    return ui.grid(
        _text("anchor", "First date", type="date", hint="Midnight UTC."),
        _select(
            "anchor_interval",
            "Then every",
            [("P1W", "week"), ("P2W", "two weeks"), ("P1M", "month"), ("P3M", "three months"), ("P1Y", "year")],
            _FIELDS.anchor_interval,
        ),
    )


def _tax() -> rx.Component:
    return ui.card(
        ui.stack(
            ui.radio_cards(
                "tax",
                "Should Stripe work out tax on invoices?",
                TAX_CARDS,
                value=_FIELDS.tax,
                on_change=lambda value: BillingProfileForm.choose("tax", value),
                columns=1,
                errors=_ERRORS,
            ),
            rx.el.div(
                ui.stack(
                    tax_code_field(
                        TAX_FIELD,
                        "Default tax code",
                        hint="What most of your products are, for tax. A rate card may say another.",
                        none="None: the organisation's default applies",
                        errors=_ERRORS,
                    ),
                    _select(
                        "tax_behavior",
                        "Prices",
                        [
                            ("", "As the Stripe account says"),
                            ("exclusive", "Exclude tax: it is added on top"),
                            ("inclusive", "Include tax"),
                        ],
                        _FIELDS.tax_behavior,
                        optional=True,
                    ),
                ),
                class_name=rx.cond(BillingProfileForm.tax == TAX_OFF, "hidden", ""),
            ),
        ),
        title="Tax",
    )


def _supplier() -> rx.Component:
    return ui.card(
        ui.stack(
            ui.grid(
                _text("supplier_name", "Supplier name", hint="Your company, as it stands on invoices."),
                ui.select_field(
                    "supplier_country",
                    "Supplier country",
                    COUNTRIES,
                    empty="Choose a country",
                    default_value=_FIELDS.supplier_country,
                    errors=_ERRORS,
                ),
            ),
            _text("supplier_line1", "Street", optional=True),
            _text("supplier_line2", "Street, second line", optional=True),
            ui.grid(
                _text("supplier_postal_code", "Postal code", optional=True),
                _text("supplier_city", "City", optional=True),
                _text("supplier_state", "State", optional=True),
                columns=3,
            ),
            _text("supplier_tax_id", "Tax ID", optional=True, max_length=32),
        ),
        title="Supplier",
        description="Who the invoice comes from.",
    )


def _labels() -> rx.Component:
    return ui.card(
        ui.textarea_field(
            "labels",
            "Labels",
            optional=True,
            rows=3,
            default_value=_FIELDS.labels,
            hint="For programs: one per line, name=value.",
            errors=_ERRORS,
            spell_check=False,
        ),
        title="Labels",
    )


def _text(name: str, label: str, **props: Any) -> rx.Component:
    return ui.text_field(
        name, label, default_value=getattr(_FIELDS, name), errors=_ERRORS, auto_complete="off", **props
    )


def _select(name: str, label: str, options: list[tuple[str, str]], value: Any, **props: Any) -> rx.Component:
    choices = [ui.Option(key, text) for key, text in options]
    return ui.select_field(name, label, choices, default_value=value, errors=_ERRORS, **props)
