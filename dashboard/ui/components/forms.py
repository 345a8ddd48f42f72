"""Form fields: a label, a control, a hint and what is wrong with it, tied together for everyone.

Every field takes the form's `errors` (a state's `dict[str, str]`) and finds its own sentence there by name.
Controls keep what is typed to themselves (`default_value`), and the submit handler gets everything at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import reflex as rx
from reflex_components_core.el.elements.base import BaseHTML

from dashboard.ui.components.basics import Content, Handler, Text, classes, icon

_CONTROL = (
    "w-full rounded-control border bg-panel px-3 text-base md:text-sm text-ink "
    "border-line-strong aria-invalid:border-danger-ink disabled:bg-sunken disabled:text-muted"
)
_BOX = "size-4 shrink-0 rounded border-line-strong accent-[var(--brand)]"

Errors: TypeAlias = Mapping[str, str] | rx.Var[dict[str, str]] | None


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select, also as a state var: `list[Option]`."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class RadioCard:
    """One choice of `radio_cards`: what it is called and what it means."""

    value: str
    title: str
    description: str
    icon_name: str = ""


class _NativeForm(BaseHTML):
    """`rx.el.form` always catches the submit event; this one leaves it to the browser."""

    tag = "form"


def form(*children: Content, on_submit: Handler, class_name: str = "", **props: Any) -> rx.Component:
    """A form whose handler gets its fields as a dict. Ticked checkboxes arrive as `"on"`, others not at all."""
    return rx.el.form(*children, on_submit=on_submit, class_name=classes("flex flex-col gap-4", class_name), **props)


def native_form(*children: Content, action: str, class_name: str = "", **props: Any) -> rx.Component:
    """A form the browser posts by itself: for what sets a cookie. It works before anything else is loaded."""
    return _NativeForm.create(
        *children,
        class_name=classes("flex flex-col gap-4", class_name),
        custom_attrs={"action": action, "method": "post"},
        **props,
    )


def form_actions(*children: Content) -> rx.Component:
    """The buttons at the end of a form, the decisive one last."""
    return rx.el.div(*children, class_name="flex flex-wrap items-center justify-end gap-2 pt-2")


def field(
    name: str,
    label: Content,
    control: rx.Component,
    *,
    hint: Content | None = None,
    errors: Errors = None,
    optional: bool = False,
    id: str = "",
) -> rx.Component:
    """A label around any control that has the id `id or name`; use the ready-made fields below where they fit."""
    return rx.el.div(
        rx.el.label(
            label,
            *([rx.el.span(" (optional)", class_name="font-normal text-muted")] if optional else []),
            html_for=id or name,
            class_name="font-medium text-ink",
        ),
        control,
        *_below(id or name, name, hint, errors),
        class_name="flex flex-col gap-1.5 min-w-0",
    )


def text_field(
    name: str,
    label: Content,
    *,
    hint: Content | None = None,
    errors: Errors = None,
    optional: bool = False,
    id: str = "",
    class_name: str = "",
    **props: Any,
) -> rx.Component:
    """One line of text. `type`, `default_value`, `placeholder`, `auto_complete`, `input_mode`… go to the input."""
    control = rx.el.input(
        name=name,
        required=not optional,
        class_name=classes(_CONTROL, "h-9", class_name),
        **_described(id or name, name, hint, errors, props),
        **props,
    )
    return field(name, label, control, hint=hint, errors=errors, optional=optional, id=id)


def textarea_field(
    name: str,
    label: Content,
    *,
    hint: Content | None = None,
    errors: Errors = None,
    optional: bool = False,
    rows: int = 4,
    id: str = "",
    **props: Any,
) -> rx.Component:
    """Several lines of text."""
    control = rx.el.textarea(
        id=id or name,
        name=name,
        rows=str(rows),
        required=not optional,
        class_name=classes(_CONTROL, "py-2"),
        **_described(id or name, name, hint, errors, props),
        **props,
    )
    return field(name, label, control, hint=hint, errors=errors, optional=optional, id=id)


def select_field(
    name: str,
    label: Content,
    options: Sequence[Option] | rx.Var[list[Option]],
    *,
    hint: Content | None = None,
    errors: Errors = None,
    optional: bool = False,
    empty: str | None = None,
    id: str = "",
    **props: Any,
) -> rx.Component:
    """A choice from a list. `empty` adds a first entry with no value, such as “Choose a currency”."""
    control = rx.el.select(
        *([rx.el.option(empty, value="")] if empty is not None else []),
        *_options(options),
        name=name,
        required=not optional,
        class_name=classes(_CONTROL, "h-9 pr-8"),
        **_described(id or name, name, hint, errors, props),
        **props,
    )
    return field(name, label, control, hint=hint, errors=errors, optional=optional, id=id)


def checkbox_field(
    name: str, label: Content, *, hint: Content | None = None, errors: Errors = None, id: str = "", **props: Any
) -> rx.Component:
    """A tick, with its label beside it."""
    return _beside(name, label, rx.el.input, _BOX, hint, errors, id, type="checkbox", **props)


def switch_field(
    name: str, label: Content, *, hint: Content | None = None, errors: Errors = None, id: str = "", **props: Any
) -> rx.Component:
    """On or off, for what takes effect as a setting. The same element as a checkbox, named a switch."""
    return _beside(name, label, rx.el.input, _SWITCH, hint, errors, id, type="checkbox", role="switch", **props)


def radio_cards(
    name: str,
    legend: Content,
    options: Sequence[RadioCard],
    *,
    value: Text = "",
    on_change: Handler | None = None,
    hint: Content | None = None,
    errors: Errors = None,
    columns: int = 2,
) -> rx.Component:
    """A choice where each option deserves a sentence. `value` is ticked at first; `on_change` gets the new value."""
    return rx.el.fieldset(
        rx.el.legend(legend, class_name="mb-1.5 font-medium text-ink"),
        rx.el.div(
            *(_radio_card(name, option, value, on_change) for option in options),
            class_name=classes("grid grid-cols-1 gap-3", "sm:grid-cols-2" if columns == 2 else ""),
        ),
        *_below(name, name, hint, errors),
        class_name="flex flex-col min-w-0",
    )


def read_only_field(label: Content, value: Content, hint: Content | None = None) -> rx.Component:
    """Something the form shows and does not let one change."""
    return rx.el.div(
        rx.el.p(label, class_name="font-medium text-ink"),
        rx.el.div(value, class_name="text-ink min-w-0"),
        *([rx.el.p(hint, class_name="text-[13px] text-muted")] if hint is not None else []),
        class_name="flex flex-col gap-1 min-w-0",
    )


_SWITCH = (
    "relative h-5 w-9 shrink-0 appearance-none rounded-full border border-line-strong bg-sunken transition-colors "
    "checked:border-transparent checked:bg-brand before:absolute before:left-0.5 before:top-1/2 before:size-3.5 "
    "before:-translate-y-1/2 before:rounded-full before:bg-muted before:transition-transform "
    "checked:before:translate-x-4 checked:before:bg-white"
)


def _beside(
    name: str, label: Content, element: Any, look: str, hint: Content | None, errors: Errors, id: str, **props: Any
) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            element(
                name=name,
                class_name=classes(look, "mt-0.5"),
                **_described(id or name, name, hint, errors, props),
                **props,
            ),
            rx.el.label(label, html_for=id or name, class_name="font-medium text-ink"),
            class_name="flex items-start gap-2.5",
        ),
        *_below(id or name, name, hint, errors),
        class_name="flex flex-col gap-0.5 min-w-0",
    )


def _radio_card(name: str, option: RadioCard, value: Text, on_change: Handler | None) -> rx.Component:
    identity = f"{name}-{option.value}"
    return rx.el.label(
        rx.el.input(
            type="radio",
            custom_attrs={"id": identity},
            name=name,
            value=option.value,
            default_checked=value == option.value,
            aria_describedby=f"{identity}-meaning",
            class_name="mt-0.5 size-4 shrink-0 accent-[var(--brand)]",
            **({"on_change": on_change} if on_change is not None else {}),
        ),
        rx.el.span(
            rx.el.span(
                *([icon(option.icon_name, 16, "text-muted")] if option.icon_name else []),
                option.title,
                class_name="flex items-center gap-2 font-medium text-ink",
            ),
            rx.el.span(option.description, id=f"{identity}-meaning", class_name="mt-1 block text-[13px] text-muted"),
            class_name="min-w-0",
        ),
        html_for=identity,
        class_name=(
            "flex gap-3 rounded-card border border-line-strong bg-panel p-4 transition-colors hover:bg-sunken "
            "has-checked:border-brand has-checked:bg-brand-soft has-focus-visible:outline-2 outline-focus"
        ),
    )


def _options(options: Sequence[Option] | rx.Var[list[Option]]) -> list[rx.Component]:
    if isinstance(options, rx.Var):
        return [rx.foreach(options, lambda option: rx.el.option(option.label, value=option.value))]
    return [rx.el.option(option.label, value=option.value) for option in options]


def _described(id: str, name: str, hint: Content | None, errors: Errors, props: dict[str, Any]) -> dict[str, Any]:
    """The attributes that give a control its id, and tie it to its hint and its error."""
    # As a prop of its own, the id would make Reflex send the control a second time, under that id.
    attributes: dict[str, Any] = {"custom_attrs": {"id": id, **props.pop("custom_attrs", {})}}
    described_by = [f"{id}-hint"] if hint is not None else []
    if errors is not None:
        attributes["aria_invalid"] = rx.cond(errors[name], "true", "false")
        described_by.append(f"{id}-error")
    if described_by:
        attributes["aria_describedby"] = " ".join(described_by)
    return attributes


def _below(id: str, name: str, hint: Content | None, errors: Errors) -> list[rx.Component]:
    parts: list[rx.Component] = []
    if hint is not None:
        parts.append(rx.el.p(hint, id=f"{id}-hint", class_name="text-[13px] text-muted"))
    if errors is not None:
        parts.append(
            rx.el.p(
                rx.cond(errors[name], rx.fragment(icon("circle-alert", 14), errors[name]), rx.fragment()),
                id=f"{id}-error",
                role="alert",
                class_name="flex items-center gap-1.5 text-[13px] text-danger-ink empty:hidden",
            )
        )
    return parts
