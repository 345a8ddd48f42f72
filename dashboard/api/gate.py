"""What every API request passes before it is routed: its address, its key, its body.

A refusal here is the same problem document as later on; nothing of the body is read before the key is known.
"""

import re
from urllib.parse import unquote

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.api.auth import key_behind
from dashboard.api.bodies import JSON_BODY_BYTES_MAX, check_json, read_body, replayed
from dashboard.api.problems import problem_from
from dashboard.kit.errors import InvalidInput, MeterdeskError

API_PREFIXES = ("/api/v1/", "/api/v2/", "/api/v3/", "/v3/")
WEBHOOK = re.compile(r"/api/v1/apps/[^/]+/stripe/webhook")
_READS_ITS_OWN_BODY = re.compile(r".*/events")

KEPT_SLASH = "\uf8ff"
"""Stands for a `%2F` inside one segment of a path, so that routing does not take it for a separator."""


class ApiGate:
    """Middleware around the REST API; what is not the API's passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API_PREFIXES):
            await self.app(scope, receive, send)
            return
        try:
            scope, receive = await _admitted(scope, receive)
        except MeterdeskError as error:
            await problem_from(Request(scope), error)(scope, receive, send)
            return
        await self.app(scope, receive, send)


async def _admitted(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    _refuse_null_letters(scope)
    if WEBHOOK.fullmatch(scope["path"]):
        return scope, receive
    request = Request(scope, receive)
    key = await key_behind(request.headers.get("authorization"))
    state = {**scope.get("state", {}), "api_key": key}
    scope = {**scope, "state": state, "path": _with_kept_slashes(scope)}
    if _has_body(scope, request) and not _READS_ITS_OWN_BODY.fullmatch(scope["path"]):
        body = await read_body(request, JSON_BODY_BYTES_MAX)
        check_json(body)
        receive = replayed(body, receive)
    return scope, receive


def _refuse_null_letters(scope: Scope) -> None:
    # PostgreSQL stores no U+0000, and nobody has a use for one in an address.
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        raise InvalidInput("The address holds a null character.")


def _with_kept_slashes(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    if not raw or b"%2f" not in raw.lower():
        return scope["path"]
    segments = raw.decode("latin-1").split("?")[0].split("/")
    return "/".join(unquote(segment).replace("/", KEPT_SLASH) for segment in segments)


def _has_body(scope: Scope, request: Request) -> bool:
    headers = request.headers
    return scope["method"] != "GET" and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers)
