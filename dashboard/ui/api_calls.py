"""*Show the API call*: what a button does, as the curl command that does the same."""

import json
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.ui import components as ui


def origin_of(state: rx.State) -> str:
    """Where people reach this Meterdesk: its public address if it has one, else the one this tab used."""
    return running().settings.public_url or state.router.headers.origin


def curl(origin: str, method: str, path: str, body: Any = None) -> str:
    """A command to copy; the key is the caller's own."""
    lines = [f"curl -X {method} '{origin}{path}' \\", '  -H "Authorization: Bearer $METERDESK_API_KEY"']
    if body is not None:
        lines[-1] += " \\"
        lines += ["  -H 'Content-Type: application/json' \\", f"  -d '{json.dumps(body, indent=2)}'"]
    return "\n".join(lines)


def api_call_button(id: str) -> rx.Component:
    """The button that opens the dialog `api_call_dialog(id, …)`."""
    return ui.button("Show the API call", icon_name="code", tone="quiet", size="small", on_click=ui.open_dialog(id))


def api_call_dialog(id: str, *calls: tuple[str, rx.Var[str]]) -> rx.Component:
    """A dialog with commands, each under its title; an empty command is left out."""
    return ui.dialog(
        id,
        ui.stack(
            rx.el.p(
                "Keys are made under ",
                ui.link("API keys", href="/settings/api-keys"),
                ". OpenMeter's own SDKs make the same calls.",
                class_name="text-muted",
            ),
            *(
                rx.cond(
                    command != "",
                    rx.el.div(rx.el.h3(title, class_name="mb-1 font-medium"), ui.code_block(command, title)),
                    rx.fragment(),
                )
                for title, command in calls
            ),
        ),
        title="Show the API call",
        width="medium",
    )
