"""The field in which one picks a tax code. It posts the choice under its name, empty for none."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.components.basics import Content
from dashboard.ui.components.forms import Errors
from dashboard.ui.tax_codes.picker_state import TaxCodePicker, search_id


def tax_code_field(name: str, label: str, *, hint: Content, none: str, errors: Errors = None) -> rx.Component:
    """`none` says what holds without a code. `name` is a literal identifier; load it with `TaxCodePicker._begin`."""
    picked = TaxCodePicker.picked[name]
    is_open = TaxCodePicker.open_field == name
    return rx.el.div(
        rx.el.p(label, id=f"{name}_label", class_name="font-medium text-ink"),
        rx.el.input(type="hidden", name=name, value=rx.cond(picked.value, picked.value, ""), read_only=True),
        rx.el.div(
            rx.el.div(
                rx.cond(
                    picked.value,
                    rx.fragment(
                        rx.el.span(picked.name, class_name="block text-ink break-words"),
                        ui.code(picked.code),
                    ),
                    ui.muted(none),
                ),
                class_name="min-w-0 flex-1",
            ),
            ui.button(
                rx.cond(picked.value, "Change", "Choose"),
                ui.screen_reader_only(" ", label.lower()),
                size="small",
                on_click=TaxCodePicker.open(name),
                aria_expanded=is_open,
            ),
            rx.cond(
                picked.value,
                ui.button(
                    "Clear",
                    ui.screen_reader_only(" ", label.lower()),
                    size="small",
                    tone="quiet",
                    on_click=TaxCodePicker.clear(name),
                ),
                rx.fragment(),
            ),
            role="group",
            aria_labelledby=f"{name}_label",
            class_name="flex flex-wrap items-center gap-2 rounded-control border border-line-strong bg-panel px-3 py-2",
        ),
        rx.cond(is_open, _search(name), rx.fragment()),
        rx.el.p(hint, class_name="text-[13px] text-muted"),
        *([_error(errors[name])] if errors is not None else []),
        class_name="flex flex-col gap-1.5 min-w-0",
    )


def _search(name: str) -> rx.Component:
    return rx.el.div(
        rx.el.input(
            id=search_id(name),
            name=search_id(name),
            type="search",
            on_change=TaxCodePicker.find.debounce(200),
            aria_label="Search tax codes",
            placeholder="Search, such as “software” or “txcd_10…”",
            auto_complete="off",
            # An input of no form: Enter in the search must not send the form around it.
            custom_attrs={"form": f"{name}_no_form"},
            class_name=(
                "h-9 w-full rounded-control border border-line-strong bg-panel px-3 text-base md:text-sm text-ink"
            ),
        ),
        rx.cond(TaxCodePicker.problem, ui.callout(TaxCodePicker.problem, tone="danger"), rx.fragment()),
        rx.el.ul(
            rx.foreach(TaxCodePicker.hits, lambda hit: _hit(name, hit)),
            aria_label="Tax codes found",
            class_name="flex max-h-72 flex-col overflow-y-auto",
        ),
        rx.cond(
            (TaxCodePicker.hits.length() == 0) & (TaxCodePicker.problem == ""),  # pyright: ignore[reportAttributeAccessIssue]
            rx.el.p("No tax code matches. Try a plainer word.", class_name="px-1 py-2 text-muted"),
            rx.fragment(),
        ),
        class_name="flex flex-col gap-2 rounded-card border border-line bg-sunken p-2",
    )


def _hit(name: str, hit: Any) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(
                rx.el.span(
                    hit.name,
                    rx.cond(hit.is_own, rx.el.span(" · yours", class_name="text-[13px] text-brand-ink"), rx.fragment()),
                    class_name="font-medium text-ink",
                ),
                rx.el.span(hit.code, class_name="font-mono text-[13px] text-muted"),
                class_name="flex flex-wrap justify-between gap-x-4",
            ),
            rx.el.span(hit.description, class_name="mt-0.5 line-clamp-2 block text-[13px] text-muted"),
            type="button",
            on_click=TaxCodePicker.choose(name, hit.value),
            class_name="w-full rounded-control px-2.5 py-2 text-left hover:bg-panel",
        )
    )


def _error(sentence: Any) -> rx.Component:
    return rx.cond(
        sentence,
        rx.el.p(
            ui.icon("circle-alert", 14),
            sentence,
            role="alert",
            class_name="flex items-center gap-1.5 text-[13px] text-danger-ink",
        ),
        rx.fragment(),
    )
