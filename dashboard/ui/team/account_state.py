"""One's own account: another password, and the browsers where one is signed in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import reflex as rx

from dashboard.access.inputs import ChangePassword
from dashboard.access.queries import list_sessions
from dashboard.access.service import change_password, sign_out_everywhere
from dashboard.access.views import SessionSummary, actor_of
from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import cookie_of, signed_in_user
from dashboard.ui.views import NO_MOMENT, Moment, moment

PASSWORD_FORM = "password-form"


@dataclass(frozen=True, slots=True)
class SessionView:
    """One browser where one is signed in."""

    browser: str = ""
    address: str = ""
    last_seen: Moment = NO_MOMENT


class AccountState(rx.State):
    """What the tab shows."""

    loading: bool = True
    problem: str = ""
    saving: bool = False
    saving_out: bool = False
    errors: dict[str, str] = {}
    sessions: list[SessionView] = []

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Fills the list of browsers, then keeps it true."""
        self.saving, self.saving_out, self.errors, self.problem = False, False, {}, ""
        try:
            self.sessions = await _read((await signed_in_user(self)).id)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
        return AccountState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows sign-ins and sign-outs elsewhere."""
        async for _ in news(self, "sessions"):
            async with self:
                user = await signed_in_user(self)
            sessions = await _read(user.id)
            async with self:
                self.sessions = sessions

    @rx.event
    @needs("viewer")
    async def change(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Another password; every other browser is signed out."""
        self.saving, self.errors = True, {}
        yield
        try:
            if form.get("new_password") != form.get("new_password_again"):
                self.errors = {"new_password_again": "The two passwords are not the same."}
                return
            wanted = parse_input(ChangePassword, {name: form.get(name, "") for name in _FIELDS})
            user = await signed_in_user(self)
            address = self.router.session.client_ip
            cookie = cookie_of(self) or ""
            await change_password(running().database, user, wanted, keep_token=cookie, address=address)
            yield rx.call_function(f"() => document.getElementById('{PASSWORD_FORM}').reset()")
            yield ui.toast_success("Password changed", "You were signed out everywhere else.")
            self.sessions = await _read(user.id)
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("viewer")
    async def leave_others(self) -> AsyncIterator[Any]:
        """Signs out every other browser."""
        self.saving_out = True
        yield
        try:
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                await sign_out_everywhere(work, user.id, keep_token=cookie_of(self))
            yield ui.toast_success("You are signed out everywhere else")
            self.sessions = await _read(user.id)
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            self.saving_out = False


_FIELDS = ("current_password", "new_password")


async def _read(person_id: str) -> list[SessionView]:
    backend = running()
    now = backend.clock.now()
    async with backend.database.read() as session:
        found = await list_sessions(session, person_id, now)
    return [SessionView(_browser(one), one.address, moment(one.last_seen_at, now)) for one in found]


def _browser(session: SessionSummary) -> str:
    """A browser's name and system out of what it says of itself; that text itself when it says neither."""
    said = session.user_agent
    browser = next((name for mark, name in _BROWSERS if mark in said), "")
    system = next((name for mark, name in _SYSTEMS if mark in said), "")
    return " on ".join(part for part in (browser, system) if part) or said[:60] or "Unknown browser"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
