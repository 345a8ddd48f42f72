"""The wizard after the installation: collection, tax, the billing profile, and whether it becomes the default.

Where one stands is in the address (`?app=…&step=…&method=…&profile=…`), so the wizard can be left and taken up again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.views import CollectionMethod
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.tax import tax_settings
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.fields import TAX_OFF, TAX_ON
from dashboard.ui.billing_profiles.profiles import (
    Affected,
    affected_by_default,
    create_profile_from_form,
    make_default,
    profile_names,
    profile_row,
)
from dashboard.ui.listing import Address
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.settings_stripe.reads import newest_profile_of_app, usable_app
from dashboard.ui.settings_stripe.views import AppView, app_view, step_href
from dashboard.ui.shell_state import show_environment
from dashboard.ui.tax_codes.picker_state import Picked, TaxCodePicker
from dashboard.ui.tax_codes.stripe_codes import stripe_code_name

TAX_FIELD = "tax_code"
METHODS = {method.value for method in CollectionMethod}


@dataclass(frozen=True, slots=True)
class TaxView:
    """What Stripe Tax of the account still misses. `problem` is why it could not be asked."""

    is_active: bool = False
    missing: tuple[str, ...] = ()
    settings_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the profile's fields hold at first."""

    name: str = ""
    supplier_name: str = ""
    supplier_country: str = ""
    currency: str = ""
    tax: str = TAX_OFF


