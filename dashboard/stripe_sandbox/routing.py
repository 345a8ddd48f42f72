"""Which function answers which operation of Stripe's API, and which one does which piece of due work."""

import re
from collections.abc import Callable
from typing import Any

from dashboard.stripe_sandbox.context import Context

Handler = Callable[..., dict[str, Any]]
DueAction = Callable[[Context, str], None]

HANDLERS: dict[str, Handler] = {}
DUE_ACTIONS: dict[str, DueAction] = {}
INCLUDABLE: dict[tuple[str, str], Callable[[Context, dict[str, Any]], Any]] = {}
_PATTERNS: list[tuple[re.Pattern[str], str]] = []


def operation(name: str) -> Callable[[Handler], Handler]:
    """`@operation("POST /v1/invoices/{invoice}/pay")`: the function gets context, parameters and the path's ids."""

    def register(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return register


def due_action(name: str) -> Callable[[DueAction], DueAction]:
    """`@due_action("invoice.collect")`: the function gets a context and the id that the appointment was made for."""

    def register(action: DueAction) -> DueAction:
        DUE_ACTIONS[name] = action
        return action

    return register


def includable(kind: str, field: str) -> Callable[[Callable[[Context, dict[str, Any]], Any]], Any]:
    """Declare a field that is only answered when a caller expands it."""

    def register(reader: Callable[[Context, dict[str, Any]], Any]) -> Any:
        INCLUDABLE[kind, field] = reader
        return reader

    return register


def match(method: str, path: str) -> tuple[str, list[str]] | None:
    """The operation for an address, with the ids in it; None when Stripe has no such address."""
    if not _PATTERNS:
        _compile()
    for pattern, template in _PATTERNS:
        found = pattern.fullmatch(path)
        if found and f"{method} {template}" in HANDLERS:
            return f"{method} {template}", list(found.groups())
    return None


def _compile() -> None:
    templates = {name.split(" ", 1)[1] for name in HANDLERS}
    for template in sorted(templates, key=lambda path: (path.count("{"), path)):
        pattern = re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(template))
        _PATTERNS.append((re.compile(pattern), template))
