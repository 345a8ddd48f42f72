"""Home: where one lands."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page


@page("/", title="Home")
def home() -> rx.Component:
    return rx.fragment(ui.page_header("Home", description="What needs you, and where the money stands."))
