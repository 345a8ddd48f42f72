"""Buttons: what they mean decides how they look."""

from typing import Any, Literal

import reflex as rx

from dashboard.ui.components.basics import (
    Content,
    Flag,
    Text,
    classes,
    icon,
    native_link,
    plain_link,
    screen_reader_only,
)

ButtonTone = Literal["primary", "secondary", "quiet", "danger"]

_SHAPE = (
    "inline-flex items-center justify-center gap-2 rounded-control border font-medium whitespace-nowrap select-none "
    "transition-colors disabled:opacity-60 disabled:cursor-not-allowed aria-busy:cursor-progress"
)
_SIZES = {"small": "h-7 px-2.5 text-[13px]", "medium": "h-9 px-3.5 text-sm"}
_TONES: dict[str, str] = {
    "primary": "bg-brand border-transparent text-on-brand hover:bg-brand-hover",
    "secondary": "bg-panel border-line-strong text-ink hover:bg-sunken",
    "quiet": "bg-transparent border-transparent text-ink hover:bg-sunken",
    "danger": "bg-danger-solid border-transparent text-white hover:bg-danger-solid-hover",
}


def button(
    *children: Content,
    tone: ButtonTone = "secondary",
    size: Literal["small", "medium"] = "medium",
    icon_name: str = "",
    busy: Flag = False,
    disabled: Flag = False,
    type: Literal["button", "submit", "reset"] = "button",
    class_name: str = "",
    **props: Any,
) -> rx.Component:
    """A button. While `busy` it spins, says so to assistive technology, and takes no second click."""
    return rx.el.button(
        _leading(icon_name, busy),
        *children,
        type=type,
        disabled=_either(busy, disabled),
        aria_busy=busy,
        class_name=classes(_SHAPE, _SIZES[size], _TONES[tone], class_name),
        **props,
    )


def submit_button(*children: Content, tone: ButtonTone = "primary", **props: Any) -> rx.Component:
    """The button that sends the form around it."""
    return button(*children, tone=tone, type="submit", **props)


def link_button(
    *children: Content,
    href: Text,
    tone: ButtonTone = "secondary",
    size: Literal["small", "medium"] = "medium",
    icon_name: str = "",
    class_name: str = "",
    **props: Any,
) -> rx.Component:
    """A link that looks like a button: it goes somewhere, it changes nothing."""
    return plain_link(
        *([icon(icon_name)] if icon_name else []),
        *children,
        href=href,
        class_name=classes(_SHAPE, _SIZES[size], _TONES[tone], class_name),
        **props,
    )


def external_button(
    *children: Content,
    href: Text,
    tone: ButtonTone = "secondary",
    size: Literal["small", "medium"] = "medium",
    **props: Any,
) -> rx.Component:
    """Like `link_button`, for addresses outside Meterdesk: opens a new tab, and says so."""
    return native_link(
        *children,
        icon("arrow-up-right", 14),
        screen_reader_only("(opens in a new tab)"),
        href=href,
        target="_blank",
        rel="noopener noreferrer",
        class_name=classes(_SHAPE, _SIZES[size], _TONES[tone]),
        **props,
    )


def download_button(*children: Content, href: Text, size: Literal["small", "medium"] = "medium") -> rx.Component:
    """A file from our own HTTP side, such as a CSV: the browser saves it, the page stays."""
    return native_link(
        icon("download"),
        *children,
        href=href,
        download="",
        class_name=classes(_SHAPE, _SIZES[size], _TONES["secondary"]),
    )


def icon_button(icon_name: str, label: Text, class_name: str = "", **props: Any) -> rx.Component:
    """A button of one icon; `label` is its name for everyone who does not see it, and its tooltip."""
    return rx.el.button(
        icon(icon_name),
        type="button",
        aria_label=label,
        title=label,
        class_name=classes(
            "inline-flex size-8 items-center justify-center rounded-control text-muted hover:text-ink hover:bg-sunken",
            "transition-colors",
            class_name,
        ),
        **props,
    )


def copy_button(value: Text, label: Text = "Copy") -> rx.Component:
    """Copies `value` and says “Copied”."""
    return icon_button(
        "copy", label, class_name="size-7", on_click=[rx.set_clipboard(value), rx.toast.success("Copied")]
    )


def spinner(size: int = 16) -> rx.Component:
    """Something is going on; put words beside it."""
    return rx.el.span(icon("loader-circle", size), data_spinner="", class_name="inline-flex")


def _leading(icon_name: str, busy: Flag) -> rx.Component:
    resting = icon(icon_name) if icon_name else rx.fragment()
    if busy is False:
        return resting
    return rx.cond(busy, spinner(), resting)


def _either(busy: Flag, disabled: Flag) -> Any:
    if isinstance(busy, bool) and isinstance(disabled, bool):
        return busy or disabled
    return rx.Var.create(busy) | rx.Var.create(disabled)
