"""Applies what is due in the inbox: at once when there is news of it, else within a second.

A letter's own row is all there is to know of it, so nothing is lost with a process. Several processes may do this: the
letters about one thing are in one worker's hands at a time (`apply_bundle`).
"""

import asyncio
import logging
from collections import deque

from dashboard.kit.changes import Subscription
from dashboard.stripe_app.apply import apply_bundle
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.inbox import AT_A_LOOK, DUE, Bundle, due_letters

_log = logging.getLogger(__name__)

AT_ONCE = 20
LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0


class LetterCarrier:
    """Has letters about different things applied side by side, those about one thing one after the other."""

    def __init__(self, desk: StripeDesk) -> None:
        self._desk = desk
        self._next: deque[Bundle] = deque()
        self._in_hand: dict[asyncio.Task[bool], Bundle] = {}
        self._left_behind = False
        """Whether there may be letters that are due and in nobody's hands."""

    async def run(self) -> None:
        """Until it is cancelled. What is being applied then has a few seconds to end; the rest is due again."""
        with self._desk.database.changes.subscribe([DUE]) as news:
            try:
                while True:
                    try:
                        await self._carry(news)
                    except Exception:
                        _log.exception("looking for letters failed; it goes on")
                    await news.wait(LOOK_SECONDS)
            finally:
                await self._put_down()

    async def _carry(self, news: Subscription) -> None:
        if not self._next and len(self._in_hand) < AT_ONCE:
            self._next.extend(await self._due())
        while self._next and len(self._in_hand) < AT_ONCE:
            bundle = self._next.popleft()
            task = asyncio.create_task(apply_bundle(self._desk, bundle))
            self._in_hand[task] = bundle
            task.add_done_callback(lambda ended: self._ended(ended, news))
        self._left_behind |= len(self._in_hand) >= AT_ONCE

    async def _due(self) -> list[Bundle]:
        known = [event_id for bundle in self._in_hand.values() for event_id in bundle.event_ids]
        async with self._desk.database.read() as session:
            found = await due_letters(session, self._desk.database.clock.now(), without=known)
        busy = {(bundle.app_id, bundle.about) for bundle in self._in_hand.values()}
        free = [bundle for bundle in found if (bundle.app_id, bundle.about) not in busy]
        self._left_behind = len(free) < len(found) or sum(len(one.event_ids) for one in found) == AT_A_LOOK
        return free

    def _ended(self, task: asyncio.Task[bool], news: Subscription) -> None:
        del self._in_hand[task]
        if task.cancelled():
            return
        if (fault := task.exception()) is not None:
            _log.error("letters could not be applied; they are tried again", exc_info=fault)
        elif task.result() and self._left_behind:
            # (Of what others have in hand no end is heard: the next look sees it.)
            news.wake()

    async def _put_down(self) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=GRACE_SECONDS)
        for task in list(self._in_hand):
            task.cancel()
        await asyncio.gather(*self._in_hand, return_exceptions=True)
