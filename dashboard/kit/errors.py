"""One family of refusals.

    MeterdeskError
    ├── InvalidInput          400  what was sent cannot be taken; `fields` names each place
    ├── NotSignedIn           401  nobody, or no longer anybody, is behind the request
    ├── NotAllowed            403  somebody is, but their role does not reach this
    ├── NotFound              404
    ├── Conflict              409  it is fine, but not beside what already is there
    ├── Gone                  410  it was deleted
    ├── PreconditionFailed    412  something else has to be done first
    ├── TooLarge              413
    ├── TooManyRequests       429  `retry_after_seconds` says when
    ├── DependencyFailed      424  another service answered, and refused
    └── Unavailable           503  another service could not be reached, or not yet

Rooms subclass these in their own `errors.py`. Every refusal says what a person can do next (`remedy`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class MeterdeskError(Exception):
    """A refusal a person can read: `code` for programs, `message` and `remedy` for people, `status` for HTTP."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        field: str | None = None,
        fields: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = self.remedy if remedy is None else remedy
        self.fields: dict[str, str] = dict(fields or {})
        if field is not None:
            self.fields.setdefault(field, message)
        self.details: dict[str, Any] = dict(details or {})

    def for_people(self) -> str:
        """The sentence to show: what is wrong, then what to do about it."""
        return f"{self.message} {self.what_to_do}".strip()


class InvalidInput(MeterdeskError):
    status = 400
    code = "invalid_input"


class NotSignedIn(MeterdeskError):
    status = 401
    code = "not_signed_in"
    remedy = "Sign in, or send a valid API key as a bearer token."


class NotAllowed(MeterdeskError):
    status = 403
    code = "not_allowed"
    remedy = "Ask an owner of this Meterdesk for a role that may do this."


class NotFound(MeterdeskError):
    status = 404
    code = "not_found"


class Conflict(MeterdeskError):
    status = 409
    code = "conflict"


class Gone(MeterdeskError):
    status = 410
    code = "gone"


class PreconditionFailed(MeterdeskError):
    status = 412
    code = "precondition_failed"


class TooLarge(MeterdeskError):
    status = 413
    code = "too_large"


class DependencyFailed(MeterdeskError):
    status = 424
    code = "dependency_failed"


class TooManyRequests(MeterdeskError):
    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_seconds: float, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(MeterdeskError):
    status = 503
    code = "unavailable"
