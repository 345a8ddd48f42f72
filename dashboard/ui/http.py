"""What HTTP needs around the pages: who may load them, addresses without a final slash, caching, security headers."""

import os
from typing import Any
from urllib.parse import urlencode

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.kit.web import SESSION_COOKIE
from dashboard.ui.routes import page_of
from dashboard.ui.sessions import sessions

SETUP_PATH = "/setup"
SIGN_IN_PATH = "/login"

# Reflex's pages carry inline scripts (theme, router), and what a server sends as code (toasts) is evaluated.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'self'; object-src 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
}
FOREVER = "public, max-age=31536000, immutable"


class PageGate:
    """Sends who loads a page without a session to the sign-in, before anything of the page is shown.

    Only a courtesy and a speed-up: pages hold no data, and every event is guarded by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        elsewhere = await _elsewhere(scope) if _loads_a_page(scope) else None
        if elsewhere is None:
            await self.app(scope, receive, send)
        else:
            answer = RedirectResponse(elsewhere, status_code=303, headers={"cache-control": "no-store"})
            await answer(scope, receive, send)


class FinalSlash:
    """Serves `/customers` as it is. The static files would answer with a redirect to an absolute http address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _loads_a_page(scope) and not scope["path"].endswith("/"):
            page = page_of(scope["path"])
            if page is not None and "[" not in page.route:
                scope = {**scope, "path": scope["path"] + "/", "raw_path": scope["path"].encode() + b"/"}
        await self.app(scope, receive, send)


class ResponseHeaders:
    """Adds the security headers to every answer and lets browsers keep what has a hash in its name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), scope["path"], message["status"])
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _loads_a_page(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and page_of(scope["path"]) is not None


async def _elsewhere(scope: Scope) -> str | None:
    """Where to send this request instead; None when it may have its page."""
    path = "/" + scope["path"].strip("/")
    page = page_of(path)
    user = await sessions().user_of(HTTPConnection(scope).cookies.get(SESSION_COOKIE))
    if user is not None:
        return "/" if path in (SIGN_IN_PATH, SETUP_PATH) else None
    owner_exists = await sessions().owner_exists()
    if path == SETUP_PATH:
        return SIGN_IN_PATH if owner_exists else None
    if not owner_exists:
        return SETUP_PATH
    if page is None or page.bare:
        return None
    return _sign_in(path, scope["query_string"].decode("latin-1"))


def _sign_in(path: str, query: str) -> str:
    wanted = path + (f"?{query}" if query else "")
    return SIGN_IN_PATH + ("?" + urlencode({"next": wanted}) if wanted != "/" else "")


def _complete(headers: MutableHeaders, path: str, status: int) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if path.startswith("/assets/") and status in (200, 304):
        headers["cache-control"] = FOREVER
    elif "cache-control" not in headers:
        headers["cache-control"] = "no-cache"


def wrappers() -> list[Any]:
    """The wrappers in the order Reflex applies them: the last one stands outermost."""
    return [FinalSlash, PageGate, ResponseHeaders, _believe_trusted_proxies]


def _believe_trusted_proxies(app: ASGIApp) -> ASGIApp:
    """Takes scheme and client from X-Forwarded-…, if a proxy named in FORWARDED_ALLOW_IPS sent it (unset: ours)."""
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1").split(",")
    return wrap_asgi_with_proxy_headers(app, trusted_hosts=[host.strip() for host in trusted])  # pyright: ignore
