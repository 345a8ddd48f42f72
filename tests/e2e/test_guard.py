"""Nobody gets anything from the event socket that their session does not give them."""

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
import pytest
import simple_websocket
from bare_socket import BareTab
from conftest import OWNER, Server

from dashboard.access.inputs import CreatePerson, SignIn
from dashboard.access.service import create_person, sign_in
from dashboard.access.views import Role
from dashboard.dashboard import app
from dashboard.kit.clock import SystemClock
from dashboard.kit.database import SYSTEM, Database
from dashboard.kit.web import SESSION_COOKIE
from dashboard.ui.guard import FRAMEWORK_EVENTS
from dashboard.ui.roles import ANYONE, declared_role
from dashboard.ui.routes import PAGES

HANDLERS = {
    name: declared_role(registered.handler.fn)
    for name, registered in app._registration_context.event_handlers.items()
    if name not in FRAMEWORK_EVENTS
}
HYDRATE_AND_LOAD = next(name for name in FRAMEWORK_EVENTS if name.endswith(".hydrate_and_load"))
HYDRATE = next(name for name in FRAMEWORK_EVENTS if name.endswith(".hydrate"))
LOAD_HOME = next(name for name in HANDLERS if name.endswith("home_state.load"))

Answer = TypeVar("Answer")


def test_without_a_session_every_handler_answers_only_with_the_way_to_the_sign_in(server: Server) -> None:
    with BareTab(server.url) as tab:
        _hydrate(tab)
        for name, role in HANDLERS.items():
            if role == ANYONE:
                continue
            tab.fire(name)
            answer = tab.answer()
            assert not answer.get("delta"), f"{name} changed or showed something: {answer}"
            assert [event["name"] for event in answer["events"]] == ["_redirect"], name
            assert answer["events"][0]["payload"]["path"].startswith("/login"), name


def test_without_a_session_no_page_loads_its_data(server: Server, owner_cookies: dict[str, str]) -> None:
    for route in PAGES:
        with BareTab(server.url) as tab:
            tab.fire(HYDRATE_AND_LOAD, path=route)
            told = json.dumps(tab.answers())
            assert OWNER["email"] not in told, route
            assert PAGES[route].bare or "/login" in told, route


def test_a_viewer_reaches_no_handler_that_needs_more(server: Server, owner_cookies: dict[str, str]) -> None:
    cookies = _cookies_of(server, "viewer@example.com", Role.VIEWER)
    with BareTab(server.url, cookies=cookies) as tab:
        _hydrate(tab)
        for name, role in HANDLERS.items():
            if role in (ANYONE, Role.VIEWER):
                continue
            tab.fire(name)
            answer = tab.answer()
            assert not answer.get("delta"), f"{name} changed or showed something: {answer}"
            assert "Your role may not do this" in json.dumps(answer), name


def test_a_replayed_tab_token_gives_nothing_away(server: Server, owner_cookies: dict[str, str]) -> None:
    with BareTab(server.url, cookies=owner_cookies) as tab:
        tab.fire(HYDRATE_AND_LOAD)
        assert OWNER["email"] in json.dumps(tab.answers()), "the owner's own tab has to show something to steal"
        token = tab.token
    strangers = {"nobody": None, "a made-up session": {SESSION_COOKIE: "x"}, "a viewer": _viewer(server)}
    for who, cookies in strangers.items():
        for first in (LOAD_HOME, HYDRATE, HYDRATE_AND_LOAD):
            with BareTab(server.url, cookies=cookies, token=token) as thief:
                thief.fire(first)
                thief.fire(HYDRATE)
                assert OWNER["email"] not in json.dumps(thief.answers()), f"{who}, beginning with {first}"


def test_the_socket_stays_shut_for_pages_of_other_origins(server: Server) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"):
        with pytest.raises(simple_websocket.ConnectionError, match="403"):
            BareTab(server.url, origin=origin)
    # This client names its host without the port, so this is the origin it would have.
    with BareTab(server.url, origin="http://127.0.0.1") as tab:
        _hydrate(tab)


def test_a_session_that_ended_ends_for_open_tabs_too(server: Server, owner_cookies: dict[str, str]) -> None:
    cookies = _cookies_of(server, "leaver@example.com", Role.ADMIN)
    with BareTab(server.url, cookies=cookies) as tab:
        tab.fire(HYDRATE_AND_LOAD)
        assert "leaver@example.com" in json.dumps(tab.answers())
        httpx.post(f"{server.url}/auth/logout", cookies=cookies)
        tab.fire(LOAD_HOME)
        assert [event["name"] for event in tab.answer()["events"]] == ["_redirect"]


def test_no_log_line_holds_a_session_cookie(server: Server, owner_cookies: dict[str, str]) -> None:
    with BareTab(server.url, cookies=owner_cookies) as tab:
        _hydrate(tab)
        tab.fire("reflex___state____state.there_is_no_such_handler")
        _hydrate(tab)
        assert "there_is_no_such_handler" in server.log.read_text()
    assert owner_cookies[SESSION_COOKIE] not in server.log.read_text()


def _hydrate(tab: BareTab) -> None:
    tab.fire(HYDRATE)
    assert tab.answer().get("delta")
    tab.answers(first_seconds=0.2, quiet_seconds=0.2)


def _viewer(server: Server) -> dict[str, str]:
    return _cookies_of(server, "curious@example.com", Role.VIEWER)


def _cookies_of(server: Server, email: str, role: Role) -> dict[str, str]:
    """A session of a new member of the team, made behind the server's back in its database."""
    password = "correct horse battery"

    async def make() -> str:
        database = Database(f"sqlite:///{server.data_dir / 'meterdesk.db'}", clock=SystemClock())
        try:
            wanted = CreatePerson.model_validate({"email": email, "name": email, "role": role, "password": password})
            await create_person(database, wanted, actor=SYSTEM, by=Role.OWNER)
            attempt = SignIn.model_validate({"email": email, "password": password})
            return (await sign_in(database, attempt, address="127.0.0.1")).token
        finally:
            await database.close()

    return {SESSION_COOKIE: _outside_of_the_loop(make())}


def _outside_of_the_loop(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Playwright's synchronous side keeps an event loop in this thread, so ours gets a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
