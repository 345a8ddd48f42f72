"""The list of billing profiles, and what can be done with one without opening it."""

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.profiles import (
    Affected,
    ProfileRow,
    affected_by_default,
    delete_profile,
    list_profiles,
    make_default,
)
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting


class BillingProfilesState(LiveState, rx.State):
    """What the page shows and asks."""

    loading: bool = True
    problem: str = ""
    rows: list[ProfileRow] = []
    has_stripe: bool = False
    promoting: ProfileRow = ProfileRow()
    affected: Affected = Affected()
    deleting: ProfileRow = ProfileRow()
    reasons: list[str] = []
    saving: bool = False
    errors: dict[str, str] = {}

    @rx.event
    @needs("admin")
    def close(self) -> None:
        """Closes whichever dialog is open."""
        self._close()

    @rx.event
    @needs("admin")
    async def ask_to_promote(self, profile_id: str) -> None:
        """Opens the question before another profile becomes the default."""
        self._close()
        self.promoting = self._row(profile_id)
        if self.promoting.id:
            self.affected = await affected_by_default(profile_id)

    @rx.event
    @needs("admin")
    async def promote(self) -> AsyncIterator[Any]:
        """Makes the profile the default."""
        self.saving, self.errors = True, {}
        yield
        try:
            await make_default(await acting(self), self.promoting.id)
            yield ui.toast_success(f"“{self.promoting.name}” is the default now")
            self._close()
            await self._refresh()
        except MeterdeskError as error:
            self.errors = {"form": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("admin")
    def ask_to_delete(self, profile_id: str) -> None:
        """Opens the question before a profile is deleted."""
        self._close()
        self.deleting = self._row(profile_id)

    @rx.event
    @needs("admin")
    async def delete(self) -> AsyncIterator[Any]:
        """Takes the profile out of use, or says who needs it."""
        self.saving, self.errors, self.reasons = True, {}, []
        yield
        try:
            await delete_profile(await acting(self), self.deleting.id)
            yield ui.toast_success(f"“{self.deleting.name}” was deleted", "Its invoices stay as they are.")
            self._close()
            await self._refresh()
        except MeterdeskError as error:
            self.reasons = list(error.details.get("reasons", ()))
            self.errors = {"form": error.for_people()}
        finally:
            self.saving = False

    def _row(self, profile_id: str) -> ProfileRow:
        return next((row for row in self.rows if row.id == profile_id), ProfileRow())

    def _close(self) -> None:
        self.promoting, self.deleting, self.reasons, self.errors = ProfileRow(), ProfileRow(), [], {}

    def _enter(self) -> None:
        self.saving = False
        self._close()

    def _topics(self) -> tuple[str, ...]:
        return ("billing_profiles", "customers", "stripe_apps")

    async def _refresh(self) -> None:
        try:
            self.rows = await list_profiles()
            async with running().database.read() as session:
                self.has_stripe = bool(await list_stripe_apps(session))
            self.problem = ""
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
