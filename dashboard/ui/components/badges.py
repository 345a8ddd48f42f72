"""Badges: a status as colour, icon and words together, never as colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import reflex as rx

from dashboard.ui.components.basics import Text, classes, icon

_SHAPE = "inline-flex h-6 items-center gap-1.5 rounded-full border px-2 text-xs font-medium whitespace-nowrap"

TONE_CLASSES: dict[str, str] = {
    "neutral": "border-neutral-line bg-neutral-soft text-neutral-ink",
    "info": "border-info-line bg-info-soft text-info-ink",
    "progress": "border-progress-line bg-progress-soft text-progress-ink",
    "review": "border-review-line bg-review-soft text-review-ink",
    "open": "border-open-line bg-open-soft text-open-ink",
    "success": "border-success-line bg-success-soft text-success-ink",
    "warning": "border-warning-line bg-warning-soft text-warning-ink",
    "danger": "border-danger-line bg-danger-soft text-danger-ink",
    "spent": "border-spent-line bg-spent-soft text-spent-ink",
}
_TONE_ICONS: dict[str, str] = {
    "neutral": "circle-dashed",
    "info": "info",
    "progress": "loader",
    "review": "user-check",
    "open": "send",
    "success": "circle-check",
    "warning": "triangle-alert",
    "danger": "circle-x",
    "spent": "ban",
}


@dataclass(frozen=True, slots=True)
class Status:
    """How one status shows: words, tone (see `theme.TONES`), and an icon other than the tone's own."""

    label: str
    tone: str
    icon_name: str = ""


def badge(label: Text, tone: str = "neutral", icon_name: str | None = None) -> rx.Component:
    """Words in a tone. `icon_name=""` leaves the icon out."""
    name = _TONE_ICONS[tone] if icon_name is None else icon_name
    return rx.el.span(
        *([icon(name, 13)] if name else []),
        label,
        class_name=classes(_SHAPE, TONE_CLASSES[tone]),
    )


def status_badge(status: Text, statuses: Mapping[str, Status]) -> rx.Component:
    """The badge that `statuses` gives for the value of `status`; an unknown value shows as it is."""
    if isinstance(status, str):
        known = statuses.get(status)
        return badge(status) if known is None else badge(known.label, known.tone, known.icon_name or None)
    return rx.match(
        status,
        *((value, badge(known.label, known.tone, known.icon_name or None)) for value, known in statuses.items()),
        badge(status),
    )


def count_badge(count: Text) -> rx.Component:
    """A small number beside a label."""
    return rx.el.span(
        count,
        data_figures="",
        class_name=(
            "inline-flex h-5 min-w-5 items-center justify-center rounded-full bg-sunken px-1.5 text-xs text-muted"
        ),
    )
