"""The dialogs of a rate card: its form, what it would charge, and removing it."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.plans.card_form import FLAT_FEE, TierRow
from dashboard.ui.plans.card_state import CardState

S = CardState
KINDS = [ui.Option("flat_fee", "Flat fee"), ui.Option("usage_based", "Usage based")]
TERMS = [ui.Option("in_advance", "In advance"), ui.Option("in_arrears", "In arrears")]
BEHAVIORS = [ui.Option("exclusive", "Exclusive: tax on top"), ui.Option("inclusive", "Inclusive: tax in the price")]
OPERATIONS = [ui.Option("divide", "Divided by"), ui.Option("multiply", "Multiplied by")]
ROUNDINGS = [
    ui.Option("none", "Not rounded"),
    ui.Option("ceiling", "Rounded up"),
    ui.Option("floor", "Rounded down"),
    ui.Option("half_up", "Rounded to the nearest"),
]
_INPUT = (
    "h-9 w-full min-w-0 rounded-control border border-line-strong bg-panel px-2.5 text-base md:text-sm text-ink "
    "aria-invalid:border-danger-ink"
)
_BOX = "rounded-control border border-line px-3 py-2"


def card_dialogs() -> rx.Component:
    """Everything that opens over the plan page for one rate card."""
    return rx.fragment(
        ui.dialog(
            "rate-card",
            rx.cond(S.open, _form(), rx.fragment()),
            title="Rate card",
            shown=S.open,
            on_close=S.close,
            width="large",
        ),
        ui.dialog(
            "price-preview",
            rx.cond(S.preview_open, _preview_of_saved(), rx.fragment()),
            title=rx.fragment("What does ", S.chosen_name, " cost?"),
            shown=S.preview_open,
            on_close=S.close_preview,
            width="medium",
        ),
        ui.confirm_dialog(
            "remove-card",
            "The draft goes on without it. Published versions and subscriptions are not touched.",
            title=rx.fragment("Remove ", S.chosen_name, "?"),
            confirm="Remove rate card",
            on_confirm=S.remove,
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        ui.form_error(S.errors["form"]),
        ui.grid(
            ui.select_field(
                "kind", "Charge", KINDS, errors=S.errors, id="card-kind", value=S.kind, on_change=S.choose_kind
            ),
            ui.select_field(
                "model", "Price", S.models, errors=S.errors, id="card-model", value=S.model, on_change=S.choose_model
            ),
            _text("name", "Name", hint="As it reads on invoices"),
            ui.select_field(
                "feature_key",
                "Feature",
                S.features,
                errors=S.errors,
                optional=True,
                empty="None",
                id="card-feature_key",
                value=S.feature_key,
                on_change=S.choose_feature,
            ),
            rx.cond(
                S.feature_key != "",
                ui.read_only_field("Key", ui.code(S.feature_key), hint="A rate card with a feature has its key."),
                _text("key", "Key", hint="Lower case, as in base_fee"),
            ),
            ui.select_field(
                "billing_cadence",
                "Charged",
                S.cadences,
                errors=S.errors,
                id="card-billing_cadence",
                default_value=S.form.billing_cadence,
            ),
        ),
        _price(),
        rx.cond(S.model != "free", _refinements(), rx.fragment()),
        _tax(),
        ui.textarea_field(
            "description",
            "Description",
            errors=S.errors,
            optional=True,
            rows=2,
            id="card-description",
            default_value=S.form.description,
        ),
        _preview_in_form(),
        ui.form_actions(
            ui.button("Cancel", on_click=S.close),
            ui.submit_button("Preview price", tone="secondary", icon_name="calculator", on_click=S.intend("preview")),
            ui.submit_button("Save rate card", icon_name="check", on_click=S.intend("save")),
        ),
        on_submit=S.submit,
    )


def _price() -> rx.Component:
    amount = _amount("amount", "Price per unit", "0.01", optional=False)
    return rx.match(
        S.model,
        (
            "flat",
            ui.grid(
                _amount("amount", "Amount", "49.00", optional=False),
                ui.select_field(
                    "payment_term",
                    "Paid",
                    TERMS,
                    errors=S.errors,
                    id="card-payment_term",
                    default_value=S.form.payment_term,
                ),
            ),
        ),
        ("unit", ui.grid(amount)),
        (
            "package",
            ui.grid(
                _amount("amount", "Price per package", "5.00", optional=False),
                _amount("quantity_per_package", "Units per package", "1000", optional=False),
            ),
        ),
        (
            "dynamic",
            ui.grid(_amount("multiplier", "Multiplier", "1.2", hint="1.2 puts 20 % on top; empty passes the cost on.")),
        ),
        ("graduated", _tiers()),
        ("volume", _tiers()),
        ui.muted("Nothing is charged; the customer still gets the feature."),
    )


def _tiers() -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend("Tiers", class_name="mb-1.5 font-medium text-ink"),
        rx.el.div(
            *(
                rx.el.span(words, class_name="text-[13px] text-muted", aria_hidden=True)
                for words in ("Up to and with", "Price per unit", "Flat price")
            ),
            class_name="mb-1 grid grid-cols-3 gap-2 pr-10",
        ),
        rx.el.div(rx.foreach(S.tiers, _tier), class_name="flex flex-col gap-2"),
        rx.cond(
            S.errors["tiers"],
            rx.el.p(S.errors["tiers"], role="alert", class_name="mt-1.5 text-[13px] text-danger-ink"),
            rx.fragment(),
        ),
        rx.el.div(
            ui.button("Add tier", size="small", icon_name="plus", on_click=S.add_tier),
            rx.el.p(
                "Leave the limit of the last tier empty: it has no end.", class_name="min-w-0 text-[13px] text-muted"
            ),
            class_name="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1",
        ),
        class_name="min-w-0",
    )


def _tier(tier: rx.Var[TierRow], index: rx.Var[int]) -> rx.Component:
    number = (index + 1).to(str)
    wrong = S.errors["tier_" + tier.id]

    def typed(part: str, label: str, value: Any, placeholder: str) -> rx.Component:
        return rx.el.input(
            name="tier_" + tier.id + f"_{part}",
            default_value=value,
            placeholder=placeholder,
            aria_label="Tier " + number + ": " + label,
            aria_invalid=rx.cond(wrong, "true", "false"),
            input_mode="decimal",
            auto_complete="off",
            class_name=_INPUT,
        )

    return rx.el.div(
        rx.el.div(
            rx.el.div(
                typed("up_to", "up to", tier.up_to, "no end"),
                typed("unit", "price per unit", tier.unit, "0.01"),
                typed("flat", "flat price", tier.flat, "none"),
                class_name="grid min-w-0 flex-1 grid-cols-3 gap-2",
            ),
            ui.icon_button("trash-2", "Remove tier " + number, on_click=S.remove_tier(tier.id)),
            class_name="flex items-center gap-2",
        ),
        rx.cond(
            wrong,
            rx.el.p(
                ui.icon("circle-alert", 14),
                wrong,
                role="alert",
                class_name="mt-1 flex items-center gap-1.5 text-[13px] text-danger-ink",
            ),
            rx.fragment(),
        ),
        key=tier.id,
    )


def _refinements() -> rx.Component:
    usage = S.model != "flat"
    converts = (S.model == "unit") | (S.model == "graduated") | (S.model == "volume")
    return rx.el.details(
        rx.el.summary("Discounts, minimum and maximum", class_name="cursor-pointer font-medium text-ink"),
        rx.el.div(
            ui.grid(
                _amount("percentage", "Discount in percent", "10"),
                rx.cond(usage, _amount("usage_quantity", "Free units per period", "1000"), rx.fragment()),
                rx.cond(usage, _amount("minimum_amount", "Minimum spend", "10.00"), rx.fragment()),
                rx.cond(usage, _amount("maximum_amount", "Maximum spend", "500.00"), rx.fragment()),
            ),
            rx.cond(converts, _conversion(), rx.fragment()),
            class_name="flex flex-col gap-4 pt-3",
        ),
        open=(S.form.percentage != "")
        | (S.form.usage_quantity != "")
        | (S.form.minimum_amount != "")
        | (S.form.maximum_amount != "")
        | (S.form.conversion_operation != ""),
        class_name=_BOX,
    )


def _conversion() -> rx.Component:
    return ui.grid(
        ui.select_field(
            "conversion_operation",
            "Billed unit: the metered quantity",
            OPERATIONS,
            errors=S.errors,
            optional=True,
            empty="As it is metered",
            id="card-conversion_operation",
            default_value=S.form.conversion_operation,
        ),
        _amount("conversion_factor", "By", "1000000000"),
        ui.select_field(
            "conversion_rounding",
            "Then",
            ROUNDINGS,
            errors=S.errors,
            optional=True,
            id="card-conversion_rounding",
            default_value=S.form.conversion_rounding,
        ),
        columns=3,
    )


def _tax() -> rx.Component:
    return ui.grid(
        ui.select_field(
            "tax_code_id",
            "Tax code",
            S.tax_codes,
            errors=S.errors,
            optional=True,
            empty="The customer's or profile's",
            id="card-tax_code_id",
            default_value=S.form.tax_code_id,
        ),
        ui.select_field(
            "tax_behavior",
            "Tax behaviour",
            BEHAVIORS,
            errors=S.errors,
            optional=True,
            empty="The customer's or profile's",
            id="card-tax_behavior",
            default_value=S.form.tax_behavior,
        ),
    )


def _preview_in_form() -> rx.Component:
    return rx.el.div(
        rx.cond(
            (S.kind == FLAT_FEE) | (S.model == "free"),
            rx.fragment(),
            _text("preview_quantity", "Try the price with", hint="Units used in one period", value=S.quantity),
        ),
        _answer(),
        class_name="flex flex-col gap-3 rounded-control bg-sunken p-3 empty:hidden",
    )


def _preview_of_saved() -> rx.Component:
    return ui.stack(
        ui.text_field(
            "quantity",
            "Units used in one period",
            id="preview-quantity",
            default_value=S.quantity,
            input_mode="decimal",
            auto_complete="off",
            on_change=S.try_quantity.debounce(250),
        ),
        _answer(),
    )


def _answer() -> rx.Component:
    """“5,230 units cost $52.30, because …”, its lines and every step."""
    return rx.el.div(
        rx.cond(S.preview_problem != "", ui.callout(S.preview_problem, tone="danger"), rx.fragment()),
        rx.cond(
            S.preview_sentence != "",
            rx.el.div(
                rx.el.p(S.preview_sentence, class_name="text-base font-semibold text-ink"),
                rx.el.ul(
                    rx.foreach(
                        S.preview_lines,
                        lambda line: rx.el.li(rx.el.span(line.name, ": ", class_name="text-muted"), line.sentence),
                    ),
                    class_name="mt-1 flex flex-col gap-0.5",
                ),
                rx.cond(
                    S.preview_steps.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]
                    rx.el.details(
                        rx.el.summary("Every step", class_name="cursor-pointer text-[13px] text-muted"),
                        rx.el.ol(
                            rx.foreach(S.preview_steps, rx.el.li),
                            class_name="mt-1 list-decimal pl-5 text-[13px] text-muted",
                        ),
                        class_name="mt-2",
                    ),
                    rx.fragment(),
                ),
            ),
            rx.fragment(),
        ),
        aria_live="polite",
        class_name="empty:hidden",
    )


def _amount(name: str, label: str, example: str, *, optional: bool = True, hint: str | None = None) -> rx.Component:
    return ui.text_field(
        name,
        label,
        errors=S.errors,
        optional=optional,
        hint=hint,
        id=f"card-{name}",
        default_value=getattr(S.form, name),
        input_mode="decimal",
        placeholder=example,
        auto_complete="off",
    )


def _text(name: str, label: str, *, hint: str, value: Any = None) -> rx.Component:
    return ui.text_field(
        name,
        label,
        errors=S.errors,
        hint=hint,
        id=f"card-{name}",
        default_value=getattr(S.form, name) if value is None else value,
        auto_complete="off",
    )
