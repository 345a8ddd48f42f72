"""One place where our refusals become `application/problem+json`, in the manners of the API generation that was asked.

v1 lists fields under `extensions.validationErrors`; v3 lists them under `invalid_parameters`, which a 400 must have.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard.kit.errors import Gone, InvalidInput, MeterdeskError, TooManyRequests
from dashboard.kit.ids import new_id

PROBLEM_JSON = "application/problem+json"
V3_PREFIXES = ("/v3/", "/api/v3/")
_TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    424: "Failed Dependency",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
# Pydantic's names for a broken rule, in the words of v3's `rule`.
_RULES = {
    "missing": "required",
    "extra_forbidden": "unknown_property",
    "enum": "enum",
    "literal_error": "enum",
    "string_too_short": "min_length",
    "string_too_long": "max_length",
    "string_pattern_mismatch": "matches_regex",
    "too_short": "min_items",
    "too_long": "max_items",
}


class ProblemResponse(JSONResponse):
    """JSON under exactly `application/problem+json`: the Node SDK compares the header to the letter."""

    media_type = PROBLEM_JSON


def is_v3(request: Request) -> bool:
    """Whether the request speaks v3."""
    return request.url.path.startswith(V3_PREFIXES)


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    fields: Mapping[str, tuple[str, str]] | None = None,
    code: str | None = None,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """An answer that says what went wrong. `fields` maps a place to (rule, sentence)."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": f"urn:request:{new_id()}",
    }
    places = dict(fields or {})
    if is_v3(request):
        if status == 400:
            places = places or {"request": (code or "invalid", detail)}
            body["invalid_parameters"] = [
                {"field": _bare(place), "rule": rule, "reason": sentence, "source": _source(place)}
                for place, (rule, sentence) in places.items()
            ]
    else:
        extensions = dict(more or {}) | ({"code": code} if code else {})
        if places:
            extensions["validationErrors"] = [
                {"field": _bare(place), "code": rule, "message": sentence} for place, (rule, sentence) in places.items()
            ]
        if extensions:
            body["extensions"] = extensions
    return ProblemResponse(body, status_code=status, headers=dict(headers or {}))


def problem_from(request: Request, error: MeterdeskError) -> ProblemResponse:
    """`error` as a problem document: what is wrong, what to do, and one entry per field that needs another look."""
    headers: dict[str, str] = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    # What was deleted is 412 in v1 and 410 in v3 (reference server).
    status = 412 if isinstance(error, Gone) and not is_v3(request) else error.status
    fields = {name: (error.code, sentence) for name, sentence in error.fields.items()}
    more = error.details | ({"remedy": error.what_to_do} if error.what_to_do else {})
    return problem(request, status, error.for_people(), fields=fields, code=error.code, more=more, headers=headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Makes `app` answer every refusal, every unknown path and every surprise in problem form."""

    @app.exception_handler(MeterdeskError)
    async def refused(request: Request, error: MeterdeskError) -> ProblemResponse:
        return problem_from(request, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> ProblemResponse:
        fields: dict[str, tuple[str, str]] = {}
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"])
            fields.setdefault(place, (_RULES.get(item["type"], "invalid"), item["msg"]))
        # A path that cannot be an id names nothing: v3 says 404, v1 says 400.
        if is_v3(request) and all(place.startswith("path") for place in fields):
            return problem(request, 404, "There is nothing under this address.")
        detail = "; ".join(f"{_bare(place)}: {sentence}" for place, (_, sentence) in fields.items())
        return problem(request, 400, detail or "The request does not fit.", fields=fields, code=InvalidInput.code)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> ProblemResponse:
        return problem(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def surprise(request: Request, _error: Exception) -> ProblemResponse:
        # What broke is in the log, under the server's eyes only.
        return problem(request, 500, "Something went wrong on our side. Try again, or look at the server's log.")


def _source(place: str) -> str:
    first = place.partition(".")[0]
    return first if first in ("path", "query", "header") else "body"


def _bare(place: str) -> str:
    first, _, rest = place.partition(".")
    return (rest or first) if first in ("path", "query", "header", "body") else place
