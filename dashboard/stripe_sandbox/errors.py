"""Stripe's refusals: one exception, and a constructor per kind of mistake.

Codes and shapes follow https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes; the words are ours.
"""

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """A refusal in Stripe's shape.

    `keep_effects`: what the handler wrote stays (a declined charge is a fact, a mistyped parameter is not).
    `executed`: the endpoint had begun to work, so that its idempotency key remembers this answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keep_effects: bool = False,
        executed: bool = True,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.keep_effects = keep_effects
        self.executed = executed
        self.headers = headers or {}
        self.body: dict[str, Any] = {"message": message, "type": type}
        if code:
            self.body |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
        if param:
            self.body["param"] = param
        self.body |= {name: value for name, value in extra.items() if value is not None}

    @property
    def code(self) -> str | None:
        return self.body.get("code")


def unknown_parameter(param: str) -> ApiError:
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param, executed=False)


def missing_parameter(param: str) -> ApiError:
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param, executed=False)


def invalid_parameter(param: str, message: str, code: str | None = None) -> ApiError:
    """A value that can be read but makes no sense there."""
    return ApiError(400, message, code=code, param=param, executed=False)


def not_found(label: str, id: str, param: str = "id", status: int = 404) -> ApiError:
    """`status` is 404 for the object in the address and 400 for one named in a parameter."""
    return ApiError(status, f"No such {label}: '{id}'", code="resource_missing", param=param)


def refused(message: str, code: str | None = None, param: str | None = None) -> ApiError:
    """The request is well formed, but the object's state forbids it."""
    return ApiError(400, message, code=code, param=param)


def unauthorized(message: str) -> ApiError:
    return ApiError(401, message, executed=False)


def lock_timeout(retry: bool | None = None) -> ApiError:
    headers = {} if retry is None else {"Stripe-Should-Retry": "true" if retry else "false"}
    return ApiError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
        "it. If you see this error intermittently, retry the request.",
        code="lock_timeout",
        executed=False,
        headers=headers,
    )


def rate_limited(reason: str) -> ApiError:
    return ApiError(
        429,
        "Request rate limit exceeded.",
        code="rate_limit",
        executed=False,
        headers={"Stripe-Rate-Limited-Reason": reason},
    )
