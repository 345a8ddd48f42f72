"""Roles are declared on every handler; the address decides who may load a page."""

import hashlib
import logging

import httpx
import pytest
import reflex as rx
from reflex.istate.data import HeaderData, ReflexURL, URLData
from reflex.state import StateUpdate
from reflex.utils.format import format_event_handler
from reflex_base.event import Event, EventHandler
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dashboard.access.views import Role, SignedInUser
from dashboard.dashboard import app, explain_failure
from dashboard.kit.errors import NotSignedIn
from dashboard.kit.web import SESSION_COOKIE
from dashboard.ui import sessions
from dashboard.ui.customers.state import CustomersState
from dashboard.ui.guard import FRAMEWORK_EVENTS, SessionGuard
from dashboard.ui.http import FinalSlash, PageGate, ResponseHeaders
from dashboard.ui.roles import ANYONE, declared_role, needs, open_to_anyone
from dashboard.ui.routes import PAGES, page_of
from dashboard.ui.shell_state import ShellState, show_environment

REFLEXS_OWN = "reflex."


class SomeSessions:
    """A desk where `owner` is signed in, unless nobody has been here yet."""

    def __init__(self, *, anybody: bool = True) -> None:
        self.anybody = anybody

    async def user_of(self, cookie: str | None) -> SignedInUser | None:
        return SignedInUser("1", "ada@example.com", "Ada", Role.OWNER) if cookie == "good" else None

    async def owner_exists(self) -> bool:
        return self.anybody


@pytest.fixture
def visitor() -> httpx.AsyncClient:
    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(Request(scope).url.path)(scope, receive, send)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(ResponseHeaders(PageGate(FinalSlash(site)))), base_url="http://desk.example"
    )


@pytest.fixture(autouse=True)
def somebody_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_reader", [SomeSessions()])


def test_every_handler_declares_the_role_it_needs() -> None:
    forgotten = [
        name
        for name, registered in app._registration_context.event_handlers.items()
        if declared_role(registered.handler.fn) is None and not registered.handler.fn.__module__.startswith(REFLEXS_OWN)
    ]
    assert not forgotten


def test_only_the_pages_before_the_sign_in_have_handlers_for_anyone() -> None:
    open_ones = {
        registered.handler.fn.__module__
        for registered in app._registration_context.event_handlers.values()
        if declared_role(registered.handler.fn) == ANYONE
    }
    assert open_ones == {"dashboard.ui.access.state"}


def test_exempted_events_are_reflexs_own() -> None:
    handlers = app._registration_context.event_handlers
    assert all(handlers[name].handler.fn.__module__.startswith(REFLEXS_OWN) for name in FRAMEWORK_EVENTS)


def test_a_role_that_does_not_exist_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="superuser"):
        needs("superuser")  # pyright: ignore[reportArgumentType]


def test_declared_roles_can_be_read_again() -> None:
    assert declared_role(needs("admin")(lambda: None)) == Role.ADMIN
    assert declared_role(open_to_anyone(lambda: None)) == ANYONE
    assert declared_role(lambda: None) is None


def test_the_socket_takes_its_own_origin_only() -> None:
    assert app.sio is not None
    assert app.sio.eio.cors_allowed_origins is None


