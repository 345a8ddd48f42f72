"""The page of an installed account: its health, its key, its webhook, and the way out."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import reflex as rx
from pydantic import SecretStr

from dashboard.backend import running
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput, MeterdeskError, Unavailable
from dashboard.stripe_app.app_life import replace_key, uninstall_stripe_app
from dashboard.stripe_app.apps import app_health
from dashboard.stripe_app.errors import StripeAppInUse, StripeUnreachable
from dashboard.stripe_app.webhook_endpoint import register_again, rotate_signing_secret
from dashboard.ui import components as ui
from dashboard.ui.listing import Address
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.settings_stripe.key_field import NEW_KEY_FIELD, empty_field
from dashboard.ui.settings_stripe.reads import AppProfile, profiles_of_app, usable_app
from dashboard.ui.settings_stripe.views import PATH, AppView, HealthView, app_view, health_view
from dashboard.ui.shell_state import show_environment


class StripeAppPage(rx.State):
    """What the page shows. `busy` names the action under way: register, rotate, key, uninstall."""

    loading: bool = True
    problem: str = ""
    app: AppView = AppView()
    health: HealthView = HealthView()
    profiles: list[AppProfile] = []
    busy: str = ""
    dialog: str = ""
    errors: dict[str, str] = {}
    used_by: list[str] = []
    uninstalled_name: str = ""
    left_in_stripe: list[str] = []

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Fills the page, then keeps it true."""
        app_id = Address.of(self).text("app")
        if app_id != self.app.id:
            self.loading, self.app, self.health, self.profiles = True, AppView(), HealthView(), []
        self.busy, self.dialog, self.problem = "", "", ""
        self.errors, self.used_by = {}, []
        try:
            self.app, self.health, self.profiles = await _read(app_id)
            await show_environment(self, self.app.environment)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
        return StripeAppPage.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows events as they arrive, and what others change."""
        async with self:
            app_id = self.app.id
        if not app_id:
            return
        async for _ in news(self, f"stripe_apps/{app_id}", "billing_profiles", "stripe_events"):
            try:
                fresh = await _read(app_id)
            except MeterdeskError:
                continue
            async with self:
                if Address.of(self).text("app") != app_id:
                    return
                self.app, self.health, self.profiles = fresh

    @rx.event
    @needs("admin")
    def open(self, dialog: str) -> None:
        """Opens one of the page's dialogs."""
        self.dialog = dialog if dialog in ("key", "uninstall") else ""
        self.errors, self.used_by = {}, []

    @rx.event
    @needs("admin")
    def close(self) -> Any:
        """Closes the open dialog; a typed key goes with it."""
        self.dialog = ""
        return empty_field(NEW_KEY_FIELD)

    @rx.event(background=True)
    @needs("admin")
    async def change_key(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Gives the app another key of the same account and mode."""
        key = SecretStr(str(form.get("api_key", "")).strip())
        app_id, actor = await self._begin("key")
        try:
            await replace_key(running().stripe, actor, app_id, key)
            async with self:
                self.dialog = ""
            yield empty_field(NEW_KEY_FIELD)
            yield ui.toast_success("The key was replaced", "What waited for it goes on now.")
        except MeterdeskError as error:
            remedy = "The old key stays." if isinstance(error, StripeUnreachable) else error.what_to_do
            async with self:
                self.errors = {"api_key": f"{error.message} {remedy}".strip()}
            if not isinstance(error, Unavailable):
                yield empty_field(NEW_KEY_FIELD, focus=True)
        finally:
            await self._end(app_id)

    @rx.event(background=True)
    @needs("admin")
    async def register_webhook(self) -> AsyncIterator[Any]:
        """Makes the webhook fit the public address of now."""
        app_id, actor = await self._begin("register")
        try:
            await register_again(running().stripe, actor, app_id)
            yield ui.toast_success("Up to date", "Stripe reaches this server as its settings say.")
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            await self._end(app_id)

    @rx.event(background=True)
    @needs("admin")
    async def rotate_secret(self) -> AsyncIterator[Any]:
        """Gives the webhook a new signing secret."""
        app_id, actor = await self._begin("rotate")
        try:
            await rotate_signing_secret(running().stripe, actor, app_id)
            yield ui.toast_success("The signing secret was rotated", "The old one is still taken for 24 hours.")
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            await self._end(app_id)

    @rx.event(background=True)
    @needs("admin")
    async def uninstall(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Takes the account out, or says what still uses it."""
        app_id, actor = await self._begin("uninstall")
        async with self:
            name, account_id = self.app.account_name, self.app.account_id
        try:
            if str(form.get("typed", "")).strip() != account_id:
                raise InvalidInput(f"Type {account_id} exactly.", field="typed")
            result = await uninstall_stripe_app(running().stripe, actor, app_id)
            async with self:
                self.dialog = ""
                self.uninstalled_name, self.left_in_stripe = name, list(result.left_in_stripe)
            yield rx.redirect(PATH)
        except StripeAppInUse as error:
            async with self:
                self.used_by = list(error.details.get("used_by", ()))
        except MeterdeskError as error:
            remedy = "Nothing was removed. Try again later." if isinstance(error, Unavailable) else error.what_to_do
            async with self:
                self.errors = error.fields or {"form": f"{error.message} {remedy}".strip()}
        finally:
            await self._end(app_id)

    @rx.event
    @needs("viewer")
    def dismiss(self) -> None:
        """Takes the note about an uninstalled account away."""
        self.uninstalled_name, self.left_in_stripe = "", []

    async def _begin(self, action: str) -> tuple[str, Actor]:
        async with self:
            self.busy, self.errors, self.used_by = action, {}, []
            return self.app.id, await acting(self)

    async def _end(self, app_id: str) -> None:
        fresh = None
        with contextlib.suppress(MeterdeskError):
            fresh = await _read(app_id)
        async with self:
            self.busy = ""
            if fresh is not None and self.app.id == app_id:
                self.app, self.health, self.profiles = fresh


async def _read(app_id: str) -> tuple[AppView, HealthView, list[AppProfile]]:
    backend = running()
    now = backend.clock.now()
    async with backend.database.read() as session:
        app = await usable_app(session, app_id)
        health = await app_health(session, app_id, backend.stripe.public_url)
        profiles = await profiles_of_app(session, app_id)
    return app_view(app, len(profiles), now), health_view(health, now), profiles
