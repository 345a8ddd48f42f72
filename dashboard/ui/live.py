"""Pages that stay true: a watcher per open tab that waits for news and ends with its tab, its page or its session."""

from collections.abc import AsyncIterator

import reflex as rx

from dashboard.backend import running
from dashboard.ui.roles import needs
from dashboard.ui.sessions import cookie_of, sessions

CHECK_SECONDS = 20.0
"""How often a watcher without news looks whether it is still wanted."""


class LiveState(rx.State, mixin=True):
    """A page that loads and then stays true by itself. A state of this kind says what its news are and how it reads.

    Reflex gives each state handlers of its own, with the role and the marks that these here bear; for that a state
    names `rx.State` among its bases, beside this.
    """

    @rx.event
    @needs("viewer")
    async def load(self):
        """Runs on entry and on each change of the query."""
        self._enter()
        await self._refresh()
        return type(self).watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self):
        """Reads again at each news; stops by itself: other page, closed tab, ended session."""
        async for _ in news(self, *self._topics()):
            async with self:
                await self._refresh()

    def _enter(self) -> None:
        """What entering does besides reading: closes dialogs, forgets refusals."""

    def _topics(self) -> tuple[str, ...]:
        """Which news concern the page."""
        raise NotImplementedError

    async def _refresh(self) -> None:
        """Reads what the address asks for."""
        raise NotImplementedError


async def news(state: rx.State, *topics: str) -> AsyncIterator[None]:
    """Yields each time one of `topics` changed; ends when the tab left the page, closed, or its session ended.

    For watchers that do more than read again (`LiveState` has one that does just that):

        @rx.event(background=True, supersedes=True)
        @needs("viewer")
        async def watch(self) -> None:
            async for _ in news(self, "invoices"):
                view = await _read_invoices()      # work outside the lock
                async with self:
                    self.invoices = view
    """
    async with state:  # pyright: ignore[reportGeneralTypeIssues] (a background handler's state is lockable)
        socket, path, cookie = _place(state)
    with running().changes.subscribe(topics) as subscription:
        while True:
            something_new = await subscription.wait(CHECK_SECONDS)
            async with state:  # pyright: ignore[reportGeneralTypeIssues]
                if _place(state) != (socket, path, cookie):
                    return
            if await sessions().user_of(cookie) is None:
                return
            if something_new:
                yield


def _place(state: rx.State) -> tuple[str, str, str | None]:
    """The tab's connection, page and session. A tab that reconnects loads its page, and so its watcher, anew."""
    router = state.router
    return router.session.session_id, router.url.path.rstrip("/"), cookie_of(state)
