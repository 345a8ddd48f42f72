"""Dialogs: the browser's own `<dialog>`, opened by a click at once or by the state when it has something to show."""

from typing import Any

import reflex as rx
from reflex_base.components.component import field as prop
from reflex_base.event import EventHandler, no_args_event_spec
from reflex_base.utils.imports import ImportDict
from reflex_components_core.el.elements.other import Dialog as _HtmlDialog

from dashboard.ui.components.basics import Content, Flag, Handler, Text, classes
from dashboard.ui.components.buttons import ButtonTone, button, icon_button, submit_button
from dashboard.ui.components.forms import form, text_field

_LOOK = "w-[calc(100vw-2rem)] rounded-card border border-line-strong bg-panel text-ink p-0 max-h-[calc(100dvh-4rem)]"
_WIDTHS = {"small": "max-w-md", "medium": "max-w-xl", "large": "max-w-3xl"}


class _StatefulDialog(_HtmlDialog):
    """A dialog that is modal while `shown` is true. React alone can only open it without its modal manners."""

    shown: rx.Var[bool] = prop(doc="Whether the dialog is open")
    on_close: EventHandler[no_args_event_spec] = prop(doc="Fired when it was closed, by Escape or by a button")

    def add_imports(self) -> ImportDict:
        return {"react": "useEffect"}

    def add_hooks(self) -> list[str | rx.Var[Any]]:
        ref = self.get_ref()
        return [
            rx.Var(
                f"useEffect(() => {{ const dialog = {ref}.current; if (!dialog) return; "
                f"if ({self.shown!s} && !dialog.open) dialog.showModal(); "
                f"if (!({self.shown!s}) && dialog.open) dialog.close(); }}, [{self.shown!s}])",
                _var_data=rx.Var.create(self.shown)._get_all_var_data(),
            )
        ]

    def _exclude_props(self) -> list[str]:
        return [*super()._exclude_props(), "shown"]


def dialog(
    id: str,
    *children: Content,
    title: Content,
    description: Content | None = None,
    shown: Flag | None = None,
    on_close: Handler | None = None,
    width: str = "small",
) -> rx.Component:
    """A dialog. Open it with `open_dialog(id)` on a click, or by a state's `shown` (then `on_close` sets it false).

    `id` is a literal, unique on the page. Inside `rx.foreach` use one dialog outside with `shown` instead.
    """
    _check_id(id)
    parts = [
        rx.el.h2(title, id=f"{id}-title", class_name="pl-5 pr-14 pt-4 text-base font-semibold"),
        *(
            [rx.el.p(description, id=f"{id}-description", class_name="px-5 pt-1 text-muted")]
            if description is not None
            else []
        ),
        rx.el.div(*children, class_name="px-5 pb-5 pt-4"),
        # Last, because a dialog gives the focus to what comes first: to the first field, where there is one.
        icon_button("x", "Close", class_name="absolute right-3 top-3", on_click=close_dialog(id)),
    ]
    attributes: dict[str, Any] = {
        "id": id,
        "aria_labelledby": f"{id}-title",
        "data_dialog": "",
        "class_name": classes(_LOOK, _WIDTHS[width]),
    }
    if description is not None:
        attributes["aria_describedby"] = f"{id}-description"
    if shown is None:
        return rx.el.dialog(*parts, **attributes)
    return _StatefulDialog.create(*parts, shown=shown, on_close=on_close, **attributes)


def open_dialog(id: str) -> Any:
    """The click that opens the dialog `id`, without asking the server."""
    _check_id(id)
    return rx.call_function(f"() => document.getElementById('{id}').showModal()")


def close_dialog(id: str) -> Any:
    """The click that closes the dialog `id`."""
    _check_id(id)
    return rx.call_function(f"() => document.getElementById('{id}').close()")


def confirm_dialog(
    id: str,
    *children: Content,
    title: Content,
    confirm: Text,
    on_confirm: Handler,
    description: Content | None = None,
    tone: ButtonTone = "danger",
    type_to_confirm: Text | None = None,
) -> rx.Component:
    """Asks before something that cannot be taken back; the children say what it does here and in Stripe.

    `confirm` is the verb (“Void invoice”), never “OK”. With `type_to_confirm` that text has to be typed first.
    Open it with `open_dialog(id)`. It closes by itself when confirmed.
    """
    buttons = rx.el.div(
        button("Cancel", on_click=close_dialog(id)),
        submit_button(confirm, tone=tone) if type_to_confirm is not None else
        button(confirm, tone=tone, on_click=[close_dialog(id), on_confirm]),
        class_name="flex flex-wrap justify-end gap-2",
    )  # fmt: skip
    if type_to_confirm is None:
        body: list[Content] = [*children, buttons]
    else:
        typed = text_field(
            "typed",
            rx.fragment("Type “", type_to_confirm, "” to confirm"),
            id=f"{id}-typed",
            auto_complete="off",
            custom_attrs={"pattern": type_to_confirm},
        )
        body = [*children, form(typed, buttons, on_submit=[close_dialog(id), on_confirm], reset_on_submit=True)]
    return dialog(id, rx.el.div(*body, class_name="flex flex-col gap-4"), title=title, description=description)


def _check_id(id: str) -> None:
    if not id.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"a dialog's id is made of letters, digits and dashes, not {id!r}")
