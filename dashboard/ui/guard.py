"""The lock on every event: nothing a browser sends reaches a handler unless its role was declared and is held.

A page that is not shown protects nothing: the socket takes any event from anyone. So this stands before all of
them, and it also binds a tab's state to the session that filled it, because the tab's token alone would give it away.
"""

import hashlib
from typing import Any
from urllib.parse import urlencode

import reflex as rx
from reflex.state import (
    BaseState,
    FrontendEventExceptionState,
    OnLoadInternalState,
    State,
    StateUpdate,
    UpdateVarsInternalState,
)
from reflex.utils.format import format_event_handler
from reflex_base.event import Event, EventHandler
from reflex_base.registry import RegistrationContext

from dashboard.access.views import Role
from dashboard.ui.roles import ANYONE, declared_role
from dashboard.ui.sessions import cookie_of, let_in, sessions
from dashboard.ui.shell_state import ShellState


def _names(*handlers: tuple[type[rx.State], str]) -> frozenset[str]:
    # Full names: comparing endings would exempt any handler of ours that happens to end alike.
    return frozenset(format_event_handler(state.event_handlers[name]) for state, name in handlers)


HYDRATIONS = _names((State, "hydrate"), (State, "hydrate_and_load"))
FRAMEWORK_EVENTS = HYDRATIONS | _names(
    (State, "set_is_hydrated"),
    (OnLoadInternalState, "set_is_hydrated"),
    (OnLoadInternalState, "on_load_internal"),
    (UpdateVarsInternalState, "update_vars_internal"),
    (FrontendEventExceptionState, "handle_frontend_exception"),
)
"""Reflex's own events that carry no data of ours. What they start (a page's load) is guarded by itself."""


class SessionGuard(rx.Middleware):
    """Deny by default. Runs before each event, under the lock of the tab's state."""

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """None lets the event pass; an update stands in its place."""
        cookie = cookie_of(state)
        if not await _bound_to_this_session(state, event, cookie):
            return _instead(rx.call_script("window.location.reload()"))
        let_in(None)
        if event.name in FRAMEWORK_EVENTS:
            return None
        handler = _handler_of(event.name)
        needed = None if handler is None else declared_role(handler.fn)
        if needed == ANYONE:
            return None
        user = await sessions().user_of(cookie)
        if user is None:
            return _instead(rx.redirect(_sign_in_address(state)))
        if handler is None or needed is None or not user.role.reaches(Role(needed)):
            return _instead(
                rx.toast.error("Your role may not do this.", description="Ask an owner of this Meterdesk for it.")
            )
        (await state.get_state(ShellState))._show(user)
        if not handler.is_background:
            # What runs on in the background may outlive the session: there it is asked for again.
            let_in(user)
        return None


async def _bound_to_this_session(state: BaseState, event: Event, cookie: str | None) -> bool:
    """Whether what this tab holds was filled under this cookie. A new session starts with an empty tab.

    Only a hydration may bind anew: it loads the whole state tree, so the reset leaves nothing of another session's.
    """
    shell = await state.get_state(ShellState)
    fingerprint = hashlib.sha256((cookie or "").encode()).hexdigest()
    if shell._bound_to == fingerprint:
        return True
    if event.name not in HYDRATIONS:
        return False
    state._get_root_state().reset()
    shell = await state.get_state(ShellState)
    shell._bound_to = fingerprint
    return True


def _handler_of(event_name: str) -> EventHandler | None:
    registered = RegistrationContext.get().event_handlers.get(event_name)
    return None if registered is None else registered.handler


def _sign_in_address(state: BaseState) -> str:
    path = state.router.url.path.rstrip("/")
    return "/login?" + urlencode({"next": path}) if path else "/login"


def _instead(*events: Any) -> StateUpdate:
    return StateUpdate(events=Event.from_event_type(list(events)))
