"""The sandbox's time: real time until somebody moves it, and then real time plus a kept offset."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.stripe_sandbox.store import Store


class Clock:
    """Seconds since 1970 by the sandbox's own clock. Signatures never use it: they carry real time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset: float = store.setting("clock_offset", 0)
        self._held: int | None = None

    @property
    def offset(self) -> float:
        """How far the sandbox is ahead of real time, in seconds."""
        return self._offset

    def now(self) -> int:
        """The sandbox's time in whole seconds."""
        return self._held if self._held is not None else int(time.time() + self._offset)

    def move_to(self, moment: float) -> None:
        """From here on the time is `moment` and runs on. Kept over restarts."""
        self._offset = moment - time.time()
        self._store.set_setting("clock_offset", self._offset)

    def reload(self) -> None:
        """Take the offset from the store again (after a reset)."""
        self._offset = self._store.setting("clock_offset", 0)

    @contextmanager
    def held_at(self, moment: int) -> Iterator[None]:
        """While work that fell due in the past is caught up, it sees the moment at which it was due."""
        self._held = moment
        try:
            yield
        finally:
            self._held = None
