"""One place where our refusals become `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard.kit.errors import InvalidInput, MeterdeskError, TooManyRequests

PROBLEM_JSON = "application/problem+json"
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
    424: "Failed Dependency",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """An answer that says what went wrong; `more` become members of the problem document."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type=PROBLEM_JSON, headers=dict(headers or {}))


def problem_from(error: MeterdeskError) -> JSONResponse:
    """`error` as a problem document: code, remedy, and one entry per field that needs another look."""
    more: dict[str, Any] = {"extensions": {"code": error.code, "remedy": error.what_to_do, **error.details}}
    if error.fields:
        more["extensions"]["validationErrors"] = [
            {"field": name, "code": error.code, "message": message} for name, message in error.fields.items()
        ]
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.status, error.for_people(), headers, **more)


def install_problem_handlers(app: FastAPI) -> None:
    """Makes `app` answer every refusal and every unknown path in problem form."""

    @app.exception_handler(MeterdeskError)
    async def refused(_request: Request, error: MeterdeskError) -> JSONResponse:
        return problem_from(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = {
            ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]): item["msg"]
            for item in error.errors()
        }
        return problem_from(InvalidInput("The request does not fit.", fields=fields))

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), error.headers)
