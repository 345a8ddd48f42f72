"""The request log: every API exchange with its number, kept in the store up to a cap."""

import json
from datetime import UTC, datetime
from typing import Any

from dashboard.stripe_sandbox.store import Store

CAP = 10_000
_BATCH = 200


class ExchangeLog:
    """Written in batches, because a log entry need not outlive a kill; read back complete."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Any, ...]] = []

    def add(
        self,
        *,
        at: int,
        account: str | None,
        method: str,
        path: str,
        params: str,
        status: int,
        response: str,
        idempotency_key: str | None,
        request_id: str,
        duration_ms: float,
    ) -> None:
        """Note one exchange. `params` is the raw form, `response` the JSON text as sent."""
        moment = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        row = (moment, account, method, path, params, status, response, idempotency_key, request_id, duration_ms)
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and drop what is beyond the cap."""
        if not self._waiting:
            return
        rows, self._waiting = self._waiting, []
        with self._store.work():
            self._store.execute_many(
                "INSERT INTO exchanges (at, account, method, path, params, status, response, idempotency_key,"
                " request_id, duration_ms) VALUES (?,?,?,?,?,?,?,?,?,?)",
                rows,
            )
            self._store.execute("DELETE FROM exchanges WHERE n <= (SELECT max(n) FROM exchanges) - ?", (CAP,))

    def after(self, n: int, limit: int = CAP) -> list[dict[str, Any]]:
        """Exchanges with a number above `n`, oldest first."""
        self.flush()
        rows = self._store.all("SELECT * FROM exchanges WHERE n > ? ORDER BY n LIMIT ?", (n, limit))
        return [_shown(dict(row)) for row in rows]

    def latest(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """The newest exchanges, newest first."""
        self.flush()
        rows = self._store.all(
            "SELECT * FROM exchanges WHERE n < ? ORDER BY n DESC LIMIT ?", (before or 1 << 62, limit)
        )
        return [_shown(dict(row)) for row in rows]

    def find(self, request_id: str) -> dict[str, Any] | None:
        """One exchange by its request id."""
        self.flush()
        row = self._store.one("SELECT * FROM exchanges WHERE request_id = ?", (request_id,))
        return _shown(dict(row)) if row else None

    def clear(self) -> None:
        """Forget what waits (the store is emptied elsewhere)."""
        self._waiting.clear()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    row["response"] = json.loads(row["response"]) if row["response"] else None
    return row
