"""Who calls: a bearer key, and what its role reaches.

`gate.py` finds the key before anything else is read; here each operation names the role it needs. None may be without
one: `refuse_open_routes` stops the program that forgot it.
"""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from dashboard.access import service
from dashboard.access.views import ApiKey, Role, actor_of
from dashboard.backend import running
from dashboard.kit.database import Actor
from dashboard.kit.errors import NotAllowed, NotSignedIn


async def key_behind(authorization: str | None) -> ApiKey:
    """The live key of `Bearer …`. Raises NotSignedIn without one."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("This operation needs an API key.", remedy="Send one: `Authorization: Bearer mdk_…`.")
    backend = running()
    key = await service.authenticate_api_key(backend.database, token.strip(), environment_key=backend.settings.api_key)
    if key is None:
        raise NotSignedIn("This API key is unknown or was revoked.", remedy="Make a new one under Settings → API keys.")
    return key


class Caller:
    """A dependency that lets keys with `needed` (or more) through and gives the actor they stand for."""

    def __init__(self, needed: Role) -> None:
        self.needed = needed

    async def __call__(self, request: Request) -> Actor:
        key: ApiKey | None = request.scope["state"].get("api_key")
        if key is None:
            raise NotSignedIn("This operation needs an API key.")
        if not key.role.reaches(self.needed):
            raise NotAllowed(f"This needs the role {self.needed.value}; the key {key.name} is {key.role.value}.")
        return actor_of(key)


Viewer = Annotated[Actor, Depends(Caller(Role.VIEWER))]
Operator = Annotated[Actor, Depends(Caller(Role.OPERATOR))]
Admin = Annotated[Actor, Depends(Caller(Role.ADMIN))]


def declared_role(dependant: Dependant) -> Role | None:
    """The role an operation asks for, None when it forgot to."""
    for one in dependant.dependencies:
        if isinstance(one.call, Caller):
            return one.call.needed
        if found := declared_role(one):
            return found
    return None


def operations(routes: Iterable[BaseRoute]) -> list[tuple[str, str, Role | None]]:
    """(method, path, role) of every operation below `routes`."""
    return [
        (method, context.path or "", declared_role(context.dependant))
        for context in iter_route_contexts(list(routes))
        if isinstance(context.original_route, APIRoute)
        for method in sorted(context.methods or ())
    ]


def refuse_open_routes(routes: Iterable[BaseRoute], open_paths: Iterable[str]) -> None:
    """Raises RuntimeError when an operation outside of `open_paths` asks for no role."""
    known = set(open_paths)
    forgotten = [f"{method} {path}" for method, path, role in operations(routes) if role is None and path not in known]
    if forgotten:
        raise RuntimeError(f"operations without a role: {', '.join(forgotten)}")
