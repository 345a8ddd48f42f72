"""The dates that a profile's waiting times lead to, as a strip beside the form."""

from typing import Any

import reflex as rx

from dashboard.ui import components as ui

STRIPE_FEES = "Stripe charges fees per invoice, payment and tax calculation, by your contract with it."


def preview_card(steps: rx.Var[Any], problem: rx.Var[str]) -> rx.Component:
    """`steps` is a state's `list[PreviewStep]`; `problem` says why there are none."""
    return ui.card(
        rx.cond(
            problem,
            ui.muted(problem),
            rx.el.ol(rx.foreach(steps, _step), aria_live="polite", class_name="flex flex-col"),
        ),
        title="What that leads to",
        description="With an example period.",
    )


def _step(step: Any) -> rx.Component:
    return rx.el.li(
        rx.el.span(aria_hidden=True, class_name="mt-1.5 size-[9px] shrink-0 rounded-full bg-brand"),
        rx.el.div(
            rx.el.p(step.title, class_name="text-[13px] text-muted"),
            rx.el.p(step.when, data_figures="", class_name="font-medium text-ink"),
            rx.el.p(step.why, class_name="text-[13px] text-muted"),
            class_name="min-w-0 flex-1 pb-4",
        ),
        class_name=(
            "relative flex gap-3 before:absolute before:left-[4px] before:top-4 before:bottom-[-4px] before:w-px "
            "before:bg-line last:before:hidden"
        ),
    )
