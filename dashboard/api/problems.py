"""One place where our refusals become `application/problem+json`, in the manners of the API generation that was asked.

v1 lists fields under `extensions.validationErrors`; v3 lists them under `invalid_parameters`, which a 400 must have.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException

from dashboard.kit.errors import DependencyFailed, Gone, InvalidInput, MeterdeskError, NotSignedIn
from dashboard.kit.ids import new_id
from dashboard.kit.inputs import invalid_input_from
from dashboard.stripe_app.errors import StripeInvalidRequest

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
# What the reference server answers with 400 although it is a conflict (and v3's contract has no 409 there).
_BAD_REQUESTS = frozenset(
    {
        "default_profile_cannot_be_deleted",
        "default_profile_cannot_be_unset",
        "profile_referenced",
        "invoice_action_not_available",
        "invoice_cannot_advance",
        "invoice_cannot_be_edited",
        "invoice_cannot_delete_gathering",
        "invoice_create_no_lines",
        "invoice_line_no_period_change_for_split_line",
        "tax_code_in_use",
        "meter_in_use",
        "plan_in_use",
        "plan_not_editable",
        "plan_has_draft",
        "plan_not_publishable",
    }
)
# Pydantic's names for a broken rule, in the words of v3's `rule`. Those of the second table come with a limit.
_RULES = {
    "missing": "required",
    "extra_forbidden": "unknown_property",
    "string_type": "is_string",
    "bool_type": "is_boolean",
    "int_type": "is_integer",
    "dict_type": "is_object",
    "list_type": "is_array",
    "model_type": "is_object",
    "model_attributes_type": "is_object",
    "string_pattern_mismatch": "matches_regex",
}
_LIMITS = {
    "string_too_short": ("min_length", "minimum"),
    "string_too_long": ("max_length", "maximum"),
    "too_short": ("min_items", "minimum"),
    "too_long": ("max_items", "maximum"),
}
_SOURCES = ("path", "query", "header", "body")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong at one place of a request; `more` is what v3's rule demands beside it."""

    field: str
    sentence: str
    rule: str = "invalid"
    code: str = InvalidInput.code
    source: str = "body"
    more: tuple[tuple[str, Any], ...] = ()

    def for_v1(self) -> dict[str, Any]:
        return {"field": self.field, "code": self.code, "message": self.sentence}

    def for_v3(self) -> dict[str, Any]:
        return {"field": self.field, "rule": self.rule, "reason": self.sentence, "source": self.source} | dict(
            self.more
        )


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
    fields: Sequence[FieldProblem] = (),
    extensions: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """An answer that says what went wrong."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": f"urn:request:{new_id()}",
    }
    if is_v3(request):
        if status == 400:
            places = fields or [FieldProblem("request", detail)]
            body["invalid_parameters"] = [one.for_v3() for one in places]
    else:
        more = dict(extensions or {})
        if fields:
            more["validationErrors"] = [one.for_v1() for one in fields]
        if more:
            body["extensions"] = more
    return ProblemResponse(body, status_code=status, headers=dict(headers or {}))


def problem_from(request: Request, error: MeterdeskError) -> ProblemResponse:
    """`error` as a problem document: what is wrong, what to do, and one entry per field that needs another look."""
    headers: dict[str, str] = {}
    retry_after: float | None = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    v3 = is_v3(request)
    fields = [
        FieldProblem(place if v3 else _in_camel_case(place), sentence, code=error.code)
        for place, sentence in error.fields.items()
    ]
    status = _status(error, v3)
    if status in (400, 409) and not fields:
        # v1 promises at least one entry with these.
        fields = [FieldProblem("request", error.message, code=error.code)]
    extensions = error.details | {"code": error.code}
    if error.what_to_do:
        extensions["remedy"] = error.what_to_do
    return problem(request, status, error.for_people(), fields=fields, extensions=extensions, headers=headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Makes `app` answer every refusal, every unknown path and every surprise in problem form."""

    @app.exception_handler(MeterdeskError)
    async def refused(request: Request, error: MeterdeskError) -> ProblemResponse:
        return problem_from(request, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> ProblemResponse:
        fields = _field_problems(error)
        # A path that cannot be an id names nothing: v3 says 404, v1 says 400.
        if is_v3(request) and any(one.source == "path" for one in fields):
            return problem(request, 404, "There is nothing under this address.")
        detail = "; ".join(f"{one.field}: {one.sentence}" for one in fields)
        return problem(request, 400, detail[:2000], fields=fields, extensions={"code": InvalidInput.code})

    @app.exception_handler(ValidationError)
    async def refused_by_input(request: Request, error: ValidationError) -> ProblemResponse:
        # An input of a room refused what was made of the request.
        return problem_from(request, invalid_input_from(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> ProblemResponse:
        return problem(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def surprise(request: Request, _error: Exception) -> ProblemResponse:
        # What broke is in the log, under the server's eyes only.
        return problem(request, 500, "Something went wrong on our side. Try again, or look at the server's log.")


def _status(error: MeterdeskError, v3: bool) -> int:
    """The reference server's status for a kind of refusal (`reference/openmeter-api.md` §2)."""
    if isinstance(error, Gone):
        return 410 if v3 else 412
    if error.code in _BAD_REQUESTS:
        return 400
    if isinstance(error, StripeInvalidRequest):
        return 400
    if isinstance(error, DependencyFailed):
        return 412
    return error.status


def _field_problems(error: RequestValidationError) -> list[FieldProblem]:
    found: dict[str, FieldProblem] = {}
    for item in error.errors():
        kind, context = item["type"], item.get("ctx") or {}
        first, *rest = [str(part) for part in item["loc"]] or ["body"]
        source = first if first in _SOURCES else "body"
        place = ".".join(rest if first in _SOURCES else [first, *rest]) or source
        rule, more = _RULES.get(kind, "invalid"), ()
        if kind in _LIMITS:
            rule, limit = _LIMITS[kind]
            more = ((limit, next(value for name, value in context.items() if name.endswith("_length"))),)
        sentence = str(item["msg"]).removeprefix("Value error, ")
        found.setdefault(place, FieldProblem(place, sentence, rule, rule, source, more))
    return list(found.values())


def _in_camel_case(place: str) -> str:
    parts = place.split(".")
    return ".".join(to_camel(part) if _IDENTIFIER.fullmatch(part) else part for part in parts)
