"""What the screens need to know about who is signed in. The access room keeps the answers."""

from contextvars import ContextVar
from typing import Protocol

import reflex as rx
from reflex.state import BaseState

from dashboard.access import queries, service
from dashboard.access.views import SignedInUser, actor_of
from dashboard.backend import running
from dashboard.kit.database import Actor
from dashboard.kit.errors import NotSignedIn
from dashboard.kit.web import cookie_value


class SessionReader(Protocol):
    """Answers who sits behind a browser's cookie."""

    async def user_of(self, cookie: str | None) -> SignedInUser | None:
        """The person whose session this is; None when there is none, or it ended, or it was revoked."""
        ...

    async def owner_exists(self) -> bool:
        """Whether somebody has created the owner account yet."""
        ...


class AccessRoom:
    """The answers of the access room, from this process's database."""

    async def user_of(self, cookie: str | None) -> SignedInUser | None:
        return None if cookie is None else await service.signed_in_user(running().database, cookie)

    async def owner_exists(self) -> bool:
        async with running().database.read() as session:
            return await queries.any_user_exists(session)


_reader: list[SessionReader] = [AccessRoom()]


def sessions() -> SessionReader:
    """Who answers: the access room, unless a test put somebody else in its place."""
    return _reader[0]


def provide_sessions(reader: SessionReader) -> None:
    """Lets somebody else answer from now on."""
    _reader[0] = reader


_let_in: ContextVar[SignedInUser | None] = ContextVar("_let_in", default=None)


def let_in(user: SignedInUser | None) -> None:
    """Notes whose event is being handled, so that its handler need not ask again. For the guard, before each event."""
    _let_in.set(user)


async def signed_in_user(state: rx.State) -> SignedInUser:
    """The person in front of this tab: whom the guard has just let in, else asked anew. Raises NotSignedIn."""
    user = _let_in.get() or await sessions().user_of(cookie_of(state))
    if user is None:
        raise NotSignedIn("Your session has ended.")
    return user


async def acting(state: rx.State) -> Actor:
    """Who acts in this handler, as transactions and the audit log want it. Raises NotSignedIn."""
    return actor_of(await signed_in_user(state))


def cookie_of(state: BaseState) -> str | None:
    """The session cookie that the browser sent when this tab connected."""
    return cookie_value(state.router.headers.cookie)