class SetUpBilling(rx.State):
    """What the steps show."""

    step: str = ""
    """The step that is loaded and shown; empty while loading."""
    problem: str = ""
    app: AppView = AppView()
    method: str = ""
    tax: TaxView = TaxView()
    tax_chosen: str = TAX_OFF
    checking_tax: bool = False
    defaults: Defaults = Defaults()
    saving: bool = False
    errors: dict[str, str] = {}
    profile_id: str = ""
    profile_name: str = ""
    is_default: bool = False
    as_default: bool = True
    affected: Affected = Affected()

    @rx.event
    @needs("admin")
    async def load(self) -> Any:
        """Reads where one stands, and what that step needs."""
        address = Address.of(self)
        step, app_id = address.text("step"), address.text("app")
        self.saving, self.problem, self.errors = False, "", {}
        try:
            await self._load_app(app_id)
            if step == "profile":
                self.method = address.choice("method", METHODS, "")
                if not self.method:
                    return rx.redirect(step_href(app_id, "collection"), replace=True)
                await self._load_profile_step()
            if step in ("default", "done"):
                profile_id = address.text("profile") or await newest_profile_of_app(app_id)
                if not profile_id:
                    return rx.redirect(step_href(app_id, "collection"), replace=True)
                await self._load_profile(profile_id)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.step = step
        return None

    @rx.event
    @needs("admin")
    def choose_method(self, method: str) -> Any:
        """Auto Collection or Send Invoice."""
        return rx.redirect(step_href(self.app.id, "profile", method=method)) if method in METHODS else None

    @rx.event
    @needs("admin")
    def choose_tax(self, tax: str) -> None:
        """Shows what the chosen tax setting asks for."""
        self.tax_chosen = str(tax)

    @rx.event(background=True, supersedes=True)
    @needs("admin")
    async def check_tax_again(self) -> None:
        """Asks Stripe anew what its tax settings still miss."""
        async with self:
            self.checking_tax, app_id, environment = True, self.app.id, self.app.environment
        fresh = await _tax(app_id, environment, fresh=True)
        async with self:
            self.tax, self.checking_tax = fresh, False

    @rx.event(background=True)
    @needs("admin")
    async def create_profile(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Creates the billing profile, then asks whether it becomes the default."""
        async with self:
            if self.saving:
                return
            self.saving, self.errors = True, {}
            app_id, method, actor = self.app.id, self.method, await acting(self)
            form = (await self.get_state(TaxCodePicker))._completed(form)
        try:
            profile_id = await create_profile_from_form(actor, {**form, "app_id": app_id, "method": method})
            yield rx.redirect(step_href(app_id, "default", profile=profile_id), replace=True)
        except MeterdeskError as error:
            async with self:
                self.errors = error.fields or {"form": error.for_people()}
        finally:
            async with self:
                self.saving = False

    @rx.event
    @needs("admin")
    def set_as_default(self, ticked: bool) -> None:
        """Whether the new profile becomes the default."""
        self.as_default = ticked in (True, "true", "on")

    @rx.event
    @needs("admin")
    async def start_billing(self) -> AsyncIterator[Any]:
        """Makes the new profile the default."""
        self.saving, self.errors = True, {}
        yield
        try:
            await make_default(await acting(self), self.profile_id)
            yield rx.redirect(step_href(self.app.id, "done", profile=self.profile_id), replace=True)
            yield ui.toast_success("Billing has started", f"“{self.profile_name}” is the default billing profile now.")
        except MeterdeskError as error:
            self.errors = {"form": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("admin")
    def keep_default(self) -> Any:
        """Leaves the default as it is; the new profile serves those customers it is given to."""
        stays = "It is the only one so far." if self.is_default else f"“{self.profile_name}” bills whom you give it to."
        done = rx.redirect(step_href(self.app.id, "done", profile=self.profile_id), replace=True)
        return [done, ui.toast_success("The default stays as it is", stays)]

    async def _load_app(self, app_id: str) -> None:
        backend = running()
        async with backend.database.read() as session:
            app = await usable_app(session, app_id)
        self.app = app_view(app, 0, backend.clock.now())
        await show_environment(self, self.app.environment)
        self.defaults = Defaults(
            supplier_name=app.account_name, supplier_country=app.country or "", currency=app.default_currency or ""
        )

    async def _load_profile_step(self) -> None:
        self.tax = await _tax(self.app.id, self.app.environment)
        self.tax_chosen = TAX_ON if self.tax.is_active else TAX_OFF
        name = free_name(self.app.account_name, self.method, await profile_names())
        self.defaults = Defaults(
            name, self.defaults.supplier_name, self.defaults.supplier_country, self.defaults.currency, self.tax_chosen
        )
        picker = await self.get_state(TaxCodePicker)
        picker._begin(self.app.id, {TAX_FIELD: await _account_default(self.app.id)}, with_library=True)

    async def _load_profile(self, profile_id: str) -> None:
        profile = await profile_row(profile_id)
        self.profile_id, self.profile_name, self.is_default = profile.id, profile.name, profile.is_default
        self.method = profile.method
        self.as_default = True
        self.affected = await affected_by_default(profile_id)


def free_name(account: str, method: str, taken: set[str]) -> str:
    """A name for the profile that says what it does and is not taken: “Acme: Auto Collection”."""
    words = "Auto Collection" if method == CollectionMethod.CHARGE_AUTOMATICALLY else "Send Invoice"
    name, number = f"{account}: {words}", 2
    while name in taken:
        name, number = f"{account}: {words} {number}", number + 1
    return name


async def _tax(app_id: str, environment: str, *, fresh: bool = False) -> TaxView:
    try:
        found = await tax_settings(running().stripe, app_id, fresh=fresh)
    except MeterdeskError as error:
        return TaxView(problem=error.for_people())
    missing = tuple(
        MISSING_IN_WORDS.get(name, name.replace("_", " ").replace(".", ": ")) for name in found.missing_fields
    )
    return TaxView(found.is_active, missing, _tax_settings_url(environment))


def _tax_settings_url(environment: str) -> str:
    if environment == "sandbox":
        return running().settings.sandbox_url
    return "https://dashboard.stripe.com" + ("/test" if environment == "test" else "") + "/settings/tax"


async def _account_default(app_id: str) -> Picked:
    try:
        code = (await tax_settings(running().stripe, app_id)).default_tax_code or ""
    except MeterdeskError:
        return Picked()
    return Picked(code, code, await stripe_code_name(app_id, code)) if code else Picked()


MISSING_IN_WORDS = {
    "head_office": "the address of your head office",
    "head_office.address": "the address of your head office",
    "head_office.address.line1": "the street of your head office",
    "head_office.address.city": "the city of your head office",
    "head_office.address.country": "the country of your head office",
    "head_office.address.postal_code": "the postal code of your head office",
    "head_office.address.state": "the state of your head office",
    "defaults.tax_code": "a default tax code",
    "defaults.tax_behavior": "whether prices include tax",
}
