"""The role that a handler needs, declared where the handler stands and read by the guard."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from dashboard.access.views import Role

RoleName = Literal["viewer", "operator", "admin", "owner"]
Handler = TypeVar("Handler", bound=Callable[..., Any])

ANYONE = "anyone"
_ATTRIBUTE = "_meterdesk_role"


def needs(role: RoleName) -> Callable[[Handler], Handler]:
    """Declares the least role that may call a handler. Stands under `@rx.event`. Raises ValueError for other words."""
    return _declare(Role(role))


def open_to_anyone(handler: Handler) -> Handler:
    """Declares that a handler may be called without a session: only for pages before the sign-in."""
    return _declare(ANYONE)(handler)


def declared_role(handler: Callable[..., Any]) -> str | None:
    """The role a handler declares: a Role, ANYONE, or None when it was forgotten."""
    return getattr(handler, _ATTRIBUTE, None)


def _declare(role: str) -> Callable[[Handler], Handler]:
    def declare(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, role)
        return handler

    return declare
