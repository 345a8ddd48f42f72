"""Signing in and out, by forms that the browser posts itself: only an HTTP answer can set an HttpOnly cookie.

Every answer is a redirect. A refusal goes back to its page with a code in the address; the page has the sentence.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse

from dashboard.access import queries, service
from dashboard.access.inputs import CreateOwner, SetPassword, SignIn
from dashboard.access.views import NewSession, actor_of
from dashboard.backend import running
from dashboard.kit.errors import InvalidInput, MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.web import SESSION_COOKIE, is_own_form, local_path

SIGN_IN_PAGE = "/login"
SETUP_PAGE = "/setup"
PASSWORD_PAGE = "/set-password"

router = APIRouter(prefix="/auth", include_in_schema=False)
Text = Annotated[str, Form()]


@router.post("/login")
async def sign_in(request: Request, email: Text = "", password: Text = "", next: Text = "/") -> RedirectResponse:
    """Opens a session, then goes to the page that was asked for."""
    try:
        _refuse_foreign_forms(request)
        wanted = parse_input(SignIn, {"email": email, "password": password})
        session = await service.sign_in(running().database, wanted, **_browser(request))
    except MeterdeskError as error:
        return _back(SIGN_IN_PAGE, error, next=local_path(next))
    return _enter(request, session, local_path(next))


@router.post("/setup")
async def create_owner(
    request: Request, name: Text = "", email: Text = "", password: Text = "", password_again: Text = ""
) -> RedirectResponse:
    """Makes the first account, an owner, and signs them in."""
    try:
        _refuse_foreign_forms(request)
        _refuse_different(password, password_again)
        wanted = parse_input(CreateOwner, {"name": name, "email": email, "password": password})
        session = await service.create_owner(running().database, wanted, **_browser(request))
    except MeterdeskError as error:
        return _back(SETUP_PAGE, error)
    return _enter(request, session, "/")


@router.post("/password")
async def set_password(
    request: Request, token: Text = "", password: Text = "", password_again: Text = ""
) -> RedirectResponse:
    """Takes the password that the holder of an invitation or a password link chose, and signs them in."""
    try:
        _refuse_foreign_forms(request)
        _refuse_different(password, password_again)
        wanted = parse_input(SetPassword, {"token": token, "password": password})
        session = await service.set_password(running().database, wanted, **_browser(request))
    except MeterdeskError as error:
        return _back(PASSWORD_PAGE, error, token=token)
    return _enter(request, session, "/")


@router.post("/logout")
async def sign_out(request: Request) -> RedirectResponse:
    """Ends the session of this browser. A stranger's form cannot sign anybody out."""
    if not is_own_form(request.headers, running().settings.public_url):
        return RedirectResponse(SIGN_IN_PAGE, status_code=303)
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        await _end_session(token)
    answer = RedirectResponse(SIGN_IN_PAGE, status_code=303)
    answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return answer


async def _end_session(token: str) -> None:
    database = running().database
    async with database.read() as session:
        user = await queries.user_of_session(session, token, database.clock.now())
    if user is None:
        return
    async with database.transaction(actor_of(user)) as work:
        await service.sign_out(work, token)


def _refuse_foreign_forms(request: Request) -> None:
    if not is_own_form(request.headers, running().settings.public_url):
        raise ForeignForm("That form came from another address.")


def _refuse_different(password: str, again: str) -> None:
    if password != again:
        raise PasswordsDiffer("The two passwords are not the same.", field="password_again")


class ForeignForm(InvalidInput):
    code = "foreign_origin"
    remedy = "Open the page here and fill the form in again."


class PasswordsDiffer(InvalidInput):
    code = "passwords_differ"
    remedy = "Type the same password twice."


def _browser(request: Request) -> dict[str, str]:
    return {
        "address": request.client.host if request.client else "unknown",
        "user_agent": request.headers.get("user-agent", ""),
    }


def _enter(request: Request, session: NewSession, path: str) -> RedirectResponse:
    answer = RedirectResponse(path, status_code=303, headers={"cache-control": "no-store"})
    answer.set_cookie(
        SESSION_COOKIE,
        session.token,
        expires=session.expires_at,
        path="/",
        secure=_over_tls(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def _over_tls(request: Request) -> bool:
    # The Origin header, checked before to be ours, tells the truth even behind a proxy that is not in our list.
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https:")


def _back(page: str, error: MeterdeskError, **query: str) -> RedirectResponse:
    """To the form again. Only codes travel: nothing that was typed, and no sentence somebody could forge."""
    code = error.code
    if code == InvalidInput.code and error.fields:
        code = f"invalid_{next(iter(error.fields))}"
    kept = {name: value for name, value in query.items() if value and value != "/"}
    return RedirectResponse(f"{page}?{urlencode({'problem': code, **kept})}", status_code=303)