async def test_without_a_session_a_page_leads_to_the_sign_in_and_back(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/?tab=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F%3Ftab%3Dx")
    assert (await visitor.get("/")).headers["location"] == "/login"


async def test_without_anybody_every_page_leads_to_the_first_account(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_reader", [SomeSessions(anybody=False)])
    assert (await visitor.get("/")).headers["location"] == "/setup"
    assert (await visitor.get("/login")).headers["location"] == "/setup"
    assert (await visitor.get("/setup")).status_code == 200


async def test_the_first_account_is_made_once(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/setup")).headers["location"] == "/login"


async def test_with_a_session_pages_load_and_the_sign_in_leads_home(visitor: httpx.AsyncClient) -> None:
    visitor.cookies.set(SESSION_COOKIE, "good")
    assert (await visitor.get("/")).status_code == 200
    assert (await visitor.get("/login")).headers["location"] == "/"


async def test_what_is_no_page_is_left_alone(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/assets/x.js")).text == "/assets/x.js"
    assert (await visitor.get("/health")).status_code == 200
    assert (await visitor.post("/login")).status_code == 200


async def test_a_page_is_served_without_a_redirect_to_its_final_slash(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/login")).text == "/login/"


async def test_hashed_files_are_kept_forever_and_pages_asked_for_again(visitor: httpx.AsyncClient) -> None:
    assert "immutable" in (await visitor.get("/assets/x.js")).headers["cache-control"]
    assert (await visitor.get("/login")).headers["cache-control"] == "no-cache"


async def test_every_answer_carries_the_security_headers(visitor: httpx.AsyncClient) -> None:
    for path in ("/login", "/", "/assets/x.js", "/api/v1/meters"):
        headers = (await visitor.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path


def test_an_address_finds_its_page_and_nothing_else_does() -> None:
    assert page_of("/login/") is PAGES["/login"]
    assert page_of("/nowhere") is None
    assert page_of("/login/more") is None


def test_a_refusal_that_no_handler_caught_says_itself_and_a_mistake_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "Your session has ended." in str(explain_failure(NotSignedIn("Your session has ended.")))
    mistake = str(explain_failure(RuntimeError("secret detail")))
    assert "secret detail" not in mistake
    assert "secret detail" in caplog.text
    assert "failure" in caplog.text


def test_reflexs_log_lines_lose_sessions_and_bearer_tokens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        logging.getLogger("reflex_base.event").warning(
            "headers %s", {"cookie": f"a=b; {SESSION_COOKIE}=tok-en_1; c=d", "authorization": "Bearer key_2"}
        )
    assert "tok-en_1" not in caplog.text
    assert "key_2" not in caplog.text
    assert "c=d" in caplog.text


def test_every_page_in_the_frame_loads_something_so_that_the_frame_knows_who_is_there() -> None:
    assert not [page.route for page in PAGES.values() if not page.bare and not page.on_load]


class NobodySignedIn(SomeSessions):
    """The sessions of a desk that everybody has just been signed out of."""

    async def user_of(self, cookie: str | None) -> SignedInUser | None:
        return None


class CountedSessions(SomeSessions):
    asked = 0

    async def user_of(self, cookie: str | None) -> SignedInUser | None:
        self.asked += 1
        return await super().user_of(cookie)


def tab(cookie: str) -> rx.State:
    """The state of a tab that was filled under this session."""
    root = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    root.rx_router_headers = HeaderData(cookie=f"{SESSION_COOKIE}={cookie}")
    return root


async def pass_guard(state: rx.State, handler: EventHandler) -> StateUpdate | None:
    shell = await state.get_state(ShellState)
    shell._bound_to = hashlib.sha256(b"good").hexdigest()
    return await SessionGuard().preprocess(app, state, Event(name=format_event_handler(handler)))


async def test_a_handler_knows_whom_the_guard_let_in_without_asking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = CountedSessions()
    monkeypatch.setattr(sessions, "_reader", [desk])
    state = tab("good")
    assert await pass_guard(state, CustomersState.event_handlers["load"]) is None
    assert (await sessions.signed_in_user(state)).email == "ada@example.com"
    assert desk.asked == 1
    shell = await state.get_state(ShellState)
    assert (shell.user_email, shell.may_administer) == ("ada@example.com", True)


async def test_what_runs_in_the_background_asks_again_who_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = CountedSessions()
    monkeypatch.setattr(sessions, "_reader", [desk])
    state = tab("good")
    assert await pass_guard(state, CustomersState.event_handlers["load"]) is None
    assert await pass_guard(state, CustomersState.event_handlers["watch"]) is None
    await sessions.signed_in_user(state)
    assert desk.asked == 3


async def test_whom_the_guard_refused_the_next_handler_does_not_take_for_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await pass_guard(tab("good"), CustomersState.event_handlers["load"]) is None
    monkeypatch.setattr(sessions, "_reader", [NobodySignedIn()])
    state = tab("good")
    assert await pass_guard(state, CustomersState.event_handlers["load"]) is not None
    with pytest.raises(NotSignedIn):
        await sessions.signed_in_user(state)


async def test_the_environment_is_shown_on_the_address_that_said_so_only() -> None:
    state = tab("good")
    state.rx_router_url = URLData.from_url(ReflexURL("http://desk.example/invoices/1"))
    await show_environment(state, "sandbox")
    shell = await state.get_state(ShellState)
    assert shell.environment == "sandbox"
    state.rx_router_url = URLData.from_url(ReflexURL("http://desk.example/invoices/2"))
    assert shell.environment == ""
