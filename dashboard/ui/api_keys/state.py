"""The API keys page: lists keys, makes one, revokes one. A fresh token passes through and stays nowhere."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.access.inputs import CreateApiKey
from dashboard.access.queries import list_api_keys
from dashboard.access.service import create_api_key, revoke_api_key
from dashboard.access.views import ApiKey, actor_of
from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.api_keys.secret_once import forget_secret, show_secret
from dashboard.ui.listing import Address, Tab
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import signed_in_user
from dashboard.ui.views import NO_MOMENT, Moment, moment

TOKEN_FIELD = "new_api_key"


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A row of the list."""

    id: str = ""
    name: str = ""
    role: str = ""
    hint: str = ""
    created: Moment = NO_MOMENT
    created_by: str = ""
    last_used: Moment = NO_MOMENT
    revoked: Moment = NO_MOMENT


_EXAMPLE = """curl {origin}/api/v1/customers \\
  -H "Authorization: Bearer $METERDESK_API_KEY\""""


class ApiKeysState(rx.State):
    """What the page shows."""

    loading: bool = True
    problem: str = ""
    example: str = ""
    keys: list[ApiKeyView] = []
    tabs: list[Tab] = []
    showing_revoked: bool = False
    creating: bool = False
    created: bool = False
    saving: bool = False
    created_name: str = ""
    errors: dict[str, str] = {}
    asked_about: ApiKeyView = ApiKeyView()

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Fills the list, then keeps it true."""
        self.creating = self.created = self.saving = False
        self.errors, self.problem, self.asked_about = {}, "", ApiKeyView()
        address = Address.of(self)
        self.example = _EXAMPLE.format(origin=self.router.url.origin)
        self.showing_revoked = address.text("show") == "revoked"
        try:
            self.keys, self.tabs = await _read(address)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
        return ApiKeysState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows keys that are made, used or revoked elsewhere."""
        async for _ in news(self, "api_keys"):
            async with self:
                address = Address.of(self)
            keys, tabs = await _read(address)
            async with self:
                self.keys, self.tabs = keys, tabs

    @rx.event
    @needs("admin")
    def start_creating(self) -> None:
        """Opens the form."""
        self.creating, self.created, self.errors = True, False, {}

    @rx.event
    @needs("admin")
    def stop_creating(self) -> Any:
        """Closes the form, or the note with the token."""
        self.creating = self.created = False
        return forget_secret(TOKEN_FIELD)

    @rx.event
    @needs("admin")
    async def create(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Makes a key and shows its token this one time."""
        self.saving, self.errors = True, {}
        yield
        try:
            wanted = parse_input(CreateApiKey, {"name": form.get("name", ""), "role": form.get("role", "")})
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                fresh = await create_api_key(work, wanted, by=user.role)
            self.created, self.created_name = True, fresh.key.name
            yield show_secret(TOKEN_FIELD, fresh.token)
            self.keys, self.tabs = await _read(Address.of(self))
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("admin")
    def ask_to_revoke(self, key_id: str) -> None:
        """Opens the question before a key is revoked."""
        self.asked_about = next((key for key in self.keys if key.id == key_id), ApiKeyView())

    @rx.event
    @needs("admin")
    def keep(self) -> None:
        """Closes the question."""
        self.asked_about = ApiKeyView()

    @rx.event
    @needs("admin")
    async def revoke(self) -> AsyncIterator[Any]:
        """Makes the key worthless."""
        self.saving = True
        yield
        try:
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                await revoke_api_key(work, self.asked_about.id, by=user.role)
            yield ui.toast_success(
                f"“{self.asked_about.name}” is revoked", "Programs that use it are refused from now on."
            )
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            self.saving, self.asked_about = False, ApiKeyView()
        self.keys, self.tabs = await _read(Address.of(self))


async def _read(address: Address) -> tuple[list[ApiKeyView], list[Tab]]:
    backend = running()
    async with backend.database.read() as session:
        every = await list_api_keys(session, with_revoked=True)
    revoked = [key for key in every if key.revoked_at is not None]
    active = [key for key in every if key.revoked_at is None]
    showing_revoked = address.text("show") == "revoked"
    tabs = [
        Tab("Active", address.having(show=None), str(len(active)), not showing_revoked),
        Tab("Revoked", address.having(show="revoked"), str(len(revoked)), showing_revoked),
    ]
    now = backend.clock.now()
    return [_view(key, now) for key in (revoked if showing_revoked else active)], tabs


def _view(key: ApiKey, now: datetime) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        name=key.name,
        role=key.role.value,
        hint=key.hint,
        created=moment(key.created_at, now),
        created_by=key.created_by,
        last_used=moment(key.last_used_at, now),
        revoked=moment(key.revoked_at, now),
    )
