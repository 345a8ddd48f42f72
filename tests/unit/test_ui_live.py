"""A watcher tells its page of news, and ends with the tab's page, connection or session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.kit.changes import Changes
from dashboard.ui import live, sessions


class Tab:
    """As much of a background handler's state as a watcher looks at."""

    def __init__(self) -> None:
        self.router = SimpleNamespace(
            session=SimpleNamespace(session_id="socket-1"),
            url=SimpleNamespace(path="/invoices"),
            headers=SimpleNamespace(cookie="meterdesk_session=good"),
        )

    async def __aenter__(self) -> "Tab":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Desk:
    signed_in = True

    async def user_of(self, cookie: str | None) -> Any:
        return "somebody" if self.signed_in and cookie == "good" else None

    async def owner_exists(self) -> bool:
        return True


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> Changes:
    changes = Changes()
    monkeypatch.setattr(live, "running", lambda: SimpleNamespace(changes=changes))
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.01)
    return changes


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(sessions, "_reader", [desk])
    return desk


async def _next(watching: AsyncIterator[None]) -> bool:
    """Whether the watcher yielded; False when it ended."""
    async with asyncio.timeout(5):
        try:
            await anext(watching)
        except StopAsyncIteration:
            return False
        return True


async def test_news_on_a_watched_topic_wakes_the_page(changes: Changes, desk: Desk) -> None:
    async with aclosing(live.news(Tab(), "invoices")) as watching:  # pyright: ignore[reportArgumentType]
        waiting = asyncio.create_task(_next(watching))
        await asyncio.sleep(0)
        await changes.publish(["customers"])
        await changes.publish(["invoices"])
        assert await waiting


async def test_news_between_two_looks_is_not_lost(changes: Changes, desk: Desk) -> None:
    async with aclosing(live.news(Tab(), "invoices")) as watching:  # pyright: ignore[reportArgumentType]
        waiting = asyncio.create_task(_next(watching))
        await asyncio.sleep(0)
        await changes.publish(["invoices"])
        assert await waiting
        await changes.publish(["invoices"])
        assert await _next(watching)


@pytest.mark.parametrize("what", ["page", "connection", "cookie"])
async def test_a_watcher_ends_when_its_tab_went_elsewhere(changes: Changes, desk: Desk, what: str) -> None:
    tab = Tab()
    async with aclosing(live.news(tab, "invoices")) as watching:  # pyright: ignore[reportArgumentType]
        waiting = asyncio.create_task(_next(watching))
        await asyncio.sleep(0)
        if what == "page":
            tab.router.url.path = "/customers"
        elif what == "connection":
            tab.router.session.session_id = "socket-2"
        else:
            tab.router.headers.cookie = "meterdesk_session=other"
        await changes.publish(["invoices"])
        assert not await waiting


async def test_a_watcher_ends_with_its_session_and_stops_listening(changes: Changes, desk: Desk) -> None:
    desk.signed_in = False
    async with aclosing(live.news(Tab(), "invoices")) as watching:  # pyright: ignore[reportArgumentType]
        assert not await _next(watching)
    assert not changes._waiting
