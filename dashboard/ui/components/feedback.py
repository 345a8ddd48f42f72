"""What the desk says back: notes on the page, notes that pass, empty places, waiting."""

from typing import Any

import reflex as rx

from dashboard.kit.errors import MeterdeskError
from dashboard.ui.components.badges import TONE_CLASSES
from dashboard.ui.components.basics import Content, Text, classes, icon

_CALLOUT_ICONS = {"info": "info", "success": "circle-check", "warning": "triangle-alert", "danger": "circle-alert"}


def callout(
    *children: Content, title: Content | None = None, tone: str = "info", action: rx.Component | None = None
) -> rx.Component:
    """A note on the page: what is the matter and what to do about it. Tones: info, success, warning, danger."""
    return rx.el.div(
        icon(_CALLOUT_ICONS[tone], 18, "mt-px"),
        rx.el.div(
            *([rx.el.p(title, class_name="font-medium")] if title is not None else []),
            *([rx.el.div(*children, class_name="max-w-[80ch]")] if children else []),
            class_name="min-w-0 flex-1",
        ),
        *([rx.el.div(action, class_name="shrink-0")] if action is not None else []),
        role="alert" if tone == "danger" else "note",
        class_name=classes("flex flex-wrap gap-3 rounded-card border p-3 sm:p-4", TONE_CLASSES[tone]),
    )


def form_error(message: Text) -> rx.Component:
    """Why a form as a whole was refused; nothing while `message` is empty. Single fields say their own."""
    return rx.cond(message, callout(message, tone="danger"), rx.fragment())


def load_error(message: Text, retry: Any = None) -> rx.Component:
    """Why the page has nothing to show; nothing while `message` is empty."""
    return rx.cond(
        message, callout(message, title="This could not be loaded", tone="danger", action=retry), rx.fragment()
    )


def toast_success(message: str, description: str = "") -> Any:
    """For handlers: `return toast_success("Customer created")`. Goes away by itself."""
    return rx.toast.success(message, description=description or None)


def toast_error(error: MeterdeskError | str, remedy: str = "") -> Any:
    """For handlers: a refusal that has no place on the page. Stays until it is closed."""
    message, what_to_do = (error.message, error.what_to_do) if isinstance(error, MeterdeskError) else (error, remedy)
    return rx.toast.error(message, description=what_to_do or None, duration=600_000, close_button=True)


def empty_state(
    title: Content, text: Content, *, icon_name: str = "inbox", action: rx.Component | None = None
) -> rx.Component:
    """Nothing here: why, and what one could do. Say “nothing yet” and “nothing matches” differently."""
    return rx.el.div(
        rx.el.div(
            icon(icon_name, 20),
            class_name="mb-3 inline-flex size-10 items-center justify-center rounded-full bg-sunken text-muted",
        ),
        rx.el.p(title, class_name="font-medium text-ink"),
        rx.el.p(text, class_name="mt-1 max-w-[52ch] text-muted"),
        *([rx.el.div(action, class_name="mt-4")] if action is not None else []),
        class_name="flex flex-col items-center px-6 py-12 text-center",
    )


def skeleton(class_name: str = "h-4 w-32") -> rx.Component:
    """A grey bar in the place of something that is being loaded; give it the size of that something."""
    return rx.el.span(
        class_name=classes("block max-w-full rounded bg-line", class_name), data_skeleton="", aria_hidden=True
    )


def skeleton_card(lines: int = 3) -> rx.Component:
    """A card that is being loaded."""
    bars = [skeleton("h-5 w-40"), *(skeleton("h-4 w-full") for _ in range(lines))]
    return rx.el.div(
        *bars, class_name="flex flex-col gap-3 rounded-card border border-line bg-panel p-5", aria_busy=True
    )


def progress(done: Any, total: Any, label: Text) -> rx.Component:
    """How far something long has come, with its counts in words."""
    return rx.el.div(
        rx.el.div(
            rx.el.span(label, id="progress-label"),
            rx.el.span(done, " of ", total, data_figures="", class_name="text-muted"),
            class_name="flex justify-between gap-4 text-[13px]",
        ),
        rx.el.progress(
            value=done,
            max=total,
            aria_labelledby="progress-label",
            class_name=(
                "h-1.5 w-full appearance-none overflow-hidden rounded-full bg-sunken "
                "[&::-webkit-progress-bar]:bg-sunken [&::-webkit-progress-value]:bg-brand "
                "[&::-moz-progress-bar]:bg-brand"
            ),
        ),
        role="group",
        class_name="flex flex-col gap-1.5",
    )
