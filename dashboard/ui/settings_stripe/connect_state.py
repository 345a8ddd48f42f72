"""The wizard's first step: look at a key, then install the account it opens.

The key lives in the browser's field. It comes here as an argument, goes to the service, and is kept by no state.
"""

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx
from pydantic import SecretStr

from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError, Unavailable
from dashboard.stripe_app.errors import AccountAlreadyInstalled, StripeUnreachable
from dashboard.stripe_app.inputs import InstallStripeApp
from dashboard.stripe_app.install import check_key, install_stripe_app
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.settings_stripe.key_field import KEY_FIELD, empty_field
from dashboard.ui.settings_stripe.views import PATH, KeyView, key_view, step_href

SANDBOX_KEY = "sk_test_sandbox_demo"
_SHORTEST_KEY = 20
"""Shorter than any key; while one is still typing, Stripe is not asked."""


class ConnectStripe(rx.State):
    """What the step shows. `found` is the account the key opens."""

    checking: bool = False
    installing: bool = False
    revealed: bool = False
    errors: dict[str, str] = {}
    installed_already: str = ""
    found: KeyView = KeyView()
    confirm_live: bool = False

    @rx.event
    @needs("admin")
    def load(self) -> None:
        """Begins anew."""
        self.checking = self.installing = self.revealed = False
        self._forget()

    @rx.event
    @needs("admin")
    def reveal(self) -> None:
        """Shows or hides what is typed."""
        self.revealed = not self.revealed

    @rx.event(background=True, supersedes=True)
    @needs("admin")
    async def look(self, typed: str) -> None:
        """Shows what the typed key opens; a later one overtakes it."""
        key = SecretStr(str(typed).strip())
        async with self:
            self._forget()
            self.checking = len(key.get_secret_value()) >= _SHORTEST_KEY
            if not self.checking:
                return
        found, refusal = KeyView(), None
        try:
            found = key_view(await check_key(running().stripe, key))
        except MeterdeskError as error:
            refusal = error
        async with self:
            self.checking = False
            self.found = found
            if refusal is not None:
                self._show(refusal)

    @rx.event(background=True)
    @needs("admin")
    async def install(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Installs the account the key opens, after a last look when there was none."""
        key = SecretStr(str(form.get("api_key", "")).strip())
        async with self:
            if self.installing:
                return
            self.installing, self.errors = True, {}
            seen, actor = self.found, await acting(self)
        try:
            if not seen.account_id:
                seen = key_view(await check_key(running().stripe, key))
                async with self:
                    self.found = seen
                    # Real money: the name has to have been on the screen before.
                    self.confirm_live = seen.environment == "live"
                if seen.environment == "live":
                    return
            wanted = InstallStripeApp(api_key=key, name=seen.account_name, confirmed_account_id=seen.account_id)
            app = await install_stripe_app(running().stripe, actor, wanted)
            yield empty_field(KEY_FIELD)
            yield rx.redirect(step_href(app.id, "collection"))
        except MeterdeskError as error:
            async with self:
                self._show(error)
            if not isinstance(error, Unavailable):
                yield empty_field(KEY_FIELD, focus=True)
        finally:
            async with self:
                self.installing = False

    def _forget(self) -> None:
        self.errors, self.found, self.installed_already, self.confirm_live = {}, KeyView(), "", False

    def _show(self, refusal: MeterdeskError) -> None:
        self._forget()
        remedy = _NOTHING_CHANGED if isinstance(refusal, StripeUnreachable) else refusal.what_to_do
        self.errors = {"api_key": f"{refusal.message} {remedy}".strip()}
        if isinstance(refusal, AccountAlreadyInstalled) and "app_id" in refusal.details:
            self.installed_already = f"{PATH}?app={refusal.details['app_id']}"


_NOTHING_CHANGED = "Nothing was installed. Check the connection, then try again."
