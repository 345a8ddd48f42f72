"""What every step of the wizard begins with."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.settings_stripe.views import PATH

WIDTH = "w-full max-w-[880px]"
STEPS = ("Account", "Collection", "Tax and profile", "Start billing")


def wizard_head(step: int, title: str, description: str | None = None) -> rx.Component:
    """The way back, the step's title, and where it stands among the others (counted from 0)."""
    return ui.stack(
        ui.link(
            ui.icon("arrow-left", 14), "All Stripe accounts", href=PATH, class_name="inline-flex items-center gap-1"
        ),
        ui.page_header(title, description=description),
        ui.stepper(STEPS, step, label="Steps to connect Stripe"),
        gap=3,
    )
