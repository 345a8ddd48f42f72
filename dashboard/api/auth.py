"""Who calls: a bearer key, and what its role reaches. Every operation names the role it needs; none is open."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header

from dashboard.access import service
from dashboard.access.views import ApiKey, Role, actor_of
from dashboard.backend import running
from dashboard.kit.database import Actor
from dashboard.kit.errors import NotAllowed, NotSignedIn


async def api_key(authorization: Annotated[str | None, Header()] = None) -> ApiKey:
    """The live key behind `Authorization: Bearer …`. Raises NotSignedIn without one."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("This operation needs an API key.")
    backend = running()
    key = await service.authenticate_api_key(backend.database, token.strip(), environment_key=backend.settings.api_key)
    if key is None:
        raise NotSignedIn("This API key is unknown or was revoked.")
    return key


def caller(needed: Role) -> Callable[..., Awaitable[Actor]]:
    """A dependency that lets keys with `needed` (or more) through and gives the actor they stand for."""

    async def check(key: Annotated[ApiKey, Depends(api_key)]) -> Actor:
        if not key.role.reaches(needed):
            raise NotAllowed(f"This needs the role {needed.value}; the key {key.name} is {key.role.value}.")
        return actor_of(key)

    return check


Viewer = Annotated[Actor, Depends(caller(Role.VIEWER))]
Operator = Annotated[Actor, Depends(caller(Role.OPERATOR))]
Admin = Annotated[Actor, Depends(caller(Role.ADMIN))]
