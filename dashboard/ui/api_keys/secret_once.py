"""A fresh secret, shown once: it goes straight into a field of the page and into no state.

A state is kept on the server for an hour, sent again on every reconnect and, with Redis, written there. A secret has no
business in it.
"""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui


def secret_field(id: str, label: str, warning: str = "Copy it now: it will not be shown again.") -> rx.Component:
    """An empty field for a secret with a copy button. `id` is a literal made of letters, digits and underscores."""
    _check_id(id)
    return rx.el.div(
        rx.el.label(label, html_for=id, class_name="font-medium text-ink"),
        rx.el.div(
            rx.el.input(
                id=id,
                type="text",
                read_only=True,
                spell_check=False,
                auto_complete="off",
                aria_describedby=f"{id}-warning",
                on_focus=rx.call_function(f"() => document.getElementById('{id}').select()"),
                class_name=(
                    "h-9 w-full min-w-0 rounded-control border border-line-strong bg-sunken px-3 font-mono "
                    "text-base md:text-[13px] text-ink"
                ),
            ),
            ui.button("Copy", icon_name="copy", on_click=[_copy(id), rx.toast.success("Copied")]),
            class_name="flex gap-2",
        ),
        rx.el.p(warning, id=f"{id}-warning", class_name="text-[13px] text-warning-ink"),
        class_name="flex flex-col gap-1.5",
    )


def show_secret(id: str, secret: str) -> Any:
    """For handlers: puts `secret` into the field `id` of the tab that asked, and nowhere else."""
    _check_id(id)
    return rx.set_value(id, secret)


def forget_secret(id: str) -> Any:
    """Empties the field."""
    return show_secret(id, "")


def _copy(id: str) -> Any:
    # The old command works on plain http too, where browsers offer no clipboard.
    return rx.call_function(
        f"() => {{ const field = document.getElementById('{id}'); field.select(); "
        "if (navigator.clipboard) navigator.clipboard.writeText(field.value); else document.execCommand('copy'); }"
    )


def _check_id(id: str) -> None:
    if not id.isidentifier():
        raise ValueError(f"a secret field's id is made of letters, digits and underscores, not {id!r}")
