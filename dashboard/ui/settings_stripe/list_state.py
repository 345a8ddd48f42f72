"""The Stripe page: which part of it the address asks for, and the accounts that are connected."""

from typing import Any

import reflex as rx

from dashboard.access.views import Role
from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.ui.listing import Address
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import signed_in_user
from dashboard.ui.settings_stripe.app_state import StripeAppPage
from dashboard.ui.settings_stripe.connect_state import ConnectStripe
from dashboard.ui.settings_stripe.reads import profile_counts
from dashboard.ui.settings_stripe.setup_state import SetUpBilling
from dashboard.ui.settings_stripe.views import PATH, AppView, app_view

INSTALL = f"{PATH}?step=key"
SETUP_STEPS = ("collection", "profile", "default", "done")


class StripeSettings(rx.State):
    """`view` is the part that is shown: list, key, setup or app."""

    view: str = ""
    loading: bool = True
    problem: str = ""
    apps: list[AppView] = []

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Reads the address, then lets the part it asks for load itself."""
        address = Address.of(self)
        app_id = address.text("app")
        step = address.choice("step", (*SETUP_STEPS, "key"), "")
        if step and not (await signed_in_user(self)).role.reaches(Role.ADMIN):
            # The wizard changes things; who may only look sees what there is.
            step = ""
        if step == "key":
            self.view = "key"
            return ConnectStripe.load
        if app_id and step:
            setup = await self.get_state(SetUpBilling)
            # Fields take their first value when they are drawn, so the step is drawn anew once it is loaded.
            setup.step = ""
            self.view = "setup"
            return SetUpBilling.load
        if app_id:
            self.view = "app"
            return StripeAppPage.load
        self.view = "list"
        return StripeSettings.load_list

    @rx.event
    @needs("viewer")
    async def load_list(self) -> Any:
        """Fills the list of accounts, then keeps it true."""
        self.problem = ""
        try:
            self.apps = await _read()
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
        return StripeSettings.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows accounts that are connected, renamed or removed elsewhere."""
        async for _ in news(self, "stripe_apps", "billing_profiles"):
            async with self:
                if self.view != "list":
                    return
            apps = await _read()
            async with self:
                self.apps = apps

    @rx.event
    @needs("admin")
    def start(self) -> Any:
        """Opens the wizard."""
        return rx.redirect(INSTALL)


async def _read() -> list[AppView]:
    backend = running()
    async with backend.database.read() as session:
        apps = await list_stripe_apps(session)
        counts = await profile_counts(session)
    now = backend.clock.now()
    return [app_view(app, counts.get(app.id, 0), now) for app in apps]
