"""Pages that stay true: a watcher per open tab that waits for news and ends with its tab, its page or its session."""

from collections.abc import AsyncIterator

import reflex as rx

from dashboard.backend import running
from dashboard.ui.sessions import cookie_of, sessions

CHECK_SECONDS = 20.0
"""How often a watcher without news looks whether it is still wanted."""


async def news(state: rx.State, *topics: str) -> AsyncIterator[None]:
    """Yields each time one of `topics` changed; ends when the tab left the page, closed, or its session ended.

    For background handlers that a page's load handler returns:

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
