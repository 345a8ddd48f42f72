"""Stripe: connect accounts, look after them. The address says which part is open; see list_state.py."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.settings_stripe.app import app_page
from dashboard.ui.settings_stripe.apps_list import apps_list
from dashboard.ui.settings_stripe.connect import connect_step
from dashboard.ui.settings_stripe.list_state import StripeSettings
from dashboard.ui.settings_stripe.setup import setup_steps
from dashboard.ui.settings_stripe.views import PATH


@page(PATH, title="Stripe", on_load=StripeSettings.load)
def stripe_settings() -> rx.Component:
    return rx.match(
        StripeSettings.view,
        ("list", apps_list()),
        ("key", connect_step()),
        ("setup", setup_steps()),
        ("app", app_page()),
        ui.stack(ui.page_header("Stripe"), ui.skeleton_card(4), gap=6),
    )
